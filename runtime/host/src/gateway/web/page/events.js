// Alarms, and what people do to them.

import { $, clock, count, fill, gently, make, say, si, span, toast, words } from './dom.js';
import { get } from './feed.js';
import { acknowledge, baseline, may, shelve, unshelve } from './people.js';

const SHOWN = 100;
// Between two looks at more alarms than the stream tells (ms): in a storm the list changes all the time.
const REST = 1000;
let list = [];
// Alarms that somebody wants to see; those that the stream tells are the first ones.
let wanted = SHOWN;
let more = 0;
// Sources of what stands beyond the first ones.
let beyond = [];
let looking = false;
// What the stream has told since a look began: the last of it.
let later;
// The gateway has read the store: before that nobody knows what stands.
let sure = false;
let axes = [];
let shelves = { list: [], more: 0 };
let shelvesDrawn;
// Cards by the alarm, each with what it was drawn from.
let drawn = new Map();
let openTab = () => {};

export function prepare(open) {
  openTab = open;
  $('alarms-more').addEventListener('click', () => {
    wanted += SHOWN;
    get('/api/alarms').then(show, (error) => toast(error.message));
  });
}

// Buttons that were drawn before it was known who looks.
export function session() {
  if (!$('events').hidden) cards();
}

// What stands and is not shelved, by source: the causes, for whoever marks it elsewhere. Of those beyond the list nothing but the source is told.
export function stands() {
  const causes = new Map();
  for (const { event: e, active, shelved_until_utc_ns: shelved } of list) {
    if (active && !shelved) causes.set(e.source, [...(causes.get(e.source) ?? []), `${words(e.channel)}: ${e.cause}`]);
  }
  for (const source of beyond) {
    if (!causes.has(source)) causes.set(source, ['it stands further down in the list of alarms']);
  }
  return causes;
}

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
  beyond = data.more_sources ?? [];
  sure = data.known;
  shelves = { list: data.shelves ?? [], more: data.more_shelves ?? 0 };
  const standing = list.filter((one) => one.active && !one.shelved_until_utc_ns);
  // Several channels that say the same of one axis are one line.
  const said = new Set();
  const fresh = ({ event: e }) => !said.has(`${e.source} ${e.cause}`) && said.add(`${e.source} ${e.cause}`);
  const worst = standing.filter((one) => !one.acknowledged).filter(fresh).slice(0, 2);
  const others = said.size - worst.length;
  gently($('standing'), () => {
    fill($('standing'), ...worst.map(({ event: e }) => make('button', { type: 'button', class: e.severity, onclick: () => openTab('events') },
      make('b', null, `${e.source}: ${e.cause}. `), e.action)));
    if (others > 0 && worst.length) $('standing').lastChild.append(` (and ${others} more)`);
  });
  say($('alarms-note'), `${data.standing} standing, ${data.unacknowledged} not acknowledged, ${data.shelved} shelved${more ? `, ${more} more not shown` : ''}`);
  document.title = data.unacknowledged ? `(${data.unacknowledged}) twinstep` : 'twinstep';
  if (!$('events').hidden) cards();
}

// When it was over, and how that was found.
function ended(alarm) {
  if (alarm.active) return [];
  const by = alarm.ended_utc_ns;
  return by ? [', ended ', clock(by), ' by a new run, which judges anew: where it still holds it is raised again'] : [', cleared ', clock(alarm.event.time_utc_ns)];
}

// Who did it, when where that is known, and what was said.
const said = (what, by) => (by ? [`; ${what} by ${by.who}`, ...(by.time_utc_ns ? [' at ', clock(by.time_utc_ns)] : []), by.comment ? `: "${by.comment}"` : ''] : []);

