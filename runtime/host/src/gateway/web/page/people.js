// Who looks, what he may, and the questions that are asked before something is done.

import { $, say, words } from './dom.js';
import { act } from './feed.js';

let role = 'viewer';

export function session(who) {
  role = who.role;
}

// Whether who looks may do what this role may.
export const may = (needed) => (needed === 'admin' ? role === 'admin' : role !== 'viewer');

// One question: a comment, and for shelving how long.
function ask(title, text, yes, timed) {
  const dialog = $('ask');
  say($('ask-title'), title);
  say($('ask-text'), text);
  say($('ask-yes'), yes);
  $('ask-time').hidden = !timed;
  $('ask-comment').value = '';
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes' ? { comment: $('ask-comment').value, seconds: Number($('ask-seconds').value) } : null), { once: true });
  });
}

export async function acknowledge(alarm) {
  const e = alarm.event;
  const said = await ask('Acknowledge', `${e.source}: ${words(e.channel)}`, 'acknowledge', false);
  if (said) await act('/api/alarms/acknowledge', { seq: alarm.last_seq, comment: said.comment }, 'acknowledged');
}

export async function shelve({ bus, source, channel }) {
  const said = await ask('Shelve', `${source}: ${words(channel)} is not shown as standing for a while. It is stored as before.`, 'shelve', true);
  if (said) await act('/api/alarms/shelve', { bus, source, channel, seconds: said.seconds, comment: said.comment }, 'shelved');
}

export const unshelve = ({ bus, source, channel }) => act('/api/alarms/unshelve', { bus, source, channel }, 'back from the shelf');

export async function baseline(source) {
  const said = await ask('New baseline after a repair', `The next movements of ${source} are its healthy ones; what stands on slow figures of it is cleared. `
    + 'Its health is followed from here on for good. All else holds for this run: the next one judges by the old baseline again, unless `calibrate` from a recording has kept the new one.', 'learn anew', false);
  if (said) await act('/api/baseline', { source, comment: said.comment }, `${source} learns anew`);
}
