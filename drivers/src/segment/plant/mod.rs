//! The physics behind the simulated drives and stations.
//!
//! This is the machine, not a model of it: it shares no equation and no parameter with the twin and knows nothing of
//! it. The drive's loops and everything mechanical advance at 16 kHz; SYNC0 latches whatever stands then. The machine
//! is drawn once around the builder's table by `machine_seed`; noise, parts and the encoders' start phase by `seed`.
//!
//! Nothing allocates after [`Plant::new`] but [`Plant::inject`]'s error text, no clock is read, and all mathematics is
//! bit-exact, so that the same seeds give the same machine everywhere.

mod draw;
mod drive;
mod fault;
mod friction;
mod jam;
mod linkage;
mod loops;
mod mechanics;
mod press;
mod ramp;
mod signals;
mod switches;
mod vacuum;

pub use drive::DriveUnit;
pub use loops::Mode;
pub use signals::{DriveCommand, DriveFeedback, FaultReaction, ProfileGoal, Stop};
pub use switches::{Edge, Signal, Signals};
pub use vacuum::StationUnit;

use crate::rng::Rng;
use draw::{Draw, STREAM_MACHINE, STREAM_NOISE, STREAM_STATION};
use fault::{Effect, Injected};
use press::Placed;
use twinstep_config::fault::{Fault, FaultKind};
use twinstep_config::machine::Machine;

/// Step of drives and mechanics (ns): 16 kHz.
pub const STEP_NS: u64 = 62_500;
/// Steps between two looks at what changes slowly: faults, warmth, supervision.
const SLOW_STEPS: u32 = 16;
/// Steps between two conversions of an analogue input.
const STATION_STEPS: u32 = 4;
/// Largest number of faults in one run.
pub const MAX_FAULTS: usize = 32;
/// Longest stretch that one call computes (steps): 2 s. Beyond it, time passes without the machine noticing,
/// so that a clock that jumps cannot stall the segment.
const MAX_STEPS: u64 = 32_000;

/// The machine behind the bus.
pub struct Plant {
    drives: Vec<DriveUnit>,
    /// Of the mechanics of any drive.
    most_substeps: u32,
    stations: Vec<StationUnit>,
    /// The recipe of every stroke of the first press, repeated; empty where no axis carries anything by recipe, and no terminal tells it.
    recipes: Vec<u8>,
    /// Its place among the drives, and its strokes when it last stood.
    first_press: usize,
    strokes: u64,
    faults: [Option<Injected>; MAX_FAULTS],
    /// Time of the plant's state (ns); none before the first call.
    now_ns: Option<u64>,
    /// Start of operation (ns): what fault times count from.
    started_ns: Option<u64>,
    slow: u32,
    station: u32,
}

impl Plant {
    /// The machine as its builder drew it (`machine_seed`), on this day (`seed`).
    pub fn new(machine: &Machine, machine_seed: u64, seed: u64) -> Self {
        let dt_s = STEP_NS as f64 * 1e-9;
        let cycle_s = (machine.cycle.period_ns as f64 * 1e-9).max(31.25e-6);
        let draw = Draw {
            machine_seed,
            seed,
            cycle_s,
            dt_s,
        };
        let axes = machine.axes.iter().map(|axis| (axis, None));
        let presses = machine
            .presses
            .iter()
            .map(|press| (&press.axis, Some(press)));
        let drives: Vec<_> = axes
            .chain(presses)
            .enumerate()
            .map(|(index, (axis, press))| draw::drive_unit(machine, axis, press, index, draw))
            .collect();
        let stations = machine
            .stations
            .iter()
            .enumerate()
            .map(|(index, station)| {
                let stream = STREAM_STATION + index as u64;
                let mut drawn = Rng::new(machine_seed, STREAM_MACHINE + stream);
                let noise = Rng::new(seed, STREAM_NOISE + stream);
                StationUnit::new(station, &mut drawn, noise, dt_s * f64::from(STATION_STEPS))
            })
            .collect();
        Self {
            most_substeps: drives.iter().map(DriveUnit::substeps).max().unwrap_or(0),
            drives,
            stations,
            recipes: recipes(machine),
            first_press: machine.axes.len(),
            strokes: 0,
            faults: [None; MAX_FAULTS],
            now_ns: None,
            started_ns: None,
            slow: 0,
            station: 0,
        }
    }

