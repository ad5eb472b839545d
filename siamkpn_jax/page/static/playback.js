// Which frame is shown: the slider, the curve, Play.

import {image, paint, paintHeat, show} from './frames.js';
import {frameAt} from './paint.js';
import {$, here, tried} from './state.js';

const AHEAD = 10;  // frames that are fetched before they are shown

function goTo(number) {
  here.clip.playing = here.clip.follow = false;
  show(number).catch(() => {});
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
  mine.playing = !mine.playing;
  mine.follow = false;
  if (mine.playing && mine.now >= mine.frames) await show(1);
  let due = performance.now();
  while (mine === here.clip && mine.playing && mine.now < mine.frames) {
    for (let k = 1; k <= AHEAD && mine.now + k <= mine.frames; k++) {
      image(mine.now + k).catch(() => {});
    }
    due = Math.max(due + 1000 / mine.fps, performance.now());
    await new Promise((done) => setTimeout(done, due - performance.now()));
    if (mine === here.clip && mine.playing) await show(mine.now + 1);
  }
  if (mine === here.clip) {
    mine.playing = false;
    paint();
  }
});
