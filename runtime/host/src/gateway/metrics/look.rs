//! One look at everything, and how it is encoded.

use super::tally::Tally;
use crate::control::status::{AxisLine, BusHealthLine, RowLine, StationLine, StatusLine};
use crate::gateway::context::Context;
use crate::gateway::desk::Alarm;
use crate::gateway::sinks::SinkLine;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;
use std::sync::Arc;
use twinstep_config::machine::MAX_AXES;

/// Longest value of a label (characters).
const MAX_LABEL: usize = 128;
/// Most values of a label that come from outside the program, beside axes.
const MAX_VALUES: usize = 64;

type Labels = Vec<(&'static str, String)>;

fn label(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.chars().take(MAX_LABEL).collect())
}

/// What a scrape tells.
#[derive(Debug)]
pub struct Look {
    status: Option<Arc<StatusLine>>,
    events: Vec<((String, &'static str), u64)>,
    last_seq: u64,
    alarms: Vec<Alarm>,
    sinks: Vec<SinkLine>,
}

impl Look {
    /// Looks.
    pub fn at(context: &Context, tally: &Tally) -> Self {
        let last_seq = *context.journal.last().borrow();
        Self {
            status: context.live.borrow().status.clone(),
            events: tally.counts(),
            last_seq,
            alarms: context.desk.alarms(),
            sinks: context.sinks.lines(last_seq),
        }
    }

    /// A look while no instance answers.
    #[cfg(test)]
    pub fn with_nobody(tally: &Tally) -> Self {
        Self {
            status: None,
            events: tally.counts(),
            last_seq: 1,
            alarms: Vec::new(),
            sinks: Vec::new(),
        }
    }

    fn alarms(&self) -> Vec<(Labels, f64)> {
        let count = |state: &str, test: &dyn Fn(&Alarm) -> bool| {
            let n = self.alarms.iter().filter(|alarm| test(alarm)).count();
            (vec![label("state", state)], n as f64)
        };
        vec![
            count("active", &|alarm| alarm.active),
            count("unacknowledged", &|alarm| alarm.acknowledged.is_none()),
            count("shelved", &|alarm| alarm.shelved_until_utc_ns.is_some()),
        ]
    }
}

/// Writes families: name, help, unit, and the rows.
struct Families<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Families<'_, '_> {
    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut family =
            (self.0).encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut family = (self.0).encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                family.encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
            } else {
                (family.encode_family(&labels)?)
                    .encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
            }
        }
        Ok(())
    }

    fn cycle(&mut self, status: Option<&StatusLine>) -> fmt::Result {
        let one = |value: f64| (Labels::new(), value);
        let flag = |value: bool| (Labels::new(), f64::from(u8::from(value)));
        self.gauges(
            "up",
            "Whether an instance answers.",
            None,
            [flag(status.is_some())],
        )?;
        self.gauges(
            "instance",
            "Which instance answers; always 1.",
            None,
            status.map(|status| {
                let identity = &status.identity;
                let labels = vec![
                    label("machine", &identity.machine),
                    label("version", &identity.version),
                    label("plan", &identity.plan),
                    label(
                        "simulated",
                        if identity.simulated { "true" } else { "false" },
                    ),
                ];
                (labels, 1.0)
            }),
        )?;
        self.gauges(
            "cycle_period",
            "Period of the cycle.",
            Some(Unit::Seconds),
            status.map(|status| one(seconds(status.identity.period_ns))),
        )?;
        self.gauges(
            "timing_valid",
            "Whether this computer's durations can be believed.",
            None,
            status.map(|status| flag(status.trust["timing_valid"] == true)),
        )?;
        self.gauges(
            "armed",
            "Whether drives may be enabled.",
            None,
            status.map(|status| flag(status.armed)),
        )?;
        self.counters(
            "cycles",
            "Cycles since the first one in OP.",
            status.map(|status| (Labels::new(), status.cycle)),
        )?;
        self.counters(
            "deviations",
            "Deviations raised in this run.",
            status.map(|status| (Labels::new(), status.events)),
        )?;
        self.counters(
            "events_dropped",
            "Events of this run that found no room on their way to the store.",
            status.map(|status| (Labels::new(), status.dropped_events)),
        )
    }

    fn durations(&mut self, status: Option<&StatusLine>) -> fmt::Result {
        let rows = || status.into_iter().flat_map(StatusLine::rows);
        let name = |row: &RowLine| label("phase", &row.name);
        self.gauges(
            "phase_duration",
            "Durations of phases and groups of models since the warm-up or the last reset, by quantile; 1 is the maximum.",
            Some(Unit::Seconds),
            rows().flat_map(|row| {
                let run = row.run;
                [
                    ("0.5", run.p50_ns),
                    ("0.99", run.p99_ns),
                    ("0.999", run.p999_ns),
                    ("0.9999", run.p9999_ns),
                    ("1", run.max_ns),
                ]
                .map(|(quantile, ns)| (vec![name(row), label("quantile", quantile)], seconds(ns)))
            }),
        )?;
        self.gauges(
            "phase_budget",
            "Budget of a phase or group; of slack, what must be left.",
            Some(Unit::Seconds),
            rows().filter_map(|row| Some((vec![name(row)], seconds(row.budget_ns?)))),
        )?;
        self.counters(
            "phase_over_budget",
            "Cycles in which a phase or group was over its budget, since the last reset.",
            rows().map(|row| (vec![name(row)], row.over_budget)),
        )?;
        self.counters(
            "overruns",
            "Cycles of this run that took longer than the period.",
            status.map(|status| (Labels::new(), status.overruns.count)),
        )?;
        self.counters(
            "overruns_explained",
            "Overruns whose cause was looked for, by cause.",
            status.into_iter().flat_map(|status| {
                let causes = status.overruns.by_cause.iter().take(MAX_VALUES);
                causes.map(|(cause, n)| (vec![label("cause", cause)], *n))
            }),
        )
    }

    fn bus(&mut self, bus: Option<&BusHealthLine>) -> fmt::Result {
        self.counters(
            "bus_frame_faults",
            "Frames that were lost, late, duplicate or foreign.",
            bus.into_iter().flat_map(|bus| {
                let counters = bus.counters;
                [
                    ("lost", counters.lost),
                    ("late", counters.late),
                    ("duplicate", counters.duplicate),
                    ("foreign", counters.foreign),
                ]
                .map(|(fault, n)| (vec![label("fault", fault)], n))
            }),
        )?;
        self.counters(
            "bus_working_counter_errors",
            "Datagrams with a wrong working counter.",
            bus.map(|bus| (Labels::new(), bus.counters.working_counter_errors)),
        )?;
        self.gauges(
            "bus_subdevices",
            "SubDevices of the bus, by whether they are in OP.",
            None,
            bus.into_iter().flat_map(|bus| {
                let out = bus.not_operational.len();
                let within = bus.subdevices.saturating_sub(out);
                [("operational", within), ("not_operational", out)]
                    .map(|(state, n)| (vec![label("state", state)], n as f64))
            }),
        )?;
        self.gauges(
            "bus_phase_error",
            "Where the last frame passed against SYNC0 plus the shift; positive is late.",
            Some(Unit::Seconds),
            (bus.and_then(|bus| bus.phase_error_ns)).map(|ns| (Labels::new(), ns as f64 * 1e-9)),
        )?;
        self.gauges(
            "bus_link_up",
            "Whether a network interface of the bus has a link.",
            None,
            bus.into_iter().flat_map(|bus| {
                let links = bus.links.iter().take(MAX_VALUES);
                links.map(|link| {
                    let up = matches!(link.state.as_str(), "up" | "unknown");
                    (
                        vec![label("interface", &link.name)],
                        f64::from(u8::from(up)),
                    )
                })
            }),
        )
    }

    fn axes(&mut self, axes: &[AxisLine]) -> fmt::Result {
        let axes = &axes[..axes.len().min(MAX_AXES)];
        let mut figures = |name: &str, help: &str, unit, of: &dyn Fn(&AxisLine) -> Option<f64>| {
            let rows = axes
                .iter()
                .filter_map(|axis| Some((vec![label("axis", &axis.name)], of(axis)?)));
            self.gauges(name, help, unit, rows)
        };
        figures(
            "axis_residual_sigma",
            "Largest residual of an axis, in standard deviations.",
            None,
            &|axis| axis.residual_sigma,
        )?;
        figures(
            "axis_confidence",
            "How sure the model of an axis is: 1 in steady state, less while it coasts or locks.",
            Some(Unit::Ratios),
            &|axis| axis.confidence,
        )?;
        figures(
            "axis_valid",
            "Whether the axis was measured in the last cycle.",
            None,
            &|axis| Some(f64::from(u8::from(axis.valid))),
        )?;
        figures(
            "axis_position",
            "Measured position.",
            Some(Unit::Meters),
            &|axis| axis.position_m,
        )?;
        figures(
            "axis_predicted_position",
            "Predicted position.",
            Some(Unit::Meters),
            &|axis| axis.predicted_position_m,
        )?;
        figures(
            "axis_current",
            "Measured current.",
            Some(Unit::Amperes),
            &|axis| axis.current_a,
        )?;
        figures(
            "axis_predicted_current",
            "Predicted current.",
            Some(Unit::Amperes),
            &|axis| axis.predicted_current_a,
        )?;
        self.gauges(
            "axis_regime",
            "What an axis is doing; 1 for the regime that it is in.",
            None,
            axes.iter().filter_map(|axis| {
                let regime = axis.regime.as_deref()?;
                Some((
                    vec![label("axis", &axis.name), label("regime", regime)],
                    1.0,
                ))
            }),
        )
    }

    fn stations(&mut self, stations: &[StationLine]) -> fmt::Result {
        let stations = &stations[..stations.len().min(MAX_VALUES)];
        let mut figures =
            |name: &str, help: &str, unit, of: &dyn Fn(&StationLine) -> Option<f64>| {
                let rows = stations.iter().filter_map(|station| {
                    Some((vec![label("station", &station.name)], of(station)?))
                });
                self.gauges(name, help, unit, rows)
            };
        let pascals = || Some(Unit::Other("pascals".to_owned()));
        figures(
            "station_residual_sigma",
            "Residual of a station, in standard deviations.",
            None,
            &|station| station.residual_sigma,
        )?;
        figures(
            "station_pressure",
            "Measured pressure.",
            pascals(),
            &|station| station.pressure_pa,
        )?;
        figures(
            "station_predicted_pressure",
            "Predicted pressure.",
            pascals(),
            &|station| station.predicted_pressure_pa,
        )
    }

    fn sinks(&mut self, sinks: &[SinkLine]) -> fmt::Result {
        let name = |sink: &SinkLine| vec![label("sink", sink.name)];
        self.counters(
            "sink_sent",
            "Messages that have arrived; acknowledged ones, where the protocol knows that.",
            sinks.iter().map(|sink| (name(sink), sink.sent)),
        )?;
        self.counters(
            "sink_failed",
            "Messages that did not arrive, and were tried again or given up.",
            sinks.iter().map(|sink| (name(sink), sink.failed)),
        )?;
        self.gauges(
            "sink_behind",
            "Stored events that have not arrived yet.",
            None,
            sinks.iter().map(|sink| (name(sink), sink.behind as f64)),
        )?;
        self.gauges(
            "sink_connected",
            "Whether a sink has somebody to speak to.",
            None,
            sinks
                .iter()
                .map(|sink| (name(sink), f64::from(u8::from(sink.connected)))),
        )
    }
}

impl Collector for Look {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut families = Families(&mut encoder);
        let status = self.status.as_deref();
        families.cycle(status)?;
        families.durations(status)?;
        families.bus(status.map(|status| &status.bus))?;
        families.axes(status.map_or(&[], |status| &status.axes))?;
        families.stations(status.map_or(&[], |status| &status.stations))?;
        families.counters(
            "events",
            "Events stored since the gateway started.",
            (self.events.iter()).map(|((channel, state), n)| {
                (vec![label("channel", channel), label("state", state)], *n)
            }),
        )?;
        families.gauges(
            "store_last_event",
            "Number of the last stored event.",
            None,
            [(Labels::new(), self.last_seq as f64)],
        )?;
        families.gauges("alarms", "Alarms on the list.", None, self.alarms())?;
        families.sinks(&self.sinks)
    }
}

/// Nanoseconds in the unit of Prometheus.
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}
