// Which frame is shown: the slider, the curve, Play.

import {image, paint, paintHeat, show} from './frames.js';
import {frameAt} from './paint.js';
import {$, here, say, tried} from './state.js';

const AHEAD = 10;  // frames that are fetched before they are shown

function goTo(number) {
  const mine = here.clip;
  mine.playing = mine.follow = false;
  show(number).catch((error) => {
    if (mine === here.clip) say(error.message, true);
  });
}

function scrub(event) {
  const {clip} = here;
  if (!clip || clip.camera || (event.type === 'pointermove' && !event.buttons)) {
    return;
  }
  goTo(frameAt($('curve'), event.clientX, 1, clip.frames));
}

$('slider').oninput = () => goTo(Number($('slider').value));
$('curve').addEventListener('pointerdown', scrub);
$('curve').addEventListener('pointermove', scrub);
$('overlay').onchange = () => { paint(); paintHeat(); };
window.addEventListener('resize', paint);

$('play').onclick = tried(async () => {
  const mine = here.clip;
  mine.follow = false;
  if (mine.playing) {
    mine.playing = false;
    paint();
    return;
  }
  const turn = mine.playing = {};
  const goesOn = () => mine === here.clip && mine.playing === turn;
  try {
    if (mine.now >= mine.frames) await show(1);
    let due = performance.now();
    while (goesOn() && mine.now < mine.frames) {
      for (let k = 2; k <= AHEAD && mine.now + k <= mine.frames; k++) {
        image(mine.now + k).catch(() => {});
      }
      const next = await image(mine.now + 1);
      if (!goesOn()) break;
      const step = Math.max(next.time - (here.image?.time ?? 0), 0);
      due = Math.max(due + 1000 * step, performance.now());
      await new Promise((done) => setTimeout(done, due - performance.now()));
      if (goesOn()) await show(mine.now + 1);
    }
  } finally {
    if (mine.playing === turn) mine.playing = false;
    if (mine === here.clip) paint();
  }
});