function card(alarm) {
  const e = alarm.event;
  const button = (text, click) => make('button', { type: 'button', disabled: !may('tuner'), onclick: click }, text);
  const shelved = alarm.shelved_until_utc_ns;
  const state = alarm.active ? 'standing' : 'cleared';
  // A verdict on a stroke says what was missed; all that is ranked stands behind it.
  const causes = (e.causes ?? []).slice(e.nok ? 0 : 1).map((one) => `${one.cause} ${Math.round(100 * one.weight)} %`).join(', ');
  const figures = e.measured != null && e.predicted == null ? `measured ${si(e.measured)} ${e.unit}, nothing predicted`
    : `measured ${si(e.measured)}, predicted ${si(e.predicted)}, residual ${si(e.residual)} ${e.unit}`;
  const context = Object.entries(e.context ?? {}).map(([key, name]) => `, ${key} ${name}`).join('');
  const unjudged = e.not_judged ? `, not judged: ${e.not_judged.map((o) => `${o.name} (${words(o.reason)})`).join(', ')}` : '';
  return make('div', { class: `${e.severity} ${alarm.active && !shelved ? '' : 'past'}`, 'data-source': e.source, 'data-channel': e.channel, 'data-bus': e.bus },
    make('h3', null, `${e.source}: ${e.cause}`, e.bus ? make('span', { class: 'chip' }, e.bus) : null, make('span', { class: `chip ${alarm.active ? 'bad' : ''}` }, state),
      alarm.acknowledged ? make('span', { class: 'chip good' }, `acknowledged by ${alarm.acknowledged.who}`) : make('span', { class: 'chip warn' }, 'not acknowledged'),
      shelved ? make('span', { class: 'chip' }, 'shelved until ', clock(shelved)) : null),
    make('p', null, alarm.active ? 'stands since ' : 'stood since ', clock(alarm.raised_utc_ns), ...ended(alarm), ...said('acknowledged', alarm.acknowledged), ...said('shelved', alarm.shelved)),
    make('p', null, e.action, causes ? make('span', { class: 'dim' }, ` ${e.nok ? 'Behind it' : 'Or'}: ${causes}.`) : null),
    make('p', { class: 'dim' }, `${words(e.channel)}, ${words(e.detector)}: ${figures}, ${words(e.regime)}${context}`
      + `${e.nok ? `, object ${e.nok.object} ${words(e.nok.miss)}` : ''}${unjudged}; `, clock(e.time_utc_ns), `, cycle ${count(e.cycle)}, event ${alarm.raised_seq} to ${alarm.last_seq}${e.asset_id ? `, asset ${e.asset_id}` : ''}`),
    make('div', { class: 'bar' }, make('a', { href: `/api/events/${alarm.raised_seq}/report`, target: '_blank', rel: 'noopener' }, 'report'), alarm.acknowledged ? null : button('acknowledge', () => acknowledge(alarm)),
      shelved ? button('unshelve', () => unshelve(e)) : button('shelve', () => shelve(e)),
      axes.includes(e.source) ? make('button', { type: 'button', disabled: !may('admin'), onclick: () => baseline(e.source) }, 'new baseline') : null));
}

// What has no alarm on the list and comes shelved the next time. Without a bus it is taken off alone, whatever is shelved on one beside it.
function shelf({ bus, source, channel, until_utc_ns: until, who, comment }) {
  const undo = make('button', { type: 'button', disabled: !may('tuner'), onclick: () => unshelve({ bus: bus ?? '', source, channel }) }, 'unshelve');
  return make('div', { class: 'bar', 'data-source': source, 'data-channel': channel, 'data-bus': bus },
    make('span', null, make('b', null, `${source}: ${words(channel)}`), ' is shelved until ', clock(until), ` by ${who}${comment ? `: "${comment}"` : ''}.${sure ? ' Nothing of it stands.' : ''}`), bus ? make('span', { class: 'chip' }, bus) : null, undo);
}

function drawShelves() {
  const key = JSON.stringify([shelves, may('tuner'), sure]);
  if (key === shelvesDrawn) return;
  shelvesDrawn = key;
  fill($('shelves'), ...shelves.list.map(shelf), shelves.more ? make('p', { class: 'dim' }, `${shelves.more} more are shelved and not shown.`) : null);
}

function cards() {
  gently($('shelves'), drawShelves);
  gently($('alarms'), drawCards);
}

function drawCards() {
  $('alarms-more').hidden = !more;
  say($('alarms-more'), `show ${Math.min(more, SHOWN)} more`);
  // A card of which nothing has changed stays as it is: of hundreds few are new.
  const before = drawn;
  drawn = new Map(list.map((alarm) => {
    const [name, from] = [nameOf(alarm), JSON.stringify([alarm, may('tuner'), may('admin'), axes.includes(alarm.event.source)])];
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

export function opened() {
  cards();
}
