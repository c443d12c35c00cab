//! What lies in the shared memory. Numbers only, since the other side may be written in any language and may be wrong.

use crate::lines::EventRecord;
use iceoryx2_bb_derive_macros::ZeroCopySend;
use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;
use twinstep_cycle::controller::{Halt, Phase};
use twinstep_cycle::event::{Event, Source};
use twinstep_models::sample::{Context, CycleStamp};

/// What [`Flag::source_kind`] may be.
pub mod source_kind {
    /// A servo axis or press, by its index: servo axes first.
    pub const AXIS: u8 = 0;
    /// A station, by its index.
    pub const STATION: u8 = 1;
    /// The bus; the index is 0.
    pub const BUS: u8 = 2;
    /// A SubDevice, by its place on the wire.
    pub const SUBDEVICE: u8 = 3;
    /// The controller; the index is 0.
    pub const CONTROLLER: u8 = 4;
}

/// One deviation, in the cycle that found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_Flag_1")]
pub struct Flag {
    /// Cycles since the first one in OP.
    pub cycle: u64,
    /// Nominal time since then (ns).
    pub time_ns: u64,
    /// Measured value, in the unit of the channel.
    pub measured: f64,
    /// Predicted value, in the unit of the channel; not a number where nothing was predicted.
    pub predicted: f64,
    /// Index of the source among those of its kind.
    pub source: u16,
    /// See [`source_kind`].
    pub source_kind: u8,
    /// Code of the channel, in the order of `Channel`.
    pub channel: u8,
    /// 0 raised, 1 updated, 2 cleared.
    pub state: u8,
    /// 0 fast limit, 1 CUSUM, 2 state, 3 window, 4 evaluation.
    pub detector: u8,
    /// 0 info, 1 warning, 2 fault.
    pub severity: u8,
    /// Always 0.
    pub reserved: u8,
}

impl From<&Event> for Flag {
    fn from(event: &Event) -> Self {
        let (source_kind, source) = match event.source {
            Source::Axis(n) => (source_kind::AXIS, n),
            Source::Station(n) => (source_kind::STATION, n),
            Source::Bus => (source_kind::BUS, 0),
            Source::SubDevice(n) => (source_kind::SUBDEVICE, n),
            Source::Controller => (source_kind::CONTROLLER, 0),
        };
        Self {
            cycle: event.cycle,
            time_ns: event.time_ns,
            measured: event.measured,
            predicted: event.predicted,
            source,
            source_kind,
            channel: event.channel as u8,
            state: event.state as u8,
            detector: event.detector as u8,
            severity: event.severity as u8,
            reserved: 0,
        }
    }
}

/// Longest name of a source in [`StoredEvent`] (bytes).
const SOURCE: usize = 64;
/// Longest name of a bus and of a channel (bytes).
const NAME: usize = 32;
/// Longest cause (bytes).
const CAUSE: usize = 128;

/// One event as it is in the store. Texts are UTF-8, cut at their length, and 0 behind their end.
#[derive(Clone, Copy, Debug, PartialEq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_StoredEvent_1")]
pub struct StoredEvent {
    /// Its number: from 1, without gaps. One that is missing here was lost on this way, and is in the store.
    pub seq: u64,
    /// Cycles since the first one in OP.
    pub cycle: u64,
    /// Nominal time since then (ns).
    pub time_ns: u64,
    /// The same as time of day (ns since 1970, UTC).
    pub time_utc_ns: u64,
    /// Measured value, in the unit of the channel.
    pub measured: f64,
    /// Predicted value, in the unit of the channel; not a number where nothing was predicted.
    pub predicted: f64,
    /// Name of the axis, press or station; `bus`, `scribe`, `controller`.
    pub source: [u8; SOURCE],
    /// Name of the bus, where the machine has several.
    pub bus: [u8; NAME],
    /// Channel.
    pub channel: [u8; NAME],
    /// The likeliest cause, in words.
    pub cause: [u8; CAUSE],
    /// 0 raised, 1 updated, 2 cleared.
    pub state: u8,
    /// 0 info, 1 warning, 2 fault.
    pub severity: u8,
    /// Always 0.
    pub reserved: [u8; 6],
}

