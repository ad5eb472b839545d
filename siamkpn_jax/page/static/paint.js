// What is drawn: boxes over a frame, the curve of scores, heatmaps.

export const COLORS = ['#2f7fd6', '#d9701f', '#2a9a5d', '#b35ac4', '#a98600',
                       '#d44a58'];
export const colorOf = (id) => COLORS[(id - 1) % COLORS.length];

// Dark to bright, from matplotlib's inferno, by eye.
const STOPS = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58],
               [252, 165, 10], [252, 255, 164]];

function shade(value) {
  const place = Math.min(Math.max(value, 0), 1) * (STOPS.length - 1);
  const k = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[k].map((low, c) => low + (place - k) * (STOPS[k + 1][c] - low));
}

// Boxes: [{box, color, label, dashed, selected}], in pixels of `size`.
export function paintView(canvas, image, size, boxes, heat) {
  const paint = canvas.getContext('2d');
  if (image) paint.drawImage(image, 0, 0, canvas.width, canvas.height);
  const scale = canvas.width / size[0];
  const pixel = canvas.width / (canvas.clientWidth || canvas.width);
  if (heat) {
    paint.imageSmoothingQuality = 'high';
    const [x, y, side] = heat.place.map((v) => v * scale);
    paint.drawImage(heat.canvas, x, y, side, side);
  }
  for (const one of boxes) {
    const [x, y, w, h] = one.box.map((v) => v * scale);
    paint.setLineDash(one.dashed ? [8 * pixel, 6 * pixel] : []);
    for (const [color, width] of [['#0008', 2], [one.color, 0]]) {
      paint.strokeStyle = color;
      paint.lineWidth = ((one.selected ? 3.5 : 2.5) + width) * pixel;
      paint.strokeRect(x, y, w, h);
    }
    paint.setLineDash([]);
    if (!one.label) continue;
    paint.font = `600 ${13 * pixel}px system-ui, sans-serif`;
    const high = 19 * pixel;
    const wide = paint.measureText(one.label).width + 10 * pixel;
    const left = Math.min(Math.max(x, 0), canvas.width - wide);
    const top = y - high >= 0 ? y - high : Math.max(y, 0);
    paint.fillStyle = one.color;
    paint.fillRect(left, top, wide, high);
    paint.fillStyle = '#fff';
    paint.fillText(one.label, left + 5 * pixel, top + 14 * pixel);
  }
}

// Tracks: [{color, rows: Map frame -> row}]; rows hold score and state.
export function paintCurve(canvas, tracks, first, last, now) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = wide * ratio;
  canvas.height = high * ratio;
  const paint = canvas.getContext('2d');
  paint.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const [line, soft] = ['--line', '--soft'].map((n) =>
    style.getPropertyValue(n));
  const [left, top, bottom] = [30, 8, high - 8];
  const x = (frame) => left + (wide - left - 8) * (frame - first) /
    Math.max(last - first, 1);
  const y = (score) => bottom - (bottom - top) * score;
  paint.font = '11px system-ui, sans-serif';
  paint.lineWidth = 1;
  for (const score of [0, 0.5, 1]) {
    paint.strokeStyle = line;
    paint.beginPath();
    paint.moveTo(left, y(score));
    paint.lineTo(wide - 8, y(score));
    paint.stroke();
    paint.fillStyle = soft;
    paint.fillText(score.toFixed(1), 7, y(score) + 4);
  }
  tracks.forEach(({color, rows}, k) => {
    paint.strokeStyle = paint.fillStyle = color;
    paint.lineWidth = 1.75;
    paint.beginPath();
    let before = null;
    for (const [frame, row] of rows) {
      if (frame < first) continue;
      if (before === null) paint.moveTo(x(frame), y(row.score));
      else paint.lineTo(x(frame), y(row.score));
      before = frame;
    }
    paint.stroke();
    for (const [frame, row] of rows) {  // lost: a band at the bottom
      if (frame >= first && row.state !== 'tracked') {
        paint.fillRect(x(frame) - 1, bottom - 3 * k - 3, 3, 3);
      }
    }
  });
  paint.strokeStyle = soft;
  paint.lineWidth = 1;
  paint.beginPath();
  paint.moveTo(x(now), top - 4);
  paint.lineTo(x(now), bottom + 4);
  paint.stroke();
}

// The frame below a point of the curve, which is `share` of its width away.
export function frameAt(canvas, clientX, first, last) {
  const area = canvas.getBoundingClientRect();
  const share = (clientX - area.left - 30) / (area.width - 38);
  return Math.round(first + Math.min(Math.max(share, 0), 1) * (last - first));
}

function mapCanvas(values, cells, alpha) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = cells;
  const paint = canvas.getContext('2d');
  const image = paint.createImageData(cells, cells);
  values.forEach((value, i) => image.data.set(
    [...shade(value), alpha(value)], 4 * i));
  paint.putImageData(image, 0, 0);
  return canvas;
}

// n and the bytes of [s, n, n] -> [{canvas, veil, most}], each scaled to its own
// maximum; the veil lets through what lies under low values.
export function paintHeatmaps(bytes) {
  const found = [];
  const cells = bytes[0] || 0;
  if (!cells) return found;
  for (let at = 1; at < bytes.length; at += cells * cells) {
    const one = bytes.slice(at, at + cells * cells);
    const most = one.reduce((a, b) => Math.max(a, b), 0);
    const values = Array.from(one, (v) => v / (most || 1));
    found.push({canvas: mapCanvas(values, cells, () => 255), most: most / 255,
                veil: mapCanvas(values, cells, (v) => 230 * v)});
  }
  return found;
}
