// The page: tabs, the stream, and who looks.

import { $, fill, make, say, toast } from './dom.js';
import { follow, get, post, prepareLogin } from './feed.js';
import * as axes from './axes.js';
import * as budget from './budget.js';
import * as buses from './buses.js';
import * as events from './events.js';
import * as faults from './faults.js';
import * as gateway from './gateway.js';
import * as health from './health.js';
import * as limits from './limits.js';
import * as list from './list.js';
import * as overruns from './overruns.js';
import * as people from './people.js';
import * as press from './press.js';
import * as trend from './trend.js';
import * as trust from './trust.js';

const TABS = [['axes', 'Axes'], ['budget', 'Cycle'], ['overruns', 'Overruns'], ['press', 'Press'], ['health', 'Health'], ['events', 'Events'], ['faults', 'Faults'], ['gateway', 'Gateway']];
// As they came: of all buses.
const raw = { live: {}, state: {} };
// What is of the bus that is looked at.
let last = {};
let state = {};
let tab = 'axes';
// The last stored event, and the store that it is of: told with and without a machine.
let stand = {};

// Views have addresses: the view, and the bus where there are several.
function address() {
  const bus = buses.name();
  const wanted = `#${tab}${bus ? `/${bus}` : ''}`;
  if (location.hash !== wanted) history.replaceState(null, '', wanted);
}

function open(name) {
  tab = name;
  for (const [id] of TABS) {
    $(id).hidden = id !== name;
    document.querySelector(`nav [data-tab=${id}]`).setAttribute('aria-selected', String(id === name));
  }
  address();
  redraw();
  if (name === 'events') {
    events.opened();
    list.opened(stand.last_seq ?? 0, stand.store);
  }
}

function redraw() {
  for (const view of [axes, budget, limits, overruns, press, health, events, faults, gateway]) view.state?.(state);
  axes.live(last, state);
  budget.live(last, state);
}

function look() {
  last = buses.seen(raw.live);
  state = buses.seen(raw.state);
  trust.head(last, state);
  trust.trust(state);
  document.querySelector('nav [data-tab=faults]').hidden = !state.simulated;
  // Its address may have been kept from a simulated one.
  if (state.machine && !state.simulated && tab === 'faults') open('axes');
  document.querySelector('nav [data-tab=press]').hidden = !state.strokes?.length && tab !== 'press';
}

function stored(data) {
  // Nobody has looked at the store yet.
  if (data.store == null) return;
  stand = { last_seq: data.last_seq, store: data.store };
  list.stream(data.last_seq, data.store);
}

function pick(bus) {
  if (!buses.choose(bus)) return;
  address();
  look();
  redraw();
}

function theme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark';
  const next = dark ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem('theme', next); } catch { /* It is asked again next time. */ }
  // What is drawn on a canvas has the colours of before.
  document.querySelectorAll('.uplot').forEach((plot) => plot.dispatchEvent(new CustomEvent('repaint')));
  press.repaint();
  trend.repaint();
  redraw();
}

fill($('tabs'), ...TABS.map(([id, text]) => make('button', { type: 'button', role: 'tab', 'data-tab': id, onclick: () => open(id) }, text)));
prepareLogin();
for (const view of [axes, budget, limits, press, health, faults]) view.prepare();
events.prepare(open);
list.prepare();
$('theme').addEventListener('click', theme);
$('logout').addEventListener('click', () => post('/logout', {}).then(() => location.reload(), (error) => toast(error.message)));
const [wanted, bus] = location.hash.slice(1).split('/');
if (bus) buses.choose(bus);
open(TABS.some(([id]) => id === wanted) ? wanted : 'axes');

// Who looks: asked for again with the stream where the gateway was just starting.
let asking = false;
let asked = false;

function who() {
  if (asking || asked) return;
  asking = true;
  get('/api/session').then(entered, () => {}).finally(() => { asking = false; });
}

function entered(session) {
  asked = true;
  say($('who'), session.role === 'admin' && session.name === 'local' ? '' : `${session.name}, ${session.role}`);
  $('logout').hidden = session.name === 'local';
  people.session(session);
  events.session();
  for (const id of ['reset', 'budget-fields']) $(id).disabled = session.role === 'viewer';
  for (const element of $('inject').elements) element.disabled = session.role !== 'admin';
  redraw();
}

who();

const link = $('link');
follow({
  live(data) {
    raw.live = data;
    last = buses.seen(data);
    buses.live(data, raw.state);
    trust.head(last, state);
    axes.live(last, state);
    budget.live(last, state);
    stored(data);
  },
  state(data) {
    who();
    raw.state = data;
    // A page that was opened behind the end of the machine.
    if (data.last_live && raw.live.cycle == null) raw.live = data.last_live;
    buses.state(data, pick);
    address();
    look();
    redraw();
    stored(data);
  },
  alarms: events.alarms,
}, (up, heard) => {
  trust.connection(up ? undefined : heard);
  const text = up ? (state.trouble ? 'no answer' : 'live') : 'no connection';
  say(link, text);
  link.className = `chip ${text === 'live' ? 'good' : 'bad'}`;
});
