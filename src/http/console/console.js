// The console: one page over the public API.

const API = '/api/v1';
const PAGE = 20;
const THUMBNAIL = { resize: { width: 160, height: 160 }, format: 'webp', quality: 70 };
const PREVIEW = { resize: { width: 1600, height: 1600, fit: 'inside', enlarge: false }, format: 'webp' };
const BROWSERS_SHOW = /^image\/(jpeg|png|webp|avif|gif|bmp|x-icon)$/;
const PRESETS = {
  'Square 400': { resize: { width: 400, height: 400, fit: 'cover' } },
  'Web 1200 webp': { resize: { width: 1200, fit: 'inside', enlarge: false }, format: 'webp', quality: 80 },
  'Silver print': { filters: { grayscale: true }, format: 'jpeg', quality: 90 },
  'Old postcard': { resize: { width: 600, height: 400, fit: 'cover' }, filters: { sepia: true }, format: 'jpeg' },
  'Backdrop': { resize: { width: 800, fit: 'inside' }, filters: { blur: 18 }, format: 'webp', quality: 60 },
};

const $ = (id) => document.getElementById(id);
const controls = [...document.querySelectorAll('#recipe [data-pointer]')];
const state = { images: new Map(), cursor: null, total: 0, current: null, spec: {}, result: null, work: null, job: null };

// --- The API ---

/** An error as RFC 9457 tells it; status 0 when there was no answer. */
class Problem extends Error {
  constructor(status, body, headers = new Headers()) {
    super(body?.detail ?? body?.title ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? '';
    this.faults = body?.errors ?? [];
    this.requestId = body?.request_id ?? headers.get('X-Request-Id');
    this.retryAfter = Number(headers.get('Retry-After')) || 0;
  }

  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const unreachable = () => new Problem(0, { detail: 'The server can’t be reached. Is it running?' });

const session = {
  get: () => JSON.parse(sessionStorage.getItem('darkroom') ?? 'null'),
  set: ({ user, token, refresh_token }) =>
    sessionStorage.setItem('darkroom', JSON.stringify({ username: user.username, token, refresh_token })),
  end: () => sessionStorage.removeItem('darkroom'),
};

/** One request: the response, or a Problem thrown. */
async function send(method, path, { json, token, signal } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  const body = json === undefined ? undefined : JSON.stringify(json);
  const response = await fetch(API + path, { method, headers, body, signal }).catch((cause) => {
    throw signal?.aborted ? cause : unreachable();
  });
  if (response.ok) return response;
  throw new Problem(response.status, await response.json().catch(() => null), response.headers);
}

let refreshing = null;

/** New tokens for old. A refresh token is spent by use, so requests that expire together share one. */
function refresh() {
  refreshing ??= send('POST', '/auth/refresh', { json: { refresh_token: session.get()?.refresh_token } })
    .then(async (response) => session.set(await response.json()))
    .finally(() => { refreshing = null; });
  return refreshing;
}

/** Runs `attempt(token)`, once more after a refresh when the token has expired. */
async function signedIn(attempt) {
  try {
    try {
      return await attempt(session.get()?.token);
    } catch (problem) {
      if (problem.code !== 'token_expired') throw problem;
      await refresh();
      return await attempt(session.get()?.token);
    }
  } catch (problem) {
    if (problem.status === 401) {
      problem.message = 'Your session has ended. Please sign in again.';
      leave();
    }
    throw problem;
  }
}

const call = (method, path, options) => signedIn((token) => send(method, path, { ...options, token }));
const getJson = async (path, signal) => (await call('GET', path, { signal })).json();
const getBlob = async (path, signal) => (await call('GET', path, { signal })).blob();

/** Uploads by XMLHttpRequest, the one that tells how far it has come. */
function upload(file, onProgress) {
  return signedIn((token) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append('file', file, file.name || 'pasted');
    request.open('POST', `${API}/images`);
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.responseType = 'json';
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(unreachable());
    request.onload = () => {
      const { status, response } = request;
      if (status === 201) return resolve(response);
      const headers = new Headers({ 'X-Request-Id': request.getResponseHeader('X-Request-Id') ?? '' });
      return reject(new Problem(status, response, headers));
    };
    request.send(form);
  }));
}

