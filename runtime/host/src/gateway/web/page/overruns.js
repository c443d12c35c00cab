// Overruns, each with cause, evidence and next step.

import { $, clock, count, fill, make, say, time, words } from './dom.js';

let shown;

export function state(s) {
  const o = s.overruns;
  if ($('overruns').hidden || !o) return;
  const key = JSON.stringify(o);
  if (shown === key) return;
  shown = key;
  say($('overruns-note'), `${count(o.count)} in this run; ${o.unexamined} exceeded budgets not looked at, ${o.dropped} without a cause, ${o.dumps} dumps`);
  const chips = (counts, kind) => Object.entries(counts).map(([cause, n]) => make('span', { class: `chip ${kind}` }, `${words(cause)}: ${n}`));
  fill($('overruns-causes'), ...chips(o.by_cause, 'warn'), ...chips(o.budgets_by_cause, ''));
  const cards = o.recent.toReversed().map((one) => {
    const e = one.evidence;
    const longest = Object.entries(e.phases_ns).sort((a, b) => b[1] - a[1]).slice(0, 4).map(([name, ns]) => `${words(name)} ${time(ns)}`).join(', ');
    const kernel = e.kernel ? `; on core ${e.core}: ${e.kernel.interrupts} interrupts, ${e.kernel.softirqs} soft interrupts, stolen ${time(e.kernel.steal_ns)} in ${e.kernel.cycles} cycles` : `; core ${e.core}`;
    const worker = e.worker ? `; the worker on core ${e.worker.core} was ${time(e.worker.late_ns)} late` : '';
    return make('div', { class: one.kind === 'overrun' ? 'fault' : 'warning' },
      make('h3', null, `${words(one.cause)}${one.follows ? ', following the one before' : ''}`,
        make('span', { class: 'chip' }, one.kind === 'overrun' ? 'overrun' : `budget of ${words(one.row)}`),
        make('span', { class: 'dim' }, `cycle ${count(one.cycle)}, `, clock(one.time_utc_ns))),
      make('p', null, `${words(one.row)} took ${time(one.took_ns)}, usually below ${time(one.usual_ns)}; busy ${time(one.busy_ns)}`),
      make('p', { class: 'dim' }, `${longest}; exchange ${words(typeof e.exchange === 'string' ? e.exchange : JSON.stringify(e.exchange))}; `
        + `page faults ${e.minor_faults} + ${e.major_faults}, involuntary switches ${e.involuntary_switches}${kernel}${worker}`),
      make('p', null, one.next_step));
  });
  fill($('overruns-list'), ...(cards.length ? cards : [make('p', { class: 'good' }, 'None.')]));
}
