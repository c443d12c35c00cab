//! Checked and built: from the raw structs of the file to the typed [`Machine`].

mod axis;
mod bus;
mod clock;
mod context;
mod cycle;
mod evaluation;
mod health;
mod judge;
mod kinematics;
mod motor;
mod part;
mod press;
mod pubsub;
mod realtime;
mod recording;
mod servo;
mod shared;
mod signature;
mod station;
mod switches;
mod tsn;
mod twin;

use crate::check::Check;
use crate::fault::Fault;
use crate::machine::{
    AxisKind, EffortUnit, MAX_AXES, MAX_FAULTS, MAX_PARTS, MAX_RECIPE_TWINS, MAX_RECIPES,
    MAX_STATIONS, Machine, OtherBuses, Simulation,
};
use crate::raw::{File, RecipeTable};
use crate::value::{At, Span};
use twinstep_models::sample::FACTORS;

/// Longest free text, as in the machine's name (bytes).
const MAX_TEXT: usize = 128;
/// Longest dwell, hold or other time in a program (s): a day.
const MAX_DWELL_S: f64 = 86_400.0;
/// Longest dead time, filter or other time constant (s).
const MAX_LAG_S: f64 = 10.0;

/// What the parts of the machine need to know of the whole.
struct Whole<'a> {
    /// There is a bus, real or simulated.
    bus: bool,
    /// The bus is a real interface, and nobody simulates it.
    real: bool,
    /// The machine is simulated.
    simulated: bool,
    /// Every axis, press and station has a name of its own.
    named: bool,
    /// Period of the cycle (ns), 0 where it has a problem.
    period_ns: u64,
    /// All recipes.
    recipes: &'a [RecipeTable],
    /// The names of recipes, tools, loads and bands of the temperature, which rows of healthy figures may be of.
    factors: &'a [Vec<String>; FACTORS],
}

/// Builds the machine; it means something only if no problem was found.
pub(crate) fn machine(file: &File, check: &mut Check) -> Machine {
    let simulated = file.simulation.is_some();
    bounds(file, check);
    let before = check.problems.len();
    let names = || {
        let axes = file.axis.iter().map(|axis| &axis.name);
        let presses = file.press.iter().map(|press| &press.name);
        let stations = file.station.iter().map(|station| &station.name);
        let others = file.bus.iter().flat_map(|bus| &bus.subdevice);
        let others = others.filter(|one| one.is_its_own()).map(|one| &one.name);
        axes.chain(presses).chain(stations).chain(others)
    };
    for name in names() {
        check.name(name);
    }
    check.unique("axes, presses and stations", names());
    let named = check.problems.len() == before;
    let bus = file.bus.is_some() || simulated;
    let cycle = cycle::cycle(&file.cycle, bus, check);
    let thermometer = context::thermometer(file, check);
    let factors = context::factors(file, thermometer.as_ref());
    let whole = Whole {
        bus,
        // Who publishes has no SII: its ids tell it.
        real: !simulated
            && (file.bus.as_ref()).is_some_and(|bus| {
                let is_tsn = bus.kind.as_ref().is_some_and(|kind| kind.value == "tsn");
                bus.interface.is_some() && !is_tsn
            }),
        simulated,
        named,
        period_ns: cycle.period_ns,
        recipes: &file.recipe,
        factors: &factors,
    };

    let effort = |name: &At<String>, kind: AxisKind| {
        let maps = (file.recording.as_ref()).and_then(|map| map.axis.as_ref());
        maps.map_or(&[][..], |maps| maps.value.as_slice())
            .iter()
            .find(|map| map.axis.value == name.value)
            .map_or(EffortUnit::Ampere, |map| recording::effort_unit(map, kind))
    };
    let axes: Vec<_> = file
        .axis
        .iter()
        .map(|raw| {
            let kind = axis::kind(raw, check);
            axis::axis(raw, kind, effort(&raw.name, kind), &whole, check)
        })
        .collect();
    let mut presses: Vec<_> = file
        .press
        .iter()
        .map(|raw| press::press(raw, effort(&raw.name, AxisKind::Linear), &whole, check))
        .collect();
    for (press, raw) in presses.iter_mut().zip(&file.press) {
        evaluation::fill(press, raw, &file.part, &file.recipe, check);
    }
    let stations: Vec<_> = file
        .station
        .iter()
        .map(|raw| station::station(raw, &whole, check))
        .collect();
    let parts: Vec<_> = file
        .part
        .iter()
        .map(|raw| part::part(raw, (&presses, file.lender.as_ref()), &file.recipe, check))
        .collect();
    check.unique("parts", file.part.iter().map(|part| &part.name));
    let recipes: Vec<_> = file
        .recipe
        .iter()
        .map(|raw| press::recipe(raw, &file.part, check))
        .collect();
    check.unique("recipes", file.recipe.iter().map(|recipe| &recipe.name));
    if let (Some(first), true) = (file.press.first(), file.part.is_empty()) {
        check.problem(
            &first.name.span,
            "a press needs a part to press, and the configuration has none",
            "this press",
            "add a table [[part]] with name, contact and stiffness or force",
        );
    }

    let bus = whole
        .bus
        .then(|| bus::bus(file, &whole, cycle.period_ns, check));
    let recording = file
        .recording
        .as_ref()
        .map(|map| recording::recording(map, &axes, &presses, &stations, &whole, check));
    let shared = (file.shared.as_ref())
        .map(|raw| shared::shared(raw, file, whole.bus, whole.period_ns, check));
    let realtime = realtime::realtime(
        file.realtime.as_ref(),
        bus.as_ref(),
        cycle.period_ns,
        axes.len() + presses.len(),
        check,
    );
    let context = context::context(file, bus.as_ref(), (&recipes, thermometer), check);
    let tsn = (file.tsn.as_ref()).map(|raw| tsn::tsn(raw, bus.as_ref(), cycle.period_ns, check));
    let mut machine = Machine {
        name: text("name", &file.machine.name, check),
        asset_id: file
            .machine
            .asset_id
            .as_ref()
            .map_or_else(String::new, |id| text("asset_id", id, check)),
        cycle,
        judge: judge::judge(file, check),
        realtime,
        bus,
        place: file.place.clone(),
        lender: file.lender.clone(),
        publish: (file.publish.as_ref())
            .and_then(|publish| publish.uadp.as_ref())
            .map(|uadp| pubsub::published(uadp, tsn.as_ref(), whole.period_ns, check)),
        tsn,
        axes,
        presses,
        stations,
        parts,
        recipes,
        schedule: press::schedule(&file.schedule, &file.recipe, file.press.is_empty(), check),
        context,
        simulation: file.simulation.as_ref().map(|simulation| Simulation {
            machine_seed: simulation.machine_seed,
            wire_time: simulation.wire_time.unwrap_or(true),
        }),
        recording,
        shared,
        inject: Vec::new(),
        text: Default::default(),
    };
    if let Some(simulation) = &file.simulation {
        machine.inject = inject(&simulation.inject, &machine, check);
    }
    machine
}