// --- Small things ---

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function bytes(count) {
  if (count < 1000) return `${count} B`;
  const power = count < 1e6 ? 1 : 2;
  return `${(count / 1000 ** power).toFixed(count < 1e5 ? 1 : power - 1)} ${['', 'kB', 'MB'][power]}`;
}

const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
const format = (mime) => mime.replace(/^image\/(x-)?/, '').toUpperCase();
const announce = (text) => { $('status').textContent = text; };
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

/** Runs at most `width` tasks at a time. */
function lane(width) {
  const waiting = [];
  let running = 0;
  const next = () => {
    if (running >= width || !waiting.length) return;
    running += 1;
    waiting.shift()().finally(() => { running -= 1; next(); });
  };
  return (task) => { waiting.push(task); next(); };
}

const inThumbnailLane = lane(4);

// --- Problems ---

function clearProblem() {
  $('error').hidden = true;
  for (const control of document.querySelectorAll('[aria-invalid]')) {
    control.removeAttribute('aria-invalid');
    const fault = $(`${control.id}-fault`);
    if (fault) fault.textContent = '';
  }
}

function showProblem(problem) {
  if (problem.name === 'AbortError') return;
  clearProblem();
  const { message, faults = [], retryAfter, requestId, code } = problem;
  $('error-detail').textContent = retryAfter ? `${message} (again in ${retryAfter} s)` : message;
  $('error-fields').replaceChildren(
    ...(faults.length > 1 ? faults : []).map(({ pointer, detail }) => element('li', { textContent: `${pointer} ${detail}` })),
  );
  $('error-id').textContent = [code, requestId && `request ${requestId}`].filter(Boolean).join(' · ');
  $('error').hidden = false;
  faults.map(markFault).find(Boolean)?.focus();
}

function markFault({ pointer, detail }) {
  const scope = $('room').hidden ? $('credentials') : $('recipe');
  const fields = [...scope.querySelectorAll('[data-pointer]')];
  const control = fields.find((field) => field.dataset.pointer === pointer)
    ?? fields.find((field) => field.dataset.pointer.startsWith(`${pointer}/`));
  if (!control) return null;
  control.setAttribute('aria-invalid', 'true');
  control.setAttribute('aria-errormessage', 'error-detail');
  control.closest('details')?.setAttribute('open', '');
  const fault = control.id && $(`${control.id}-fault`);
  if (fault) fault.textContent = detail;
  return control;
}

/** An event handler whose failure is shown. */
const handling = (handler) => async (event) => {
  try {
    await handler(event);
  } catch (problem) {
    showProblem(problem);
  }
};

// --- The door ---

