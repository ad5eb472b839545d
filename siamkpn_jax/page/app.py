"""What a browser asks for, over HTTP and a WebSocket.

An upload is the body of a request, not a form: it can be measured while it
comes, and a foreign page cannot send one without asking first.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.page.answers import as_json, mistaken, not_found, refused
from siamkpn_jax.page.bodies import json_of, upload_of
from siamkpn_jax.page.camera import serve_camera
from siamkpn_jax.page.clip import Clip
from siamkpn_jax.page.following import follow
from siamkpn_jax.page.groups import Trackers
from siamkpn_jax.page.guard import Guard
from siamkpn_jax.page.limits import Limits, RefusedError
from siamkpn_jax.page.outputs import boxes_csv, draw_film
from siamkpn_jax.page.sample import Sample
from siamkpn_jax.page.store import Store, delete
from siamkpn_jax.page.turns import Job, Turns
from siamkpn_jax.tracking.video_writer import browsers_play

STATIC = Path(__file__).with_name('static')
_SWEEP = 10.0  # seconds


class _Number(IntegerConvertor):
  """A number in an address; Python does not read one of any length."""

  regex = '[0-9]{1,9}'


register_url_convertor('number', _Number())


class _Checked(StaticFiles):
  """Files of which a browser asks whether they are still the same.

  After an upgrade it would else mix modules of two versions.
  """

  def file_response(self, *args: Any, **kwargs: Any) -> Response:
    """As of `StaticFiles`."""
    response = super().file_response(*args, **kwargs)
    response.headers['cache-control'] = 'no-cache'
    return response


class Page:
  """The answers, by the routes of `routes`."""

  def __init__(self, limits: Limits, trackers: Trackers):
    self._limits, self._trackers = limits, trackers
    self.turns = Turns()
    self.store = Store(limits, self.turns)
    self.sample = Sample(self.store.folder)

  def routes(self) -> list[Route | Mount | WebSocketRoute]:
    """All of them."""
    one = '/api/videos/{name}'
    return [
        Route('/', self.index),
        Route('/api/limits', self.limits),
        Route('/api/videos', self.upload, methods=['POST']),
        Route('/api/sample', self.open_sample, methods=['POST']),
        Route(one, self.state),
        Route(one, self.remove, methods=['DELETE']),
        Route(one + '/frames/{number:number}', self.frame),
        Route(one + '/heatmaps/{target:number}/{number:number}', self.heatmaps),
        Route(one + '/targets', self.track, methods=['POST']),
        Route(one + '/targets/{target:number}', self.remove_target,
              methods=['DELETE']),
        Route(one + '/stop', self.stop, methods=['POST']),
        Route(one + '/film', self.draw, methods=['POST']),
        Route(one + '/film.mp4', self.film),
        Route(one + '/boxes.csv', self.boxes),
        WebSocketRoute('/api/camera', self.camera),
        Mount('/static', _Checked(directory=STATIC))]

  @contextlib.asynccontextmanager
  async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
    """Removes what is old meanwhile, and everything at the end."""
    del app
    sweeping = asyncio.create_task(self._sweep())
    self.sample.begin()
    try:
      yield
    finally:
      sweeping.cancel()
      await run_in_threadpool(self.close)

  def close(self) -> None:
    """Ends what is under way and deletes all files."""
    self.sample.close()
    self.turns.close()
    self.store.close()

  async def index(self, request: Request) -> Response:
    """The page."""
    del request
    return FileResponse(STATIC / 'index.html', headers={
        'cache-control': 'no-cache'})

  async def limits(self, request: Request) -> Response:
    """What the page should know before it asks."""
    del request
    return as_json({
        'upload_bytes': self._limits.upload_bytes,
        'targets': self._limits.targets, 'h264': browsers_play('film.mp4')})

  async def upload(self, request: Request) -> Response:
    """Takes a video, the body of the request."""
    async with self._place() as folder:
      path = folder / 'video'
      chunks = upload_of(request, self._limits)
      try:
        with path.open('wb') as file:
          async for chunk in chunks:
            await run_in_threadpool(file.write, chunk)
      except OSError as error:
        raise RefusedError(507, 'this server cannot store the video '
                           f'({error.strerror}); try again later') from error
      return await self._open(path, folder)

  async def open_sample(self, request: Request) -> Response:
    """Opens the sample, as if it were uploaded."""
    del request
    async with self._place() as folder:
      path = await run_in_threadpool(self.sample.path)
      return await self._open(path, folder)

  async def state(self, request: Request) -> Response:
    """All of a clip; of the rows those from number `since` on."""
    clip = self._clip(request)
    since = request.query_params.get('since', '0')
    return as_json(self._described(
        clip, int(since) if since.isdecimal() and len(since) < 10 else 0))

  async def remove(self, request: Request) -> Response:
    """Closes a clip."""
    await run_in_threadpool(self.store.remove, request.path_params['name'])
    return Response(status_code=204)

  async def frame(self, request: Request) -> Response:
    """A frame as JPEG."""
    clip, number = self._clip(request), request.path_params['number']
    file = clip.frame_file(number)
    if file is None:
      raise RefusedError(404, 'this video has no such frame')
    return FileResponse(file, media_type='image/jpeg', headers={
        'cache-control': 'private, max-age=3600',
        'x-time': f'{clip.time(number):.6f}'})

  async def heatmaps(self, request: Request) -> Response:
    """Of a target in a frame, see `Findings.heatmaps`."""
    words = request.path_params
    found = await run_in_threadpool(
        self._clip(request).findings.heatmaps, words['target'],
        words['number'])
    return Response(found, media_type='application/octet-stream')

  async def track(self, request: Request) -> Response:
    """Notes targets, and begins to track where nothing is tracked."""
    clip = self._clip(request)
    wanted = await json_of(request, self._limits)
    targets = wanted.get('targets')
    if not isinstance(targets, list):
      raise RefusedError(400, 'targets: expected a list of {"frame": 1, "box": '
                    '[x, y, w, h]}')
    added = []
    try:
      for one in targets:
        frame = one.get('frame') if isinstance(one, dict) else None
        if type(frame) is not int:
          raise RefusedError(400, f'frame {frame!r}: expected a whole number')
        added.append(clip.add(frame, one.get('box')))
    except (RefusedError, UserError):
      for target in added:  # all of them or none
        clip.remove(target.number)
      raise
    clip.stages = wanted.get('stages') is True
    self._begin(clip)
    return as_json({'added': [target.number for target in added]}, 202)

  async def remove_target(self, request: Request) -> Response:
    """Forgets a target, also while it is tracked."""
    if not self._clip(request).remove(request.path_params['target']):
      raise RefusedError(404, 'this target is no longer here')
    return Response(status_code=204)

  async def stop(self, request: Request) -> Response:
    """Ends what is done with a clip; what was found stays."""
    clip = self._clip(request)
    for job in clip.alive():
      if job.kind != 'prepare':
        self.turns.stop(job)
    return Response(status_code=204)

  async def draw(self, request: Request) -> Response:
    """Begins to write the video with the boxes drawn in."""
    clip = self._clip(request)
    if any(job.kind != 'prepare' for job in clip.alive()):
      raise RefusedError(
          409, 'this video is still being worked on; wait, or stop')
    self._submit(clip, Job('film', lambda job: draw_film(clip, job)))
    return Response(status_code=202)

  async def film(self, request: Request) -> Response:
    """What `draw` made."""
    clip = self._clip(request)
    if clip.film is None:
      raise RefusedError(404, 'the video is not drawn yet')
    return FileResponse(clip.film[0], media_type='video/mp4',
                        filename='tracked.mp4',
                        headers={'cache-control': 'no-store'})

  async def boxes(self, request: Request) -> Response:
    """All boxes, as CSV."""
    text = await run_in_threadpool(boxes_csv, self._clip(request))
    return Response(text, media_type='text/csv', headers={
        'content-disposition': 'attachment; filename="boxes.csv"'})

  async def camera(self, socket: WebSocket) -> None:
    """A webcam, for as long as the connection lasts."""
    await socket.accept()
    try:
      await run_in_threadpool(self.store.sweep)
      with self.store.place():
        await serve_camera(socket, self.turns, self._trackers, self._limits)
    except RefusedError as error:
      await socket.send_json({'end': str(error)})
      await socket.close()

  def _clip(self, request: Request) -> Clip:
    return self.store.get(request.path_params['name'])

  async def _sweep(self) -> None:
    while True:
      await asyncio.sleep(_SWEEP)
      await run_in_threadpool(self.store.sweep)

  @contextlib.asynccontextmanager
  async def _place(self) -> AsyncIterator[Path]:
    """A folder for a clip, which goes again if that cannot be opened."""
    await run_in_threadpool(self.store.sweep)
    with self.store.place():
      folder = self.store.new_folder()
      try:
        yield folder
      except BaseException:
        await run_in_threadpool(delete, folder)
        raise

  async def _open(self, path: Path, folder: Path) -> Response:
    """Looks at a video; answers with its state, and begins to read it."""
    try:
      clip = await run_in_threadpool(Clip, path, folder, self._limits)
    except UserError as error:
      line = str(error).replace(str(path), 'this file')
      raise RefusedError(415, line) from None
    name = self.store.put(clip)
    self._submit(clip, Job('prepare', clip.prepare))
    return as_json({'name': name, **self._described(clip, 0)}, 201)

  def _begin(self, clip: Clip) -> None:
    """Tracks those that wait.

    A run that is under way may end before it notices them: only one that has
    not begun makes another superfluous.
    """
    if not any(job.kind == 'track' and job.state == 'waiting'
               for job in clip.jobs):
      self._submit(clip, Job('track', lambda job: follow(
          clip, self._trackers, job)))

  def _submit(self, clip: Clip, job: Job) -> None:
    clip.jobs = [*clip.alive(), job]
    self.turns.submit(job)

  def _described(self, clip: Clip, since: int) -> dict[str, Any]:
    rows, following = clip.findings.rows(since)
    film = clip.film
    job = next(iter(clip.alive()), None)
    errors = [job.error for job in clip.jobs if job.error]
    return {
        'size': clip.size, 'fps': clip.fps, 'announced': clip.announced,
        'frames': clip.numbers[-1], 'notes': clip.notes,
        'targets': [{'id': target.number, 'frame': target.frame,
                     'box': target.box_xywh.tolist(), 'state': target.state,
                     'error': target.error}
                    for target in tuple(clip.targets.values())],
        'rows': rows, 'next': following,
        'film': film is not None and film[1] == clip.version,
        'job': job and {
            'kind': job.kind, 'state': job.state, 'note': job.note,
            'done': job.done, 'total': job.total,
            'position': self.turns.position(job)},
        'error': (errors[-1].replace(str(clip.path), 'the video') if errors
                  else '')}


def make_app(limits: Limits, trackers: Trackers, *,
             names: Collection[str] = ('localhost',), local: bool = True
             ) -> Starlette:
  """The server, as an ASGI application; `app.state.page` is its `Page`.

  Args:
    limits: what it allows.
    trackers: what it tracks with.
    names: by which browsers may ask for it, lower case.
    local: whether only this machine can reach it.
  """
  page = Page(limits, trackers)
  app = Starlette(
      routes=page.routes(), lifespan=page.lifespan,
      middleware=[Middleware(Guard, names=names, local=local)],
      exception_handlers={RefusedError: refused, UserError: mistaken,
                          404: not_found})
  app.state.page = page
  return app