    /// Advances the machine to `time_ns` on its grid of 16 kHz. The first call sets the grid's origin; time that does
    /// not go forward changes nothing.
    pub fn advance_to(&mut self, time_ns: u64) {
        let now_ns = *self.now_ns.get_or_insert(time_ns);
        let steps = time_ns.saturating_sub(now_ns) / STEP_NS;
        let skipped = steps - steps.min(MAX_STEPS);
        for step in skipped..steps {
            self.now_ns = Some(now_ns + step * STEP_NS);
            self.step();
        }
        self.now_ns = Some(now_ns + steps * STEP_NS);
    }

    /// Time of the machine's state (ns), 0 before the first [`Self::advance_to`].
    pub fn now_ns(&self) -> u64 {
        self.now_ns.unwrap_or(0)
    }

    /// The first cycle in OP: fault times and strokes count from `now_ns`.
    pub fn start_of_operation(&mut self, now_ns: u64) {
        self.started_ns = Some(now_ns);
        for tool in self.drives.iter_mut().filter_map(DriveUnit::tool_mut) {
            tool.restart();
        }
    }

    fn step(&mut self) {
        if self.slow == 0 {
            self.supervise();
        }
        self.slow = (self.slow + 1) % SLOW_STEPS;
        let mut before = 0.0;
        for index in 0..self.drives.len() {
            let after = self
                .drives
                .get(index + 1)
                .map_or(0.0, DriveUnit::load_acceleration);
            let Some(unit) = self.drives.get_mut(index) else {
                break;
            };
            // Both neighbours count with their acceleration of the step before, whatever the order of the axes.
            let own = unit.load_acceleration();
            unit.control([before, after]);
            before = own;
        }
        // Axes in turn within a substep: each is one long chain of dependent operations, and the processor has room for several.
        for number in 0..self.most_substeps {
            for unit in &mut self.drives {
                unit.move_on(number);
            }
        }
        for unit in &mut self.drives {
            unit.measure();
        }
        if self.station == 0 {
            for station in &mut self.stations {
                station.step();
            }
        }
        self.station = (self.station + 1) % STATION_STEPS;
    }

    fn supervise(&mut self) {
        let period_s = (STEP_NS * u64::from(SLOW_STEPS)) as f64 * 1e-9;
        for unit in &mut self.drives {
            unit.supervise(period_s);
        }
        self.hand_over(period_s);
        // Without a start there is no time for a fault to count from.
        let (Some(now_ns), Some(started_ns)) = (self.now_ns, self.started_ns) else {
            return;
        };
        self.apply_faults(now_ns.saturating_sub(started_ns));
    }

    /// Axes carry what the recipe of the first press says, once it stands between two strokes.
    fn hand_over(&mut self, period_s: f64) {
        if self.recipes.is_empty() {
            return;
        }
        let press = self.drives.get(self.first_press);
        if let Some(strokes) = press.and_then(DriveUnit::strokes_at_rest) {
            self.strokes = strokes;
        }
        let recipe = self.handed_recipe().unwrap_or(0);
        for unit in &mut self.drives {
            unit.carry(recipe, period_s);
        }
    }

    /// The recipe whose loads and tools are handed over; none where nobody asks.
    pub(super) fn handed_recipe(&self) -> Option<u8> {
        // Without any there is no remainder.
        let at = self.strokes.checked_rem(self.recipes.len() as u64)?;
        self.recipes.get(at as usize).copied()
    }

