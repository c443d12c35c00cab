// Axes, measured against predicted. Of a thousand axes only the rows in sight are drawn, and of those only what changed.

import { $, fill, fixed, make, mm, row, say, si, table, words } from './dom.js';
import { stands } from './events.js';
import { Plot, axisX, axisY, colour, line } from './plot.js';

const HEIGHT = 34;
const KEPT = 300; // half a minute
const HEADS = ['axis', 'mm', 'predicted', 'A', 'predicted', 'residual', 'regime', 'model'];
// Places in an axis of the stream.
const [POSITION, POSITION_NEXT, , , CURRENT, CURRENT_NEXT, SIGMA, REGIME, CONFIDENCE, JUDGED] = Array.from({ length: 10 }, (_, n) => n);
// Degrees a radian: what the positions of a rotary axis are in.
const DEGREES = 180 / Math.PI;
const ROWS = [POSITION, POSITION_NEXT, CURRENT, CURRENT_NEXT, SIGMA];

let names = [];
let turns = []; // by number: the axis is rotary
let order = [];
let chosen = 0;
let last;
const pool = [];
const past = { time: new Float64Array(KEPT), axes: [], count: 0 };
let plot;
let residual;
let channel = 'current';

export function prepare() {
  const place = $('axes-table');
  place.append(make('div', { class: 'head' }, ...HEADS.map((text) => make('span', null, text))), make('div', { class: 'room' }));
  place.addEventListener('scroll', () => draw());
  $('axes-find').addEventListener('input', arrange);
  $('axes-worst').addEventListener('change', arrange);
  $('axis-channel').addEventListener('change', (event) => { channel = event.target.value; renew(); curves(); });
  place.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !order.length) return;
    event.preventDefault();
    const at = Math.min(Math.max(order.indexOf(chosen) + step, 0), order.length - 1);
    place.scrollTop = Math.min(Math.max(place.scrollTop, (at + 2) * HEIGHT - place.clientHeight), at * HEIGHT);
    choose(order[at]);
  });
}

export function state(s) {
  const known = s.axes ?? [];
  const same = known.length === names.length && known.every((name, n) => name === names[n]);
  const now = known.map((name) => (s.rotary ?? []).includes(name));
  // The curve of another kind of axis is in another unit.
  const unit = now[same ? chosen : 0] === turns[chosen];
  turns = now;
  if (!unit) renew();
  if (same) return;
  names = known;
  past.count = 0;
  past.axes = names.map(() => ROWS.map(() => new Float32Array(KEPT)));
  chosen = 0;
  arrange();
}

export function live(data, s) {
  if (!data.axes || data.axes.length !== names.length) return;
  const now = data.time_ns / 1e9;
  const newest = past.count ? past.time[(past.count - 1) % KEPT] : -1;
  // Another run: its time begins anew.
  if (now < newest) past.count = 0;
  // Who draws anew brings what is kept already.
  if (now !== newest) {
    const at = past.count % KEPT;
    past.time[at] = now;
    data.axes.forEach((axis, n) => {
      ROWS.forEach((place, k) => { past.axes[n][k][at] = axis?.[place] ?? NaN; });
    });
    past.count += 1;
  }
  last = data;
  if ($('axes').hidden) return;
  if ($('axes-worst').checked) arrange();
  else draw();
  curves();
  stations(data, s);
}

function arrange() {
  const wanted = $('axes-find').value.toLowerCase();
  order = names.map((_, n) => n).filter((n) => names[n].toLowerCase().includes(wanted));
  if ($('axes-worst').checked && last) order.sort((a, b) => Math.abs(last.axes[b]?.[SIGMA] ?? -1) - Math.abs(last.axes[a]?.[SIGMA] ?? -1));
  $('axes-table').querySelector('.room').style.height = `${order.length * HEIGHT}px`;
  draw();
}

// A position as people read it: in mm, or in degrees with their sign.
const told = (n, position) => (turns[n] && position != null ? `${(position * DEGREES).toFixed(4)}°` : mm(position));

// Of another unit, or another channel.
function renew() {
  plot = undefined;
  fill($('axis-plot'));
}

function choose(n) {
  if (turns[n] !== turns[chosen]) renew();
  chosen = n;
  draw();
  curves();
}

