import * as api from './api.js';
import {Camera} from './camera.js';
import {colorOf, frameAt, paintCurve, paintHeatmaps, paintView} from './paint.js';
import {listen} from './pointer.js';

const $ = (id) => document.getElementById(id);
const view = $('view');
const KEPT = 80;      // frames in memory
const AHEAD = 10;     // frames that are fetched before they are shown
const POLL = 200;     // milliseconds between two looks at the server's work
const CURVE = 300;    // frames of a camera in the curve

let limits = {upload_bytes: Infinity, targets: 8, h264: true};
let clip = null;      // the open video, or camera
let shownImage = null;
let rubber = null;    // the box that is being drawn
let polling = null;

const fresh = () => ({
  camera: null, size: [640, 360], fps: 25, frames: 1,
  targets: [], drawn: [], rows: new Map(), next: 0, now: 1, playing: false,
  follow: false, selected: null, job: null, film: false, images: new Map(),
  heat: new Map(), path: null});

function say(line, error = false) {
  $('message').textContent = line;
  $('message').classList.toggle('error', error);
}

function tried(work) {
  return async (...args) => {
    try {
      await work(...args);
    } catch (error) {
      say(error.message, true);
    }
  };
}

// ---------------------------------------------------------------- sources

function close() {
  clearTimeout(polling);
  const old = clip;
  clip = null;
  if (!old) return;
  old.camera?.close();
  if (old.path) api.remove(old.path).catch(() => {});
}

function opened(found, source) {
  for (const id of ['upload', 'sample', 'webcam']) {
    $(id).setAttribute('aria-pressed', String(id === source));
  }
  clip = {...fresh(), ...found};
  $('work').hidden = false;
  $('overlay').checked = false;
  const ratio = clip.size[0] / clip.size[1];
  view.style.setProperty('--ratio', ratio);
  view.width = Math.min(Math.max(clip.size[0], 960), 1280);  // sharp labels
  view.height = Math.round(view.width / ratio);
  $('curve').hidden = true;
  for (const id of ['playback', 'home', 'run']) {
    $(id).hidden = Boolean(clip.camera);
  }
  shownImage = null;
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
  $('file').value = '';
  if (!file) return;
  if (file.size > limits.upload_bytes) {
    throw new Error(`this file has ${Math.round(file.size / 1e6)} MB; at ` +
      `most ${limits.upload_bytes / 1e6} MB are taken here: cut it`);
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
      if (clip?.camera === camera && line) say(line, true);
    }});
  try {
    await camera.open();
  } catch (error) {
    camera.close();
    throw error;
  }
});

window.addEventListener('pagehide', () => {
  if (clip?.path) api.remove(clip.path).catch(() => {});
  clip?.camera?.close();
});

// ---------------------------------------------------------------- the server

function merge(state) {
  clip.size = state.size;
  clip.fps = state.fps;
  clip.frames = state.frames;
  clip.targets = state.targets;
  clip.film = state.film;
  clip.job = state.job;
  for (const [frame, id, x, y, w, h, score, name, ...place] of state.rows) {
    if (!clip.rows.has(id)) clip.rows.set(id, new Map());
    clip.rows.get(id).set(frame, {box: [x, y, w, h], score, state: name, place});
    if (clip.follow && clip.job?.kind === 'track') clip.latest = frame;
  }
  clip.next = state.next;
  if (!clip.targets.some((target) => target.id === clip.selected)) {
    clip.selected = clip.targets[0]?.id ?? null;
  }
  const wrong = clip.targets.find((target) => target.error);
  const line = state.error || wrong?.error || '';
  if (line) say(line, true);
  else if (state.notes.length) say(state.notes.join('; '));
  paintRun();
  paintTargets();
}

async function poll() {
  clearTimeout(polling);
  const mine = clip;
  if (!mine?.path) return;
  try {
    const state = await api.getJSON(`${mine.path}?since=${mine.next}`);
    if (mine !== clip) return;
    merge(state);
    if (mine.follow && mine.latest && !mine.playing) await show(mine.latest);
    else paint();
  } catch (error) {
    if (mine !== clip) return;
    say(error.message, true);
    return;
  }
  if (mine === clip && mine.job) polling = setTimeout(poll, POLL);
  else if (mine === clip) mine.follow = false;
}

const busy = () => Boolean(clip?.job && clip.job.kind !== 'prepare');