    fn apply_faults(&mut self, since_ns: u64) {
        if self.faults.iter().all(Option::is_none) {
            return;
        }
        for unit in &mut self.drives {
            unit.modifiers = signals::Modifiers::default();
        }
        for station in &mut self.stations {
            station.added_leak_pa_per_s = 0.0;
        }
        for fault in self.faults.iter_mut().flatten() {
            if since_ns < fault.at_ns {
                continue;
            }
            let share = fault.share(since_ns);
            if let Effect::Leak(rate) = fault.effect {
                if let Some(station) = self.stations.get_mut(fault.target) {
                    station.added_leak_pa_per_s += rate * share;
                }
                continue;
            }
            let Some(unit) = self.drives.get_mut(fault.target) else {
                continue;
            };
            match fault.effect {
                Effect::DriveFault(code) if !fault.done => unit.trip(code),
                Effect::Part(placed) if !fault.done => {
                    if let Some(tool) = unit.tool_mut() {
                        tool.placed = placed;
                    }
                }
                _ => fault.apply(share, &mut unit.modifiers),
            }
            fault.done = true;
        }
        for unit in &mut self.drives {
            let factor = unit.modifiers.stiffness;
            if let Some(tool) = unit.tool_mut() {
                tool.soften(factor);
            }
        }
    }

    /// Number of drives: axes, then presses.
    pub fn drive_count(&self) -> usize {
        self.drives.len()
    }

    /// Drive `index`: axes first, then presses, in the order of the configuration.
    pub fn drive(&self, index: usize) -> Option<&DriveUnit> {
        self.drives.get(index)
    }

    /// See [`Self::drive`].
    pub fn drive_mut(&mut self, index: usize) -> Option<&mut DriveUnit> {
        self.drives.get_mut(index)
    }

    /// Station `index`, in the order of the configuration.
    pub fn station(&self, index: usize) -> Option<&StationUnit> {
        self.stations.get(index)
    }

    /// See [`Self::station`].
    pub fn station_mut(&mut self, index: usize) -> Option<&mut StationUnit> {
        self.stations.get_mut(index)
    }

    /// Takes all faults back. What they did at once stays: a drive that has tripped, a part that is in the press.
    pub fn clear_faults(&mut self) {
        self.faults = [None; MAX_FAULTS];
        for unit in &mut self.drives {
            unit.modifiers = signals::Modifiers::default();
        }
        for station in &mut self.stations {
            station.added_leak_pa_per_s = 0.0;
        }
    }

    /// Injects a fault that begins `at_ns` after the start of operation. At most [`MAX_FAULTS`].
    ///
    /// # Errors
    /// A sentence for the user: a target that the machine does not have, a size that no machine can have, too many.
    pub fn inject(&mut self, fault: &Fault, at_ns: u64, machine: &Machine) -> Result<(), String> {
        let (effect, target) = effect_of(fault, machine)?;
        let brake = matches!(effect, Effect::Brake(_));
        if brake && !self.drives.get(target).is_some_and(DriveUnit::has_brake) {
            return Err(format!(
                "'{}' has no holding brake: it carries no weight, and no crank or table stands behind it",
                fault.target
            ));
        }
        let Some(slot) = self.faults.iter_mut().find(|slot| slot.is_none()) else {
            return Err(format!(
                "at most {MAX_FAULTS} faults can be injected in one run"
            ));
        };
        *slot = Some(Injected {
            effect,
            target,
            at_ns,
            ramp_ns: fault.ramp_ns,
            done: false,
        });
        Ok(())
    }
}

/// Recipes of the strokes of the first press, where an axis carries something by recipe, or a terminal tells it.
fn recipes(machine: &Machine) -> Vec<u8> {
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut plants = (machine.axes.iter().chain(presses)).filter_map(|axis| axis.plant.as_ref());
    let told = !machine.context.simulated.is_empty();
    if !told && plants.all(|plant| plant.payloads.is_empty()) {
        return Vec::new();
    }
    let strokes = machine.stroke_contexts();
    strokes.iter().map(|stroke| stroke.recipe).collect()
}

/// What drive `target` moves (kg), the ram of a press behind a linkage.
fn carried_kg(machine: &Machine, target: usize) -> f64 {
    let press = (target.checked_sub(machine.axes.len())).and_then(|n| machine.presses.get(n));
    if let Some(train) = press.map(|press| &press.drive_train)
        && train.linkage.is_some()
    {
        return train.ram_mass_kg;
    }
    let axis = machine.axes.get(target).or(press.map(|press| &press.axis));
    let plant = axis.and_then(|axis| axis.plant.as_ref());
    plant.map_or(1.0, |plant| plant.load_mass_kg)
}

