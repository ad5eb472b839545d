// The targets: their list, and how they are drawn and picked in the frame.

import * as api from './api.js';
import {paint, paintHeat, show} from './frames.js';
import {colorOf} from './paint.js';
import {listen} from './pointer.js';
import {paintRun} from './run.js';
import {$, here, say, tried} from './state.js';

export function paintTargets() {
  const {clip} = here;
  // Only when it has changed: what is being pressed, or has the focus, would go.
  const list = JSON.stringify([
    clip.targets.map(({id, state}) => [id, state]),
    clip.drawn.map(({frame}) => frame), clip.selected]);
  if (list === clip.listed) return;
  clip.listed = list;
  const focus = document.activeElement?.closest('#targets li')?.dataset.id;
  $('no-targets').hidden = Boolean(clip.targets.length || clip.drawn.length);
  const items = clip.targets.map((target) => item(
    target.id, colorOf(target.id), `Target ${target.id}`, target.state,
    () => select(target.id), tried(() => removed(target))));
  clip.drawn.forEach((one, k) => items.push(item(
    '', '#0b7a75', `New, from frame ${one.frame}`, 'drawn',
    tried(() => show(one.frame)), () => {
      clip.drawn.splice(k, 1);
      paintTargets();
      paintRun();
      paint();
    })));
  $('targets').replaceChildren(...items);
  if (focus) $('targets').querySelector(`[data-id="${focus}"] .pick`)?.focus();
}

function item(id, color, name, state, chosen, remove) {
  const line = document.createElement('li');
  line.dataset.id = id;
  line.dataset.state = state;
  line.classList.toggle('selected', id !== '' && id === here.clip.selected);
  const dot = Object.assign(document.createElement('span'), {className: 'dot'});
  dot.style.background = color;
  const pick = Object.assign(document.createElement('button'),
                             {type: 'button', className: 'pick', onclick: chosen,
                              ariaPressed: String(id === here.clip.selected)});
  const what = Object.assign(document.createElement('span'),
                             {className: 'what'});
  pick.append(dot, name, what);
  line.append(pick, Object.assign(document.createElement('button'), {
    type: 'button', className: 'remove', textContent: '\u2715',
    ariaLabel: `Remove: ${name}`, onclick: remove}));
  return line;
}

async function removed(target) {
  const mine = here.clip;
  if (mine.camera) mine.camera.remove(target.id);
  else await api.remove(`${mine.path}/targets/${target.id}`);
  mine.rows.delete(target.id);
  mine.targets = mine.targets.filter(({id}) => id !== target.id);
  mine.film = false;  // one with the target in it
  if (mine !== here.clip) return;
  if (mine.selected === target.id) select(mine.targets[0]?.id ?? null);
  paintTargets();
  if (!mine.camera) paintRun();
  paint();
}

function select(id) {
  here.clip.selected = id;
  here.clip.heatShown = null;
  paintTargets();
  paint();
  paintHeat();
}

listen($('view'), {
  size: () => here.clip.size,
  enabled: () => Boolean(here.clip && here.image),
  begin: () => {
    here.clip.playing = here.clip.follow = false;
    here.clip.camera?.freeze();
  },
  drag: (box) => {
    here.rubber = box;
    if (here.clip) paint();
  },
  drawn: (box) => {
    const {clip, limits} = here;
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
    const {clip} = here;
    clip?.camera?.thaw();
    if (!clip || !point) return;
    const hit = clip.targets.find(({id}) => {
      const box = clip.rows.get(id)?.get(clip.now)?.box;
      return box && point.every((v, k) => v >= box[k] && v <= box[k] + box[k + 2]);
    });
    if (hit) select(hit.id);
  }});
