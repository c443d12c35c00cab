// Small helpers: elements, and figures as people read them. Whatever came over a wire becomes text, never markup.

export const $ = (id) => document.getElementById(id);

// make('td', {class: 'n'}, 'text', child, ...)
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value == null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// Writes only what is new: an unchanged text costs no layout.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child != null));
}

export function table(element, heads, rows) {
  const head = make('tr', null, ...heads.map((h) => make('th', { class: h.startsWith('#') ? 'n' : null }, h.replace(/^#/, ''))));
  fill(element, make('thead', null, head), make('tbody', null, ...rows));
}

export function row(cells, attributes) {
  return make('tr', attributes, ...cells.map((cell) => {
    if (cell instanceof Node) return cell.nodeName === 'TD' ? cell : make('td', null, cell);
    return make('td', typeof cell === 'number' ? { class: 'n' } : null, cell == null ? '-' : String(cell));
  }));
}

export const number = (text, more) => make('td', { class: `n ${more ?? ''}` }, text);

export function time(ns) {
  if (ns == null) return '-';
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(ns < 1e5 ? 1 : 0)} us`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(2)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

export function span(seconds) {
  if (seconds == null) return 'not known';
  for (const [unit, size] of [['a', 31557600], ['d', 86400], ['h', 3600], ['min', 60]]) {
    if (seconds >= size) return `${(seconds / size).toFixed(seconds >= 10 * size ? 0 : 1)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

export function count(value) {
  return value == null ? '-' : value.toLocaleString('en').replaceAll(',', ' ');
}

export function si(value, digits = 4) {
  if (value == null || !Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
}

// Places are shown in millimetres, whatever their size.
export const mm = (metres, digits = 4) => (metres == null ? '-' : (metres * 1e3).toFixed(digits));
export const fixed = (value, digits) => (value == null ? '-' : value.toFixed(digits));
export const words = (name) => String(name ?? '').replaceAll('_', ' ');

const two = (n) => String(n).padStart(2, '0');

// Time of day where this page is looked at, with how far it is from UTC.
export function here(utcNs) {
  const at = new Date(utcNs / 1e6);
  const minutes = -at.getTimezoneOffset();
  const off = Math.abs(minutes);
  const zone = minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '-' : '+'}${two(Math.floor(off / 60))}:${two(off % 60)}`;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone}`;
}

// The same as an element that says UTC where a pointer rests on it; `short`: the hour alone, with the day where that is not today.
export function clock(utcNs, short) {
  if (utcNs == null) return make('span', null, '-');
  const [utc, local] = [new Date(utcNs / 1e6).toISOString(), here(utcNs)];
  const from = short && here(Date.now() * 1e6).slice(0, 10) === local.slice(0, 10) ? 11 : 0;
  return make('time', { datetime: utc, title: `${utc.replace('T', ' ').slice(0, 19)} UTC` }, short ? local.slice(from, 19) : local);
}

// What is drawn anew between press and release of a pointer takes no click: whatever is to be drawn around it waits for the release.
let pressed = null;
let release;
const waiting = new Map();
// The click of a finger is an event of its own, that comes later (ms).
const TAP = 100;

window.addEventListener('pointerdown', (event) => {
  // A second finger or another button: the first one has its own release.
  if (event.button !== 0 || !event.isPrimary) return;
  clearTimeout(release);
  pressed = event.target;
}, true);
for (const end of ['pointerup', 'pointercancel', 'contextmenu', 'dragend', 'blur']) {
  window.addEventListener(end, (event) => {
    if (!pressed || (end.startsWith('pointer') && !event.isPrimary)) return;
    clearTimeout(release);
    // Behind the click.
    release = setTimeout(() => {
      pressed = null;
      const all = [...waiting.values()];
      waiting.clear();
      all.forEach((draw) => draw());
    }, ['touch', 'pen'].includes(event.pointerType) ? TAP : 0);
  });
}

// Draws within `place`, now or once nobody presses on something in there; of several that wait for one place the last one is drawn.
export function gently(place, draw) {
  if (pressed && place.contains(pressed)) waiting.set(place, draw);
  else {
    waiting.delete(place);
    draw();
  }
}

// Draws, and gives the focus back to what has the same `data-of` within `place`.
export function keepFocus(place, draw) {
  const of = place.contains(document.activeElement) ? document.activeElement.getAttribute('data-of') : null;
  draw();
  if (of != null) [...place.querySelectorAll('[data-of]')].find((one) => one.getAttribute('data-of') === of)?.focus({ preventScroll: true });
}

let hiding;
export function toast(text) {
  const element = $('toast');
  element.textContent = text;
  element.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { element.hidden = true; }, 6000);
}
