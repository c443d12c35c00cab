// Strokes of the presses: force over travel, with the windows of the stroke and its verdict.

import { $, clock, fill, gently, make, mm, number, row, say, si, table, words } from './dom.js';
import { get } from './feed.js';
import { Plot, axisX, axisY, colour, line } from './plot.js';

let strokes = [];
let press;
let picked;
let shown;
let plot;
let busy = false;
// Nobody answers: the strokes are those of before, and curves are with the machine.
let silent = false;
// When cycle 0 was (ns since 1970, UTC).
let began;
// Time of the run as it was told last (ns).
let before = 0;

// Objects that could not judge a stroke: its verdict is that of the others.
const unjudged = (s) => (s.not_judged ? make('span', { class: 'chip warn' }, `${s.not_judged.length} not judged`) : null);
const verdict = (ok) => make('span', { class: `chip ${ok ? 'good' : 'bad'}` }, ok ? 'OK' : 'NOK');

export function prepare() {
  $('press-name').addEventListener('change', (event) => { press = event.target.value; picked = undefined; show(); });
  $('press-follow').addEventListener('change', show);
}

export function state(s) {
  // Stroke 5 of another run is another one: its curve and its time too.
  if (s.time_ns < before || (silent && !s.trouble)) {
    shown = undefined;
    delete $('strokes').dataset.key;
  }
  before = s.time_ns ?? before;
  strokes = s.strokes ?? [];
  silent = Boolean(s.trouble);
  began = s.time_utc_ns ? s.time_utc_ns - s.time_ns : undefined;
  if ($('press').hidden) return;
  const presses = [...new Set(strokes.map((one) => one.source))];
  const select = $('press-name');
  if ([...select.options].map((o) => o.value).join('\n') !== presses.join('\n')) {
    fill(select, ...presses.map((name) => make('option', { value: name }, name)));
  }
  if (!presses.includes(press)) press = presses[0];
  if (select.value !== press) select.value = press ?? '';
  show();
}

function show() {
  const mine = strokes.filter((one) => one.source === press);
  if (!mine.length) {
    delete $('strokes').dataset.key;
    fill($('strokes'), make('p', { class: 'dim' }, silent ? 'No stroke is known: the machine does not answer.' : 'No stroke yet.'));
    return;
  }
  if ($('press-follow').checked || !mine.some((one) => one.stroke === picked)) picked = mine[mine.length - 1].stroke;
  gently($('strokes'), () => rows(mine));
  draw();
}

const when = (one) => (began == null ? null : clock(began + one.time_ns, true));

function rows(mine) {
  const key = `${press} ${picked} ${mine[mine.length - 1].stroke}`;
  if ($('strokes').dataset.key !== key) {
    $('strokes').dataset.key = key;
    fill($('strokes'), ...mine.toReversed().map((one) => make('button', {
      type: 'button', class: one.stroke === picked ? 'picked' : '',
      onclick: () => { $('press-follow').checked = false; picked = one.stroke; show(); },
    }, make('b', null, `#${one.stroke}`), verdict(one.verdict === 'ok'), unjudged(one), make('span', null, one.part ?? ''), when(one), make('span', null, `${si(one.peak_n / 1e3)} kN`))));
  }
}

async function draw() {
  const wanted = `${press} ${picked}`;
  if (busy || shown === wanted) return;
  if (silent) {
    plot?.remove();
    plot = shown = undefined;
    say($('stroke-title'), `Stroke ${picked}`);
    fill($('stroke-verdict'));
    fill($('stroke-facts'));
    fill($('stroke-objects'));
    fill($('stroke-plot'), make('p', { class: 'dim' }, 'Its curve is with the machine, which does not answer.'));
    return;
  }
  busy = true;
  try {
    const answer = await get(`/api/curve?${new URLSearchParams({ source: press, stroke: picked })}`);
    shown = wanted;
    picture(answer);
  } catch (error) {
    say($('stroke-title'), error.message);
  } finally {
    busy = false;
  }
  // Another one was picked meanwhile.
  if (shown && `${press} ${picked}` !== wanted) draw();
}

