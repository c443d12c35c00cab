//! What each mode of operation asks of the drive, and what it says in the statusword.
//!
//! Bits 10, 12 and 13 of the statusword mean something else in every mode:
//!
//! | mode | bit 10 | bit 12 | bit 13 |
//! |---|---|---|---|
//! | profile position | target reached; with halt: at rest | set-point taken | following error |
//! | profile velocity | velocity reached; with halt: at rest | at rest | - |
//! | homing | at rest | home attained | homing failed |
//! | cyclic synchronous | - | follows its target | following error |

use super::super::plant::{DriveFeedback, ProfileGoal, Signal, Signals};
use super::axis::Axis;
use super::homing::{Demand, Phase};
use super::objects::*;
use super::set_points::{Base, Handshake, SetPoint};
use super::state::State;

/// Controlword: new set-point, start of homing.
pub(super) const NEW_SET_POINT: i64 = 1 << 4;
/// Controlword: change the set at once.
const IMMEDIATELY: i64 = 1 << 5;
/// Controlword: the target is relative.
const RELATIVE: i64 = 1 << 6;
/// Statusword: voltage enabled.
const VOLTAGE_ENABLED: i64 = 1 << 4;
/// Statusword: the controlword is obeyed.
const REMOTE: i64 = 1 << 9;
/// Statusword: target reached; in a quick stop: stopped.
pub(super) const TARGET_REACHED: i64 = 1 << 10;
/// Statusword: a limit of torque, position or velocity holds.
pub(super) const INTERNAL_LIMIT: i64 = 1 << 11;
/// Statusword: the drive follows the target; set-point taken; at rest; home attained.
pub(super) const FOLLOWS_TARGET: i64 = 1 << 12;
/// Statusword: following error, homing error.
pub(super) const FOLLOWING_ERROR_FAULT: i64 = 1 << 13;

impl Axis {
    /// Mode in force.
    fn mode(&self) -> i64 {
        self.values[MODE_DISPLAY]
    }

    /// Where the drive goes by itself in the modes in which it does; none: it stands.
    pub(super) fn goal(
        &mut self,
        feedback: &DriveFeedback,
        signals: &Signals,
    ) -> Option<ProfileGoal> {
        self.limited = false;
        if self.machine.state != State::OperationEnabled {
            return None;
        }
        let goal = match self.mode() {
            1 => self.profile_position(feedback),
            3 => self.profile_velocity(),
            6 => return self.home(feedback, signals),
            8 => {
                self.limited = self.limited_target() != self.values[TARGET_POSITION] as i32;
                return None;
            }
            _ => return None,
        };
        // A limit switch lets the axis come back only.
        let position = feedback.position_counts;
        let way = match goal? {
            ProfileGoal::Position(target) => i64::from(target) - i64::from(position),
            ProfileGoal::Velocity(velocity) => i64::from(velocity),
        };
        let shut = |signal: Signal, outwards: bool| outwards && signals.levels[signal as usize];
        if shut(Signal::PositiveLimit, way > 0) || shut(Signal::NegativeLimit, way < 0) {
            self.limited = true;
            return Some(ProfileGoal::Velocity(0));
        }
        goal
    }

    fn profile_position(&mut self, feedback: &DriveFeedback) -> Option<ProfileGoal> {
        let word = self.values[CONTROLWORD];
        let base = match self.values[POSITIONING_OPTION] & 3 {
            1 => Base::Position(self.values[POSITION_DEMAND] as i32),
            2 => Base::Position(self.values[POSITION_ACTUAL] as i32),
            _ => Base::Target,
        };
        let handshake = Handshake {
            new: word & NEW_SET_POINT != 0,
            immediately: word & IMMEDIATELY != 0,
            relative_to: (word & RELATIVE != 0).then_some(base),
        };
        let offered = SetPoint {
            target: self.values[TARGET_POSITION] as i32,
            velocity: self.values[PROFILE_VELOCITY].min(self.values[MAX_PROFILE_VELOCITY]) as u32,
            acceleration: self.values[ACCELERATION] as u32,
            deceleration: self.values[DECELERATION] as u32,
        };
        // What was reached is the goal of the command before; a set-point that is new now is not.
        let reached = feedback.goal_reached && !self.halts();
        self.set_points.step(handshake, offered, reached);
        let target = self.set_points.current()?.target;
        let inside = self.inside(target);
        self.limited = inside != target;
        Some(ProfileGoal::Position(self.encoder(inside)))
    }

