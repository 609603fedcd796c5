// Pictures by URL: URLs that are signed, presets, and the keys that sign.

import { $, announce, call, clearProblem, element, getJson, handling, on, state } from './console.js';

/** One line of a list, with a button that takes it away. */
function line(name, detail, remove) {
  const button = element('button', { type: 'button', className: 'quiet danger', textContent: 'Delete', ariaLabel: `Delete ${name}` });
  button.addEventListener('click', handling(remove));
  return element('li', {}, element('strong', { textContent: name }), element('code', { textContent: detail }), button);
}

// --- Signed URLs ---

async function sign(event) {
  event.preventDefault();
  clearProblem();
  if (!state.current) throw new Error('Choose a picture first.');
  const json = { transformation: $('transformation').value.trim(), expires_in: Number($('lifetime').value) || undefined };
  const { url } = await (await call('POST', `/images/${state.current.id}/sign`, { json })).json();
  const link = $('signed-url');
  link.href = link.textContent = new URL(url, location.href).href;
  $('signed').hidden = false;
  announce('The URL is signed.');
}

function forgetUrl() {
  $('signed').hidden = true;
  $('signed-url').removeAttribute('href');
}

// --- Presets ---

async function showPresets() {
  const { presets } = await getJson('/presets');
  $('kept').replaceChildren(...presets.map(({ name, spec }) => line(name, JSON.stringify(spec), async () => {
    await call('DELETE', `/presets/${encodeURIComponent(name)}`);
    announce(`The preset ${name} is deleted.`);
    await showPresets();
  })));
}

async function keepPreset(event) {
  event.preventDefault();
  clearProblem();
  const name = $('preset-name').value.trim();
  if (!state.spec) throw new Error('What is to be kept is not a specification.');
  await call('PUT', `/presets/${encodeURIComponent(name)}`, { json: state.spec });
  $('preset-name').value = '';
  $('transformation').value = `t_${name}`;
  announce(`The transformation is kept as ${name}.`);
  await showPresets();
}

// --- Keys ---

async function showKeys() {
  const { signing_keys: keys } = await getJson('/signing-keys');
  $('keys').replaceChildren(...keys.map(({ id, name }) => line(id, name, async () => {
    await call('DELETE', `/signing-keys/${encodeURIComponent(id)}`);
    announce(`The key ${id} is deleted, and nothing that it has signed is good any more.`);
    await showKeys();
  })));
}

async function createKey() {
  clearProblem();
  const { id, secret } = await (await call('POST', '/signing-keys', { json: { name: 'console' } })).json();
  $('secret').textContent = `${id} signs with ${secret} – shown once.`;
  $('secret').hidden = false;
  announce(`The key ${id} is made.`);
  await showKeys();
}

// --- Wiring ---

on('sign', 'submit', sign);
on('keep', 'submit', keepPreset);
on('create-key', 'click', createKey);
on('presets-kept', 'toggle', ({ target }) => target.open && showPresets());
on('signing-keys', 'toggle', ({ target }) => target.open && showKeys());
addEventListener('table-cleared', forgetUrl);
// What was shown is the account's.
addEventListener('left', () => {
  $('presets-kept').open = $('signing-keys').open = false;
  $('kept').replaceChildren();
  $('keys').replaceChildren();
  $('secret').textContent = '';
  $('secret').hidden = true;
});
