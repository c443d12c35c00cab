//! A new baseline after a repair, asked for between two cycles.

use super::Pipeline;
use crate::judge::AxisJudge;

impl Pipeline<'_> {
    /// Has the baseline of axis `n` learnt anew, see [`AxisJudge::ask_for_renewal`], and its health followed from here on. False where
    /// there is no such axis, or its section is not there in this moment.
    pub fn renew(&mut self, n: usize) -> bool {
        if n >= self.plan.axes.len() {
            return false;
        }
        let health = self.sections.health_mut(n);
        if let Some(health) = health {
            health.renew();
        }
        for (plan, health) in self.plan.presses.iter().zip(self.press_health.iter_mut()) {
            if usize::from(plan.axis) == n {
                health.renew();
            }
        }
        let judge = self.sections.axis_mut(n);
        judge.map(AxisJudge::ask_for_renewal).is_some()
    }

    /// Movements that a new baseline of axis `n` has seen, see [`AxisJudge::renewal_seen`].
    pub fn renewal_seen(&self, n: usize) -> Option<u32> {
        let plan = self.plan.axes.get(n)?;
        self.judge(n)?.renewal_seen(plan, self.plan.contexts_of(n))
    }
}
