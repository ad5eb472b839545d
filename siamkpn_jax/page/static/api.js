// Requests to the server; an answer that refuses is an error with its line.

async function answer(promise) {
  let response;
  try {
    response = await promise;
  } catch {
    throw new Error('the server cannot be reached; is `siamkpn demo` running?');
  }
  if (response.ok) return response;
  let line = `the server answers ${response.status}`;
  try {
    line = (await response.json()).error || line;
  } catch { /* no JSON: a proxy's page */ }
  throw Object.assign(new Error(line), {status: response.status});
}

export async function getJSON(path) {
  return (await answer(fetch(path))).json();
}

export async function getBytes(path) {
  return new Uint8Array(await (await answer(fetch(path))).arrayBuffer());
}

// With its time in the video, in seconds.
export async function getImage(path) {
  const response = await answer(fetch(path));
  const image = await createImageBitmap(await response.blob());
  return Object.assign(image, {time: Number(response.headers.get('x-time'))});
}

export async function post(path, content = {}) {
  const response = await answer(fetch(path, {
    method: 'POST', body: JSON.stringify(content),
    headers: {'content-type': 'application/json'}}));
  return response.status === 204 ? null : response.json().catch(() => null);
}

export function remove(path) {
  return answer(fetch(path, {method: 'DELETE', keepalive: true}));
}

// With progress, which fetch does not tell.
export function upload(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.responseType = 'json';
    request.upload.onprogress = (e) => progress(e.loaded / (e.total || 1));
    request.onload = () => request.status < 300 ? resolve(request.response) :
      reject(new Error(request.response?.error ||
                       `the server answers ${request.status}`));
    request.onerror = () => reject(new Error(
      'the upload was broken off; the file may be too large, or the server ' +
      'has ended'));
    request.send(file);
  });
}
