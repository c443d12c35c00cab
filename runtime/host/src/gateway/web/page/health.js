// Health: every tracked parameter against its healthy value, its trend, and how long it lasts.

import { $, count, make, number, row, si, table, words } from './dom.js';

let shown;

export function state(s) {
  if ($('health').hidden) return;
  const lines = s.health ?? [];
  const key = JSON.stringify(lines);
  if (key === shown) return;
  shown = key;
  const rows = lines.map((h) => {
    const off = h.healthy ? h.value / h.healthy - 1 : null;
    // Twice the spread beyond the healthy value is worth a look; the judge has its own way.
    const odd = h.healthy != null && Math.abs(h.value - h.healthy) > 3 * h.sigma;
    const trend = h.trend_per_hour == null ? 'too little seen' : `${si(h.trend_per_hour, 3)} ${h.unit}/h`;
    return row([
      h.source, `${words(h.parameter)}${h.inferred ? ' (inferred)' : ''}`, number(`${h.lower_bound ? 'at least ' : ''}${si(h.value)} ± ${si(h.sigma, 2)} ${h.unit}`, odd ? 'warn' : ''),
      number(h.healthy == null ? 'not known' : `${si(h.healthy)} ${h.unit}`), number(off == null ? '' : `${(100 * off).toFixed(1)} %`, odd ? 'warn' : ''),
      make('td', { class: h.trend_significant ? 'warn' : 'dim' }, `${trend}${h.trend_significant ? '' : h.trend_per_hour == null ? '' : ', not significant'}`), life(h.life),
    ]);
  });
  table($('health-table'), ['of', 'parameter', '#value', '#healthy', '#off', 'trend', 'remaining life'], rows.length ? rows : [row(['nothing is tracked yet: it takes some movements'])]);
}

function life(l) {
  if (l.state !== 'known') return make('td', { class: 'dim' }, `not yet known: ${l.reason}`);
  const [from, middle, to] = l.hours;
  const hours = (h) => (h >= 48 ? `${si(h / 24, 2)} d` : `${si(h, 2)} h`);
  const much = [`${count(Math.round(l.strokes[1]))} strokes`, l.metres[1] > 0 ? `${count(Math.round(l.metres[1]))} m` : null].filter(Boolean).join(', ');
  return make('td', { class: middle < 24 ? 'bad' : middle < 24 * 30 ? 'warn' : '' }, `${hours(middle)} (${hours(from)} to ${hours(to)}); ${much}`);
}
