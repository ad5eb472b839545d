// Where frames come from: a file, the sample, the webcam.

import * as api from './api.js';
import {Camera} from './camera.js';
import {CURVE, paint, paintHeat, show} from './frames.js';
import {$, fresh, here, mention, say, tried} from './state.js';
import {paintTargets} from './targets.js';
import {merge, poll, stopPolling} from './work.js';

let turn = 0;  // grows with every click that opens something

/** Closes what is open; returns the turn of what is opened instead. */
function close() {
  stopPolling();
  const old = here.clip;
  here.clip = here.image = null;
  $('work').hidden = true;
  mark(null);
  old?.camera?.close();
  if (old?.path) api.remove(old.path).catch(() => {});
  return ++turn;
}

function mark(source) {
  for (const id of ['upload', 'sample', 'webcam']) {
    $(id).setAttribute('aria-pressed', String(id === source));
  }
}

function opened(found, source) {
  mark(source);
  const clip = here.clip = {...fresh(), ...found};
  $('work').hidden = false;
  $('overlay').checked = false;
  const ratio = clip.size[0] / clip.size[1];
  const view = $('view');
  view.style.setProperty('--ratio', ratio);
  view.width = Math.min(Math.max(clip.size[0], 960), 1280);  // sharp labels
  view.height = Math.round(view.width / ratio);
  $('curve').hidden = true;
  for (const id of ['playback', 'home', 'run', 'overlay-label']) {
    $(id).hidden = Boolean(clip.camera);
  }
  paintTargets();
  paintHeat();
}

/** Opens the video that `find(say)` resolves to, unless a newer click came. */
async function openClip(source, line, find) {
  const mine = close();
  say(line);
  let state;
  try {
    state = await find((news) => { if (mine === turn) say(news); });
  } catch (error) {
    if (mine === turn) throw error;
    return;
  }
  const path = `/api/videos/${state.name}`;
  if (mine !== turn) {
    api.remove(path).catch(() => {});
    return;
  }
  opened({size: state.size, path}, source);
  say('');
  merge(state);
  poll();
  await show(1);
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
  await openClip('upload', 'Uploading', (tell) =>
    api.upload('/api/videos', file, (share) => tell(
      share < 1 ? `Uploading, ${Math.floor(100 * share)}%` : 'Opening')));
});

$('sample').onclick = tried(() => openClip(
  'sample', 'Opening the sample; the first time, it is rendered',
  () => api.post('/api/sample')));

$('webcam').onclick = tried(async () => {
  const mine = close();
  say('Waiting for the camera');
  const camera = new Camera({
    ready: (size) => {
      if (mine === turn) opened({size, camera}, 'webcam');
      else camera.close();
    },
    note: (line) => { if (mine === turn) say(line); },
    frame: (frame, answer) => {
      if (here.clip?.camera === camera && frame) cameraFrame(frame, answer);
    },
    ended: (line) => {
      if (here.clip?.camera === camera && line) say(line, true);
    }});
  try {
    await camera.open();
  } catch (error) {
    camera.close();
    if (mine === turn) throw error;
  }
});

function cameraFrame(frame, answer) {
  const {clip} = here;
  if (answer.error) say(answer.error, true);
  else mention(answer.dropped ? `${answer.dropped} frames dropped` : '');
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
  paintTargets();
  if (!clip.camera.frozen) here.image = frame;
  paint();
  paintHeat(bytes.get(clip.selected) || new Uint8Array());
}

window.addEventListener('pagehide', () => {
  if (here.clip?.path) api.remove(here.clip.path).catch(() => {});
  here.clip?.camera?.close();
});
// One that comes back out of the browser's memory has lost its video.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
