// Alarms, what people do to them, and the stored events behind them.

import { $, clock, count, fill, make, number, row, say, si, span, table, toast, words } from './dom.js';
import { act, get } from './feed.js';

const SHOWN = 100;
// Between two looks at more alarms than the stream tells (ms): in a storm the list changes all the time.
const REST = 1000;
let list = [];
// Alarms that somebody wants to see; those that the stream tells are the first ones.
let wanted = SHOWN;
let more = 0;
let looking = false;
// What the stream has told since a look began: the last of it.
let later;
// The gateway has read the store: before that nobody knows what stands.
let sure = false;
let role = 'viewer';
let axes = [];
let stored = [];
let known = 0;
let store;
let reading = false;
// Cards by the alarm, each with what it was drawn from.
let drawn = new Map();
let openTab = () => {};

// A button that is drawn anew between press and release would take no click.
let held = false;

export function prepare(open) {
  openTab = open;
  $('alarms-more').addEventListener('click', () => {
    wanted += SHOWN;
    get('/api/alarms').then(show, (error) => toast(error.message));
  });
  $('alarms').addEventListener('pointerdown', (event) => { held = event.button === 0 && event.isPrimary; });
  for (const end of ['pointerup', 'pointercancel', 'contextmenu', 'blur']) {
    window.addEventListener(end, () => {
      if (!held) return;
      held = false;
      setTimeout(cards);
    });
  }
}

export function session(who) {
  role = who.role;
  // Buttons that were drawn before this was known.
  if (!$('events').hidden) cards();
}

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

async function acknowledge(alarm) {
  const e = alarm.event;
  const said = await ask('Acknowledge', `${e.source}: ${words(e.channel)}`, 'acknowledge', false);
  if (said) await act('/api/alarms/acknowledge', { seq: alarm.last_seq, comment: said.comment }, 'acknowledged');
}

async function shelve(alarm) {
  const { bus, source, channel } = alarm.event;
  const said = await ask('Shelve', `${source}: ${words(channel)} is not shown as standing for a while. It is stored as before.`, 'shelve', true);
  if (said) await act('/api/alarms/shelve', { bus, source, channel, seconds: said.seconds, comment: said.comment }, 'shelved');
}

async function baseline(alarm) {
  const { source } = alarm.event;
  const said = await ask('New baseline after a repair', `The next movements of ${source} are its healthy ones; what stands on slow figures of it is cleared.`, 'learn anew', false);
  if (said) await act('/api/baseline', { source, comment: said.comment }, `${source} learns anew`);
}

const unshelve = ({ event: { bus, source, channel } }) => act('/api/alarms/unshelve', { bus, source, channel }, 'back from the shelf');

const nameOf = ({ event: e }) => [e.bus ?? '', e.source, e.channel].join('\n');

// Those beyond the first ones are asked for, one look after the other: what is told meanwhile is looked at next, so that a look is always
// finished and shown. The list moves while it is read: what comes twice is one alarm.
async function show(data) {
  later = data;
  if (looking) return;
  looking = true;
  try {
    while (later) {
      const now = later;
      later = undefined;
      const all = new Map(now.alarms.map((one) => [nameOf(one), one]));
      let [skip, rest] = [now.alarms.length, now.more];
      try {
        while (rest > 0 && all.size < wanted) {
          const answer = await get(`/api/alarms?skip=${skip}`);
          for (const one of answer.alarms) all.set(nameOf(one), one);
          skip += answer.alarms.length;
          rest = answer.alarms.length ? answer.more : 0;
        }
      } catch (error) {
        toast(error.message);
      }
      alarmsAre(now, [...all.values()], rest);
      if (later) await new Promise((done) => { setTimeout(done, REST); });
    }
  } finally {
    looking = false;
  }
}

export function alarms(data) {
  if (looking || (wanted > SHOWN && data.more)) show(data);
  else alarmsAre(data, data.alarms, data.more);
}