/// What `fault` does and to which drive or station.
fn effect_of(fault: &Fault, machine: &Machine) -> Result<(Effect, usize), String> {
    let name = fault.target.as_str();
    let axis = || {
        let axes = machine.axes.iter().map(|axis| &axis.name);
        let presses = machine.presses.iter().map(|press| &press.axis.name);
        axes.chain(presses)
            .position(|known| known == name)
            .ok_or_else(|| format!("the machine has no axis or press named '{name}'"))
    };
    let press = || {
        let presses = &machine.presses;
        (presses.iter().position(|press| press.axis.name == name))
            .map(|press| machine.axes.len() + press)
            .ok_or_else(|| format!("the machine has no press named '{name}'"))
    };
    let size = |value: f64, low: f64, high: f64, what: &str| {
        if value >= low && value <= high {
            Ok(value)
        } else {
            Err(format!(
                "{what} {value} for '{name}' is not between {low} and {high}"
            ))
        }
    };
    match &fault.kind {
        FaultKind::Friction { factor } => Ok((
            Effect::Friction(size(*factor, 0.1, 20.0, "friction factor")?),
            axis()?,
        )),
        FaultKind::Load { mass_kg } => {
            let target = axis()?;
            let carried = carried_kg(machine, target);
            let mass = size(*mass_kg, -0.5 * carried, 10.0 * carried, "added mass in kg")?;
            Ok((Effect::Load(mass), target))
        }
        FaultKind::Backlash { gap_m } => Ok((
            Effect::Backlash(size(*gap_m, 0.0, 0.01, "added gap in m")?),
            axis()?,
        )),
        FaultKind::CurrentGain { factor } => Ok((
            Effect::CurrentGain(size(*factor, 0.5, 2.0, "current gain")?),
            axis()?,
        )),
        FaultKind::DriveFault { code } => {
            if *code == 0 {
                return Err(format!("error code 0 for '{name}' means no error"));
            }
            Ok((Effect::DriveFault(*code), axis()?))
        }
        FaultKind::Leak { rate_pa_per_s } => {
            let target = machine
                .stations
                .iter()
                .position(|station| station.name == name)
                .ok_or_else(|| format!("the machine has no station named '{name}'"))?;
            Ok((
                Effect::Leak(size(*rate_pa_per_s, 0.0, 1e6, "leak in Pa/s")?),
                target,
            ))
        }
        FaultKind::WrongPart { part } => {
            let index = machine
                .parts
                .iter()
                .position(|known| &known.name == part)
                .ok_or_else(|| format!("the machine has no part named '{part}'"))?;
            Ok((Effect::Part(Placed::Part(index)), press()?))
        }
        FaultKind::MissingPart => Ok((Effect::Part(Placed::Nothing), press()?)),
        FaultKind::EncoderSlip { step_m } => Ok((
            Effect::EncoderSlip(size(*step_m, 0.0, 0.01, "slip in m")?),
            axis()?,
        )),
        FaultKind::Lubrication { factor } => Ok((
            Effect::Lubrication(size(*factor, 1.0, 20.0, "lubrication factor")?),
            axis()?,
        )),
        FaultKind::Spalling { depth } => Ok((
            Effect::Spalling(size(*depth, 0.0, 1.0, "depth of spalling")?),
            axis()?,
        )),
        FaultKind::Stiffness { factor } => Ok((
            Effect::Stiffness(size(*factor, 0.2, 1.0, "stiffness factor")?),
            press()?,
        )),
        FaultKind::Brake { share } => Ok((
            Effect::Brake(size(*share, 0.0, 1.0, "share of the brake's torque")?),
            axis()?,
        )),
        FaultKind::Jam { push_m } => Ok((
            Effect::Jam(size(*push_m, 0.0, 0.01, "push of a jam in m")?),
            axis()?,
        )),
        FaultKind::FrameLoss { .. } | FaultKind::Bus(_) => {
            Err("this is a fault of the bus, not of the machine behind it".to_owned())
        }
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod linked_press_tests;
#[cfg(test)]
pub(crate) mod rig;
#[cfg(test)]
mod tests;
