#!/bin/bash
# Trains on all hosts of a Cloud TPU slice (TPU VMs).
#
#   TPU=NAME ZONE=ZONE launch/tpu_vm.sh --config configs/kpn3s.py \
#     --workdir /mnt/shared/kpn3s
#
# FOLDER is the checkout on the hosts, with its .venv; the workdir lies on a
# file system that all of them mount. Arguments may hold any characters.
set -euo pipefail

if [ -z "${TPU:-}" ] || [ -z "${ZONE:-}" ]; then
  echo "error: TPU and ZONE: expected the slice's name and its zone, as in" \
    "TPU=NAME ZONE=us-central2-b launch/tpu_vm.sh --config FILE" >&2
  exit 2
fi
FOLDER=${FOLDER:-siamkpn_jax}

gcloud compute tpus tpu-vm ssh "$TPU" --zone="$ZONE" --worker=all --command="
  cd $(printf '%q' "$FOLDER") &&
  exec .venv/bin/python -m siamkpn_jax.train --distributed=on$(
    printf ' %q' "$@")"