async function enter(event) {
  event.preventDefault();
  clearProblem();
  const buttons = [$('sign-in'), $('register')];
  buttons.forEach((button) => { button.disabled = true; });
  try {
    const json = { username: $('username').value, password: $('password').value };
    const response = await send('POST', `/auth/${event.submitter?.value ?? 'login'}`, { json });
    session.set(await response.json());
    $('password').value = '';
    await openRoom();
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

async function openRoom() {
  const { username } = session.get();
  $('who').textContent = username;
  $('door').hidden = true;
  $('room').hidden = $('account').hidden = false;
  $('file').focus();
  announce(`Signed in as ${username}.`);
  await loadMore();
  const [first] = state.images.values();
  if (first && !state.current) await select(first);
}

/** Forgets what is the account's. */
function leave() {
  session.end();
  dispatchEvent(new Event('left'));
  state.work?.abort();
  state.images.forEach(({ node }) => release(node.querySelector('img')));
  state.images.clear();
  Object.assign(state, { cursor: null, total: 0, current: null, job: null });
  $('pictures').replaceChildren();
  resetTable();
  $('room').hidden = $('account').hidden = true;
  $('door').hidden = false;
  $('username').focus();
}

async function signOut() {
  const tokens = session.get();
  leave();
  clearProblem();
  announce('Signed out.');
  await send('POST', '/auth/logout', { json: { refresh_token: tokens?.refresh_token }, token: tokens?.token });
}

// --- The contact sheet ---

async function loadMore() {
  const cursor = state.cursor ? `&cursor=${encodeURIComponent(state.cursor)}` : '';
  const page = await getJson(`/images?limit=${PAGE}${cursor}`);
  const had = state.images.size;
  page.images.forEach((image) => addPicture(image));
  state.cursor = page.next_cursor;
  state.total = page.total;
  $('more').hidden = !state.cursor;
  showTotal();
  if (had) announce(`${state.images.size} of ${state.total} pictures shown.`);
}

function showTotal() {
  $('total').textContent = state.total === 1 ? '1 picture' : `${state.total} pictures`;
}

function addPicture(image, first = false) {
  if (state.images.has(image.id)) return;
  const picture = element('img', { alt: '' });
  const button = element('button', { type: 'button', title: image.filename }, picture, element('span', { textContent: image.filename }));
  const node = element('li', {}, button);
  const entry = { ...image, node };
  button.addEventListener('click', handling(() => select(entry)));
  state.images.set(image.id, entry);
  $('pictures')[first ? 'prepend' : 'append'](node);
  inThumbnailLane(() => thumbnail(entry, picture));
}

/** A small variant: a page of originals may be 400 MB. */
async function thumbnail({ id, node }, picture) {
  if (!state.images.has(id)) return;
  try {
    const { variant } = await transformNow(id, THUMBNAIL);
    show(picture, await getBlob(`/variants/${variant.id}/content`));
  } catch {
    node.classList.add('unreadable');
  }
}

async function select(image) {
  state.work?.abort();
  state.work = new AbortController();
  const { signal } = state.work;
  const { current } = state;
  current?.node.querySelector('button').removeAttribute('aria-current');
  image.node.querySelector('button').setAttribute('aria-current', 'true');
  resetTable();
  state.current = image;
  $('run').disabled = $('run-job').disabled = $('curl').disabled = $('delete').hidden = false;
  setFigure('original', 'busy', 'Loading …');
  setFacts('original', { Size: bytes(image.size), Format: format(image.mime_type), Dimensions: `${image.width} × ${image.height}` });
  try {
    showPrint('original', await originalBlob(image, signal), image.filename);
  } catch (problem) {
    if (signal.aborted) return;
    setFigure('original', 'empty', 'This picture can’t be shown.');
    throw problem;
  }
}

async function originalBlob({ id, mime_type: mimeType }, signal) {
  if (BROWSERS_SHOW.test(mimeType)) return getBlob(`/images/${id}/content`, signal);
  const { variant } = await transformNow(id, PREVIEW, signal);
  return getBlob(`/variants/${variant.id}/content`, signal);
}

async function uploadAll(files) {
  if (files.length) clearProblem();
  for (const file of files) {
    const image = await uploadOne(file);
    state.total += 1;
    showTotal();
    addPicture(image, true);
    handling(() => select(state.images.get(image.id)))();
    announce(`${image.filename} is uploaded.`);
  }
}

async function uploadOne(file) {
  announce(`Uploading ${file.name} …`);
  const progress = $('progress');
  progress.hidden = false;
  progress.value = 0;
  try {
    return await upload(file, (fraction) => { progress.value = fraction; });
  } finally {
    progress.hidden = true;
  }
}

function confirmed(text) {
  const dialog = $('confirm');
  $('confirm-text').textContent = text;
  dialog.returnValue = 'keep';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'delete'), { once: true });
  });
}

