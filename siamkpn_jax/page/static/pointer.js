// Boxes drawn with a mouse, a pen or a finger.

const SMALLEST = 6;  // CSS pixels of a drag; less is a tap

// Calls begin(), drag(box), drawn(box) and tapped(point), in pixels of size().
export function listen(canvas, {size, enabled, begin, drag, drawn, tapped}) {
  let start = null;

  const place = (event) => {
    const area = canvas.getBoundingClientRect();
    return [[event.clientX - area.left, area.width, size()[0]],
            [event.clientY - area.top, area.height, size()[1]]].map(
      ([at, side, pixels]) =>
        Math.min(Math.max(at / side, 0), 1) * pixels);
  };

  const box = (begun, event) => {
    const [a, b] = [begun.place, place(event)];
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]),
            Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])];
  };

  canvas.addEventListener('pointerdown', (event) => {
    if (!enabled() || start || event.button > 0) return;
    event.preventDefault();
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch { /* a pointer that has gone already */ }
    start = {id: event.pointerId, place: place(event)};
    begin();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (start?.id === event.pointerId && enabled()) drag(box(start, event));
  });
  canvas.addEventListener('pointerup', (event) => {
    if (start?.id !== event.pointerId) return;
    const begun = start;
    start = null;
    drag(null);
    if (!enabled()) return;  // what it was drawn in is closed
    const found = box(begun, event);
    const pixels = size()[0] / canvas.getBoundingClientRect().width;
    if (Math.min(found[2], found[3]) >= SMALLEST * pixels) drawn(found);
    else tapped(begun.place);
  });
  canvas.addEventListener('pointercancel', (event) => {
    if (start?.id !== event.pointerId) return;
    start = null;
    drag(null);
    tapped(null);
  });
}
