//! `twinstep check`: what results from a configuration, before a machine moves.

mod context;
mod life;
mod press;
mod thresholds;
mod wire;

use crate::cli::CheckArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::plan::stop_ramp_s;
use context::TellerReport;
use life::{LimitReport, limits};
use press::PressReport;
use serde::Serialize;
use std::fmt::Write;
use thresholds::Thresholds;
use twinstep_config::machine::{Axis, AxisKind, Machine};
use twinstep_drivers::ethercat::plan::Plan;
use twinstep_drivers::ethercat::wire::layout;
use twinstep_drivers::segment::process_data;
pub use wire::judge_timing;

/// Checks the configuration, or prints the JSON Schema.
///
/// # Errors
/// [`HostError::Usage`] when the configuration is wrong or its period cannot hold the frame.
pub fn run(args: &CheckArgs, output: &Output) -> Result<Exit, HostError> {
    if args.schema {
        output.line(Machine::schema().trim_end());
    }
    if let Some(path) = &args.config {
        for machine in super::load_buses(path)? {
            let report = Report::of(&machine)?;
            if output.json() {
                output.json_line(&report);
            } else {
                output.line(&report.text());
            }
        }
    }
    Ok(Exit::Fine)
}

/// What `check` found. Its JSON line has the type `check`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "check")]
struct Report {
    /// Name of the machine.
    machine: String,
    /// Name of the bus, where the machine has several: a line each.
    #[serde(skip_serializing_if = "Option::is_none")]
    bus_name: Option<String>,
    /// Period (ns).
    period_ns: u64,
    /// Where the process data comes from: an interface, `simulated` or `recording`.
    bus: String,
    /// SubDevices on the bus.
    subdevices: usize,
    /// Lengths of the cyclic frames, addresses to last datagram (bytes).
    frame_bytes: Vec<usize>,
    /// Time from the first bit sent until the last cyclic frame is back (ns).
    wire_time_ns: u64,
    /// Frames of the simulated machine take that time, too.
    wire_simulated: bool,
    /// Servo axes and presses.
    axes: Vec<AxisReport>,
    /// What stands between motor and ram of the presses.
    presses: Vec<PressReport>,
    /// Who tells recipe, part, tool, load and temperature; absent where nobody does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    context: Vec<TellerReport>,
    /// Names of the stations.
    stations: Vec<String>,
    /// Where lives end: one entry a tracked parameter.
    health: Vec<LimitReport>,
    /// How far the thresholds rest on what was measured.
    false_alarms: Thresholds,
    /// What happens when twinstep stops, in order.
    stop: String,
    /// What happens when the process dies.
    death: String,
}

/// One axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct AxisReport {
    name: String,
    /// `axis` or `press`.
    kind: &'static str,
    /// `rotary` where it turns: what ends in `_m` and `_m_per_s` is in rad and rad/s then; absent of a linear axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    axis_kind: Option<&'static str>,
    /// The twin has parameters.
    calibrated: bool,
    /// Why position, velocity and current are not judged one cycle ahead; none where they are, or where there is no twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascade_off: Option<String>,
    /// Velocity limit (m/s).
    velocity_m_per_s: f64,
    /// Time of a controlled stop from that velocity (s).
    stop_s: f64,
    /// Way of a controlled stop from that velocity (m).
    stop_m: f64,
}

