"""How training sets lie on disk, one module per layout."""

from siamkpn_jax.datasets.formats import (
    coco,
    crop511,
    folder,
    got10k,
    imagenet_det,
    imagenet_vid,
    lasot,
    trackingnet,
    youtube_bb,
)
from siamkpn_jax.datasets.tracks import Layout

LAYOUTS: dict[str, Layout] = {
    'crop511': crop511,
    'got10k': got10k,
    'lasot': lasot,
    'trackingnet': trackingnet,
    'youtube_bb': youtube_bb,
    'coco': coco,
    'imagenet_vid': imagenet_vid,
    'imagenet_det': imagenet_det,
    'folder': folder,
}
