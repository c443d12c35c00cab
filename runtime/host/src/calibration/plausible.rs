//! Whether a recording can be what the configuration says it is: units, travel, and columns that belong together.
//!
//! A quantity in the wrong unit is off by a thousand, and everything that is fitted to it would be nonsense: `calibrate` refuses
//! it, `replay` warns. What is merely odd is a remark. Every message names the file and the column. What there is to compare with is other
//! columns, the drive, the motion program or stroke, and what was learnt.

mod learnt;
mod names;
mod own;
mod station;
mod time;

pub use names::{Kind, column_name, station_column};

use crate::error::HostError;
use std::path::Path;
use twinstep_config::machine::{Axis, AxisKind, AxisTwin, EffortUnit, Machine, Press};
use twinstep_drivers::recording::{AxisRecord, Recording};

/// Ratios from here to its inverse are nobody's thousand.
const THOUSAND: (f64, f64) = (400.0, 2500.0);
/// Faster than any servo axis (m/s), and than any that turns (rad/s): 30 000 rev/min.
const FASTEST: [f64; 2] = [20.0, 3000.0];
/// Currents beyond this many times what the drive gives are in another unit.
const CURRENT_ABOVE: f64 = 20.0;
/// Currents below this share of it as well.
const CURRENT_BELOW: f64 = 1e-3;
/// Correlation from which on a velocity is that of the position.
const BELONGS: f64 = 0.9;
/// Share of the cells that may be empty.
const EMPTY: f64 = 0.2;
/// Share of the travel by which a position may leave the motion program: overshoot, another zero.
const BEYOND_TRAVEL: f64 = 0.1;
/// Currents beyond this many times what the drive gives contradict it: filters and steps overshoot a little.
const BEYOND_DRIVE: f64 = 1.1;
/// Samples between the two positions of a derivative.
const APART: usize = 4;

/// One thing that cannot be right, or is odd.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Nothing sensible comes out of it.
    pub nonsense: bool,
    /// In words, with the column.
    pub text: String,
}

fn axis_of(machine: &Machine, n: usize) -> Option<&Axis> {
    (machine.axes.get(n)).or_else(|| press_of(machine, n).map(|p| &p.axis))
}

fn press_of(machine: &Machine, n: usize) -> Option<&Press> {
    machine.presses.get(n.checked_sub(machine.axes.len())?)
}

/// Everything that is wrong or odd in a recording, in the order of its axes and stations.
pub fn check(machine: &Machine, recording: &Recording) -> Vec<Finding> {
    let mut all = Vec::new();
    // Units of our own recordings are those of the drives' objects: what can be off is how the configuration scales them.
    let own = machine.bus.is_some();
    time::check(machine, recording, &mut all);
    for (n, record) in recording.axes.iter().enumerate() {
        let Some(axis) = axis_of(machine, n) else {
            continue;
        };
        let before = all.len();
        let mut one = Checked {
            machine,
            n,
            axis,
            record,
            own,
            period_s: recording.period_s,
            all: &mut all,
        };
        one.cells();
        let seen = own.then(|| own::seen(record));
        match &seen {
            Some(None) => {
                let text = "the drive is never in operation enabled: nothing is learnt of it";
                one.say(false, Kind::State, text);
                continue;
            }
            Some(Some(seen)) => one.record = seen,
            None => {}
        }
        one.changes();
        // What holds its place is no movement to be judged.
        if one.moves() || !own {
            one.lengths();
            one.velocity();
        }
        one.current();
        // One finding of a column is enough, and of what has a drive table the drive says more.
        if own || one.all[before..].iter().any(|finding| finding.nonsense) {
            continue;
        }
        if let Some(healthy) = &axis.healthy {
            one.as_healthy(healthy);
        }
        if let Some(twin) = &axis.twin {
            one.as_twin(twin, recording);
        }
    }
    for (station, record) in machine.stations.iter().zip(&recording.stations) {
        station::check(machine, station, record, &mut all);
    }
    all
}

/// Remarks on a recording for `calibrate`.
///
/// # Errors
/// [`HostError::Usage`] where a unit is off.
pub(super) fn refuse_nonsense(
    machine: &Machine,
    path: &Path,
    recording: &Recording,
) -> Result<Vec<String>, HostError> {
    let findings = check(machine, recording);
    let file = path.display();
    if let Some(finding) = findings.iter().find(|f| f.nonsense) {
        return Err(HostError::usage(
            format!("{file}, {}", finding.text),
            if machine.bus.is_some() {
                own::REMEDY
            } else {
                "correct `unit` or `factor` of the column under [recording] in the configuration, or the recording itself"
            },
        ));
    }
    Ok((findings.into_iter())
        .map(|f| format!("{file}, {}", f.text))
        .collect())
}