impl Report {
    fn of(machine: &Machine) -> Result<Self, HostError> {
        let wire_time_ns = judge_timing(machine, None)?;
        crate::whatif::servo::check(machine)?;
        let period_ns = machine.cycle.period_ns;
        let subdevices = machine.bus.as_ref().map_or(0, |bus| bus.subdevices.len());
        let bus = match &machine.bus {
            None => "recording".into(),
            Some(bus) if bus.pubsub.is_some() => match &bus.interface {
                Some(interface) => format!("OPC UA PubSub on {interface}"),
                None => "OPC UA PubSub".into(),
            },
            Some(bus) => match (&bus.interface, &bus.tap) {
                (Some(interface), None) => interface.clone(),
                (None, None) => "simulated".into(),
                (Some(interface), Some(_)) => format!("tap of {interface}"),
                (None, Some(_)) => "tap".into(),
            },
        };
        let stop_s = stop_ramp_s(machine);
        let axes = (machine.axes.iter()).map(|axis| AxisReport::of(axis, "axis", stop_s));
        let presses = machine
            .presses
            .iter()
            .map(|press| AxisReport::of(&press.axis, "press", stop_s));
        let (stop, death) = match &machine.bus {
            Some(bus) if bus.pubsub.is_some() => (
                "nothing stops: the devices publish, and are only listened to".into(),
                String::new(),
            ),
            Some(bus) if bus.tap.is_none() => (STOP.into(), DEATH.into()),
            Some(_) => (
                "nothing stops: the bus is another MainDevice's and only listened to".into(),
                String::new(),
            ),
            None => (
                "nothing moves: the machine is only replayed".into(),
                String::new(),
            ),
        };
        Ok(Self {
            machine: machine.name.clone(),
            bus_name: machine.place.as_ref().map(|place| place.name.clone()),
            period_ns,
            bus,
            subdevices,
            frame_bytes: frame_lengths(machine),
            wire_time_ns,
            wire_simulated: machine.simulation.is_none_or(|sim| sim.wire_time),
            axes: axes.chain(presses).collect(),
            presses: PressReport::all(machine),
            context: TellerReport::of(machine),
            stations: machine
                .stations
                .iter()
                .map(|station| station.name.clone())
                .collect(),
            health: limits(machine),
            false_alarms: Thresholds::of(machine),
            stop,
            death,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}{}: period {:.1} us, bus {}, {} SubDevices\n",
            self.machine,
            (self.bus_name.as_ref()).map_or(String::new(), |name| format!(", {name}")),
            us(self.period_ns),
            self.bus,
            self.subdevices
        );
        // Writing to a string cannot fail.
        if self.wire_time_ns > 0 {
            let lengths: Vec<String> = self.frame_bytes.iter().map(usize::to_string).collect();
            let _ = writeln!(
                text,
                "wire: {} frame(s) of {} bytes, {:.1} us until the last is back, {:.1} % of the period{}",
                self.frame_bytes.len(),
                lengths.join(" + "),
                us(self.wire_time_ns),
                100.0 * self.wire_time_ns as f64 / self.period_ns as f64,
                if self.wire_simulated {
                    ""
                } else {
                    "; simulated without it"
                }
            );
        }
        let _ = writeln!(
            text,
            "{:<16} {:<6} {:<10} {:>10} {:>10}",
            "name", "kind", "twin", "stop s", "stop mm"
        );
        for axis in &self.axes {
            let _ = writeln!(
                text,
                "{:<16} {:<6} {:<10} {:>10.3} {:>10}",
                axis.name,
                axis.axis_kind.unwrap_or(axis.kind),
                if axis.calibrated {
                    "calibrated"
                } else {
                    "none"
                },
                axis.stop_s,
                axis.way()
            );
        }
        for press in &self.presses {
            let _ = writeln!(text, "{}", press.text());
        }
        for axis in &self.axes {
            if let Some(why) = &axis.cascade_off {
                let _ = writeln!(
                    text,
                    "{}: position_next, velocity_next and current_next are off, {why}",
                    axis.name
                );
            }
        }
        for teller in &self.context {
            let _ = writeln!(text, "{}", teller.text());
        }
        for station in &self.stations {
            let _ = writeln!(text, "{station:<16} station");
        }
        // Who has the same limits as the one before stands on the same line.
        let mut told: Vec<(Vec<&str>, String)> = Vec::new();
        for source in self.health.chunk_by(|a, b| a.source == b.source) {
            let limits: Vec<String> = source.iter().map(LimitReport::text).collect();
            let name = source.first().map_or("", |l| l.source.as_str());
            let limits = limits.join(", ");
            match told.last_mut() {
                Some((names, same)) if *same == limits => names.push(name),
                _ => told.push((vec![name], limits)),
            }
        }
        for (names, limits) in told {
            let _ = writeln!(text, "life of {} ends at: {limits}", names.join(", "));
        }
        let f = &self.false_alarms;
        let _ = writeln!(
            text,
            "false alarms: one in {:.0} s asked, {} detectors and figures with a tail, {} without",
            f.asked_s, f.tails, f.figures
        );
        for reason in &f.provisional {
            let _ = writeln!(text, "provisional: {reason}");
        }
        text.push_str(&f.table());
        let _ = write!(text, "stop: {}", self.stop);
        if !self.death.is_empty() {
            let _ = write!(text, "\nif twinstep dies: {}", self.death);
        }
        text
    }
}

