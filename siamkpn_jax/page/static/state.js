// What is open, shared by all parts of the page.

export const $ = (id) => document.getElementById(id);

export const here = {
  clip: null,      // the open video, or camera
  image: null,     // the frame that is shown
  rubber: null,    // the box that is being drawn
  limits: {upload_bytes: Infinity, targets: 8, h264: true}};

export const fresh = () => ({
  camera: null, size: [640, 360], frames: 1,
  targets: [], drawn: [], rows: new Map(), next: 0, now: 1, playing: false,
  follow: false, selected: null, job: null, film: false, images: new Map(),
  heat: new Map(), path: null, said: ''});

let wrong = -Infinity;  // when an error was said

export function say(line, error = false) {
  $('message').textContent = line;
  $('message').classList.toggle('error', error);
  if (error) wrong = performance.now();
}

// The same, unless an error has just been said.
export function mention(line) {
  if (performance.now() - wrong > 5000) say(line);
}

// The same, with errors said to the person.
export function tried(work) {
  return async (...args) => {
    try {
      await work(...args);
    } catch (error) {
      say(error.message, true);
    }
  };
}