function alarmsAre(data, all, rest) {
  list = all;
  more = rest;
  sure = data.known;
  const standing = list.filter((one) => one.active && !one.shelved_until_utc_ns);
  // Several channels that say the same of one axis are one line.
  const said = new Set();
  const fresh = ({ event: e }) => !said.has(`${e.source} ${e.cause}`) && said.add(`${e.source} ${e.cause}`);
  const worst = standing.filter((one) => !one.acknowledged).filter(fresh).slice(0, 2);
  fill($('standing'), ...worst.map(({ event: e }) => make('button', { type: 'button', class: e.severity, onclick: () => openTab('events') },
    make('b', null, `${e.source}: ${e.cause}. `), e.action)));
  const others = said.size - worst.length;
  say($('alarms-note'), `${data.standing} standing, ${data.unacknowledged} not acknowledged, ${data.shelved} shelved${more ? `, ${more} more not shown` : ''}`);
  document.title = data.unacknowledged ? `(${data.unacknowledged}) twinstep` : 'twinstep';
  if (others > 0 && worst.length) $('standing').lastChild.append(` (and ${others} more)`);
  if (!$('events').hidden) cards();
}

function card(alarm) {
  const e = alarm.event;
  const may = role !== 'viewer';
  const button = (text, click) => make('button', { type: 'button', disabled: !may, onclick: click }, text);
  const shelved = alarm.shelved_until_utc_ns;
  const state = alarm.active ? 'standing' : 'cleared';
  // A verdict on a stroke says what was missed; all that is ranked stands behind it.
  const causes = (e.causes ?? []).slice(e.nok ? 0 : 1).map((one) => `${one.cause} ${Math.round(100 * one.weight)} %`).join(', ');
  const figures = e.measured != null && e.predicted == null ? `measured ${si(e.measured)} ${e.unit}, nothing predicted`
    : `measured ${si(e.measured)}, predicted ${si(e.predicted)}, residual ${si(e.residual)} ${e.unit}`;
  const unjudged = e.not_judged ? `, not judged: ${e.not_judged.map((o) => `${o.name} (${words(o.reason)})`).join(', ')}` : '';
  return make('div', { class: `${e.severity} ${alarm.active && !shelved ? '' : 'past'}`, 'data-source': e.source, 'data-channel': e.channel, 'data-bus': e.bus },
    make('h3', null, `${e.source}: ${e.cause}`, e.bus ? make('span', { class: 'chip' }, e.bus) : null, make('span', { class: `chip ${alarm.active ? 'bad' : ''}` }, state),
      alarm.acknowledged ? make('span', { class: 'chip good' }, `acknowledged by ${alarm.acknowledged.who}`) : make('span', { class: 'chip warn' }, 'not acknowledged'),
      shelved ? make('span', { class: 'chip' }, `shelved until ${clock(shelved)} UTC`) : null),
    make('p', null, e.action, causes ? make('span', { class: 'dim' }, ` ${e.nok ? 'Behind it' : 'Or'}: ${causes}.`) : null),
    make('p', { class: 'dim' }, `${words(e.channel)}, ${words(e.detector)}: ${figures}, ${words(e.regime)}`
      + `${e.nok ? `, object ${e.nok.object} ${words(e.nok.miss)}` : ''}${unjudged}; ${clock(e.time_utc_ns)} UTC, cycle ${count(e.cycle)}, event ${alarm.raised_seq} to ${alarm.last_seq}`
      + `${e.asset_id ? `, asset ${e.asset_id}` : ''}${alarm.acknowledged?.comment ? `; "${alarm.acknowledged.comment}"` : ''}`),
    make('div', { class: 'bar' }, make('a', { href: `/api/events/${alarm.raised_seq}/report`, target: '_blank', rel: 'noopener' }, 'report'), alarm.acknowledged ? null : button('acknowledge', () => acknowledge(alarm)),
      shelved ? button('unshelve', () => unshelve(alarm)) : button('shelve', () => shelve(alarm)),
      axes.includes(e.source) ? make('button', { type: 'button', disabled: role !== 'admin', onclick: () => baseline(alarm) }, 'new baseline') : null));
}

