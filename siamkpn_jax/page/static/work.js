// What the server is asked to do with a video, and what it has found so far.

import * as api from './api.js';
import {paint, show} from './frames.js';
import {paintRun} from './run.js';
import {$, here, say, tried} from './state.js';
import {paintTargets} from './targets.js';

const POLL = 200;  // milliseconds between two looks
let polling = null;

export function merge(state) {
  const {clip} = here;
  clip.size = state.size;
  clip.fps = state.fps;
  clip.frames = state.frames;
  clip.targets = state.targets;
  clip.film = state.film;
  clip.job = state.job;
  for (const [frame, id, x, y, w, h, score, name, ...more] of state.rows) {
    if (!clip.rows.has(id)) clip.rows.set(id, new Map());
    clip.rows.get(id).set(frame, {box: [x, y, w, h], score, state: name,
                                   place: more.slice(0, 3)});
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

/** Asks how far it is; resolves to whether there was an answer. */
export async function poll() {
  stopPolling();
  const mine = here.clip;
  if (!mine?.path) return false;
  try {
    const state = await api.getJSON(`${mine.path}?since=${mine.next}`);
    if (mine !== here.clip) return false;
    merge(state);
    if (mine.follow && mine.latest && !mine.playing) await show(mine.latest);
    else paint();
  } catch (error) {
    if (mine === here.clip) say(error.message, true);
    return false;
  }
  if (mine === here.clip && mine.job) polling = setTimeout(poll, POLL);
  else if (mine === here.clip) mine.follow = false;
  return true;
}

export function stopPolling() {
  clearTimeout(polling);
}

$('track').onclick = tried(async () => {
  const mine = here.clip;
  const drawn = mine.drawn;
  mine.drawn = [];
  mine.playing = false;
  mine.follow = true;
  say('');
  try {
    await api.post(`${mine.path}/targets`, {
      targets: drawn.map(({frame, box}) => ({frame, box})),
      stages: $('stages').checked});
  } catch (error) {
    mine.drawn = drawn;
    throw error;
  } finally {
    poll();
  }
});

$('stop').onclick = tried(async () => {
  await api.post(`${here.clip.path}/stop`);
  poll();
});

$('film').onclick = tried(async () => {
  const mine = here.clip;
  if (!mine.film) {
    await api.post(`${mine.path}/film`);
    while (await poll() && mine === here.clip && mine.job) {
      stopPolling();
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
    if (mine !== here.clip || !mine.film) return;
  }
  const link = document.createElement('a');
  link.href = `${mine.path}/film.mp4`;
  link.download = 'tracked.mp4';
  link.click();
});
