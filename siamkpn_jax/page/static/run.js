// The line with Track and Stop: what the server does, and how far it is.

import {$, here} from './state.js';

const NAMES = {prepare: 'Reading the video', track: 'Tracking',
               film: 'Drawing the video'};

const busy = () =>
  Boolean(here.clip?.job && here.clip.job.kind !== 'prepare');

export function paintRun() {
  const {clip} = here;
  const job = clip.job;
  $('stop').hidden = !busy();
  $('stages-label').hidden = Boolean(job) || Boolean(clip.camera);
  $('curve').hidden = !clip.rows.size;
  $('track').disabled = !(clip.drawn.length || (
    !busy() && clip.targets.some(({state}) => state === 'waiting')));
  $('progress').hidden = !job;
  let line = '';
  if (job) {
    const what = NAMES[job.kind];
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
  $('codec').hidden = here.limits.h264;
}