function draw() {
  const place = $('axes-table');
  if (!last || place.clientHeight === 0) return;
  const alarms = stands();
  const first = Math.floor(place.scrollTop / HEIGHT);
  const seen = Math.min(Math.ceil(place.clientHeight / HEIGHT) + 1, order.length - first);
  while (pool.length < seen) {
    const cells = HEADS.map(() => make('span'));
    const element = make('div', { class: 'row' }, ...cells);
    const one = { element, cells, axis: -1, at: -1 };
    element.addEventListener('click', () => choose(one.axis));
    pool.push(one);
    place.append(element);
  }
  pool.forEach((one, k) => {
    one.element.hidden = k >= seen;
    if (k >= seen) return;
    const n = order[first + k];
    if (one.at !== first + k) {
      one.at = first + k;
      one.element.style.top = `${(one.at + 1) * HEIGHT}px`;
    }
    one.axis = n;
    one.element.classList.toggle('picked', n === chosen);
    // What stands is told by a sign, not by the residual of this moment.
    const causes = alarms.get(names[n]);
    one.element.classList.toggle('alarm', Boolean(causes));
    const title = causes?.join('; ') ?? '';
    if (one.element.title !== title) one.element.title = title;
    const axis = last.axes[n];
    const texts = axis
      ? [names[n], told(n, axis[POSITION]), told(n, axis[POSITION_NEXT]), fixed(axis[CURRENT], 3), fixed(axis[CURRENT_NEXT], 3),
        axis[SIGMA] == null ? '-' : `${axis[SIGMA].toFixed(1)} σ`, words(axis[REGIME]), axis[CONFIDENCE] == null ? '-' : `${Math.round(100 * axis[CONFIDENCE])} %`]
      : [names[n], 'not measured', '', '', '', '', '', ''];
    texts.forEach((text, c) => say(one.cells[c], text));
    const size = Math.abs(axis?.[SIGMA] ?? 0);
    one.cells[5].className = size > 6 ? 'bad' : size > 4 ? 'warn' : '';
    one.cells[0].className = axis && !axis[JUDGED] ? 'dim' : '';
  });
}

// The past of one figure, oldest first.
function of(n, k) {
  const total = Math.min(past.count, KEPT);
  const from = past.count - total;
  const values = new Array(total);
  const source = past.axes[n][k];
  for (let i = 0; i < total; i += 1) {
    const value = source[(from + i) % KEPT];
    values[i] = Number.isNaN(value) ? null : value;
  }
  return values;
}

// Times of the looks that are kept (s), oldest first.
export function times() {
  const total = Math.min(past.count, KEPT);
  return Array.from({ length: total }, (_, i) => past.time[(past.count - total + i) % KEPT]);
}

function curves() {
  if (!names.length || past.count < 2 || chosen >= names.length) return;
  say($('axis-name'), names[chosen]);
  const xs = times().map((at, _, all) => at - all.at(-1));
  const x = { time: false, range: () => [-KEPT / 10, 0] };
  const position = channel === 'position';
  const [scale, unit] = turns[chosen] ? [DEGREES, '°'] : [1e3, 'mm'];
  plot ??= new Plot($('axis-plot'), {
    legend: { live: false }, cursor: { show: false }, scales: { x }, axes: [axisX('s'), axisY(position ? `position (${unit})` : 'current (A)')],
    series: [{ label: 'the last half minute' }, line('measured', '--measured'), line('predicted', '--predicted', { dash: [6, 4] })],
  });
  const scaled = (values) => (position ? values.map((v) => (v == null ? null : v * scale)) : values);
  const [a, b] = position ? [0, 1] : [2, 3];
  plot.set([xs, scaled(of(chosen, a)), scaled(of(chosen, b))]);
  residual ??= new Plot($('axis-residual'), {
    legend: { show: false }, cursor: { show: false }, scales: { x, y: { range: (u, min, max) => [Math.min(-4, min), Math.max(4, max)] } },
    axes: [axisX('s'), axisY('residual (σ)', { space: 18 })], series: [{ label: 's' }, line('residual', '--measured')],
    // The band that a healthy residual stays in but for one cycle in 370.
    hooks: {
      drawClear: [(u) => {
        const [top, bottom] = [u.valToPos(3, 'y', true), u.valToPos(-3, 'y', true)];
        u.ctx.fillStyle = colour('--band');
        u.ctx.fillRect(u.bbox.left, top, u.bbox.width, bottom - top);
      }],
    },
  });
  residual.set([xs, of(chosen, 4)]);
  const axis = last?.axes[chosen];
  say($('axis-note'), axis ? `${words(axis[REGIME])}${axis[JUDGED] ? '' : ', not judged now'}; the band is ±3 σ` : 'not measured now');
}

function stations(data, s) {
  if (!s.stations?.length) {
    fill($('stations'));
    return;
  }
  const rows = s.stations.map((name, n) => {
    const one = data.stations[n];
    return row([name, ...(one ? [`${si(one[0] / 100)} mbar`, `${si(one[1] / 100)} mbar`, `${fixed(one[2], 1)} σ`] : ['not measured', '', ''])]);
  });
  const place = $('stations');
  if (!place.firstChild) place.append(make('table'));
  table(place.firstChild, ['station', 'pressure', 'predicted', 'residual'], rows);
}
