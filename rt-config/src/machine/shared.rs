//! Shared memory of other programs on the same computer.

/// What is shared, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Services are called `twinstep/<name>/...`.
    pub name: String,
    /// Cycles from one sample of all axes to the next, 1 to 100 000.
    pub axes_every: u32,
    /// A controller process sends the set-points.
    pub controller: Option<Controller>,
}

/// A controller process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Longest silence (cycles, at least 1).
    pub liveness_cycles: u32,
}
