//! What is predicted, in which circumstances, and in which unit.

/// One predicted or supervised quantity of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Channel {
    /// Position, one cycle ahead through the drive cascade.
    PositionNext = 0,
    /// Velocity, one cycle ahead.
    VelocityNext = 1,
    /// Current, one cycle ahead.
    CurrentNext = 2,
    /// Current that the measured motion and the known load explain.
    CurrentLoad = 3,
    /// Pressure of a vacuum station, one cycle ahead.
    PressureNext = 4,
    /// Leak rate of a vacuum station while holding.
    LeakRate = 5,
    /// State of the drive (CiA 402) against the commanded one.
    DriveState = 6,
    /// Movement of an axis that is not enabled.
    Movement = 7,
    /// Frames and working counters of the bus.
    Frames = 8,
    /// AL state of a SubDevice.
    AlState = 9,
    /// Friction, following error and ripple of a whole movement, out and back.
    Signature = 10,
    /// Force over the travel of a press stroke against its evaluation objects.
    Stroke = 11,
    /// Position after a free run over a horizon, driven by the measured current.
    Drift = 12,
    /// Clocks of SubDevices, and the cycle against SYNC0.
    Phase = 13,
    /// The observer's disturbance: the current that nothing in the model explains, as the observer holds it.
    Disturbance = 14,
    /// Ripple of the residual of `current_load` at constant speed (root mean square).
    Ripple = 15,
    /// Set-points of a controller: whether they are followed.
    Setpoints = 16,
    /// Recipe, part, tool, load and temperature as they are told from outside.
    Context = 17,
}

impl Channel {
    /// All channels, in the order of their codes.
    pub const ALL: [Self; 18] = [
        Self::PositionNext,
        Self::VelocityNext,
        Self::CurrentNext,
        Self::CurrentLoad,
        Self::PressureNext,
        Self::LeakRate,
        Self::DriveState,
        Self::Movement,
        Self::Frames,
        Self::AlState,
        Self::Signature,
        Self::Stroke,
        Self::Drift,
        Self::Phase,
        Self::Disturbance,
        Self::Ripple,
        Self::Setpoints,
        Self::Context,
    ];

    /// The stable word used in events and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PositionNext => "position_next",
            Self::VelocityNext => "velocity_next",
            Self::CurrentNext => "current_next",
            Self::CurrentLoad => "current_load",
            Self::PressureNext => "pressure_next",
            Self::LeakRate => "leak_rate",
            Self::DriveState => "drive_state",
            Self::Movement => "movement",
            Self::Frames => "frames",
            Self::AlState => "al_state",
            Self::Signature => "signature",
            Self::Stroke => "stroke",
            Self::Drift => "drift",
            Self::Phase => "phase",
            Self::Disturbance => "disturbance",
            Self::Ripple => "ripple",
            Self::Setpoints => "setpoints",
            Self::Context => "context",
        }
    }

    /// Unit of the measured and predicted value of an axis whose drive effort is a current.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::PositionNext | Self::Movement | Self::Drift => "m",
            Self::VelocityNext => "m/s",
            Self::CurrentNext
            | Self::CurrentLoad
            | Self::Signature
            | Self::Disturbance
            | Self::Ripple => "A",
            Self::PressureNext => "Pa",
            Self::LeakRate => "Pa/s",
            Self::DriveState | Self::Frames | Self::AlState | Self::Setpoints | Self::Context => {
                "1"
            }
            Self::Stroke => "N",
            Self::Phase => "s",
        }
    }
}

/// What an axis is doing: residuals are judged within one regime only.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum Regime {
    /// At rest: static friction hides the load up to its own size.
    #[default]
    Standstill = 0,
    /// Moving at constant speed.
    ConstantSpeed = 1,
    /// Speeding up or slowing down.
    Acceleration = 2,
    /// The first way after a change of direction: where backlash shows.
    Reversal = 3,
    /// The ram is in the part.
    Pressing = 4,
    /// Enabled for less than the warm-up time, or the observer has not locked: nothing is judged.
    Settling = 5,
}

impl Regime {
    /// Number of regimes.
    pub const COUNT: usize = 6;
    /// All regimes, in the order of their codes.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Standstill,
        Self::ConstantSpeed,
        Self::Acceleration,
        Self::Reversal,
        Self::Pressing,
        Self::Settling,
    ];

    /// The stable word used in events and configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standstill => "standstill",
            Self::ConstantSpeed => "constant_speed",
            Self::Acceleration => "acceleration",
            Self::Reversal => "reversal",
            Self::Pressing => "pressing",
            Self::Settling => "settling",
        }
    }
}
