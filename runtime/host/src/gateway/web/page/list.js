// The stored events: the newest as they come, older ones a page at a time, and those that somebody looks for.

import { $, clock, gently, make, number, row, say, si, table, words } from './dom.js';
import { get } from './feed.js';

const SHOWN = 100;
// Events of one look, and looks for what is hard to find: then it is asked whether to go on.
const PAGE = 512;
const LOOKS = 20;
// Until the stream looks again after a look that failed (ms).
const REST = 1000;
let stored = [];
// The last event that is known, and the store that it is of.
let known = 0;
let store;
// Everything behind this number, up to what is shown last, has been looked at.
let from = 0;
let newest = true;
// What those that are shown were looked for by.
let sought = '';
let reading = false;
// Somebody has asked for something else meanwhile.
let again;
let failed = -REST;

const needle = () => $('events-find').value.trim().toLowerCase();
const fits = (e, wanted) => !wanted || [e.bus, e.source, words(e.channel), e.channel, e.state, e.severity, e.cause].some((text) => text?.toLowerCase().includes(wanted));

export function prepare() {
  $('events-older').addEventListener('click', () => look(() => back(from)));
  $('events-newest').addEventListener('click', () => look(front));
  let typed;
  $('events-find').addEventListener('input', () => {
    clearTimeout(typed);
    typed = setTimeout(() => look(front), 200);
  });
}

// One look at a time; the last one that was asked for comes behind it.
async function look(what) {
  if (reading) {
    again = what;
    return;
  }
  reading = true;
  try {
    await what();
    draw();
  } catch (error) {
    failed = performance.now();
    say($('events-note'), error.message);
  } finally {
    reading = false;
  }
  if (again) {
    const next = again;
    again = undefined;
    await look(next);
  }
}

// The last ones up to number `end` that are looked for; of store `of`, whose last one is `last`: known once they have been read.
async function back(end, of = store, last = known) {
  const wanted = needle();
  let found = [];
  let upper = end;
  for (let looks = 0; upper > 0 && found.length < SHOWN && looks < LOOKS; looks += 1) {
    const after = Math.max(0, upper - (wanted ? PAGE : SHOWN));
    const answer = await get(`/api/events?after=${after}&limit=${upper - after}`);
    // Of another store nothing is known: the stream says when it has come.
    if (answer.store !== of) return;
    const most = upper;
    found = [...answer.events.filter((e) => e.seq <= most && fits(e, wanted)), ...found];
    upper = after;
  }
  [known, store] = [last, of];
  stored = found.slice(-SHOWN);
  from = found.length > SHOWN ? stored[0].seq - 1 : upper;
  [newest, sought] = [end >= known, wanted];
}

const front = () => back(known);

// Reads what is new behind the last event that is shown.
export async function stream(lastSeq, of) {
  if ($('events').hidden || reading || performance.now() - failed < REST || (lastSeq <= known && of === store)) return;
  if (of !== store || lastSeq - known > SHOWN) {
    // Another store, or more than a page: as if it were opened now. Who looks at older ones goes on looking.
    if (newest || of !== store) await look(() => back(lastSeq, of, lastSeq));
    else {
      known = lastSeq;
      draw();
    }
    return;
  }
  if (!newest) {
    known = lastSeq;
    draw();
    return;
  }
  await look(async () => {
    const answer = await get(`/api/events?after=${known}&limit=${PAGE}`);
    if (answer.store !== of) return;
    // It may hold later ones than was asked for.
    known = Math.max(lastSeq, answer.events.at(-1)?.seq ?? 0);
    const all = [...stored, ...answer.events.filter((e) => fits(e, sought))];
    stored = all.slice(-SHOWN);
    if (all.length > SHOWN) from = stored[0].seq - 1;
  });
}

// Where no machine has answered there is a store all the same.
export async function opened(lastSeq, of) {
  if (of != null) return stream(lastSeq, of);
  try {
    const answer = await get('/api/events?last=1');
    await stream(answer.last_seq, answer.store);
  } catch (error) {
    say($('events-note'), error.message);
  }
}

function draw() {
  gently($('events-table'), () => {
    const what = sought ? `${stored.length} found` : newest ? `the last ${stored.length}` : `${stored.length} older ones`;
    const behind = from > 0 ? `, those up to number ${from} not looked at` : '';
    say($('events-note'), `${what}, the newest first${sought ? behind : ''}; ${known} stored`);
    $('events-older').disabled = from <= 0;
    $('events-newest').hidden = newest;
    const many = stored.some((e) => e.bus);
    table($('events-table'), ['#', 'time', ...(many ? ['bus'] : []), 'of', 'channel', 'state', 'cause', '#measured', '#predicted', '#residual'], stored.toReversed().map((e) => row([
      number(make('a', { href: `/api/events/${e.seq}/report`, target: '_blank', rel: 'noopener', title: 'report' }, String(e.seq))), clock(e.time_utc_ns), ...(many ? [e.bus ?? ''] : []), e.source, words(e.channel),
      make('td', { class: e.state === 'cleared' ? 'good' : e.severity === 'fault' ? 'bad' : 'warn' }, e.state), e.cause,
      ...[e.measured, e.predicted, e.residual].map((value) => number(value == null ? '-' : `${si(value)} ${e.unit}`)),
    ], { 'data-seq': e.seq })));
  });
}
