// Health: every tracked parameter against its healthy value, its trend, and how long it lasts; of one of them, how it has gone.

import { $, count, make, number, row, si, table, words } from './dom.js';
import * as trend from './trend.js';

let shown;
let picked;
let last = {};

const nameOf = (h) => `${h.source}\n${h.parameter}`;

// The one that ends first; where none is known to end, the one that is off by the most of its spreads.
function worst(lines) {
  const left = (h) => (h.life.state === 'known' ? h.life.hours[1] : Infinity);
  const off = (h) => (h.healthy == null || !(h.sigma > 0) ? 0 : Math.abs(h.value - h.healthy) / h.sigma);
  return lines.toSorted((a, b) => (left(a) === left(b) ? off(b) - off(a) : left(a) - left(b)))[0];
}

export const prepare = trend.prepare;

function pick(h) {
  picked = nameOf(h);
  state(last);
}

export function state(s) {
  last = s;
  if ($('health').hidden) return;
  const lines = s.health ?? [];
  // What somebody has picked stays picked; otherwise it is the worst one, whichever that is.
  const one = lines.find((h) => nameOf(h) === picked) ?? worst(lines);
  if (one) trend.show(one.source, one.parameter, JSON.stringify([s.bus_name, one]));
  else trend.none();
  const key = JSON.stringify([lines, one && nameOf(one)]);
  if (key === shown) return;
  shown = key;
  const focused = document.activeElement?.getAttribute('data-of');
  const rows = lines.map((h) => {
    const off = h.healthy ? h.value / h.healthy - 1 : null;
    // Twice the spread beyond the healthy value is worth a look; the judge has its own way.
    const odd = h.healthy != null && Math.abs(h.value - h.healthy) > 3 * h.sigma;
    const rate = h.trend_per_hour == null ? 'too little seen' : `${si(h.trend_per_hour, 3)} ${h.unit}/h`;
    return row([
      make('button', { type: 'button', 'data-of': nameOf(h), 'aria-pressed': String(h === one) }, h.source), `${words(h.parameter)}${h.inferred ? ' (inferred)' : ''}`, number(`${h.lower_bound ? 'at least ' : ''}${si(h.value)} ± ${si(h.sigma, 2)} ${h.unit}`, odd ? 'warn' : ''),
      number(h.healthy == null ? 'not known' : `${si(h.healthy)} ${h.unit}`), number(off == null ? '' : `${(100 * off).toFixed(1)} %`, odd ? 'warn' : ''),
      make('td', { class: h.trend_significant ? 'warn' : 'dim' }, `${rate}${h.trend_significant ? '' : h.trend_per_hour == null ? '' : ', not significant'}`), life(h.life),
    ], { class: h === one ? 'picked' : '', onclick: () => pick(h) });
  });
  table($('health-table'), ['of', 'parameter', '#value', '#healthy', '#off', 'trend', 'remaining life'], rows.length ? rows : [row(['nothing is tracked yet: it takes some movements'])]);
  if (focused) [...$('health-table').querySelectorAll('button')].find((one) => one.getAttribute('data-of') === focused)?.focus();
}

function life(l) {
  if (l.state !== 'known') return make('td', { class: 'dim' }, `not yet known: ${l.reason}`);
  const [from, middle, to] = l.hours;
  const hours = (h) => (h >= 48 ? `${si(h / 24, 2)} d` : `${si(h, 2)} h`);
  const much = [`${count(Math.round(l.strokes[1]))} strokes`, l.metres[1] > 0 ? `${count(Math.round(l.metres[1]))} m` : null].filter(Boolean).join(', ');
  return make('td', { class: middle < 24 ? 'bad' : middle < 24 * 30 ? 'warn' : '' }, `${hours(middle)} (${hours(from)} to ${hours(to)}); ${much}`);
}
