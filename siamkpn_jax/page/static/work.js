// What the server is asked to do with a video, and what it has found so far.

import * as api from './api.js';
import {paint, show} from './frames.js';
import {paintRun} from './run.js';
import {$, here, say, tried} from './state.js';
import {paintTargets} from './targets.js';

const POLL = 200;  // milliseconds between two looks
const RETRY = 2000;  // after one that failed
let polling = null;

export function merge(state) {
  const {clip} = here;
  clip.size = state.size;
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
  const wrong = state.error || clip.targets.find(({error}) => error)?.error;
  const line = wrong || state.notes.join('; ');
  if (line !== clip.said) say(line, Boolean(wrong));
  clip.said = line;
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
    if (mine !== here.clip) return false;
    say(error.message, true);
    mine.said = null;  // so that the next answer takes this line away
    if (mine.job && error.status !== 404) polling = setTimeout(poll, RETRY);
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
  mine.latest = null;
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