async function deleteCurrent() {
  const image = state.current;
  if (!await confirmed(`${image.filename} and everything made from it will be gone.`)) return;
  await call('DELETE', `/images/${image.id}`);
  const neighbour = image.node.nextElementSibling ?? image.node.previousElementSibling;
  release(image.node.querySelector('img'));
  image.node.remove();
  state.images.delete(image.id);
  state.total -= 1;
  showTotal();
  announce(`${image.filename} is deleted.`);
  if (state.current === image) {
    state.work?.abort();
    state.current = null;
    resetTable();
  }
  (neighbour?.querySelector('button') ?? $('file')).focus();
}

// --- The light table ---

function release(picture) {
  if (picture.src) URL.revokeObjectURL(picture.src);
  picture.removeAttribute('src');
}

function show(picture, blob) {
  release(picture);
  picture.src = URL.createObjectURL(blob);
}

function setFigure(id, mode, text = '') {
  const figure = $(id);
  figure.dataset.state = mode;
  figure.setAttribute('aria-busy', String(mode === 'busy'));
  figure.querySelector('p').textContent = text;
  figure.querySelector('img').hidden = mode !== 'ready';
}

function setFacts(id, facts) {
  const rows = Object.entries(facts).filter(([, value]) => value);
  $(id).querySelector('dl').replaceChildren(
    ...rows.map(([name, value]) => element('div', {}, element('dt', { textContent: name }), element('dd', { textContent: value }))),
  );
}

function showPrint(id, blob, alt) {
  const picture = $(id).querySelector('img');
  show(picture, blob);
  picture.alt = alt;
  setFigure(id, 'ready');
}

function resetTable() {
  dispatchEvent(new Event('table-cleared'));
  for (const id of ['original', 'result']) {
    release($(id).querySelector('img'));
    setFacts(id, {});
  }
  setFigure('original', 'empty', 'Choose a picture, or drop one here.');
  setFigure('result', 'empty', 'The result develops here.');
  state.result = state.job = null;
  $('download').hidden = $('job').hidden = $('delete').hidden = true;
  $('run').disabled = $('run-job').disabled = $('curl').disabled = true;
}

function saved(before, after) {
  const share = Math.round((1 - after / before) * 100);
  return share >= 0 ? `${bytes(before - after)} (${share} %)` : `none, ${bytes(after - before)} more`;
}

async function showResult(image, { variant, cache, time }, signal) {
  const blob = await getBlob(`/variants/${variant.id}/content`, signal);
  state.result = variant;
  showPrint('result', blob, `Result from ${image.filename}`);
  setFacts('result', {
    Size: bytes(variant.size),
    Format: format(variant.mime_type),
    Dimensions: `${variant.width} × ${variant.height}`,
    Saved: saved(image.size, variant.size),
    Time: duration(time),
    'X-Cache': cache,
  });
  const download = $('download');
  download.href = $('result').querySelector('img').src;
  const stem = image.filename.replace(/\.[^.]*$/, '');
  const extension = variant.mime_type.slice('image/'.length).replace('jpeg', 'jpg');
  download.download = `${stem}-${variant.width}x${variant.height}.${extension}`;
  download.hidden = false;
  announce(`Ready: ${bytes(variant.size)}, ${variant.width} by ${variant.height}.`);
  $('result').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
}

// --- The recipe ---

function readControl(control) {
  if (control.type === 'checkbox') return control.checked || undefined;
  if (control.value === '') return undefined;
  return control.type === 'number' ? Number(control.value) : control.value;
}

const read = (spec, pointer) => pointer.slice(1).split('/').reduce((value, key) => value?.[key], spec);

/** `spec` with `value` at a path; undefined takes the field away, and a parent left empty. */
function written(spec, [key, ...rest], value) {
  const { [key]: old, ...others } = isObject(spec) ? spec : {};
  const fresh = rest.length ? written(old, rest, value) : value;
  if (fresh === undefined || (isObject(fresh) && !Object.keys(fresh).length)) return others;
  return { ...spec, [key]: fresh };
}