function picture(c) {
  const s = c.stroke;
  say($('stroke-title'), `Stroke ${s.stroke}${s.recipe ? `, recipe ${s.recipe}` : ''}${s.part ? `, part ${s.part}` : ''}`);
  fill($('stroke-verdict'), verdict(s.verdict === 'ok'), unjudged(s), s.cause ? ` ${words(s.cause)}` : '');
  const at = c.turn;
  const travel = c.position_m.map((m) => m * 1e3);
  const forces = c.force_n.map((n) => n / 1e3);
  const data = [[travel.slice(0, at + 1), forces.slice(0, at + 1)], [travel.slice(at), forces.slice(at)]];
  const way = (facet, label, name, more) => ({ ...line(label, name, more), facets: [{ scale: 'x', auto: true }, { scale: 'y', auto: true }], paths: polygon });
  // Windows belong to the picture as much as the curve does.
  const corners = c.shapes.flatMap((shape) => shape.outline);
  const outer = (values, k, scale) => {
    const all = [...values, ...corners.map((p) => p[k]).filter((v) => v != null).map((v) => v * scale)];
    const [min, max] = [Math.min(...all), Math.max(...all)];
    const room = (max - min || 1) * 0.05;
    return [min - room, max + room];
  };
  const [x, y] = [outer(travel, 0, 1e3), outer(forces, 1, 1e-3)];
  plot?.remove();
  fill($('stroke-plot'));
  plot = new Plot($('stroke-plot'), {
    mode: 2, cursor: { show: false }, legend: { show: true, live: false },
    scales: { x: { time: false, range: () => x }, y: { range: () => y } },
    axes: [axisX('travel (mm)'), axisY('force (kN)')],
    series: [null, way(0, 'way in', '--measured', { width: 2 }), way(1, 'way back', '--dim')],
    hooks: { drawClear: [(u) => windows(u, c.shapes, x, y)] },
  });
  if (travel.length) plot.set([null, ...data]);
  else fill($('stroke-plot'), make('p', { class: 'dim' }, 'The next stroke began before this curve could be copied.'));
  facts(s);
}

function polygon(u, series) {
  const [xs, ys] = u.data[series];
  const path = new Path2D();
  xs.forEach((value, n) => {
    const [px, py] = [u.valToPos(value, 'x', true), u.valToPos(ys[n], 'y', true)];
    if (n) path.lineTo(px, py);
    else path.moveTo(px, py);
  });
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = series === 1 ? colour('--measured') : colour('--dim');
  ctx.lineWidth = series === 1 ? 2.5 : 1.5;
  ctx.stroke(path);
  ctx.restore();
  return null;
}

function windows(u, shapes, [xMin, xMax], [yMin, yMax]) {
  const { ctx } = u;
  ctx.save();
  ctx.font = '12px sans-serif';
  for (const shape of shapes) {
    if (!shape.outline.length) continue;
    const middle = shape.outline.length / 2;
    const place = shape.outline.map(([px, py], n) => {
      // A side without a limit reaches to the edge: the first half of the corners is the lower one.
      const left = shape.outline.length === 2 ? n === 0 : n === 0 || n === 3;
      const low = shape.outline.length === 2 ? n === 0 : n < middle;
      return [u.valToPos(px == null ? (left ? xMin : xMax) : px * 1e3, 'x', true), u.valToPos(py == null ? (low ? yMin : yMax) : py / 1e3, 'y', true)];
    });
    const path = new Path2D();
    place.forEach(([px, py], n) => (n ? path.lineTo(px, py) : path.moveTo(px, py)));
    if (place.length > 2) path.closePath();
    ctx.strokeStyle = colour(shape.ok ? '--good' : '--bad');
    ctx.fillStyle = `${colour(shape.ok ? '--good' : '--bad')}1a`;
    ctx.lineWidth = 1.5;
    if (place.length > 2) ctx.fill(path);
    ctx.stroke(path);
    ctx.fillStyle = colour(shape.ok ? '--good' : '--bad');
    // Above the upper left corner; beside it where the edge of the picture is near.
    const [px, py] = place[place.length - 1];
    const width = ctx.measureText(shape.name).width;
    ctx.fillText(shape.name, Math.min(px, u.bbox.left + u.bbox.width - width - 4), Math.max(py - 5, u.bbox.top + 12));
  }
  ctx.restore();
}

function facts(s) {
  const fact = (name, text) => make('span', null, `${name} `, make('b', null, text));
  fill($('stroke-facts'),
    began == null ? null : make('span', null, 'judged ', clock(began + s.time_ns)),
    fact('peak', `${si(s.peak_n)} N at ${mm(s.peak_position_m, 3)} mm`), fact('work', `${si(s.work_j)} J`), fact('block', `${mm(s.block_position_m, 3)} mm`),
    s.contact_m == null ? null : fact('contact', `${mm(s.contact_m, 3)} mm`),
    s.residual_n == null ? null : fact('largest residual', `${si(s.residual_n)} N at ${mm(s.residual_position_m, 3)} mm`),
    s.tare == null ? null : fact('zero', `${words(s.tare)} ${s.tare_n == null ? '' : `${si(s.tare_n)} N`}`),
    s.force_unknown ? fact('samples without a force', `${s.force_unknown} (${words(s.force_unknown_reason)})`) : null);
  const judged = s.objects.map((o) => row([
    o.name, verdict(o.ok), number(o.value == null ? '' : `${si(o.value)} ${o.unit ?? ''}`),
    o.nok ? `${words(o.nok.miss)} ${o.nok.side ?? ''} by ${si(o.nok.by)} ${o.nok.unit} at ${mm(o.nok.position_m, 3)} mm` : '',
  ]));
  const others = (s.not_judged ?? []).map((o) => row([o.name, make('span', { class: 'chip warn' }, 'not judged'), number(''), words(o.reason)]));
  table($('stroke-objects'), ['object', '', '#figure', 'why not'], [...judged, ...others]);
}

export function repaint() {
  plot?.redraw();
}