impl AxisReport {
    /// Way of a stop as the table has it: in mm, or with its own unit.
    fn way(&self) -> String {
        let kind = AxisKind::of(self.axis_kind);
        let (per_si, unit) = kind.way();
        match kind {
            AxisKind::Linear => format!("{:.1}", self.stop_m * per_si),
            AxisKind::Rotary => format!("{:.1} {unit}", self.stop_m * per_si),
        }
    }

    /// `stop_s` is the ramp that all axes share. Program time falls as a smooth step, whose mean is a half.
    fn of(axis: &Axis, kind: &'static str, stop_s: f64) -> Self {
        Self {
            name: axis.name.clone(),
            kind,
            axis_kind: axis.kind.told(),
            calibrated: axis.twin.is_some(),
            cascade_off: (axis.twin.as_ref())
                .filter(|twin| twin.cascade.is_none())
                .map(|twin| {
                    twin.cascade_off
                        .clone()
                        .unwrap_or_else(|| UNTOLD.to_owned())
                }),
            velocity_m_per_s: axis.motion.velocity_m_per_s,
            stop_s,
            stop_m: 0.5 * axis.motion.velocity_m_per_s * stop_s,
        }
    }
}

/// Lengths of the frames that one cycle sends (bytes), as the plan of the bus cuts them.
fn frame_lengths(machine: &Machine) -> Vec<usize> {
    let Some(bus) = &machine.bus else {
        return Vec::new();
    };
    let sizes: Vec<_> = bus.subdevices.iter().map(process_data).collect();
    Plan::new(&layout(&sizes), sizes.len(), Some(0))
        .frame_lengths()
        .collect()
}

/// Of a twin that was written by hand, or before the reason was.
const UNTOLD: &str = "its twin has no cascade; calibrate says why when it makes one anew";

/// What happens on a stop, in the order in which it happens.
const STOP: &str = "all axes ramp down together on their paths (time and ways above, from full velocity); standstill \
                    confirmed, else quick stop; operation disabled; SAFE-OP; PRE-OP; INIT. Emergency stop and STO are independent of twinstep";

/// What happens when nobody sends frames any more.
const DEATH: &str = "the SyncManager watchdog of each SubDevice (0x0400, 0x0420; 100 ms unless the device sets its own) \
                     takes it out of OP, and the drive stops as its options 0x605A (quick stop) and 0x605E (fault \
                     reaction) say; twinstep does not change them: read them on the drive";

fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::built_in_machine;
    use crate::output::tests::Buffer;

    #[test]
    fn the_stop_that_is_printed_is_the_one_that_happens() {
        let machine = built_in_machine().unwrap();
        let period_s = 1e-3;
        let stop_s = stop_ramp_s(&machine);
        let mut feed = twinstep_cycle::motion::Override::new(stop_s);
        feed.stop();
        let (mut program_s, mut steps) = (0.0, 0);
        let (mut rate, mut steepest): (f64, f64) = (1.0, 0.0);
        while !feed.stopped() {
            let step_s = feed.step(period_s);
            steepest = steepest.max((rate - step_s / period_s) / period_s);
            rate = step_s / period_s;
            program_s += step_s;
            steps += 1;
        }
        assert!((f64::from(steps) * period_s - stop_s).abs() < 2.0 * period_s);
        for axis in &machine.axes {
            let report = AxisReport::of(axis, "axis", stop_s);
            let way_m = axis.motion.velocity_m_per_s * program_s;
            assert!(
                (report.stop_m - way_m).abs() < 0.01 * way_m,
                "{}",
                axis.name
            );
            let braking = steepest * axis.motion.velocity_m_per_s;
            assert!(
                braking <= 0.51 * axis.motion.acceleration_m_per_s2,
                "{}: {braking}",
                axis.name
            );
        }
    }

    #[test]
    fn the_built_in_machine_is_reported() {
        let machine = built_in_machine().unwrap();
        let report = Report::of(&machine).unwrap();
        assert_eq!(
            report.axes.len(),
            machine.axes.len() + machine.presses.len()
        );
        assert!(report.wire_time_ns > 0 && report.wire_time_ns < report.period_ns);
        let text = report.text();
        for axis in &machine.axes {
            assert!(text.contains(&axis.name), "{text}");
        }
        assert!(text.contains("0x605A"), "{text}");
        assert!(
            text.contains("backlash +100 um, torque_constant x0.9, stiffness x0.8\n")
                && text.contains("life of gripper ends at: leak_rate x10\n"),
            "{text}"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["type"], "check");
        let limits = json["health"].as_array().unwrap();
        let one = |source: &str, parameter: &str| {
            let mut all = limits.iter();
            all.find(|l| l["source"] == source && l["parameter"] == parameter)
                .unwrap()
        };
        assert_eq!(one("press", "stiffness")["limit"], 0.8);
        assert_eq!(one("gripper", "leak_rate")["limit"], 10.0);
    }

    #[test]
    fn thresholds_in_force_and_cascades_that_are_off_are_told() {
        let mut machine = built_in_machine().unwrap();
        let text = Report::of(&machine).unwrap().text();
        let row = |name: &str, channel: &str| {
            let has = |line: &str| line.starts_with(name) && line.contains(channel);
            text.lines().any(has)
        };
        assert!(text.contains("threshold of"), "{text}");
        assert!(
            row("carriage", "position_next") && row("carriage", "drift"),
            "{text}"
        );
        assert!(row("gripper", "leak_rate"), "{text}");
        assert!(!text.contains("are off"), "{text}");
        let reason = "no cascade predicts better than the last value";
        for (why, said) in [(Some(reason), reason), (None, UNTOLD)] {
            let twin = machine.axes[0].twin.as_mut().unwrap();
            (twin.cascade, twin.cascade_off) = (None, why.map(str::to_owned));
            let name = machine.axes[0].name.clone();
            let report = Report::of(&machine).unwrap();
            let line =
                format!("{name}: position_next, velocity_next and current_next are off, {said}\n");
            assert!(report.text().contains(&line), "{}", report.text());
            let json = serde_json::to_value(&report).unwrap();
            assert_eq!(json["axes"][0]["cascade_off"], said);
            assert!(json["axes"][1].get("cascade_off").is_none());
            let in_force = json["false_alarms"]["in_force"].as_array().unwrap();
            assert!(in_force.iter().any(|row| row["channel"] == "drift"));
        }
    }

    #[test]
    fn provisional_thresholds_are_named_with_their_reason() {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let said = Thresholds::of(&machine);
        assert!(said.tails > 0 && said.figures > 0, "{said:?}");
        let text = said.provisional.join("\n");
        for part in [
            "extrapolated from",
            "figures of movements",
            "leak rates of holds",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        // Asked for less than the record holds nothing is extrapolated.
        machine.judge.false_alarm_interval_s = 10.0;
        let said = Thresholds::of(&machine);
        assert!(
            !said.provisional.join("\n").contains("extrapolated"),
            "{said:?}"
        );
    }

    #[test]
    fn the_schema_needs_no_configuration() {
        let buffer = Buffer::endless();
        let output = Output::new(false, false, Box::new(buffer.clone()));
        run(
            &CheckArgs {
                config: None,
                schema: true,
                json: false,
            },
            &output,
        )
        .unwrap();
        let schema: serde_json::Value = serde_json::from_str(&buffer.text()).unwrap();
        assert!(schema.is_object());
    }
}