impl StoredEvent {
    /// Of a record that has its number.
    pub fn of(record: &EventRecord) -> Self {
        let place = |word: &str, words: [&str; 3]| {
            let found = words.iter().position(|known| *known == word);
            found.map_or(u8::MAX, |place| place as u8)
        };
        Self {
            seq: record.seq,
            cycle: record.cycle,
            time_ns: record.time_ns,
            time_utc_ns: record.time_utc_ns,
            measured: record.measured,
            predicted: record.predicted,
            source: text(&record.source),
            bus: text(record.bus.as_deref().unwrap_or_default()),
            channel: text(&record.channel),
            cause: text(&record.cause),
            state: place(&record.state, ["raised", "updated", "cleared"]),
            severity: place(&record.severity, ["info", "warning", "fault"]),
            reserved: [0; 6],
        }
    }
}

/// A text in so many bytes, the last one 0: cut between two characters where it is longer.
fn text<const N: usize>(text: &str) -> [u8; N] {
    let ends = text.char_indices().map(|(at, one)| at + one.len_utf8());
    let end = ends.take_while(|end| *end < N).last().unwrap_or(0);
    let mut bytes = [0; N];
    for (byte, of) in bytes.iter_mut().zip(text.bytes().take(end)) {
        *byte = of;
    }
    bytes
}

/// The cycle that a sample of all axes is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_CycleHeader_1")]
pub struct CycleHeader {
    /// Cycles since the first one in OP.
    pub cycle: u64,
    /// Nominal time since then (ns).
    pub time_ns: u64,
    /// Recipe in force, by its place in the configuration; 255: unknown.
    pub recipe: u8,
    /// Part in the press, by its place in the configuration; 255: unknown.
    pub part: u8,
    /// How requests are followed: 0 no controller, 1 waiting, 2 following, 3 halted.
    pub controller: u8,
    /// Why they are halted: 0 they are not, 1 silence, 2 a target that stepped beyond the velocity limit or was no number,
    /// 3 a drive that dropped out, 4 the end of the run.
    pub halt: u8,
    /// Index of the axis that halted the others, for 2 and 3.
    pub halt_axis: u16,
    /// Always 0.
    pub reserved: [u8; 2],
}

impl CycleHeader {
    /// The header of a cycle without a controller, or with one that is followed like this.
    pub fn new(stamp: CycleStamp, context: Context, controller: Option<Phase>) -> Self {
        let (halt, halt_axis) = match controller {
            Some(Phase::Halted(Halt::Silent)) => (1, 0),
            Some(Phase::Halted(Halt::Step(axis))) => (2, axis),
            Some(Phase::Halted(Halt::Drive(axis))) => (3, axis),
            Some(Phase::Halted(Halt::Asked)) => (4, 0),
            None | Some(Phase::Waiting | Phase::Following) => (0, 0),
        };
        Self {
            cycle: stamp.cycle,
            time_ns: stamp.time_ns,
            recipe: context.recipe,
            part: context.part,
            controller: match controller {
                None => 0,
                Some(Phase::Waiting) => 1,
                Some(Phase::Following) => 2,
                Some(Phase::Halted(_)) => 3,
            },
            halt,
            halt_axis,
            reserved: [0; 2],
        }
    }
}

/// One axis in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_AxisState_1")]
pub struct AxisState {
    /// Measured position (m).
    pub position_m: f64,
    /// Measured velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Measured current (A).
    pub current_a: f64,
    /// Target position that was sent (m).
    pub target_m: f64,
    /// Position predicted for this cycle (m); this and the next three are 0 where `predicted` is 0.
    pub predicted_position_m: f64,
    /// Velocity predicted for this cycle (m/s).
    pub predicted_velocity_m_per_s: f64,
    /// Current predicted for this cycle (A).
    pub predicted_current_a: f64,
    /// The largest residual of its channels, over its standard deviation (1).
    pub residual_sigma: f64,
    /// 0: all of this holds. Otherwise the code of `Missing`, and the measured values are 0.
    pub missing: u8,
    /// State of the drive in the order of `DriveState`; 4 is operation enabled.
    pub drive_state: u8,
    /// Regime, in the order of `Regime`.
    pub regime: u8,
    /// 1: the predictions and the residual are those of this cycle, and the machine is compared with them; 0: there are none, since
    /// the axis is not enabled, its observer has not locked, or the run stops.
    pub predicted: u8,
    /// Always 0.
    pub reserved: [u8; 4],
}

