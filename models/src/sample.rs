//! The vocabulary that every floor above shares: what one cycle brings, in SI units.
//!
//! A value that could not be measured is a [`Missing`] reason, never NaN and never 0.

mod context;

pub use context::{Conditions, Context, FACTOR_NAMES, FACTORS, Factors, Only};

/// When a sample was taken: a count and two clocks, all given from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CycleStamp {
    /// Cycles since the first one in OP (0 is the first).
    pub cycle: u64,
    /// Nominal time since the first cycle in OP (ns): `cycle` times the period.
    pub time_ns: u64,
    /// DC system time that the frame brought along (ns), 0 where the source has none.
    pub dc_time_ns: u64,
}

/// Why a cycle has no usable measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Missing {
    /// No frame came back before the deadline.
    NoFrame = 1,
    /// The working counter of the datagram that carries the value was wrong.
    WorkingCounter = 2,
    /// The SubDevice is not in OP.
    NotOperational = 3,
    /// The recording has no row for this cycle.
    Gap = 4,
    /// The value is not a finite number, or beyond all that a machine can measure ([`MEASURED`](crate::axis::range::MEASURED)).
    NotANumber = 5,
    /// The process data does not carry the object.
    NotMapped = 6,
    /// A new segment of a recording begins with the next cycle; nothing known before holds from there on.
    NewSegment = 7,
}

impl Missing {
    /// All reasons, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::NoFrame,
        Self::WorkingCounter,
        Self::NotOperational,
        Self::Gap,
        Self::NotANumber,
        Self::NotMapped,
        Self::NewSegment,
    ];

    /// The stable word used in recordings and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFrame => "no_frame",
            Self::WorkingCounter => "working_counter",
            Self::NotOperational => "not_operational",
            Self::Gap => "gap",
            Self::NotANumber => "not_a_number",
            Self::NotMapped => "not_mapped",
            Self::NewSegment => "new_segment",
        }
    }
}

/// State of a drive, decoded from the statusword 0x6041 (CiA 402, table "state coding").
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum DriveState {
    /// Not ready to switch on.
    #[default]
    NotReadyToSwitchOn = 0,
    /// Switch on disabled.
    SwitchOnDisabled = 1,
    /// Ready to switch on.
    ReadyToSwitchOn = 2,
    /// Switched on.
    SwitchedOn = 3,
    /// Operation enabled: the only state in which set-points move the axis.
    OperationEnabled = 4,
    /// Quick stop active.
    QuickStopActive = 5,
    /// Fault reaction active.
    FaultReactionActive = 6,
    /// Fault.
    Fault = 7,
}

impl DriveState {
    /// Decodes a statusword (0x6041).
    pub const fn from_statusword(word: u16) -> Self {
        match word & 0x006f {
            0x0021 => Self::ReadyToSwitchOn,
            0x0023 => Self::SwitchedOn,
            0x0027 => Self::OperationEnabled,
            0x0007 => Self::QuickStopActive,
            _ => match word & 0x004f {
                0x0040 => Self::SwitchOnDisabled,
                0x000f => Self::FaultReactionActive,
                0x0008 => Self::Fault,
                _ => Self::NotReadyToSwitchOn,
            },
        }
    }
}

/// How a drive is told what to do: its mode of operation 0x6061, and which of its references count.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum Told {
    /// Cyclic synchronous position (8): the target position alone, offsets are 0.
    #[default]
    Position = 0,
    /// The same with a velocity offset 0x60B1 or a torque offset 0x60B2.
    PositionAndOffsets = 1,
    /// Cyclic synchronous velocity (9).
    Velocity = 2,
    /// Cyclic synchronous torque (10).
    Torque = 3,
    /// Any other mode, homing and profiles among them: the drive makes its own set-points, and nothing on the bus says them.
    Own = 4,
}

impl Told {
    /// From the mode of operation and the offsets: velocity (m/s) and current (A).
    pub fn of(mode: i64, offset_m_per_s: f64, offset_a: f64) -> Self {
        match mode {
            8 if offset_m_per_s == 0.0 && offset_a == 0.0 => Self::Position,
            8 => Self::PositionAndOffsets,
            9 => Self::Velocity,
            10 => Self::Torque,
            _ => Self::Own,
        }
    }

    /// The word for its mode of operation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Position | Self::PositionAndOffsets => "csp",
            Self::Velocity => "csv",
            Self::Torque => "cst",
            Self::Own => "own",
        }
    }

    /// Whether it is the same mode, whatever the offsets.
    pub const fn same_mode(self, other: Self) -> bool {
        matches!(
            (self, other),
            (
                Self::Position | Self::PositionAndOffsets,
                Self::Position | Self::PositionAndOffsets
            ) | (Self::Velocity, Self::Velocity)
                | (Self::Torque, Self::Torque)
                | (Self::Own, Self::Own)
        )
    }
}

/// One cycle of one axis (a press is an axis with a contact force).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AxisReading {
    /// Position actual value 0x6064 (m).
    pub position_m: f64,
    /// Velocity actual value 0x606C (m/s).
    pub velocity_m_per_s: f64,
    /// Torque-forming current (A), from the torque actual value 0x6077; positive moves towards larger positions.
    pub current_a: f64,
    /// The target position 0x607A sent in this very cycle (m); where none is, the position.
    pub target_m: f64,
    /// The velocity sent in it: target 0x60FF in CSV, and the offset 0x60B1 (m/s).
    pub told_m_per_s: f64,
    /// The current sent in it, as a torque: target 0x6071 in CST, and the offset 0x60B2 (A).
    pub told_a: f64,
    /// What of these the drive follows.
    pub told: Told,
    /// State from the statusword 0x6041.
    pub state: DriveState,
    /// Error code 0x603F, 0 for none.
    pub error_code: u16,
}

/// One cycle of one vacuum station.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StationReading {
    /// Absolute pressure in the gripper (Pa).
    pub pressure_pa: f64,
    /// The ejector was commanded on in this cycle.
    pub ejector_on: bool,
    /// The blow-off valve was commanded open in this cycle.
    pub blow_off: bool,
}

/// Everything that one cycle brought, in SI units. Borrowed: the image is converted in place.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Servo axes first, then presses, in the order of the configuration.
    pub axes: &'a [Result<AxisReading, Missing>],
    /// Vacuum stations in the order of the configuration.
    pub stations: &'a [Result<StationReading, Missing>],
    /// Circumstances.
    pub context: Context,
    /// What the bus itself had to report in this cycle.
    pub bus: Result<(), Missing>,
}