function paintRun() {
  const job = clip.job;
  $('stop').hidden = !busy();
  $('stages-label').hidden = Boolean(job) || Boolean(clip.camera);
  $('curve').hidden = !clip.rows.size;
  $('track').disabled = !clip.drawn.length;
  $('progress').hidden = !job;
  let line = '';
  if (job) {
    const what = {prepare: 'Reading the video', track: 'Tracking',
                  film: 'Drawing the video'}[job.kind];
    line = job.state === 'waiting' ?
      `${what}: ${job.position} before you in the queue` :
      `${job.note || what}${job.total ? `, ${job.done}/${job.total}` : ''}`;
    if (job.total && !job.note && job.state === 'running') {
      $('progress').max = job.total;
      $('progress').value = job.done;
    } else {
      $('progress').removeAttribute('value');
    }
  }
  $('progress-text').textContent = line;
  $('slider').max = clip.frames;
  $('film').disabled = busy() || !clip.rows.size;
  $('film').textContent = clip.film ? 'Download the mp4' : 'Video (mp4)';
  if (clip.rows.size) $('csv').href = `${clip.path}/boxes.csv`;
  else $('csv').removeAttribute('href');
  $('codec').hidden = limits.h264;
}

$('track').onclick = tried(async () => {
  const drawn = clip.drawn;
  clip.drawn = [];
  clip.playing = false;
  clip.follow = true;
  say('');
  try {
    await api.post(`${clip.path}/targets`, {
      targets: drawn.map(({frame, box}) => ({frame, box})),
      stages: $('stages').checked});
  } catch (error) {
    clip.drawn = drawn;
    throw error;
  } finally {
    poll();
  }
});

$('stop').onclick = tried(async () => {
  await api.post(`${clip.path}/stop`);
  poll();
});

$('film').onclick = tried(async () => {
  const mine = clip;
  if (!mine.film) {
    await api.post(`${mine.path}/film`);
    do {
      await poll();
    } while (mine === clip && mine.job);
    if (mine !== clip || !mine.film) return;
  }
  const link = document.createElement('a');
  link.href = `${mine.path}/film.mp4`;
  link.download = 'tracked.mp4';
  link.click();
});

// ---------------------------------------------------------------- frames

function image(number) {
  const {images, path} = clip;
  if (!images.has(number)) {
    const wanted = api.getImage(`${path}/frames/${number}`);
    wanted.catch(() => images.delete(number));
    images.set(number, wanted);
    while (images.size > KEPT) images.delete(images.keys().next().value);
  }
  return images.get(number);
}

async function show(number) {
  const mine = clip;
  mine.now = Math.min(Math.max(number, 1), mine.frames);
  const wanted = mine.now;
  const found = await image(wanted);
  if (mine !== clip || mine.now !== wanted) return;
  shownImage = found;
  paint();
  paintHeat();
}

