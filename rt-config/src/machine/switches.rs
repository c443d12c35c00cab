//! Switches along an axis.

/// Switches that are wired to the digital inputs of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Switches {
    /// Limit switch at the end of smaller positions.
    pub negative_limit: Option<SwitchRange>,
    /// Limit switch at the end of larger positions.
    pub positive_limit: Option<SwitchRange>,
    /// Home switch.
    pub home: Option<SwitchRange>,
    /// Input of touch probe 1.
    pub probe_1: Option<SwitchRange>,
    /// Input of touch probe 2.
    pub probe_2: Option<SwitchRange>,
}

/// Where a switch is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwitchRange {
    /// Smallest position (m), or minus infinity.
    pub from_m: f64,
    /// Largest position (m), or infinity; above `from_m`.
    pub to_m: f64,
}

impl Switches {
    /// All of them: limits (negative, positive), home, touch probes (1, 2).
    pub const fn all(&self) -> [Option<SwitchRange>; 5] {
        [
            self.negative_limit,
            self.positive_limit,
            self.home,
            self.probe_1,
            self.probe_2,
        ]
    }
}

impl SwitchRange {
    /// It is on at a position (m).
    pub fn contains(&self, position_m: f64) -> bool {
        position_m >= self.from_m && position_m <= self.to_m
    }
}