/// One vacuum station in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_StationState_1")]
pub struct StationState {
    /// Measured absolute pressure (Pa).
    pub pressure_pa: f64,
    /// Pressure predicted for this cycle (Pa); 0 where `predicted` is 0.
    pub predicted_pressure_pa: f64,
    /// How far the leak rate of the last whole hold was from the healthy one, over its standard deviation (1).
    pub residual_sigma: f64,
    /// 1: the ejector was told to be on in this cycle.
    pub ejector_on: u8,
    /// 1: the blow-off valve was told to be open in this cycle.
    pub blow_off: u8,
    /// 0: all of this holds. Otherwise the code of `Missing`, and everything else is 0.
    pub missing: u8,
    /// 1: the prediction is that of this cycle, and the pressure is compared with it; 0: there is none, since the station blows off, the
    /// valves have just been switched, it has not settled behind a gap, or the run stops.
    pub predicted: u8,
    /// Always 0.
    pub reserved: [u8; 4],
}

/// What a controller says once for all axes, in the first layout: nothing of tool, load and temperature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_RequestHeader_1")]
pub struct RequestHeader {
    /// Cycle of the sample that the request answers.
    pub cycle: u64,
    /// Ejectors that are to be on: bit n is station n.
    pub ejectors: u64,
    /// Blow-off valves that are to be open: bit n is station n.
    pub blow_offs: u64,
    /// Recipe in force, by its place in the configuration.
    pub recipe: u8,
    /// Part in the press, by its place in the configuration.
    pub part: u8,
    /// Not read.
    pub reserved: [u8; 6],
}

/// What a controller says once for all axes, in the second layout. Of tool, load and temperature those are read that the configuration has
/// with `controller = true`.
#[derive(Clone, Copy, Debug, Default, PartialEq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_RequestHeader_2")]
pub struct RequestHeader2 {
    /// Cycle of the sample that the request answers.
    pub cycle: u64,
    /// Ejectors that are to be on: bit n is station n.
    pub ejectors: u64,
    /// Blow-off valves that are to be open: bit n is station n.
    pub blow_offs: u64,
    /// Temperature, a number that `scale` and `zero` of `[context.temperature]` hold for: degC where they are not given.
    pub temperature: f64,
    /// Tool in use, by the number that stands for it: its place in `names` of `[context.tool]`, or that of `values`.
    pub tool: u32,
    /// Load that is carried, by the number that stands for it, likewise; with the right `values` its kg.
    pub load: u32,
    /// Recipe in force, by its place in the configuration.
    pub recipe: u8,
    /// Part in the press, by its place in the configuration.
    pub part: u8,
    /// Not read.
    pub reserved: [u8; 6],
}

/// What a controller asks of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, ZeroCopySend)]
#[repr(C)]
#[type_name("twinstep_AxisTarget_1")]
pub struct AxisTarget {
    /// Target position, due one cycle after the sample that is answered (m).
    pub target_m: f64,
    /// Not 0: the drive is to be enabled.
    pub enable: u8,
    /// Not read.
    pub reserved: [u8; 7],
}

// What other languages rely on.
const _: () = assert!(size_of::<Flag>() == 40 && size_of::<CycleHeader>() == 24);
const _: () = assert!(size_of::<AxisState>() == 72 && size_of::<StationState>() == 32);
const _: () = assert!(size_of::<AxisTarget>() == 16 && size_of::<RequestHeader>() == 32);
const _: () = assert!(size_of::<RequestHeader2>() == 48);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(text::<8>("lift"), *b"lift\0\0\0\0");
        assert_eq!(text::<4>("lift"), *b"lif\0");
        // The second character has two bytes.
        assert_eq!(text::<3>("l\u{fc}ft"), *b"l\0\0");
        assert_eq!(text::<4>("l\u{fc}ft"), *b"l\xc3\xbc\0");
    }
}