/// Refuses a fitted twin that is a thousand times the one of the configuration: the column that is at fault shows by which of
/// its parameters are off.
pub(super) fn refuse_another_scale(
    machine: &Machine,
    n: usize,
    fitted: &AxisTwin,
) -> Result<(), HostError> {
    let Some(axis) = axis_of(machine, n) else {
        return Ok(());
    };
    let Some(before) = &axis.twin else {
        return Ok(());
    };
    let mass = ratio(fitted.mass_kg, before.mass_kg);
    // Of both directions: one alone may be next to nothing.
    let both = |twin: &AxisTwin| twin.coulomb_positive_n + twin.coulomb_negative_n;
    let coulomb = ratio(both(fitted), both(before));
    let Some(off) = thousand(mass) else {
        return Ok(());
    };
    // A wrong unit of the current scales all forces, one of the position only what is divided by a length.
    let kind = if thousand(coulomb) == Some(off) {
        Kind::Current
    } else {
        Kind::Position
    };
    let unit = axis.kind.unit("kg");
    Err(HostError::usage(
        format!(
            "column `{}`: with it the mass of {} is {:.4} {unit}, and the configuration has {:.4} {unit}: a factor of {:.0}, as of a wrong unit",
            column_name(machine, n, kind),
            axis.name,
            fitted.mass_kg,
            before.mass_kg,
            if mass > 1.0 { mass } else { 1.0 / mass },
        ),
        if machine.bus.is_some() {
            own::REMEDY_OF_A_TWIN
        } else {
            "correct `unit` or `factor` of the column under [recording]; if the configuration is what is wrong, take its twin out"
        },
    ))
}

/// Whether a ratio is about a thousand (true), a thousandth (false), or neither.
fn thousand(ratio: f64) -> Option<bool> {
    let (low, high) = THOUSAND;
    if (low..high).contains(&ratio) {
        Some(true)
    } else if (1.0 / high..1.0 / low).contains(&ratio) {
        Some(false)
    } else {
        None
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { f64::NAN } else { (a / b).abs() }
}

struct Checked<'a> {
    machine: &'a Machine,
    n: usize,
    axis: &'a Axis,
    record: &'a AxisRecord,
    /// The recording is one of ours.
    own: bool,
    period_s: f64,
    all: &'a mut Vec<Finding>,
}