function boxes() {
  const found = [];
  for (const target of clip.targets) {
    const row = clip.rows.get(target.id)?.get(clip.now);
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

function paint() {
  if (!clip) return;
  const row = clip.rows.get(clip.selected)?.get(clip.now);
  const heat = $('overlay').checked && row?.place?.[0] != null &&
    clip.heatShown?.frame === clip.now ?
    {canvas: clip.heatShown.last, place: row.place} : null;
  paintView(view, shownImage, clip.size, boxes(), heat);
  const last = clip.camera ? Math.max(clip.now, CURVE) : clip.frames;
  paintCurve($('curve'), clip.targets.map((target) => ({
    color: colorOf(target.id), rows: clip.rows.get(target.id) || new Map()})),
    clip.camera ? last - CURVE + 1 : 1, last, clip.now);
  $('slider').value = clip.now;
  $('number').value =
    `${clip.now}/${clip.frames} · ${((clip.now - 1) / clip.fps).toFixed(2)} s`;
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

async function paintHeat(bytes = null) {
  const mine = clip;
  const [id, frame] = [mine.selected, mine.now];
  $('heat').hidden = id === null;
  if (id === null) return;
  if (!bytes && !mine.camera) {
    const key = `${id}/${frame}`;
    if (!mine.rows.get(id)?.has(frame)) {
      bytes = new Uint8Array();
    } else {
      bytes = mine.heat.get(key) ||
        await api.getBytes(`${mine.path}/heatmaps/${key}`).catch(() => null);
      if (bytes === null) return;
      mine.heat.set(key, bytes);
      while (mine.heat.size > KEPT) mine.heat.delete(mine.heat.keys().next().value);
    }
  }
  if (mine !== clip || mine.selected !== id || mine.now !== frame) return;
  const maps = paintHeatmaps(bytes || new Uint8Array());
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

// ---------------------------------------------------------------- targets

function paintTargets() {
  $('no-targets').hidden = Boolean(clip.targets.length || clip.drawn.length);
  const items = clip.targets.map((target) => item(
    target.id, colorOf(target.id), `Target ${target.id}`, target.state,
    tried(async () => {
      if (clip.camera) clip.camera.remove(target.id);
      else await api.remove(`${clip.path}/targets/${target.id}`);
      clip.rows.delete(target.id);
      clip.targets = clip.targets.filter((one) => one !== target);
      if (clip.selected === target.id) select(clip.targets[0]?.id ?? null);
      paintTargets();
      if (!clip.camera) poll();
      paint();
    })));
  clip.drawn.forEach((one, k) => items.push(item(
    '', '#0b7a75', `New, from frame ${one.frame}`, 'drawn', () => {
      clip.drawn.splice(k, 1);
      paintTargets();
      paintRun();
      paint();
    })));
  $('targets').replaceChildren(...items);
}

function item(id, color, name, state, removed) {
  const line = document.createElement('li');
  line.dataset.id = id;
  line.dataset.state = state;
  line.classList.toggle('selected', id !== '' && id === clip.selected);
  const dot = Object.assign(document.createElement('span'), {className: 'dot'});
  dot.style.background = color;
  const pick = Object.assign(document.createElement('button'),
                             {type: 'button', className: 'pick'});
  const what = Object.assign(document.createElement('span'),
                             {className: 'what'});
  pick.append(dot, name, what);
  if (id !== '') pick.onclick = () => select(id);
  const remove = Object.assign(document.createElement('button'), {
    type: 'button', className: 'remove', textContent: '\u2715',
    ariaLabel: `Remove: ${name}`, onclick: removed});
  line.append(pick, remove);
  return line;
}

function select(id) {
  clip.selected = id;
  clip.heatShown = null;
  paintTargets();
  paint();
  paintHeat();
}

listen(view, {
  size: () => clip.size,
  enabled: () => Boolean(clip && shownImage),
  begin: () => {
    clip.playing = clip.follow = false;
    clip.camera?.freeze();
  },
  drag: (box) => {
    rubber = box;
    if (clip) paint();
  },
  drawn: (box) => {
    if (!clip) return;
    if (clip.targets.length + clip.drawn.length >= limits.targets) {
      clip.camera?.thaw();
      say(`${limits.targets} targets are the most at once here; remove one`,
          true);
      return;
    }
    if (clip.camera) {
      clip.camera.add(box);
      return;
    }
    clip.drawn.push({frame: clip.now, box});
    say('');
    paintTargets();
    paintRun();
    paint();
  },
  tapped: (point) => {
    clip?.camera?.thaw();
    if (!clip || !point) return;
    const hit = clip.targets.find(({id}) => {
      const box = clip.rows.get(id)?.get(clip.now)?.box;
      return box && point.every((v, k) => v >= box[k] && v <= box[k] + box[k + 2]);
    });
    if (hit) select(hit.id);
  }});

function cameraFrame(frame, answer) {
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
    if (maps) bytes.set(id, Uint8Array.from(maps.flat()));
  }
  clip.targets.sort((a, b) => a.id - b.id);
  const ids = clip.targets.map(({id}) => id);
  $('curve').hidden = !ids.length;
  if (!ids.includes(clip.selected)) clip.selected = ids[0] ?? null;
  if (ids.join() !== clip.shownIds) {
    clip.shownIds = ids.join();
    paintTargets();
  }
  if (!clip.camera.frozen) shownImage = frame;
  paint();
  paintHeat(bytes.get(clip.selected) || new Uint8Array());
}

// ---------------------------------------------------------------- playback

$('slider').oninput = () => {
  clip.playing = clip.follow = false;
  show(Number($('slider').value)).catch(() => {});
};
const scrub = (event) => {
  if (!clip || clip.camera || (event.type === 'pointermove' && !event.buttons)) {
    return;
  }
  clip.playing = clip.follow = false;
  show(frameAt($('curve'), event.clientX, 1, clip.frames)).catch(() => {});
};
$('curve').addEventListener('pointerdown', scrub);
$('curve').addEventListener('pointermove', scrub);
$('overlay').onchange = () => { paint(); paintHeat(); };
window.addEventListener('resize', paint);

$('play').onclick = tried(async () => {
  const mine = clip;
  mine.playing = !mine.playing;
  mine.follow = false;
  if (mine.playing && mine.now >= mine.frames) await show(1);
  let due = performance.now();
  while (mine === clip && mine.playing && mine.now < mine.frames) {
    for (let k = 1; k <= AHEAD && mine.now + k <= mine.frames; k++) {
      image(mine.now + k).catch(() => {});
    }
    due = Math.max(due + 1000 / mine.fps, performance.now());
    await new Promise((done) => setTimeout(done, due - performance.now()));
    if (mine === clip && mine.playing) await show(mine.now + 1);
  }
  if (mine === clip) {
    mine.playing = false;
    paint();
  }
});

api.getJSON('/api/limits').then((found) => { limits = found; }).catch(
  (error) => say(error.message, true));