    fn profile_velocity(&mut self) -> Option<ProfileGoal> {
        let most = self.values[MAX_PROFILE_VELOCITY].min(i64::from(i32::MAX));
        let wanted = self.values[TARGET_VELOCITY];
        let velocity = wanted.clamp(-most, most);
        self.limited = velocity != wanted;
        // A software limit is the place where the ramp has to have ended.
        let end = match (velocity > 0, self.software_limits()) {
            (true, Some((_, high))) => Some(high),
            (false, Some((low, _))) if velocity < 0 => Some(low),
            _ => None,
        };
        Some(match end {
            Some(end) => ProfileGoal::Position(self.encoder(end)),
            None => ProfileGoal::Velocity(velocity as i32),
        })
    }

    fn home(&mut self, feedback: &DriveFeedback, signals: &Signals) -> Option<ProfileGoal> {
        let start = self.values[CONTROLWORD] & NEW_SET_POINT != 0;
        let (demand, home) = self.homing.step(
            start,
            self.values[HOMING_METHOD],
            signals,
            feedback.position_counts,
            feedback.standstill,
        );
        if let Some(home) = home {
            self.set_home(home);
        }
        let Demand::Go { positive, fast } = demand else {
            return None;
        };
        let speed = self.values[if fast { FAST_HOMING } else { SLOW_HOMING }];
        let speed = i32::try_from(speed).unwrap_or(i32::MAX);
        Some(ProfileGoal::Velocity(if positive { speed } else { -speed }))
    }

    /// Velocity, acceleration and deceleration of the goal.
    pub(super) fn profile(&self) -> SetPoint {
        let of = |slot: usize| self.values[slot] as u32;
        match self.mode() {
            1 => self.set_points.current(),
            6 => Some(SetPoint {
                acceleration: of(HOMING_ACCELERATION),
                deceleration: of(HOMING_ACCELERATION),
                ..SetPoint::default()
            }),
            _ => None,
        }
        .unwrap_or_else(|| SetPoint {
            target: 0,
            velocity: u32::try_from(self.values[TARGET_VELOCITY].unsigned_abs())
                .unwrap_or(u32::MAX)
                .min(of(MAX_PROFILE_VELOCITY)),
            acceleration: of(ACCELERATION),
            deceleration: of(DECELERATION),
        })
    }

    /// 0x607D, where it leaves any room.
    fn software_limits(&self) -> Option<(i32, i32)> {
        let (low, high) = (
            self.values[MIN_POSITION] as i32,
            self.values[MAX_POSITION] as i32,
        );
        (low < high && (low, high) != (i32::MIN, i32::MAX)).then_some((low, high))
    }

    /// A position held to the software limits.
    fn inside(&self, position: i32) -> i32 {
        match self.software_limits() {
            Some((low, high)) => position.clamp(low, high),
            None => position,
        }
    }

    /// The target of cyclic synchronous position, within the limits.
    pub(super) fn limited_target(&self) -> i32 {
        self.inside(self.values[TARGET_POSITION] as i32)
    }

    /// The statusword.
    pub(super) fn statusword(&self, feedback: &DriveFeedback) -> i64 {
        let mut word = self.machine.statusword() | VOLTAGE_ENABLED | REMOTE;
        if feedback.limited || self.limited {
            word |= INTERNAL_LIMIT;
        }
        if feedback.error_code == 0x8611 {
            word |= FOLLOWING_ERROR_FAULT;
        }
        match self.machine.state {
            State::OperationEnabled if !self.machine.stopping => word | self.mode_bits(feedback),
            State::QuickStopActive if feedback.standstill => word | TARGET_REACHED,
            _ => word,
        }
    }

    fn mode_bits(&self, feedback: &DriveFeedback) -> i64 {
        let bit = |set: bool, bit: i64| if set { bit } else { 0 };
        let halted = self.halts();
        match self.mode() {
            1 => {
                let there = self.set_points.all_reached() && self.windows.position;
                bit(
                    if halted { feedback.standstill } else { there },
                    TARGET_REACHED,
                ) | bit(self.set_points.acknowledged(), FOLLOWS_TARGET)
            }
            3 => {
                let there = self.windows.velocity;
                bit(
                    if halted { feedback.standstill } else { there },
                    TARGET_REACHED,
                ) | bit(self.windows.rest, FOLLOWS_TARGET)
            }
            6 => match self.homing.phase {
                Phase::Searching | Phase::Stopping => {
                    bit(halted && feedback.standstill, TARGET_REACHED)
                }
                Phase::Idle => bit(feedback.standstill, TARGET_REACHED),
                Phase::Attained => TARGET_REACHED | FOLLOWS_TARGET,
                Phase::Error => bit(feedback.standstill, TARGET_REACHED) | FOLLOWING_ERROR_FAULT,
            },
            _ => bit(!halted, FOLLOWS_TARGET),
        }
    }
}
