//! What is told of the running instance, bus by bus.

use super::families::{Families, Labels, label, on};
use super::health;
use crate::control::status::{AxisLine, RowLine, StationLine, StatusLine};
use prometheus_client::registry::Unit;
use std::fmt;
use twinstep_config::machine::{AxisKind, MAX_AXES, MAX_STATIONS};

/// Most values of a label that come from outside the program, beside axes and stations.
const MAX_VALUES: usize = 64;

/// Nanoseconds in the unit of Prometheus.
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}

fn yes(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Everything of the instance with these buses; there is none where nobody answers.
///
/// # Errors
/// What the encoder says.
pub fn encode(families: &mut Families<'_, '_>, buses: &[StatusLine]) -> fmt::Result {
    families.gauges(
        "up",
        "Whether an instance answers.",
        None,
        [(Labels::new(), yes(!buses.is_empty()))],
    )?;
    Instance { families, buses }.all()
}

struct Instance<'f, 'a, 'b, 's> {
    families: &'f mut Families<'a, 'b>,
    buses: &'s [StatusLine],
}

impl Instance<'_, '_, '_, '_> {
    fn all(&mut self) -> fmt::Result {
        self.cycle()?;
        self.durations()?;
        self.bus()?;
        self.axes()?;
        self.stations()?;
        health::encode(self.families, self.buses)
    }

    /// A figure of each bus.
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        of: impl Fn(&StatusLine) -> Option<f64>,
    ) -> fmt::Result {
        let rows = self.buses.iter();
        let rows = rows.filter_map(|bus| Some((on(bus, []), of(bus)?)));
        self.families.gauges(name, help, unit, rows)
    }

    /// A count of each bus.
    fn counter(&mut self, name: &str, help: &str, of: impl Fn(&StatusLine) -> u64) -> fmt::Result {
        let rows = self.buses.iter().map(|bus| (on(bus, []), of(bus)));
        self.families.counters(name, help, rows)
    }

    fn cycle(&mut self) -> fmt::Result {
        let identities = self.buses.iter().map(|bus| {
            let identity = &bus.identity;
            let simulated = if identity.simulated { "true" } else { "false" };
            let labels = [
                label("machine", &identity.machine),
                label("version", &identity.version),
                label("plan", &identity.plan),
                label("simulated", simulated),
            ];
            (on(bus, labels), 1.0)
        });
        self.families.gauges(
            "instance",
            "Which instance answers; always 1.",
            None,
            identities,
        )?;
        self.gauge(
            "cycle_period",
            "Period of the cycle.",
            Some(Unit::Seconds),
            |bus| Some(seconds(bus.identity.period_ns)),
        )?;
        self.gauge(
            "timing_valid",
            "Whether this computer's durations can be believed.",
            None,
            |bus| Some(yes(bus.trust["timing_valid"] == true)),
        )?;
        self.gauge("armed", "Whether drives may be enabled.", None, |bus| {
            Some(yes(bus.armed))
        })?;
        self.counter("cycles", "Cycles since the first one in OP.", |bus| {
            bus.cycle
        })?;
        self.counter("deviations", "Deviations raised in this run.", |bus| {
            bus.events
        })?;
        self.counter(
            "events_dropped",
            "Events of this run that found no room on their way to the store.",
            |bus| bus.dropped_events,
        )
    }

    fn durations(&mut self) -> fmt::Result {
        let rows = || {
            let buses = self.buses.iter();
            buses.flat_map(|bus| bus.rows().map(move |row| (bus, row)))
        };
        let phase = |row: &RowLine| label("phase", &row.name);
        let durations = rows().flat_map(|(bus, row)| {
            let run = row.run;
            [
                ("0.5", run.p50_ns),
                ("0.99", run.p99_ns),
                ("0.999", run.p999_ns),
                ("0.9999", run.p9999_ns),
                ("1", run.max_ns),
            ]
            .map(|(quantile, ns)| {
                let labels = [phase(row), label("quantile", quantile)];
                (on(bus, labels), seconds(ns))
            })
        });
        self.families.gauges(
            "phase_duration",
            "Durations of phases and groups of models since the warm-up or the last reset, by quantile; 1 is the maximum.",
            Some(Unit::Seconds),
            durations,
        )?;
        let budgets =
            rows().filter_map(|(bus, row)| Some((on(bus, [phase(row)]), seconds(row.budget_ns?))));
        self.families.gauges(
            "phase_budget",
            "Budget of a phase or group; of slack, what must be left.",
            Some(Unit::Seconds),
            budgets,
        )?;
        self.families.counters(
            "phase_over_budget",
            "Cycles in which a phase or group was over its budget, since the last reset.",
            rows().map(|(bus, row)| (on(bus, [phase(row)]), row.over_budget)),
        )?;
        self.counter(
            "overruns",
            "Cycles of this run that took longer than the period.",
            |bus| bus.overruns.count,
        )?;
        let explained = self.buses.iter().flat_map(|bus| {
            let causes = bus.overruns.by_cause.iter().take(MAX_VALUES);
            causes.map(move |(cause, n)| (on(bus, [label("cause", cause)]), *n))
        });
        self.families.counters(
            "overruns_explained",
            "Overruns whose cause was looked for, by cause.",
            explained,
        )
    }

    fn bus(&mut self) -> fmt::Result {
        let faults = self.buses.iter().flat_map(|bus| {
            let counters = bus.bus.counters;
            [
                ("lost", counters.lost),
                ("late", counters.late),
                ("duplicate", counters.duplicate),
                ("foreign", counters.foreign),
            ]
            .map(|(fault, n)| (on(bus, [label("fault", fault)]), n))
        });
        self.families.counters(
            "bus_frame_faults",
            "Frames that were lost, late, duplicate or foreign.",
            faults,
        )?;
        self.counter(
            "bus_working_counter_errors",
            "Datagrams with a wrong working counter.",
            |bus| bus.bus.counters.working_counter_errors,
        )?;
        let subdevices = self.buses.iter().flat_map(|bus| {
            let out = bus.bus.not_operational.len();
            let within = bus.bus.subdevices.saturating_sub(out);
            [("operational", within), ("not_operational", out)]
                .map(|(state, n)| (on(bus, [label("state", state)]), n as f64))
        });
        self.families.gauges(
            "bus_subdevices",
            "SubDevices of the bus, by whether they are in OP.",
            None,
            subdevices,
        )?;
        self.gauge(
            "bus_phase_error",
            "Where the last frame passed against SYNC0 plus the shift; positive is late.",
            Some(Unit::Seconds),
            |bus| bus.bus.phase_error_ns.map(|ns| ns as f64 * 1e-9),
        )?;
        let links = self.buses.iter().flat_map(|bus| {
            let links = bus.bus.links.iter().take(MAX_VALUES);
            links.map(move |link| {
                let up = matches!(link.state.as_str(), "up" | "unknown");
                (on(bus, [label("interface", &link.name)]), yes(up))
            })
        });
        self.families.gauges(
            "bus_link_up",
            "Whether a network interface of the bus has a link.",
            None,
            links,
        )
    }

    fn axis(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        of: impl Fn(&AxisLine) -> Option<f64>,
    ) -> fmt::Result {
        let rows = self.buses.iter().flat_map(|bus| {
            let axes = bus.axes.iter().take(MAX_AXES);
            axes.map(move |axis| (bus, axis))
        });
        let rows =
            rows.filter_map(|(bus, axis)| Some((on(bus, [label("axis", &axis.name)]), of(axis)?)));
        self.families.gauges(name, help, unit, rows)
    }

    fn axes(&mut self) -> fmt::Result {
        self.axis(
            "axis_residual_sigma",
            "Largest residual of an axis, in standard deviations.",
            None,
            |axis| axis.residual_sigma,
        )?;
        self.axis(
            "axis_confidence",
            "How sure the model of an axis is: 1 in steady state, less while it coasts or locks.",
            Some(Unit::Ratios),
            |axis| axis.confidence,
        )?;
        self.axis(
            "axis_valid",
            "Whether the axis was measured in the last cycle.",
            None,
            |axis| Some(yes(axis.valid)),
        )?;
        let of = |axis: &AxisLine, kind: AxisKind, value: Option<f64>| {
            value.filter(|_| axis.moves() == kind)
        };
        self.axis(
            "axis_position",
            "Measured position.",
            Some(Unit::Meters),
            |axis| of(axis, AxisKind::Linear, axis.position_m),
        )?;
        self.axis(
            "axis_predicted_position",
            "Predicted position.",
            Some(Unit::Meters),
            |axis| of(axis, AxisKind::Linear, axis.predicted_position_m),
        )?;
        let radians = || Some(Unit::Other("radians".to_owned()));
        self.axis(
            "axis_angle",
            "Measured position of a rotary axis.",
            radians(),
            |axis| of(axis, AxisKind::Rotary, axis.position_m),
        )?;
        self.axis(
            "axis_predicted_angle",
            "Predicted position of a rotary axis.",
            radians(),
            |axis| of(axis, AxisKind::Rotary, axis.predicted_position_m),
        )?;
        self.axis(
            "axis_current",
            "Measured current.",
            Some(Unit::Amperes),
            |axis| axis.current_a,
        )?;
        self.axis(
            "axis_predicted_current",
            "Predicted current.",
            Some(Unit::Amperes),
            |axis| axis.predicted_current_a,
        )?;
        let regimes = self.buses.iter().flat_map(|bus| {
            bus.axes.iter().take(MAX_AXES).filter_map(move |axis| {
                let labels = [
                    label("axis", &axis.name),
                    label("regime", axis.regime.as_deref()?),
                ];
                Some((on(bus, labels), 1.0))
            })
        });
        self.families.gauges(
            "axis_regime",
            "What an axis is doing; 1 for the regime that it is in.",
            None,
            regimes,
        )
    }

    fn station(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        of: impl Fn(&StationLine) -> Option<f64>,
    ) -> fmt::Result {
        let rows = self.buses.iter().flat_map(|bus| {
            let stations = bus.stations.iter().take(MAX_STATIONS);
            stations.map(move |station| (bus, station))
        });
        let rows = rows.filter_map(|(bus, station)| {
            Some((on(bus, [label("station", &station.name)]), of(station)?))
        });
        self.families.gauges(name, help, unit, rows)
    }

    fn stations(&mut self) -> fmt::Result {
        let pascals = || Some(Unit::Other("pascals".to_owned()));
        self.station(
            "station_residual_sigma",
            "Residual of a station, in standard deviations.",
            None,
            |station| station.residual_sigma,
        )?;
        self.station(
            "station_pressure",
            "Measured pressure.",
            pascals(),
            |station| station.pressure_pa,
        )?;
        self.station(
            "station_predicted_pressure",
            "Predicted pressure.",
            pascals(),
            |station| station.predicted_pressure_pa,
        )
    }
}
