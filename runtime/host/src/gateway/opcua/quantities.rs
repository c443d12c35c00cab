//! The variables of each kind of component: name, type, unit, and where the value comes from.

use crate::control::status::{AxisLine, RowLine, StationLine, StatusLine};
use crate::gateway::sinks::SinkLine;
use crate::strokes::StrokeLine;
use opcua::types::{DataTypeId, EUInformation, LocalizedText, Variant};
use twinstep_config::machine::AxisKind;

/// A unit: its code in UNECE Recommendation 20, and how it is written.
#[derive(Clone, Copy)]
pub struct Unit(&'static str, &'static str);

const METRE: Unit = Unit("MTR", "m");
const METRE_PER_SECOND: Unit = Unit("MTS", "m/s");
const RADIAN: Unit = Unit("C81", "rad");
const RADIAN_PER_SECOND: Unit = Unit("2A", "rad/s");
const AMPERE: Unit = Unit("AMP", "A");
const NEWTON: Unit = Unit("NEW", "N");
const JOULE: Unit = Unit("JOU", "J");
const PASCAL: Unit = Unit("PAL", "Pa");
const NANOSECOND: Unit = Unit("C45", "ns");
const ONE: Unit = Unit("C62", "1");

impl Unit {
    /// What stands for it on an axis that moves so.
    pub fn on(self, kind: AxisKind) -> Self {
        match (kind, self.0) {
            (AxisKind::Rotary, "MTR") => RADIAN,
            (AxisKind::Rotary, "MTS") => RADIAN_PER_SECOND,
            _ => self,
        }
    }

    /// As a property has it.
    pub fn information(self) -> EUInformation {
        EUInformation {
            namespace_uri: "http://www.opcfoundation.org/UA/units/un/cefact".into(),
            // OPC 10000-8: the code's letters, the first one highest.
            unit_id: self.0.bytes().fold(0, |id, byte| id << 8 | i32::from(byte)),
            display_name: LocalizedText::new("en", self.1),
            description: LocalizedText::new("en", self.1),
        }
    }
}

/// What variables are read from.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The instance.
    pub status: &'a StatusLine,
    /// The gateway's sinks.
    pub sinks: &'a [SinkLine],
}

/// A variable: its name, type, unit, and where its value is found.
pub type Quantity<T> = (
    &'static str,
    DataTypeId,
    Option<Unit>,
    fn(&T) -> Option<Variant>,
);

fn double(value: Option<f64>) -> Option<Variant> {
    value.map(Variant::from)
}

/// Empty where there is none, as in a stroke that is OK.
fn text(value: Option<&String>) -> Variant {
    value.map_or("", String::as_str).into()
}

fn word(value: Option<&String>) -> Option<Variant> {
    value.map(|word| word.as_str().into())
}

/// Of an axis or press.
pub const AXIS: &[Quantity<AxisLine>] = &[
    ("ActualPosition", DataTypeId::Double, Some(METRE), |axis| {
        double(axis.position_m)
    }),
    (
        "PredictedPosition",
        DataTypeId::Double,
        Some(METRE),
        |axis| double(axis.predicted_position_m),
    ),
    (
        "ActualVelocity",
        DataTypeId::Double,
        Some(METRE_PER_SECOND),
        |axis| double(axis.velocity_m_per_s),
    ),
    (
        "PredictedVelocity",
        DataTypeId::Double,
        Some(METRE_PER_SECOND),
        |axis| double(axis.predicted_velocity_m_per_s),
    ),
    ("ActualCurrent", DataTypeId::Double, Some(AMPERE), |axis| {
        double(axis.current_a)
    }),
    (
        "PredictedCurrent",
        DataTypeId::Double,
        Some(AMPERE),
        |axis| double(axis.predicted_current_a),
    ),
    ("ResidualSigma", DataTypeId::Double, Some(ONE), |axis| {
        double(axis.residual_sigma)
    }),
    ("Confidence", DataTypeId::Double, Some(ONE), |axis| {
        double(axis.confidence)
    }),
    ("Regime", DataTypeId::String, None, |axis| {
        word(axis.regime.as_ref())
    }),
    ("Judged", DataTypeId::Boolean, None, |axis| {
        Some(axis.judged.into())
    }),
];

/// Of a station.
pub const STATION: &[Quantity<StationLine>] = &[
    (
        "ActualPressure",
        DataTypeId::Double,
        Some(PASCAL),
        |station| double(station.pressure_pa),
    ),
    (
        "PredictedPressure",
        DataTypeId::Double,
        Some(PASCAL),
        |station| double(station.predicted_pressure_pa),
    ),
    ("ResidualSigma", DataTypeId::Double, Some(ONE), |station| {
        double(station.residual_sigma)
    }),
];

