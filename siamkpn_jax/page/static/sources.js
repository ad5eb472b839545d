// Where frames come from: a file, the sample, the webcam.

import * as api from './api.js';
import {Camera} from './camera.js';
import {CURVE, paint, paintHeat, show} from './frames.js';
import {$, fresh, here, say, tried} from './state.js';
import {paintTargets} from './targets.js';
import {merge, poll, stopPolling} from './work.js';

function close() {
  stopPolling();
  const old = here.clip;
  here.clip = null;
  if (!old) return;
  old.camera?.close();
  if (old.path) api.remove(old.path).catch(() => {});
}

function opened(found, source) {
  for (const id of ['upload', 'sample', 'webcam']) {
    $(id).setAttribute('aria-pressed', String(id === source));
  }
  const clip = here.clip = {...fresh(), ...found};
  $('work').hidden = false;
  $('overlay').checked = false;
  const ratio = clip.size[0] / clip.size[1];
  const view = $('view');
  view.style.setProperty('--ratio', ratio);
  view.width = Math.min(Math.max(clip.size[0], 960), 1280);  // sharp labels
  view.height = Math.round(view.width / ratio);
  $('curve').hidden = true;
  for (const id of ['playback', 'home', 'run']) {
    $(id).hidden = Boolean(clip.camera);
  }
  here.image = null;
}

async function openClip(state, source) {
  close();
  opened({size: state.size, path: `/api/videos/${state.name}`}, source);
  say('');
  merge(state);
  await show(1);
  poll();
}

$('upload').onclick = () => $('file').click();
$('file').onchange = tried(async () => {
  const file = $('file').files[0];
  const most = here.limits.upload_bytes;
  $('file').value = '';
  if (!file) return;
  if (file.size > most) {
    throw new Error(`this file has ${Math.round(file.size / 1e6)} MB; at ` +
      `most ${most / 1e6} MB are taken here: cut it`);
  }
  close();
  say('Uploading');
  const state = await api.upload('/api/videos', file, (share) =>
    say(share < 1 ? `Uploading, ${Math.floor(100 * share)}%` : 'Opening'));
  await openClip(state, 'upload');
});

$('sample').onclick = tried(async () => {
  close();
  say('Opening the sample; the first time, it is rendered');
  await openClip(await api.post('/api/sample'), 'sample');
});

$('webcam').onclick = tried(async () => {
  close();
  say('Waiting for the camera');
  const camera = new Camera({
    ready: (size) => opened({size, camera}, 'webcam'),
    note: (line) => say(line),
    frame: cameraFrame,
    ended: (line) => {
      if (here.clip?.camera === camera && line) say(line, true);
    }});
  try {
    await camera.open();
  } catch (error) {
    camera.close();
    throw error;
  }
});

function cameraFrame(frame, answer) {
  const {clip} = here;
  if (!clip?.camera || !frame) return;
  say(answer.error || (answer.dropped ? `${answer.dropped} frames dropped` : ''),
      Boolean(answer.error));
  clip.now = clip.frames = answer.frame;
  const bytes = new Map();
  clip.targets = [];
  for (const [id, x, y, w, h, score, state, maps] of answer.rows) {
    clip.targets.push({id, state: 'tracking'});
    if (!clip.rows.has(id)) clip.rows.set(id, new Map());
    const rows = clip.rows.get(id);
    rows.set(clip.now, {box: [x, y, w, h], score, state, place: [null]});
    while (rows.size > CURVE) rows.delete(rows.keys().next().value);
    if (maps) {
      bytes.set(id, Uint8Array.of(Math.sqrt(maps[0].length), ...maps.flat()));
    }
  }
  clip.targets.sort((a, b) => a.id - b.id);
  const ids = clip.targets.map(({id}) => id);
  $('curve').hidden = !ids.length;
  if (!ids.includes(clip.selected)) clip.selected = ids[0] ?? null;
  if (ids.join() !== clip.shownIds) {
    clip.shownIds = ids.join();
    paintTargets();
  }
  if (!clip.camera.frozen) here.image = frame;
  paint();
  paintHeat(bytes.get(clip.selected) || new Uint8Array());
}

window.addEventListener('pagehide', () => {
  if (here.clip?.path) api.remove(here.clip.path).catch(() => {});
  here.clip?.camera?.close();
});
