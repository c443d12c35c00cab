//! What is no matter of figures: a fault of the drive, and movement while it is not enabled.

use super::{AxisJudge, CALM_CYCLES, Occasion};
use crate::event::{Detector, Event, EventState, Severity};
use crate::outbox::Outbox;
use crate::plan::AxisPlan;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::{AxisReading, DriveState};

impl AxisJudge {
    /// The drive's own fault, and movement while it is not enabled. `standstill_m` is the way within which an axis stands.
    pub fn states(&mut self, plan: &AxisPlan, at: &Occasion, r: &AxisReading, out: &mut Outbox) {
        let faulty = matches!(r.state, DriveState::Fault | DriveState::FaultReactionActive);
        if faulty != self.fault_raised {
            self.fault_raised = faulty;
            let state = if faulty {
                EventState::Raised
            } else {
                EventState::Cleared
            };
            let code = f64::from(r.error_code);
            let regime = Regime::Settling;
            out.push(at.event(
                Channel::DriveState,
                state,
                Detector::State,
                Severity::Fault,
                code,
                0.0,
                regime,
                Cause::DriveFault,
            ));
        }
        self.movement(plan, at, r, out);
    }

    fn movement(&mut self, plan: &AxisPlan, at: &Occasion, r: &AxisReading, out: &mut Outbox) {
        if r.state == DriveState::OperationEnabled || r.state == DriveState::QuickStopActive {
            if let (true, Some(rest_m)) = (self.moved_raised, self.rest_m) {
                out.push(self.moved(at, EventState::Cleared, r.position_m, rest_m));
            }
            self.rest_m = None;
            self.rest_cycles = 0;
            self.moved_raised = false;
            return;
        }
        // A drive that was switched off in motion coasts; only an axis that has come to rest can start to move.
        let Some(rest_m) = self.rest_m else {
            let v = r.velocity_m_per_s;
            let slow = v < plan.regime.standstill_m_per_s && v > -plan.regime.standstill_m_per_s;
            self.rest_cycles = if slow { self.rest_cycles + 1 } else { 0 };
            if self.rest_cycles > CALM_CYCLES {
                self.rest_m = Some(r.position_m);
            }
            return;
        };
        let way = r.position_m - rest_m;
        let far = way > plan.movement_m || way < -plan.movement_m;
        if far && !self.moved_raised {
            self.moved_raised = true;
            out.push(self.moved(at, EventState::Raised, r.position_m, rest_m));
        }
    }

    fn moved(&self, at: &Occasion, state: EventState, position_m: f64, rest_m: f64) -> Event {
        at.event(
            Channel::Movement,
            state,
            Detector::FastLimit,
            Severity::Fault,
            position_m,
            rest_m,
            Regime::Settling,
            Cause::MovedWhileDisabled,
        )
    }
}