/// Tells the buses of one machine which cores the others have.
pub(crate) fn know_each_other(machines: &mut [Machine]) {
    let named = |machine: &Machine| {
        let realtime = &machine.realtime;
        realtime
            .core
            .into_iter()
            .chain(realtime.model_cores.iter().copied())
            .collect::<Vec<_>>()
    };
    let cores: Vec<Vec<usize>> = machines.iter().map(named).collect();
    let mut before = 0;
    for (n, machine) in machines.iter_mut().enumerate() {
        let others = cores.iter().enumerate().filter(|(other, _)| *other != n);
        machine.realtime.others = OtherBuses {
            cores: others
                .flat_map(|(_, cores)| cores.iter().copied())
                .collect(),
            before,
        };
        before += usize::from(machine.realtime.core.is_none());
    }
}

/// Refuses lists beyond the bounds of the machine, and a machine without anything to watch.
fn bounds(file: &File, check: &mut Check) {
    let at = &file.machine.name.span;
    let axes = file.axis.len() + file.press.len();
    check.at_most(at, "axes and presses", axes, MAX_AXES);
    check.at_most(at, "stations", file.station.len(), MAX_STATIONS);
    check.at_most(at, "parts", file.part.len(), MAX_PARTS);
    check.at_most(at, "recipes", file.recipe.len(), MAX_RECIPES);
    let own: usize = file.part.iter().map(|part| part.recipe_twin.len()).sum();
    check.at_most(at, "recipe twins of parts", own, MAX_RECIPE_TWINS);
    for press in &file.press {
        let twins = file.part.iter().flat_map(|part| &part.press_twin);
        let own = twins
            .filter(|one| one.value.recipe.is_some() && one.value.press.value == press.name.value);
        let what = "press twins of parts with a recipe on one press";
        check.at_most(at, what, own.count(), MAX_RECIPE_TWINS);
    }
    if axes + file.station.len() == 0 {
        check.problem(
            at,
            "the machine has no axis, no press and no station",
            "this machine",
            "add a table [[axis]], [[press]] or [[station]]",
        );
    }
}

/// Free text of one line.
fn text(key: &str, raw: &At<String>, check: &mut Check) -> String {
    if raw.value.len() > MAX_TEXT || raw.value.chars().any(char::is_control) {
        check.problem(
            &raw.span,
            format!("`{key}` must be one line of at most {MAX_TEXT} bytes"),
            "too long, or with control characters",
            "shorten it",
        );
    }
    raw.value.clone()
}

/// The asset id of an axis, press or station.
fn asset_id(raw: Option<&At<String>>, check: &mut Check) -> Option<String> {
    raw.map(|id| text("asset_id", id, check))
}

/// Says that a table is missing that this machine needs.
fn needs(check: &mut Check, name: &At<String>, table: &str, why: &str) {
    check.problem(
        &name.span,
        format!(
            "{} needs the table [{table}] {why}",
            crate::error::shortened(&name.value)
        ),
        format!("has no [{table}]"),
        format!("add [{table}]; `twinstep check --schema` describes its keys"),
    );
}

/// Refuses a position that the drive's 32-bit target position cannot hold.
fn in_counts(key: &str, position_m: f64, counts_per_m: f64, span: &Span, check: &mut Check) {
    if (position_m * counts_per_m).abs() > f64::from(i32::MAX) {
        check.problem(
            span,
            format!("`{key}` is more increments than the 32 bits of 0x607A hold"),
            "too far for the encoder",
            "move it nearer to 0, or lower counts_per_rev",
        );
    }
}

fn inject(raw: &[At<String>], machine: &Machine, check: &mut Check) -> Vec<Fault> {
    if let Some(last) = raw.last() {
        check.at_most(&last.span, "faults", raw.len(), MAX_FAULTS);
    }
    let mut faults = Vec::new();
    for text in raw {
        match Fault::parse(&text.value, machine) {
            Ok(fault) => faults.push(fault),
            Err(error) => check.problem(&text.span, error.message, error.label, error.help),
        }
    }
    faults
}
