// Faults of the simulated machine. The list helps to write one; the text is what is sent, so that every fault can be injected.

import { $, fill, make, say } from './dom.js';
import { act, post } from './feed.js';

// Kind, which targets, values to begin with. SubDevices have names of their own: those of axes and stations are offered, which they often have.
const KINDS = [
  ['friction', 'axis', 'factor=1.3'], ['load', 'axis', 'mass=20kg'], ['backlash', 'axis', 'gap=50um'], ['current_gain', 'axis', 'factor=1.05'],
  ['lubrication', 'axis', 'factor=2'], ['spalling', 'axis', 'depth=0.6'], ['encoder_slip', 'axis', 'step=200um'], ['drive_fault', 'axis', 'code=0x2310'],
  ['brake', 'axis', 'share=0.1'], ['jam', 'axis', ''],
  ['leak', 'station', 'rate=10mbar/s'], ['wrong_part', 'press', 'part=NAME'], ['missing_part', 'press', ''], ['stiffness', 'press', 'factor=0.8'],
  ['frame_loss', 'bus', 'count=3'], ['frame_late', 'bus', 'by=900us,count=3'], ['frame_duplicate', 'bus', 'count=3'], ['frame_truncate', 'bus', 'count=3'],
  ['frame_corrupt', 'subdevice', 'count=3'], ['frame_foreign', 'bus', 'count=3'], ['working_counter', 'subdevice', 'count=5'],
  ['cable', 'subdevice', 'for=500ms'], ['power', 'subdevice', 'for=1s'], ['al_refuse', 'subdevice', 'state=op,code=0x001b'],
  ['sdo_abort', 'subdevice', ''], ['mailbox_late', 'subdevice', 'by=50ms'], ['mailbox_busy', 'subdevice', 'for=100ms'],
  ['emergency', 'subdevice', 'code=0x8130'], ['watchdog', 'subdevice', ''], ['clock_drift', 'bus', 'rate=50ppm'], ['clock_jump', 'subdevice', 'step=20us'],
  ['eeprom_checksum', 'subdevice', ''],
];
// Of those that name a way or a mass, what a rotary axis has.
const TURNED = { load: 'mass=2kgm2', backlash: 'gap=50urad', encoder_slip: 'step=200urad' };
let machine = {};

function targets(kind) {
  const presses = [...new Set((machine.strokes ?? []).map((one) => one.source))];
  const subdevices = [...(machine.axes ?? []), ...(machine.stations ?? [])];
  return { axis: machine.axes ?? [], subdevice: subdevices, station: machine.stations ?? [], press: presses.length ? presses : (machine.axes ?? []), bus: [machine.bus_name ?? 'bus'] }[kind] ?? [];
}

function offer() {
  const [, kind] = KINDS.find(([name]) => name === $('fault-kind').value);
  fill($('fault-target'), ...targets(kind).map((name) => make('option', { value: name }, name)));
  begin();
}

function begin() {
  const [name, , values] = KINDS.find(([name]) => name === $('fault-kind').value);
  const rotary = (machine.rotary ?? []).includes($('fault-target').value);
  $('fault-values').value = (rotary && TURNED[name]) || values;
  write();
}

function write() {
  $('fault-text').value = [$('fault-kind').value, $('fault-target').value, $('fault-values').value].filter(Boolean).join(':');
}

export function prepare() {
  fill($('fault-kind'), ...KINDS.map(([name]) => make('option', { value: name }, name)));
  $('fault-kind').addEventListener('change', offer);
  $('fault-target').addEventListener('change', begin);
  $('fault-values').addEventListener('input', write);
  $('clear').addEventListener('click', () => act('/api/clear', {}, 'faults that last or wait are taken back'));
  $('inject').addEventListener('submit', async (event) => {
    event.preventDefault();
    const fault = $('fault-text').value.trim();
    try {
      await post('/api/inject', { faults: [fault] });
      say($('inject-said'), `injected: ${fault}`);
    } catch (error) {
      say($('inject-said'), error.message);
    }
  });
}

export function state(s) {
  // While nobody answers what was typed stays.
  if (!s.machine) return;
  const before = JSON.stringify([machine.axes, machine.stations, machine.bus_name, machine.rotary]);
  machine = s;
  if (JSON.stringify([s.axes, s.stations, s.bus_name, s.rotary]) !== before) offer();
}