/// Of the last stroke of a press.
pub const STROKE: &[Quantity<StrokeLine>] = &[
    ("Number", DataTypeId::UInt64, Some(ONE), |stroke| {
        Some(stroke.stroke.into())
    }),
    ("Verdict", DataTypeId::String, None, |stroke| {
        Some(stroke.verdict.as_ref().into())
    }),
    ("FailedObject", DataTypeId::String, None, |stroke| {
        Some(text(stroke.object.as_ref()))
    }),
    ("Cause", DataTypeId::String, None, |stroke| {
        Some(text(stroke.cause.as_ref()))
    }),
    ("Part", DataTypeId::String, None, |stroke| {
        Some(text(stroke.part.as_ref()))
    }),
    ("PeakForce", DataTypeId::Double, Some(NEWTON), |stroke| {
        Some(stroke.peak_n.into())
    }),
    ("PeakPosition", DataTypeId::Double, Some(METRE), |stroke| {
        Some(stroke.peak_position_m.into())
    }),
    ("Work", DataTypeId::Double, Some(JOULE), |stroke| {
        Some(stroke.work_j.into())
    }),
    ("BlockPosition", DataTypeId::Double, Some(METRE), |stroke| {
        Some(stroke.block_position_m.into())
    }),
    ("BlockForce", DataTypeId::Double, Some(NEWTON), |stroke| {
        Some(stroke.block_force_n.into())
    }),
    (
        "ResidualForce",
        DataTypeId::Double,
        Some(NEWTON),
        |stroke| double(stroke.residual_n),
    ),
    ("NotJudged", DataTypeId::String, None, |stroke| {
        let names = stroke.not_judged.iter().map(|one| one.name.as_str());
        Some(names.collect::<Vec<_>>().join(", ").into())
    }),
];

/// Of a phase or a group of models, since the warm-up or the last reset.
pub const ROW: &[Quantity<RowLine>] = &[
    ("P50", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p50_ns.into())
    }),
    ("P99", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p99_ns.into())
    }),
    ("P99_9", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p999_ns.into())
    }),
    ("P99_99", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p9999_ns.into())
    }),
    ("Max", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.max_ns.into())
    }),
    ("Budget", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        row.budget_ns.map(Variant::from)
    }),
    ("OverBudget", DataTypeId::UInt64, Some(ONE), |row| {
        Some(row.over_budget.into())
    }),
];

/// Of the run.
pub const CYCLE: &[Quantity<StatusLine>] = &[
    ("Cycle", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.cycle.into())
    }),
    ("Period", DataTypeId::UInt64, Some(NANOSECOND), |status| {
        Some(status.identity.period_ns.into())
    }),
    ("Overruns", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.overruns.count.into())
    }),
    ("Events", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.events.into())
    }),
    ("DroppedEvents", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.dropped_events.into())
    }),
    ("Armed", DataTypeId::Boolean, None, |status| {
        Some(status.armed.into())
    }),
    ("TimingValid", DataTypeId::Boolean, None, |status| {
        status
            .trust
            .get("timing_valid")?
            .as_bool()
            .map(Variant::from)
    }),
];

/// Of a sink of the gateway.
pub const SINK: &[Quantity<SinkLine>] = &[
    ("Sent", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.sent.into())
    }),
    ("Failed", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.failed.into())
    }),
    ("LeftOut", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.left_out.into())
    }),
    ("Cursor", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.cursor.into())
    }),
    ("Behind", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.behind.into())
    }),
    ("Connected", DataTypeId::Boolean, None, |sink| {
        Some(sink.connected.into())
    }),
    ("Trouble", DataTypeId::String, None, |sink| {
        Some(sink.trouble.as_deref().unwrap_or_default().into())
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_units_are_those_of_the_foundation() {
        // UNECE_to_OPCUA.csv of the OPC Foundation.
        for (unit, id) in [
            (METRE, 5_067_858),
            (METRE_PER_SECOND, 5_067_859),
            (RADIAN, 4_405_297),
            (RADIAN_PER_SECOND, 12_865),
            (AMPERE, 4_279_632),
            (ONE, 4_404_786),
        ] {
            assert_eq!(unit.information().unit_id, id, "{}", unit.0);
        }
    }

    #[test]
    fn units_of_a_rotary_axis_are_those_that_the_machine_prints() {
        for (_, _, unit, _) in AXIS {
            let Some(unit) = unit else { continue };
            assert_eq!(unit.on(AxisKind::Linear).1, unit.1);
            assert_eq!(unit.on(AxisKind::Rotary).1, AxisKind::Rotary.unit(unit.1));
        }
    }
}