impl Checked<'_> {
    fn column(&self, kind: Kind) -> String {
        column_name(self.machine, self.n, kind)
    }

    fn say(&mut self, nonsense: bool, kind: Kind, text: &str) {
        let text = format!("column `{}`: {text}", self.column(kind));
        self.all.push(Finding { nonsense, text });
    }

    /// Whether the axis moves: noise of an encoder of a recording of ours does not count.
    fn moves(&self) -> bool {
        let drive = &self.axis.drive;
        let count_m = drive.feed_m_per_rev / drive.counts_per_rev;
        let least_m = if self.own {
            own::NOISE_COUNTS * count_m
        } else {
            0.0
        };
        span(&self.record.position_m) > least_m
    }

    /// Cells that are empty.
    fn cells(&mut self) {
        // A velocity that is not recorded is derived, and has holes of its own.
        let columns = [
            (Kind::Position, Some(&self.record.position_m)),
            (Kind::Current, Some(&self.record.current_a)),
            // What a drive does by itself has none on the bus.
            (
                Kind::Reference,
                self.record.reference_m.as_ref().filter(|_| !self.own),
            ),
        ];
        for (kind, values) in columns {
            let Some(values) = values.filter(|v| !v.is_empty()) else {
                continue;
            };
            let empty = values.iter().filter(|v| !v.is_finite()).count();
            let share = empty as f64 / values.len() as f64;
            if share > EMPTY {
                let text = format!("{:.0} % of it is without a value", 100.0 * share);
                self.say(false, kind, &text);
            }
        }
    }

    /// Columns that never change: another column was meant, or the sensor is off.
    fn changes(&mut self) {
        if span(&self.record.position_m) == 0.0 {
            let text = "it never changes: the axis does not move";
            self.say(false, Kind::Position, text);
            return;
        }
        if !self.moves() {
            return;
        }
        let columns = [
            (Kind::Reference, self.record.reference_m.as_ref()),
            (Kind::Velocity, Some(&self.record.velocity_m_per_s)),
            (Kind::Current, Some(&self.record.current_a)),
        ];
        for (kind, values) in columns {
            // Without a single value there is no column.
            let still = |v: &&Vec<f64>| v.iter().any(|v| v.is_finite()) && span(v) == 0.0;
            if values.filter(still).is_some() {
                let text = "it never changes, and the position does: is it the right column?";
                self.say(false, kind, text);
            }
        }
    }

    /// Reference, position and travel against each other.
    fn lengths(&mut self) {
        let unit = self.axis.kind.unit("m");
        let position = span(&self.record.position_m);
        let reference = self.record.reference_m.as_ref().map_or(0.0, |r| span(r));
        // Where there is one: in other modes nobody says where the axis is to be.
        let followed: Vec<f64> = (self.record.reference_m.iter().flatten())
            .zip(&self.record.position_m)
            .filter_map(|(reference, position)| reference.is_finite().then_some(*position))
            .collect();
        let followed = span(&followed);
        if let Some(more) = thousand(ratio(followed, reference)) {
            let text = format!(
                "it spans {followed:.6} {unit}, and the reference, column `{}`, {reference:.6} {unit}: a factor of a thousand {}, one of the two is in another unit than the configuration says (m{unit} for {unit}?)",
                self.column(Kind::Reference),
                if more { "more" } else { "less" },
            );
            self.say(true, Kind::Position, &text);
            return;
        }
        let (ends, path, moves) = match press_of(self.machine, self.n) {
            Some(press) => {
                let ends = vec![press.stroke.top_m, press.stroke.bottom_m];
                // Behind a crank or a table the axis is not where the ram is.
                (ends, "stroke", press.drive_train.linkage.is_none())
            }
            None => {
                let program = &self.axis.motion.program;
                let ends = program.iter().map(|step| step.to_m);
                let ends = ends.chain([self.axis.motion.start_m]).collect();
                (ends, "motion program", program.len() > 1)
            }
        };
        let travel = span(&ends);
        let off = thousand(ratio(position, travel)).filter(|_| moves);
        if let Some(more) = off {
            let text = format!(
                "it spans {position:.6} {unit}, and the travel of the {path} is {travel:.6} {unit}: a factor of a thousand, as of m{unit} for {unit}"
            );
            // A small movement may be a small movement.
            self.say(more, Kind::Position, &text);
            return;
        }
        let ([from, to], [low, high]) = (reach(&ends), reach(&self.record.position_m));
        let over = BEYOND_TRAVEL * travel;
        if moves && (low < from - over || high > to + over) {
            let text = format!(
                "it goes from {low:.6} {unit} to {high:.6} {unit}, beyond the {path} from {from:.6} {unit} to {to:.6} {unit}: check its unit and zero, or the {path}"
            );
            self.say(false, Kind::Position, &text);
        }
        let fastest = self.derivative().map(f64::abs).fold(0.0, f64::max);
        let (most, other) = match self.axis.kind {
            AxisKind::Linear => (FASTEST[0], "mm"),
            AxisKind::Rotary => (FASTEST[1], "deg"),
        };
        if fastest > most {
            let text = format!(
                "it moves at up to {fastest:.1} {unit}/s, faster than any servo axis: is it in {other}, or does it jump?"
            );
            self.say(false, Kind::Position, &text);
        }
        let apart = self.record.reference_m.as_ref().map_or(0.0, |r| {
            let pairs = r.iter().zip(&self.record.position_m);
            let (mut n, mut sum) = (0_u64, 0.0);
            for (r, x) in pairs.filter(|(r, x)| r.is_finite() && x.is_finite()) {
                n += 1;
                sum += (r - x) * (r - x);
            }
            if n > 0 { (sum / n as f64).sqrt() } else { 0.0 }
        });
        if position > 0.0 && apart > position {
            let text = format!(
                "it differs from the position by {apart:.6} {unit}, more than the {position:.6} {unit} that the axis moves: is it the reference of this axis?"
            );
            self.say(false, Kind::Reference, &text);
        }
    }

    /// Slope of the position over a few samples (m/s), where both ends are there.
    fn derivative(&self) -> impl Iterator<Item = f64> + '_ {
        let over = APART as f64 * self.period_s;
        (self.record.position_m.windows(APART + 1))
            .map(move |w| (w[APART] - w[0]) / over)
            .filter(|v| v.is_finite())
    }

    /// A velocity that was recorded, against the derivative of the position.
    fn velocity(&mut self) {
        let mapped = self.machine.recording.as_ref().is_none_or(|map| {
            let mut axes = map.axes.iter();
            axes.any(|a| a.axis == self.axis.name && a.velocity.is_some())
        });
        if !mapped {
            return;
        }
        let over = APART as f64 * self.period_s;
        let (mut vv, mut vd, mut dd) = (0.0, 0.0, 0.0);
        let windows = self.record.position_m.windows(APART + 1);
        for (w, v) in windows.zip(self.record.velocity_m_per_s.iter().skip(APART / 2)) {
            let d = (w[APART] - w[0]) / over;
            if d.is_finite() && v.is_finite() {
                vv += v * v;
                vd += v * d;
                dd += d * d;
            }
        }
        let correlation = vd / (vv * dd).sqrt();
        let slope = vd / dd;
        if correlation.is_nan() {
            // Nothing moves.
        } else if correlation.abs() <= BELONGS {
            if correlation.abs() < 0.5 {
                self.say(
                    false,
                    Kind::Velocity,
                    "it is not the derivative of the position: is it the velocity of this axis?",
                );
            }
        } else if thousand(slope.abs()).is_some() {
            let text = format!(
                "it is {slope:.4} times the derivative of the position, column `{}`: one of the two is in another unit than the configuration says (m{unit} for {unit}?)",
                self.column(Kind::Position),
                unit = self.axis.kind.unit("m/s")
            );
            self.say(true, Kind::Velocity, &text);
        } else if !(0.8..1.25).contains(&slope) {
            let text = format!(
                "it is {slope:.4} times the derivative of the position: check its unit, its sign, and the period"
            );
            self.say(false, Kind::Velocity, &text);
        }
    }

    /// The largest force of a press without a drive against what its parts give when the ram is at the bottom.
    fn force(&mut self) {
        let Some(press) = press_of(self.machine, self.n) else {
            return;
        };
        let parts = self.machine.parts.iter();
        let given = parts.map(|part| part.needed_n(press.stroke.bottom_m - part.contact_m));
        let expected = given.fold(0.0, f64::max);
        let finite = self.record.current_a.iter().filter(|f| f.is_finite());
        let most = finite.fold(0.0_f64, |m, f| m.max(f.abs()));
        if let Some(more) = thousand(ratio(most, expected)) {
            let text = format!(
                "it reaches {most:.6} N, and the parts of the configuration give {expected:.6} N at the bottom: a factor of a thousand {}, as of a wrong unit?",
                if more { "more" } else { "less" },
            );
            // The stiffness of a part may be a guess where nothing is predicted of it.
            self.say(false, Kind::Current, &text);
        }
    }

    /// The largest current against what the drive can give.
    fn current(&mut self) {
        let drive = &self.axis.drive;
        let cascade = self.axis.twin.as_ref().and_then(|twin| twin.cascade);
        // A machine that is only replayed may have no drive table: what stands in for it says nothing.
        let declared = drive.feed_m_per_rev != 1.0 || drive.rated_current_a != 1.0;
        let allowed = if declared && self.axis.effort_unit == EffortUnit::Ampere {
            drive.rated_current_a * f64::from(drive.max_torque_permille) / 1000.0
        } else if let Some(cascade) = cascade {
            cascade.limit_a
        } else {
            self.force();
            return;
        };
        let unit = self.axis.effort();
        let finite = self.record.current_a.iter().filter(|i| i.is_finite());
        let most = finite.fold(0.0_f64, |m, i| m.max(i.abs()));
        let moves = self.moves();
        let of = format!("it reaches {most:.6} {unit}, and the drive gives {allowed:.4} {unit}");
        let small = moves && most > 0.0 && most < CURRENT_BELOW * allowed;
        if most > CURRENT_ABOVE * allowed {
            let why = if self.own {
                own::NO_PERMILLE.to_owned()
            } else {
                format!("off by a thousand, as of m{unit} for {unit}?")
            };
            self.say(true, Kind::Current, &format!("{of}: {why}"));
        } else if small && self.own {
            // Permille of the rated current are coarse: next to nothing is no unit.
            self.say(false, Kind::Current, &format!("{of}: {}", own::NO_PERMILLE));
        } else if small {
            let why = format!("off by a thousand, as of {unit} for m{unit}?");
            self.say(true, Kind::Current, &format!("{of}: {why}"));
        } else if declared && most > BEYOND_DRIVE * allowed {
            self.say(
                false,
                Kind::Current,
                &format!("{of}: check `rated_current` and `max_torque_permille`, or its unit"),
            );
        }
    }
}

/// Smallest and largest of the finite values, turned around and infinite where there are none.
fn reach(values: &[f64]) -> [f64; 2] {
    let finite = values.iter().filter(|v| v.is_finite());
    finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], v| {
        [l.min(*v), h.max(*v)]
    })
}

/// Largest minus smallest of the finite values, 0 where there are none.
fn span(values: &[f64]) -> f64 {
    let [low, high] = reach(values);
    (high - low).max(0.0)
}
