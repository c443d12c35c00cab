// The head: which machine, and what its durations are worth. Red only where they are worth nothing.

import { $, count, fill, here, make, say, span, time } from './dom.js';

const chip = (text, kind, title) => make('span', { class: `chip ${kind ?? ''}`, title }, text);

// When the gateway was heard last (ms since 1970), where it is not heard any more.
let cut;
// The state of the machine as it was told last.
let told = {};

// Since when what is shown is of before: without the gateway nobody knows how the machine is.
function old() {
  const since = cut != null ? `No connection since ${here(cut * 1e6)}`
    : told.trouble && told.answered_utc_ns ? `No answer since ${here(told.answered_utc_ns)}` : '';
  $('old').hidden = !since;
  if (since) say($('old'), `${since}: what is shown is of before.`);
}

export function connection(since) {
  cut = since;
  old();
}

export function head(live, state) {
  say($('machine'), state.machine ?? 'twinstep');
  // What the last cycle said is no fact any more once nobody answers.
  const facts = state.trouble ?? (live.cycle == null ? 'nobody answers'
    : `${state.simulated ? 'simulated, ' : ''}${time(state.period_ns)} period, cycle ${count(live.cycle)}, ${span(live.time_ns / 1e9)}, `
      + `${live.events} deviations, ${live.overruns} overruns${live.armed ? '' : ', outputs disabled'}`);
  say($('facts'), facts);
  told = state;
  old();
}

export function trust(state) {
  const place = $('trust');
  const t = state.trust;
  if (!t) return fill(place);
  const computer = state.computer ?? {};
  // Whatever is missing for valid timing is red: it invalidates the figures. The rest costs time now and then.
  const must = (good, yes, no) => chip(good ? yes : no, good ? 'good' : 'bad');
  const realtime = t.policy === 'fifo' || t.policy === 'deadline';
  const chips = [
    t.timing_valid ? chip('timing valid', 'good') : chip('timing not valid', 'bad', 'durations say nothing about a machine controller'),
    must(t.realtime_kernel, 'PREEMPT_RT', 'no PREEMPT_RT kernel'),
    must(realtime, t.policy === 'deadline' ? 'SCHED_DEADLINE' : 'SCHED_FIFO', 'no real-time policy'),
    must(t.memory_locked, 'memory locked', 'memory not locked'),
    must(t.throttling_off, 'throttling off', 'real-time throttling'),
    t.virtual_machine ? chip('virtual machine', 'bad') : null,
    t.rivals > 0 ? chip(`real-time threads of others: ${t.rivals}`, 'warn', 'they come before the cycle on its core, or before a worker') : null,
    t.core == null ? chip('no core of its own', 'warn') : chip(`core ${t.core}${t.isolated ? ', isolated' : ''}`, t.isolated ? 'good' : 'warn'),
    t.cpu_dma_latency_held ? null : chip('idle states', 'warn', '/dev/cpu_dma_latency is not held'),
    t.workers > 0 ? chip(`${t.workers_granted} of ${t.workers} workers`, t.workers === t.workers_granted ? 'good' : 'bad') : null,
    computer.governor ? chip(`governor ${computer.governor}`, computer.governor === 'performance' ? 'good' : 'warn') : null,
    computer.clock_source ? chip(`clock ${computer.clock_source}`, computer.clock_source === 'tsc' ? 'good' : 'warn') : null,
    computer.interrupt_cores ? chip(`NIC interrupts on ${computer.interrupt_cores}`) : null,
    computer.rx_coalescing_us ? chip(`coalescing ${computer.rx_coalescing_us} us`, 'warn') : null,
  ];
  const missing = (t.missing ?? []).map((lack) => `${lack.what}: ${lack.remedy}`).join('\n');
  if (missing) chips[0].title = missing;
  const key = JSON.stringify([t, computer]);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  fill(place, ...chips);
}
