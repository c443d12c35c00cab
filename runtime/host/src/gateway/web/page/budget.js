// Budget bars, histogram, what-if.

import { $, count, fill, gently, keepFocus, make, number, row, say, table, time, words } from './dom.js';
import { wish } from './buses.js';
import { act } from './feed.js';
import { Plot, axisX, axisY, colour } from './plot.js';

const SHARES = [
  ['wake late', ['wake'], '--c0'], ['exchange', ['send', 'receive'], '--c1'], ['models', ['predict', 'correct'], '--c2'],
  ['compare', ['compare'], '--c3'], ['publish', ['publish'], '--c4'], ['acyclic', ['acyclic'], '--c5'], ['slack', ['slack'], '--c6'],
];
let chosen = 'busy';
let rows = [];
let drawn;
let whatIf;

const rowsOf = (state) => [...state.phases, ...state.models, state.busy];

export function prepare() {
  $('reset').addEventListener('click', () => act('/api/reset', wish(), 'the figures begin anew, for everybody'));
  $('what-if').addEventListener('input', showWhatIf);
}

// The last cycle, ten times a second.
export function live(data, state) {
  if ($('budget').hidden || !state.phases || !data.now_ns) return;
  const now = {};
  rowsOf(state).forEach((r, n) => { now[r.name] = data.now_ns[n]; });
  const stack = $('cycle-bar');
  if (stack.childElementCount !== SHARES.length) {
    fill(stack, ...SHARES.map(([name, , shade]) => {
      const piece = make('i', { title: name }, name);
      piece.style.background = `var(${shade})`;
      return piece;
    }));
  }
  const whole = Math.max(state.period_ns, SHARES.reduce((sum, [, names]) => sum + names.reduce((s, n) => s + (now[n] ?? 0), 0), 0), 1);
  SHARES.forEach(([name, names], n) => {
    const ns = names.reduce((sum, one) => sum + (now[one] ?? 0), 0);
    const piece = stack.children[n];
    piece.style.width = `${(100 * ns / whole).toFixed(2)}%`;
    say(piece, ns > 0.09 * whole ? name : '');
    piece.title = `${name} ${time(ns)}`;
  });
  for (const r of rows) {
    const ns = now[r.name] ?? 0;
    say(r.now, time(ns));
    // That of slack is what must be left.
    const over = r.budget != null && (r.name === 'slack' ? ns < r.budget : ns > r.budget);
    const scale = r.budget || state.period_ns;
    r.bar.style.width = `${Math.min(100, 100 * ns / scale).toFixed(1)}%`;
    r.bar.className = over ? 'over' : '';
  }
}

export function state(s) {
  if ($('budget').hidden || !s.phases) return;
  say($('period'), `of ${time(s.period_ns)}; figures of ${count(s.run_cycles)} cycles since the warm-up of ${count(s.warm_up_cycles)} or the last reset`);
  gently($('phases'), () => keepFocus($('phases'), () => phases(s)));
  const all = rowsOf(s);
  histogram(all.find((r) => r.name === chosen) ?? all[0]);
  whatIf = s.what_if;
  showWhatIf();
}

function phases(s) {
  const all = rowsOf(s);
  rows = [];
  table($('phases'), ['', '', '#now', '#p50', '#p99', '#p99.99', '#max', '#budget', '#over'], all.map((r) => {
    const bar = make('i');
    const now = number(time(r.now_ns));
    const meter = make('div', { class: 'meter' }, bar);
    const scale = r.budget_ns || s.period_ns;
    const mark = make('u', { title: 'p99.99' });
    mark.style.left = `${Math.min(99, 100 * r.run.p9999_ns / scale)}%`;
    meter.append(mark);
    rows.push({ name: r.name, now, bar, budget: r.budget_ns });
    const figures = [r.run.p50_ns, r.run.p99_ns, r.run.p9999_ns, r.run.max_ns].map((ns) => number(time(ns)));
    const over = number(r.budget_ns == null ? '-' : count(r.over_budget), r.over_budget > 0 && r.budget_ns != null ? 'warn' : '');
    const pick = () => { chosen = r.name; state(s); };
    const name = make('button', { type: 'button', 'data-of': r.name, onclick: pick, 'aria-pressed': String(r.name === chosen) }, words(r.name));
    return row([name, meter, now, ...figures, number(time(r.budget_ns)), over], { class: r.name === chosen ? 'picked' : '' });
  }));
}

function histogram(r) {
  say($('histogram-name'), `Histogram: ${words(r.name)}`);
  const warm = r.warm_up;
  say($('histogram-note'), `warm-up apart: p50 ${time(warm.p50_ns)}, max ${time(warm.max_ns)}`);
  // Half octaves, by the end that durations are below. The last one has no end: it stands one further on.
  const known = r.histogram.map(([below, number]) => [below, number]);
  const ends = known.filter(([below]) => below != null).map(([below]) => below);
  const last = ends.length ? ends[ends.length - 1] * Math.SQRT2 : 1;
  const xs = known.map(([below]) => (below ?? last) / 1e3);
  const ys = known.map(([, number]) => number);
  drawn ??= new Plot($('histogram'), {
    legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false, distr: 3, range: (u, min, max) => [10 ** Math.floor(Math.log10(min / 1.5)), 10 ** Math.ceil(Math.log10(max))] }, y: { distr: 3, range: (u, min, max) => [0.5, Math.max(max, 1) * 2] } },
    axes: [axisX('shorter than (us)'), axisY('cycles')],
    series: [{}, {
      label: 'cycles', stroke: () => colour('--measured'), fill: () => colour('--measured'), width: 0, points: { show: false },
      paths: (u, series, from, to) => {
        const path = new Path2D();
        const floor = u.valToPos(u.scales.y.min, 'y', true);
        for (let n = from; n <= to; n += 1) {
          const [left, right] = [u.valToPos(u.data[0][n] / Math.SQRT2, 'x', true), u.valToPos(u.data[0][n], 'x', true)];
          const top = u.valToPos(Math.max(u.data[series][n], 0.5), 'y', true);
          path.rect(left + 1, top, Math.max(right - left - 2, 1), floor - top);
        }
        return { fill: path };
      },
    }],
  });
  if (xs.length) drawn.set([xs, ys]);
}

function showWhatIf() {
  if (!whatIf?.periods?.length) return;
  const slider = $('what-if');
  slider.max = whatIf.periods.length - 1;
  const { period_ns: period, overruns } = whatIf.periods[Number(slider.value)];
  say($('what-if-period'), time(period));
  const share = whatIf.cycles > 0 ? ` (${(100 * overruns / whatIf.cycles).toPrecision(2)} %)` : '';
  say($('what-if-text'), `At ${time(period)} this would have overrun ${count(overruns)} of ${count(whatIf.cycles)} cycles${overruns ? share : ''}.`);
  $('what-if-text').className = overruns ? 'warn' : 'good';
}
