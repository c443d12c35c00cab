// The gateway: a stream of events, and requests. Every failure is said.

import { $, toast } from './dom.js';

export class Refused extends Error {}

async function read(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  if (response.status === 401) login();
  throw new Refused([body.error ?? `the gateway answers ${response.status}`, body.remedy].filter(Boolean).join('; '));
}

export const get = async (path) => read(await fetch(path, { headers: { accept: 'application/json' } }));

export const post = async (path, body) => read(await fetch(path, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
}));

// Does it and says what came of it.
export async function act(path, body, done) {
  try {
    await post(path, body);
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

let source;
let heard = 0;
// The same by the clock of the day (ms since 1970).
let heardAt;

// Calls handlers[name](data) for every event of the stream, and behind it link(true); link(false, when the last one came) where none come.
export function follow(handlers, link) {
  const open = () => {
    source?.close();
    source = new EventSource('/api/live');
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        [heard, heardAt] = [performance.now(), Date.now()];
        handler(JSON.parse(event.data));
        link(true);
      });
    }
    source.onerror = () => {
      link(false, heardAt);
      // A refusal closes the stream for good: it is tried again here.
      if (source.readyState === EventSource.CLOSED) {
        get('/api/session').catch(() => {});
        setTimeout(open, 2000);
      }
    };
  };
  open();
  // A computer that went away leaves the stream open and silent.
  setInterval(() => {
    if (performance.now() - heard > 5000) link(false, heardAt);
  }, 1000);
}

function login() {
  const dialog = $('login');
  if (!dialog.open) dialog.showModal();
}

export function prepareLogin() {
  $('login-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await post('/login', { token: $('login-token').value });
      location.reload();
    } catch (error) {
      $('login-said').textContent = error.message;
    }
  });
}
