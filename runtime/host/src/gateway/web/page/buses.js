// The bus that is looked at, of a machine with several. The head shows all of them; a machine with one has no such row.

import { $, fill, make, say, time } from './dom.js';

let names = [];
let chosen;
let cards = [];

// What is of the bus that is looked at, with what the gateway says of all.
export function seen(data) {
  const bus = data.buses?.find((one) => one.bus_name === chosen) ?? data.buses?.[0];
  if (!bus) return data;
  const { buses, sinks, clients, trouble, answered_utc_ns, store_trouble } = data;
  return { ...bus, buses, sinks, clients, trouble, answered_utc_ns, store_trouble };
}

// What a request says, so that it is of this bus.
export const wish = () => (names.length ? { bus: chosen } : {});

export const name = () => (names.length ? chosen : undefined);

// Looks at another one; whether there is one of that name.
export function choose(bus) {
  if (!names.includes(bus)) {
    // Nobody has answered yet: it may come.
    if (!names.length) chosen = bus;
    return false;
  }
  chosen = bus;
  cards.forEach((card) => card.element.setAttribute('aria-pressed', String(card.bus === chosen)));
  return true;
}

export function state(raw, pick) {
  // While nobody answers the bus that was chosen stays: a request must not be of all of them.
  if (!raw.buses && raw.trouble) return;
  const known = (raw.buses ?? []).map((one) => one.bus_name);
  if (known.join('\n') !== names.join('\n')) {
    names = known;
    if (!names.includes(chosen)) [chosen] = names;
    cards = names.map((bus) => {
      const [word, facts] = [make('span', { class: 'chip' }), make('span', { class: 'dim' })];
      const element = make('button', { type: 'button', 'data-bus': bus, 'aria-pressed': String(bus === chosen), onclick: () => pick(bus) }, make('b', null, bus), word, facts);
      return { bus, element, word, facts };
    });
    fill($('buses'), ...cards.map((card) => card.element));
    $('buses').hidden = !cards.length;
  }
  (raw.buses ?? []).forEach((bus, n) => {
    const out = bus.bus.not_operational.length;
    const text = raw.trouble ? 'no answer' : bus.cycle === 0 ? 'not begun' : out ? `${out} not in OP` : bus.armed ? 'running' : 'outputs disabled';
    say(cards[n].word, text);
    cards[n].word.className = `chip ${text === 'running' ? 'good' : out || raw.trouble ? 'bad' : 'warn'}`;
  });
}

export function live(raw, rawState) {
  raw.buses?.forEach((bus, n) => {
    const known = rawState.buses?.[n];
    if (!cards[n] || !known?.phases) return;
    const place = known.phases.findIndex((row) => row.name === 'slack');
    const axes = bus.axes.length === 1 ? '1 axis' : `${bus.axes.length} axes`;
    say(cards[n].facts, `slack ${time(bus.now_ns[place])} of ${time(known.period_ns)}, ${axes}, ${bus.overruns} overruns, ${bus.events} deviations`);
  });
}