function setSpec(spec) {
  state.spec = spec;
  $('spec').value = JSON.stringify(spec, null, 2);
  $('spec-fault').textContent = '';
  fillControls();
}

function fillControls() {
  for (const control of controls) {
    const value = read(state.spec, control.dataset.pointer);
    if (control.type === 'checkbox') control.checked = Boolean(value);
    else control.value = value ?? '';
  }
}

function fromControl({ target }) {
  const { pointer } = target.dataset;
  if (!pointer) return;
  state.spec = written(state.spec ?? {}, pointer.slice(1).split('/'), readControl(target));
  $('spec').value = JSON.stringify(state.spec, null, 2);
  $('spec-fault').textContent = '';
}

function fromJson() {
  try {
    const spec = JSON.parse($('spec').value.trim() || '{}');
    if (!isObject(spec)) throw new Error('it must be an object, {…}');
    state.spec = spec;
    $('spec-fault').textContent = '';
    fillControls();
  } catch (error) {
    state.spec = null;
    $('spec-fault').textContent = `Not a specification: ${error.message}`;
  }
}

async function transformNow(id, spec, signal) {
  const began = performance.now();
  const response = await call('POST', `/images/${id}/transform?sync=true`, { json: spec, signal });
  return { variant: await response.json(), cache: response.headers.get('X-Cache'), time: performance.now() - began };
}

async function transformLater(id, spec, signal) {
  const response = await call('POST', `/images/${id}/transform`, { json: spec, signal });
  const { job_id: job } = await response.json();
  return follow(job, signal);
}

/** Does `work` in place of what is under way, and shows what it made. */
async function perform(work) {
  const image = state.current;
  clearProblem();
  state.work?.abort();
  state.work = new AbortController();
  const { signal } = state.work;
  $('job').hidden = true;
  $('download').hidden = true;
  setFacts('result', {});
  setFigure('result', 'busy', 'Developing …');
  announce('Developing …');
  try {
    const made = await work(image, signal);
    if (made) await showResult(image, made, signal);
    else setFigure('result', 'empty', 'Nothing was made.');
  } catch (problem) {
    if (signal.aborted) return;
    setFigure('result', 'empty', 'Nothing was made.');
    throw problem;
  }
}

async function run(mode) {
  if (!state.current) return;
  const { spec } = state;
  if (!spec) {
    $('spec').closest('details').open = true;
    $('spec').focus();
    return;
  }
  const transform = mode === 'job' ? transformLater : transformNow;
  await perform((image, signal) => transform(image.id, spec, signal));
}

// --- Jobs ---

/** Asks until the job has finished, ever less often while nothing changes. */
async function follow(id, signal) {
  state.job = id;
  let wait = 150;
  let before = '';
  for (;;) {
    const job = await getJob(id, signal);
    if (job) {
      showJob(job);
      if (job.status === 'succeeded') return resultOf(job, signal);
      if (job.status === 'failed' || job.status === 'cancelled') return null;
      wait = job.status === before ? Math.min(wait * 1.6, 2000) : 150;
      before = job.status;
    } else {
      wait = 2000;
    }
    await pause(wait, signal);
  }
}

/** The job, or null when there is no answer just now. */
async function getJob(id, signal) {
  try {
    return await getJson(`/jobs/${id}`, signal);
  } catch (problem) {
    if (!problem.passes) throw problem;
    $('job-note').textContent = 'no answer just now, still asking';
    return null;
  }
}

async function resultOf(job, signal) {
  const variant = await getJson(`/variants/${job.variant_id}`, signal);
  return { variant, cache: null, time: new Date(job.finished_at) - new Date(job.started_at ?? job.created_at) };
}

