//! Going on from the health that an earlier run has left.

use super::{AxisHealth, AxisHealthPlan};

impl AxisHealthPlan {
    /// Whether what was tracked under `other` means the same under this plan: all agrees but the limits of lives.
    pub fn measures_as(&self, other: &Self) -> bool {
        *self
            == Self {
                friction_limit: self.friction_limit,
                backlash_limit_m: self.backlash_limit_m,
                torque_constant_limit: self.torque_constant_limit,
                stiffness_limit: self.stiffness_limit,
                ..*other
            }
    }
}

impl AxisHealth {
    /// Goes on from `from`, which an earlier run left after `time_ns` of its time: hours, strokes and metres go on where they
    /// ended, the time between the runs does not count, and the movement in progress then is forgotten. The limits of lives stay
    /// those of this plan; what was learnt for another limit of lost motion is learnt again. False, and nothing happens, where the other was tracked under a plan that measures something else.
    pub fn resume(&mut self, from: &Self, time_ns: u64) -> bool {
        if !self.plan.measures_as(&from.plan) {
            return false;
        }
        self.put_back(from);
        self.interrupt();
        self.earlier_h = from.hours(time_ns);
        self.time_ns = 0;
        let (old, new) = (&from.plan, &self.plan);
        let same_limit = new.backlash_limit_m == old.backlash_limit_m;
        self.lost_motion.resume(same_limit);
        self.before = None;
        true
    }
}