function cards() {
  if (held) return;
  $('alarms-more').hidden = !more;
  say($('alarms-more'), `show ${Math.min(more, SHOWN)} more`);
  // A card of which nothing has changed stays as it is: of hundreds few are new.
  const before = drawn;
  drawn = new Map(list.map((alarm) => {
    const [name, from] = [nameOf(alarm), JSON.stringify([alarm, role, axes.includes(alarm.event.source)])];
    const old = before.get(name);
    return [name, old?.from === from ? old : { from, card: card(alarm) }];
  }));
  const wish = [...drawn.values()].map((one) => one.card);
  const here = $('alarms').children;
  if (list.length) {
    if (wish.length !== here.length || wish.some((one, n) => one !== here[n])) fill($('alarms'), ...wish);
    return;
  }
  fill($('alarms'), sure ? make('p', { class: 'good' }, 'Nothing stands.') : make('p', { class: 'warn' }, 'What stands is not known: the event store has not been read yet.'));
}

export function state(s) {
  $('store-trouble').hidden = !s.store_trouble;
  say($('store-trouble'), s.store_trouble ? `The event store cannot be read, and events and alarms may be old. ${s.store_trouble}` : '');
  // Alarms are those of the machine.
  axes = s.buses?.length ? s.buses.flatMap((bus) => bus.axes ?? []) : s.axes ?? [];
  if ($('events').hidden) return;
  const f = s.false_alarms;
  if (!f) return;
  const fact = (name, text) => make('span', null, `${name} `, make('b', null, text));
  const key = JSON.stringify(f);
  if ($('intervals').dataset.key === key) return;
  $('intervals').dataset.key = key;
  fill($('intervals'), make('span', null, 'one false alarm in:'), fact('asked', span(f.asked_s)),
    fact('extrapolated', f.extrapolated_s == null ? 'not known' : `${span(f.extrapolated_s)} (at least ${span(f.extrapolated_low_s)})`),
    fact('demonstrated so far', `at least ${span(f.demonstrated_s)}`), fact('streams', String(f.streams)));
}

// Reads what is new behind the last event that is shown.
export async function stream(lastSeq, of) {
  if ($('events').hidden || reading || (lastSeq <= known && of === store)) return;
  reading = true;
  try {
    // Of another store nothing is known.
    const before = of === store ? known : 0;
    const answer = await get(`/api/events?after=${Math.max(before, lastSeq - SHOWN)}&limit=${SHOWN}`);
    if (answer.store !== of) return;
    stored = [...(of === store ? stored : []), ...answer.events].slice(-SHOWN);
    // It may hold later ones than was asked for.
    [known, store] = [Math.max(lastSeq, answer.events.at(-1)?.seq ?? 0), of];
    draw();
  } catch (error) {
    say($('events-note'), error.message);
  } finally {
    reading = false;
  }
}

function draw() {
  say($('events-note'), `the last ${stored.length}, the newest first; times are UTC`);
  const many = stored.some((e) => e.bus);
  table($('events-table'), ['#', 'time', ...(many ? ['bus'] : []), 'of', 'channel', 'state', 'cause', '#measured', '#predicted', '#residual'], stored.toReversed().map((e) => row([
    number(String(e.seq)), clock(e.time_utc_ns), ...(many ? [e.bus ?? ''] : []), e.source, words(e.channel), make('td', { class: e.state === 'cleared' ? 'good' : e.severity === 'fault' ? 'bad' : 'warn' }, e.state),
    e.cause, number(`${si(e.measured)} ${e.unit}`), number(si(e.predicted)), number(si(e.residual)),
  ])));
}

export function opened() {
  cards();
}
