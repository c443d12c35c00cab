// The bus, the sinks, and what people did.

import { $, clock, count, fill, make, number, row, say, table, time, words } from './dom.js';
import { get } from './feed.js';

let read = 0;

export function state(s) {
  if ($('gateway').hidden) return;
  bus(s);
  say($('clients'), `${s.clients} watch this page`);
  table($('sinks'), ['sink', '', '#arrived', '#failed', '#left out', '#behind', 'trouble'], (s.sinks ?? []).map((one) => row([
    one.name, make('span', { class: `chip ${one.connected ? 'good' : ''}` }, one.connected ? 'connected' : 'idle'),
    number(count(one.sent)), number(count(one.failed), one.failed ? 'warn' : ''), number(count(one.left_out)), number(count(one.behind)), one.trouble ?? '',
  ])));
  if (performance.now() - read > 2000) {
    read = performance.now();
    get('/api/audit?limit=50').then(({ entries }) => table($('audit'), ['when', 'who', 'what', 'to what', ''],
      entries.map((e) => row([clock(e.time_utc_ns), e.who, words(e.action), e.target, e.detail])))).catch(() => {});
  }
}

function bus(s) {
  const b = s.bus;
  if (!b) return fill($('bus'));
  const fact = (name, text, bad) => make('span', null, `${name} `, make('b', { class: bad ? 'bad' : '' }, text));
  const wrong = b.wrong_working_counter;
  fill($('bus'),
    fact('SubDevices', String(b.subdevices)), fact('not in OP', b.not_operational.length ? b.not_operational.join(', ') : 'none', b.not_operational.length > 0),
    ...['lost', 'late', 'duplicate', 'foreign', 'working_counter_errors'].map((name) => fact(words(name), count(b[name] ?? 0), b[name] > 0 && name === 'lost')),
    wrong ? fact('last wrong working counter', `${wrong.actual} instead of ${wrong.expected} in cycle ${count(wrong.cycle)}`) : null,
    b.phase_error_ns == null ? null : fact('phase', time(Math.abs(b.phase_error_ns))),
    ...b.links.map((l) => fact(l.name, `${l.state}${l.speed_mbit_per_s ? `, ${l.speed_mbit_per_s} Mbit/s` : ''}`, l.state === 'down' || l.state === 'absent')),
    s.links?.length || b.links.length ? null : fact('link', 'simulated in the process'));
}
