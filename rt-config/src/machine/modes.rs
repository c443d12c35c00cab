//! Modes of operation (0x6060) that set-points are streamed in.

/// One of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperationMode {
    /// Cyclic synchronous position (8).
    #[default]
    Position = 0,
    /// Cyclic synchronous velocity (9).
    Velocity = 1,
    /// Cyclic synchronous torque (10).
    Torque = 2,
}

impl OperationMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Position, Self::Velocity, Self::Torque];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Position => "csp",
            Self::Velocity => "csv",
            Self::Torque => "cst",
        }
    }
}

/// A set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationModes([bool; 3]);

impl OperationModes {
    /// All.
    pub const ALL: Self = Self([true; 3]);
    /// None.
    pub const NONE: Self = Self([false; 3]);

    /// With this one too.
    pub const fn with(mut self, mode: OperationMode) -> Self {
        self.0[mode as usize] = true;
        self
    }

    /// Whether this one is in it.
    pub const fn hold(self, mode: OperationMode) -> bool {
        self.0[mode as usize]
    }
}

impl Default for OperationModes {
    fn default() -> Self {
        Self::NONE.with(OperationMode::Position)
    }
}
