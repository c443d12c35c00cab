// Health: every tracked parameter against its healthy value, its trend, and how long it lasts; of one of them, how it has gone.

import { $, count, gently, keepFocus, make, number, row, si, table, words } from './dom.js';
import { baseline, may } from './people.js';
import * as trend from './trend.js';

let shown;
let picked;
let last = {};
// The source of the curve.
let source;

const nameOf = (h) => `${h.source}\n${h.parameter}`;

// How many of its spreads it is off, in whole ones: what only trembles keeps its place.
const off = (h) => (h.healthy == null || !(h.sigma > 0) ? 0 : Math.floor(Math.abs(h.value - h.healthy) / h.sigma));
const left = (h) => (h.life.state === 'known' ? h.life.hours[1] : Infinity);

// First the one that ends first; where none is known to end, the one that is off by the most of its spreads.
const worstFirst = (lines) => lines.toSorted((a, b) => (left(a) === left(b) ? off(b) - off(a) : left(a) - left(b)));

export function prepare() {
  trend.prepare();
  for (const [id, kind] of [['health-find', 'input'], ['health-worst', 'change']]) $(id).addEventListener(kind, () => state(last));
  $('health-baseline').addEventListener('click', () => source && baseline(source));
}

function pick(h) {
  picked = nameOf(h);
  state(last);
}

export function state(s) {
  last = s;
  if ($('health').hidden) return;
  const lines = s.health ?? [];
  // What somebody has picked stays picked; otherwise it is the worst one, whichever that is.
  const one = lines.find((h) => nameOf(h) === picked) ?? worstFirst(lines)[0];
  if (!one) trend.none(s.trouble ? 'What is tracked is not known: the machine does not answer.' : undefined);
  else if (s.trouble) trend.keep(one.source, one.parameter);
  else trend.show(one.source, one.parameter, JSON.stringify([s.bus_name, one]));
  source = one?.source;
  // Stations are judged without a baseline of their own.
  const button = $('health-baseline');
  button.hidden = !one || (s.stations ?? []).includes(one.source);
  button.disabled = !may('admin') || Boolean(s.trouble);
  button.title = one ? `what is healthy of ${one.source} is learnt anew` : '';
  const wanted = $('health-find').value.trim().toLowerCase();
  const found = lines.filter((h) => `${h.source} ${words(h.parameter)}`.toLowerCase().includes(wanted));
  const order = $('health-worst').checked ? worstFirst(found) : found;
  const key = JSON.stringify([order, one && nameOf(one), lines.length, s.trouble, s.rotary]);
  if (key === shown) return;
  shown = key;
  const nothing = lines.length ? 'nothing of that name is tracked' : s.trouble ? 'what is tracked is not known: the machine does not answer' : 'nothing is tracked yet: it takes some movements';
  const place = $('health-table');
  gently(place, () => keepFocus(place, () => table(place, ['of', 'parameter', '#value', '#healthy', '#off', 'trend', 'remaining life'],
    order.length ? order.map((h) => line(h, h === one)) : [row([nothing])])));
}

function line(h, isPicked) {
  const share = h.healthy ? h.value / h.healthy - 1 : null;
  // Twice the spread beyond the healthy value is worth a look; the judge has its own way.
  const odd = h.healthy != null && Math.abs(h.value - h.healthy) > 3 * h.sigma;
  const rate = h.trend_per_hour == null ? 'too little seen' : `${si(h.trend_per_hour, 3)} ${h.unit}/h`;
  return row([
    make('button', { type: 'button', 'data-of': nameOf(h), 'aria-pressed': String(isPicked) }, h.source), `${words(h.parameter)}${h.inferred ? ' (inferred)' : ''}`, number(`${h.lower_bound ? 'at least ' : ''}${si(h.value)} ± ${si(h.sigma, 2)} ${h.unit}`, odd ? 'warn' : ''),
    number(h.healthy == null ? 'not known' : `${si(h.healthy)} ${h.unit}`), number(share == null ? '' : `${(100 * share).toFixed(1)} %`, odd ? 'warn' : ''),
    make('td', { class: h.trend_significant ? 'warn' : 'dim' }, `${rate}${h.trend_significant ? '' : h.trend_per_hour == null ? '' : ', not significant'}`), life(h.life, (last.rotary ?? []).includes(h.source) ? 'rad' : 'm'),
  ], { class: isPicked ? 'picked' : '', onclick: () => pick(h) });
}

function life(l, way) {
  if (l.state !== 'known') return make('td', { class: 'dim' }, `not yet known: ${l.reason}`);
  const [from, middle, to] = l.hours;
  const hours = (h) => (h >= 48 ? `${si(h / 24, 2)} d` : `${si(h, 2)} h`);
  const much = [`${count(Math.round(l.strokes[1]))} strokes`, l.metres[1] > 0 ? `${count(Math.round(l.metres[1]))} ${way}` : null].filter(Boolean).join(', ');
  return make('td', { class: middle < 24 ? 'bad' : middle < 24 * 30 ? 'warn' : '' }, `${hours(middle)} (${hours(from)} to ${hours(to)}); ${much}`);
}
