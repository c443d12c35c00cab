// How one tracked parameter has gone over what wears it: the line of its trend, its limit, and between which ends it will be there.

import { $, count, fill, make, say, si, words } from './dom.js';
import { get } from './feed.js';
import { Plot, axisX, axisY, colour, line } from './plot.js';

let wanted;
let shown;
let course;
let plot;
let busy = false;

export function prepare() {
  $('trend-life').addEventListener('change', repaint);
}

// `key` is another one whenever something new is known of `source` and `parameter`.
export async function show(source, parameter, key) {
  wanted = { source, parameter, key };
  if (busy || shown === key) return;
  busy = true;
  let failed;
  try {
    const answer = await get(`/api/trend?${new URLSearchParams({ source, parameter })}`);
    // Nothing is tracked any more.
    if (!wanted) return;
    course = answer;
    // A view that was left meanwhile has no size: it is asked for again when it is opened.
    shown = $('health').hidden ? undefined : key;
    if (shown) draw();
  } catch (error) {
    failed = true;
    say($('trend-note'), error.message);
  } finally {
    busy = false;
  }
  // Another one was picked meanwhile.
  if (!failed && wanted && wanted.key !== key) show(wanted.source, wanted.parameter, wanted.key);
}

// The line of the trend goes through the middle of the points.
function straight(c) {
  const middle = (n) => c.points.reduce((sum, point) => sum + point[n], 0) / c.points.length;
  const [used, value] = [middle(0), middle(1)];
  return (x) => value + c.trend * (x - used);
}

// Where the picture ends: with the points, or, where a life is known, with the later end of its interval.
function end(c) {
  return c.life && $('trend-life').checked ? c.used + c.life[2] : c.used;
}

function draw() {
  const c = course;
  const over = c.over === 'metres' ? 'm' : c.over === 'radians' ? 'rad' : c.parameter === 'leak_rate' ? 'holds' : 'strokes';
  say($('trend-name'), `${c.source}: ${words(c.parameter)}`);
  $('trend-life').disabled = !c.life;
  const many = `${c.points.length} means over ${count(Math.round(c.used))} ${over}`;
  const limit = c.limit == null ? '' : `; limit ${si(c.limit)} ${c.unit}`;
  const life = c.life ? `, reached in ${c.life.map((l) => count(Math.round(l))).join(', ')} ${over} (5, 50, 95 %)` : '';
  say($('trend-note'), c.points.length ? `${many}${limit}${life}` : 'nothing was seen of it yet: it takes some movements');
  plot?.remove();
  plot = undefined;
  fill($('trend-plot'));
  if (!c.points.length) return;
  const to = end(c);
  const xs = [...c.points.map(([used]) => used), c.used, ...(to > c.used ? [to] : [])];
  const values = xs.map((_, n) => c.points[n]?.[1] ?? null);
  const all = (value) => xs.map(() => value ?? null);
  const trend = c.trend == null ? all(null) : xs.map(straight(c));
  // A limit that is far off, while no life is known, would make a line of everything else.
  const far = c.life && $('trend-life').checked ? c.limit : null;
  const series = [values, all(c.healthy), trend, all(far)];
  const found = series.flat().filter((value) => value != null);
  const [least, most] = [Math.min(...found), Math.max(...found)];
  const room = (most - least || Math.abs(most) || 1) * 0.08;
  plot = new Plot($('trend-plot'), {
    legend: { live: false }, cursor: { show: false },
    scales: { x: { time: false, range: () => [Math.min(0, xs[0]), to || 1] }, y: { range: () => [least - room, most + room] } },
    axes: [axisX(over), axisY(c.unit, { size: 70 })],
    series: [
      { label: 'used' }, line(words(c.parameter), '--measured', { points: { show: true, size: 5, fill: () => colour('--measured') } }),
      line('healthy', '--good', { dash: [2, 4] }), line(c.trend_significant ? 'trend' : 'trend, not significant', '--predicted', { dash: [6, 4] }), line('limit', '--bad'),
    ],
    hooks: { drawClear: [(u) => interval(u, c)] },
  });
  plot.set([xs, ...series]);
}

// Between which ends the limit is reached, and now.
function interval(u, c) {
  const at = (used) => u.valToPos(used, 'x', true);
  u.ctx.fillStyle = colour('--band');
  if (c.life && $('trend-life').checked) u.ctx.fillRect(at(c.used + c.life[0]), u.bbox.top, at(c.used + c.life[2]) - at(c.used + c.life[0]), u.bbox.height);
  u.ctx.fillStyle = colour('--dim');
  u.ctx.fillRect(at(c.used), u.bbox.top, 1, u.bbox.height);
}

// In the colours of the page, which may be others now.
export function repaint() {
  if (course && !$('health').hidden) draw();
}

// While nobody answers there are no other curves than the one that is here.
export function keep(source, parameter) {
  if (course?.source === source && course?.parameter === parameter) {
    if (!plot) draw();
    return;
  }
  none('The curves are with the machine, which does not answer.');
}

export function none(why = 'Nothing is tracked yet.') {
  plot?.remove();
  plot = course = shown = wanted = undefined;
  say($('trend-name'), '-');
  say($('trend-note'), '');
  fill($('trend-plot'), make('p', { class: 'dim' }, why));
}
