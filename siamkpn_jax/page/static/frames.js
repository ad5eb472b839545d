// One frame: its image, boxes, place in the curve and heatmaps.

import * as api from './api.js';
import {colorOf, paintCurve, paintHeatmaps, paintView} from './paint.js';
import {$, here} from './state.js';

export const CURVE = 300;  // frames of a camera in the curve
const KEPT = 24;           // frames in memory, some megabytes each
const KEPT_HEAT = 80;      // heatmaps

export function image(number) {
  const {images, path} = here.clip;
  let wanted = images.get(number);
  if (!wanted) {
    wanted = api.getImage(`${path}/frames/${number}`);
    wanted.catch(() => images.delete(number));
  }
  images.delete(number);
  images.set(number, wanted);  // the newest
  while (images.size > KEPT) {
    const [oldest, old] = images.entries().next().value;
    images.delete(oldest);
    old.then((found) => { if (found !== here.image) found.close(); }, () => {});
  }
  return wanted;
}

/** Shows a frame as soon as its image is there, unless another is wanted. */
export async function show(number) {
  const mine = here.clip;
  const wanted = mine.wanted = Math.min(Math.max(number, 1), mine.frames);
  const found = await image(wanted);
  if (mine !== here.clip || mine.wanted !== wanted) return;
  mine.now = wanted;
  here.image = found;
  paint();
  paintHeat();
}

function boxes() {
  const {clip, rubber} = here;
  const found = [];
  for (const target of clip.targets) {
    const row = clip.rows.get(target.id)?.get(clip.now);
    if (!row && target.state === 'waiting' && target.frame === clip.now) {
      found.push({box: target.box, color: colorOf(target.id),
                  label: `${target.id}`, dashed: true});
    }
    if (!row) continue;
    const lost = row.state !== 'tracked';
    found.push({box: row.box, color: colorOf(target.id), dashed: lost,
                selected: target.id === clip.selected,
                label: `${target.id} ${lost ? row.state :
                                       row.score.toFixed(2)}`});
  }
  for (const one of clip.drawn) {
    if (one.frame === clip.now) {
      found.push({box: one.box, color: '#0b7a75', label: 'new', dashed: true});
    }
  }
  if (rubber) found.push({box: rubber, color: '#0b7a75', dashed: true});
  return found;
}

export function paint() {
  const {clip} = here;
  if (!clip) return;
  const row = clip.rows.get(clip.selected)?.get(clip.now);
  const heat = $('overlay').checked && row?.place?.[0] != null &&
    clip.heatShown?.frame === clip.now ?
    {canvas: clip.heatShown.last, place: row.place} : null;
  paintView($('view'), here.image, clip.size, boxes(), heat);
  const last = clip.camera ? Math.max(clip.now, CURVE) : clip.frames;
  paintCurve($('curve'), clip.targets.map((target) => ({
    color: colorOf(target.id), rows: clip.rows.get(target.id) || new Map()})),
    clip.camera ? last - CURVE + 1 : 1, last, clip.now);
  $('slider').value = clip.wanted ?? clip.now;
  $('number').value = `${clip.now}/${clip.frames} · ` +
    `${(here.image?.time ?? 0).toFixed(2)} s`;
  $('play').textContent = clip.playing ? '\u23f8' : '\u25b6';
  $('play').setAttribute('aria-label', clip.playing ? 'Pause' : 'Play');
  $('hint').hidden = Boolean(clip.targets.length || clip.drawn.length);
  for (const item of $('targets').children) {
    const state = clip.rows.get(Number(item.dataset.id))?.get(clip.now);
    if (!item.dataset.id) continue;
    const what = item.querySelector('.what');
    what.textContent = state ?
      `${state.state} ${state.score.toFixed(2)}` : 'not in this frame';
    what.classList.toggle('lost', Boolean(state && state.state !== 'tracked'));
  }
}

async function heatBytes(mine, id, frame) {
  if (mine.camera || !mine.rows.get(id)?.has(frame)) return new Uint8Array();
  const key = `${id}/${frame}`;
  const bytes = mine.heat.get(key) ||
    await api.getBytes(`${mine.path}/heatmaps/${key}`).catch(() => null);
  if (bytes === null) return null;
  mine.heat.set(key, bytes);
  while (mine.heat.size > KEPT_HEAT) {
    mine.heat.delete(mine.heat.keys().next().value);
  }
  return bytes;
}

export async function paintHeat(bytes = null) {
  const mine = here.clip;
  const [id, frame] = [mine.selected, mine.now];
  $('heat').hidden = id === null;
  if (id === null) return;
  const found = bytes || await heatBytes(mine, id, frame);
  if (found === null || mine !== here.clip || mine.selected !== id ||
      mine.now !== frame) {
    return;
  }
  const maps = paintHeatmaps(found);
  $('heat-of').textContent = maps.length ? `of target ${id}` :
    `of target ${id}: none in this frame`;
  $('heatmaps').replaceChildren(...maps.map(({canvas, most}, k) => {
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    caption.textContent = maps.length > 1 ?
      `stage ${k + 1}: ${most.toFixed(2)}` : `maximum ${most.toFixed(2)}`;
    figure.append(canvas, caption);
    return figure;
  }));
  mine.heatShown = maps.length ? {frame, last: maps.at(-1).veil} : null;
  if ($('overlay').checked) paint();
}
