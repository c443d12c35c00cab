//! What goes into a drive and comes out of it, in the units of the bus, and how faults change it.

use super::loops::Mode;

/// What the firmware asks of the power stage, as of the last SYNC0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriveCommand {
    /// Output stage on.
    pub powered: bool,
    /// Mode of operation.
    pub mode: Mode,
    /// 0x607A (counts).
    pub target_position_counts: i32,
    /// 0x60FF, mode velocity (counts/s).
    pub target_velocity_counts_per_s: i32,
    /// 0x6071, mode torque (per mille of rated torque).
    pub target_torque_permille: i16,
    /// 0x60B1, added to the velocity set-point (counts/s).
    pub velocity_offset_counts_per_s: i32,
    /// 0x60B2, added to the torque set-point (per mille of rated torque).
    pub torque_offset_permille: i16,
    /// 0x6072 (per mille of rated torque); 0 stands for the drive's own limit.
    pub max_torque_permille: u16,
    /// 0x60E0 and 0x60E1, limits of positive and negative torque beside `max_torque_permille` (per mille); none: no others.
    pub torque_limits_permille: Option<[u16; 2]>,
    /// Ramp to standstill whatever the targets say.
    pub quick_stop: bool,
    /// How.
    pub stop: Stop,
    /// Where mode profile goes; none: it ramps down and stands.
    pub goal: Option<ProfileGoal>,
    /// How fast mode profile may go (counts/s).
    pub profile_velocity_counts_per_s: u32,
    /// Its acceleration (counts/s2).
    pub acceleration_counts_per_s2: u32,
    /// Its deceleration (counts/s2).
    pub deceleration_counts_per_s2: u32,
}

/// How a drive comes to a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// With the deceleration that it was commissioned with.
    #[default]
    Own,
    /// With this deceleration (counts/s2).
    Ramp(u32),
    /// With all the current that it may have.
    CurrentLimit,
}

/// Where a drive goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileGoal {
    /// To a position (counts).
    Position(i32),
    /// On with a velocity (counts/s).
    Velocity(i32),
}

/// What a drive does when it faults while it could still brake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultReaction {
    /// Output stage off: the axis coasts.
    Coast,
    /// It stops first.
    Stop(Stop),
}

/// What the drive latches at SYNC0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriveFeedback {
    /// 0x6064 (counts).
    pub position_counts: i32,
    /// 0x606C (counts/s).
    pub velocity_counts_per_s: i32,
    /// 0x6077 (per mille of rated torque), filtered.
    pub torque_permille: i16,
    /// 0x6074 (per mille of rated torque).
    pub demand_permille: i16,
    /// 0x60F4: position asked for at this moment minus position (counts).
    pub following_error_counts: i32,
    /// 0x603F, 0 for none; the output stage is off while it stands.
    pub error_code: u16,
    /// Nothing moves and nothing is asked to.
    pub standstill: bool,
    /// The current limit holds.
    pub limited: bool,
    /// Mode profile: the set-point has reached its goal.
    pub goal_reached: bool,
    /// Mode profile: velocity asked for (counts/s).
    pub demand_counts_per_s: i32,
}

/// How faults change this axis at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Modifiers {
    /// Factor on friction (1).
    pub friction: f64,
    /// Factor on viscous friction, and on what static friction has beyond that in motion (1).
    pub dry: f64,
    /// Amplitude of friction over a revolution of the screw, relative to friction (1).
    pub spalling: f64,
    /// By how much the encoder's position is ahead of the motor's (m).
    pub slip_m: f64,
    /// Added mass (kg).
    pub mass_kg: f64,
    /// Added gap (m).
    pub gap_m: f64,
    /// Gain of the current sensor (1).
    pub current_gain: f64,
    /// Factor on the stiffness of a press and its stiffest part in series (1, above 0).
    pub stiffness: f64,
    /// How far its brake stays closed, whatever the drive asks of it (0 to 1).
    pub brake: f64,
    /// It is jammed where it stands, and pushed on by this way (m); none: it is free.
    pub jam_m: Option<f64>,
}

impl Default for Modifiers {
    fn default() -> Self {
        Self {
            friction: 1.0,
            dry: 1.0,
            spalling: 0.0,
            slip_m: 0.0,
            mass_kg: 0.0,
            gap_m: 0.0,
            current_gain: 1.0,
            stiffness: 1.0,
            brake: 0.0,
            jam_m: None,
        }
    }
}

/// A position counter of 32 bits runs over.
pub(super) fn wrap(counts: f64) -> i32 {
    counts as i64 as i32
}
