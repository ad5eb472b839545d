// The webcam: a frame is sent when the last one is answered, always the newest.

const WIDTH = 640;  // of what is sent, pixels

export class Camera {
  // tell: {ready(size), frame(canvas, answer), note(line), ended(line)}.
  constructor(tell) {
    this.tell = tell;
    this.changes = [];
    this.frozen = null;
    this.waiting = false;
  }

  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error('browsers give a camera only to pages over https or ' +
                      'on this machine (127.0.0.1)');
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: false, video: {width: {ideal: 1280}, facingMode: 'environment'}});
    } catch (error) {
      throw new Error(error.name === 'NotAllowedError' ?
        'the camera was not allowed; allow it in the address bar' :
        `there is no camera that can be used (${error.name})`);
    }
    this.stream.getVideoTracks()[0].onended = () =>
      this.close('the camera has ended');
    this.video = document.createElement('video');
    this.video.muted = this.video.playsInline = true;
    this.video.srcObject = this.stream;
    await this.video.play();
    const scale = Math.min(1, WIDTH / this.video.videoWidth);
    this.size = [Math.round(this.video.videoWidth * scale),
                 Math.round(this.video.videoHeight * scale)];
    this.video.onresize = () => {
      const now = this.video.videoWidth > this.video.videoHeight;
      if (now !== this.size[0] > this.size[1]) {
        this.close('the camera was turned; start it again');
      }
    };
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    this.socket = new WebSocket(`${scheme}//${location.host}/api/camera`);
    this.socket.onmessage = (event) => this.answered(JSON.parse(event.data));
    this.socket.onclose = () => this.close('the server has ended the camera');
    this.tell.ready(this.size);
  }

  close(line = '') {
    if (this.closed) return;
    this.closed = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.socket?.close();
    this.tell.ended(line);
  }

  // A box is drawn in the frame that was shown when it was begun.
  freeze() { this.frozen = this.shown; }

  thaw() { this.frozen = null; }

  add(box) {
    const frame = this.frozen || this.shown;
    this.frozen = null;
    if (frame) this.changes.push({frame, message: {add: box}});
  }

  remove(id) { this.changes.push({message: {remove: id}}); }

  grab() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = this.size;
    canvas.getContext('2d').drawImage(this.video, 0, 0, ...this.size);
    return canvas;
  }

  answered(answer) {
    if (answer.end) {
      this.close(answer.end);
    } else if ('queue' in answer) {
      this.tell.note(answer.queue ?
        `${answer.queue} before you in the queue` : 'starting');
    } else if (answer.note) {
      this.tell.note(answer.note);
    } else {
      if (answer.rows) this.tell.frame(this.sent, answer);
      this.shown = this.sent;
      this.send();
    }
  }

  async send() {
    if (this.closed) return;
    let frame = this.frozen || this.grab();
    const change = this.changes[0];
    if (change && !(this.frozen && change.frame)) {
      this.changes.shift();
      frame = change.frame || frame;
      this.socket.send(JSON.stringify(change.message));
    }
    this.sent = frame;
    const file = await new Promise((done) =>
      frame.toBlob(done, 'image/jpeg', 0.85));
    if (!this.closed) this.socket.send(file);
  }
}
