// The form for budgets: what is in force, what was seen, and what to set. The cycle has the last word.

import { $, count, fill, make, number, row, say, table, time, words } from './dom.js';
import { post } from './feed.js';
import { name as busName, wish } from './buses.js';

const STEP = 100; // ns
const HEADS = ['', '#in force', '#p99.9', '#longest', '#recommended', '#new budget'];
let shape;
let lines = [];

// As the instance reads it.
const text = (ns) => (ns == null ? '' : `${ns / 1e3}us`);

// The longest that was seen, and of slack what the phases then leave; null where nothing is known.
export function recommended(s) {
  const known = s.run_cycles > 0;
  const longest = (r) => (known && r.run.max_ns > 0 ? Math.ceil(r.run.max_ns / STEP) * STEP : null);
  const phases = s.phases.filter((r) => r.name !== 'slack').map((r) => [r.name, longest(r)]);
  const sum = phases.reduce((all, [, ns]) => all + (ns ?? 0), 0);
  const slack = ['slack', known && sum <= s.period_ns ? s.period_ns - sum : null];
  return { sum, of: Object.fromEntries([...phases, slack, ...s.models.map((r) => [r.name, longest(r)])]) };
}

export function prepare() {
  $('budgets').addEventListener('submit', send);
  $('budget-fill').addEventListener('click', () => {
    for (const line of lines) if (line.recommended != null) edit(line, text(line.recommended));
  });
  $('budget-undo').addEventListener('click', () => {
    for (const line of lines) line.touched = false;
    refresh();
  });
}

function edit(line, value) {
  line.input.value = value;
  line.touched = value !== text(line.budget);
  line.input.classList.toggle('changed', line.touched);
}

function refresh() {
  for (const line of lines) if (!line.touched) edit(line, text(line.budget));
}

async function send(event) {
  event.preventDefault();
  const changed = lines.filter((line) => line.touched);
  if (!changed.length) return say($('budget-said'), 'nothing is changed');
  const set = Object.fromEntries(changed.map((line) => [line.name, line.input.value.trim() || null]));
  try {
    await post('/api/budget', { set, ...wish() });
    for (const line of changed) line.touched = false;
    say($('budget-said'), `set: ${changed.map((line) => `${words(line.name)} ${set[line.name] ?? 'none'}`).join(', ')}`);
  } catch (error) {
    say($('budget-said'), error.message);
  }
}

export function state(s) {
  if ($('budget').hidden || !s.phases) return;
  const rows = [...s.phases, ...s.models];
  const key = [busName(), ...rows.map((r) => r.name)].join('\n');
  if (key !== shape) {
    shape = key;
    lines = rows.map((r) => {
      const input = make('input', { maxlength: 24, size: 8, spellcheck: 'false', 'aria-label': `budget of ${words(r.name)}`, 'data-row': r.name, placeholder: 'none' });
      const line = { name: r.name, input, cells: HEADS.slice(2).map(() => number('')), touched: false };
      input.addEventListener('input', () => edit(line, input.value));
      return line;
    });
    table($('budget-rows'), HEADS, lines.map((line) => row([words(line.name), ...line.cells, make('td', { class: 'n' }, line.input)])));
    say($('budget-said'), '');
  }
  const wanted = recommended(s);
  rows.forEach((r, n) => {
    const line = lines[n];
    line.budget = r.budget_ns;
    line.recommended = wanted.of[r.name];
    // Of slack what counts is what is left, and nobody keeps the least of it.
    const slack = r.name === 'slack';
    [r.budget_ns, slack ? null : r.run.p999_ns, slack ? null : r.run.max_ns, line.recommended].forEach((ns, k) => say(line.cells[k], time(ns)));
  });
  refresh();
  const fits = wanted.sum <= s.period_ns;
  say($('budget-note'), s.run_cycles > 0
    ? `Recommended is the longest of ${count(s.run_cycles)} cycles, so that the next longer one is told${fits ? '' : `; together they take ${time(wanted.sum)}, more than the period of ${time(s.period_ns)}`}. `
      + `So many cycles prove an excess in at most one of ${count(Math.floor(s.run_cycles / 3))}; twinstep budget with the configuration finds budgets for rarer ones. Empty takes a budget away; that of slack is what must be left.`
    : 'Nothing is known before the warm-up ends.');
}