function showJob(job) {
  const { status, attempts, max_attempts: most, error } = job;
  const chip = $('job-state');
  $('job').hidden = false;
  if (chip.textContent !== status) chip.textContent = chip.dataset.state = status;
  const tried = attempts > 1 ? `attempt ${attempts} of ${most}` : '';
  $('job-note').textContent = [tried, error?.detail].filter(Boolean).join(': ');
  $('cancel').hidden = status !== 'queued' && status !== 'running';
  $('retry').hidden = status !== 'failed' && status !== 'cancelled';
}

async function cancelJob() {
  try {
    await call('DELETE', `/jobs/${state.job}`);
    $('job-note').textContent = 'stopping …';
  } catch (problem) {
    if (problem.code !== 'job_not_cancellable') throw problem;
  }
}

async function retryJob() {
  const { job } = state;
  await perform(async (_, signal) => {
    await call('POST', `/jobs/${job}/retry`, { signal });
    return follow(job, signal);
  });
}

// --- The same, by curl ---

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function asCurl() {
  const auth = '-H "Authorization: Bearer $TOKEN"';
  const lines = [
    `curl -sS ${quoted(`${location.origin}${API}/images/${state.current.id}/transform?sync=true`)} ${auth} \\`,
    `  -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(state.spec ?? {}))}`,
  ];
  if (state.result) {
    lines.push(`curl -sS ${quoted(`${location.origin}${API}/variants/${state.result.id}/content`)} ${auth} -o ${quoted($('download').download)}`);
  }
  return lines.join('\n');
}

async function copyCurl() {
  if (navigator.clipboard) await navigator.clipboard.writeText(asCurl());
  else copyBySelection(asCurl());
  $('curl').textContent = 'Copied; it reads $TOKEN';
  announce('Copied. Set TOKEN to a token or an API key of yours.');
  setTimeout(() => { $('curl').textContent = 'Copy as curl'; }, 2500);
}

/** Without HTTPS or localhost there is no navigator.clipboard. */
function copyBySelection(text) {
  const area = element('textarea', { value: text, className: 'hush' });
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
  $('curl').focus();
}

// --- Wiring ---

const on = (id, type, handler) => $(id).addEventListener(type, handling(handler));

function wireDrops() {
  const lit = (yes) => document.body.classList.toggle('drop-here', yes);
  const holdsFiles = (event) => !$('room').hidden && event.dataTransfer?.types.includes('Files');
  addEventListener('dragover', (event) => { if (holdsFiles(event)) { event.preventDefault(); lit(true); } });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) lit(false); });
  addEventListener('drop', handling(async (event) => {
    lit(false);
    if (!holdsFiles(event)) return;
    event.preventDefault();
    await uploadAll([...event.dataTransfer.files]);
  }));
  addEventListener('paste', handling(async (event) => {
    if (!$('room').hidden) await uploadAll([...event.clipboardData?.files ?? []]);
  }));
}

function wire() {
  on('credentials', 'submit', enter);
  on('sign-out', 'click', signOut);
  on('file', 'change', ({ target }) => {
    const files = [...target.files];
    target.value = '';
    return uploadAll(files);
  });
  on('more', 'click', loadMore);
  on('delete', 'click', deleteCurrent);
  on('dismiss', 'click', clearProblem);
  on('clear', 'click', () => setSpec({}));
  on('spec', 'input', fromJson);
  controls.forEach((control) => control.addEventListener('input', fromControl));
  on('recipe', 'submit', (event) => { event.preventDefault(); return run(event.submitter?.value); });
  addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); $('run').click(); }
  });
  on('cancel', 'click', cancelJob);
  on('retry', 'click', retryJob);
  on('curl', 'click', copyCurl);
  for (const [name, spec] of Object.entries(PRESETS)) {
    const button = element('button', { type: 'button', textContent: name });
    button.addEventListener('click', () => { setSpec(spec); announce(`${name} is set.`); });
    $('presets').append(button);
  }
  wireDrops();
}

export { $, announce, call, clearProblem, element, getJson, handling, on, state };

wire();
setSpec(PRESETS['Square 400']);
if (session.get()) openRoom().catch(showProblem);
else leave();
