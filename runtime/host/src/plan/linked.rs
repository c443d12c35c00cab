//! Presses with a twin behind a crank or a table: what stands between their axes and their rams.

use super::PlanStore;
use crate::press_plan::standstill_m_per_s;
use twinstep_config::machine::{Machine, Press};
use twinstep_cycle::plan::{JudgeLane, LinkedPress};
use twinstep_models::lane::LANES;
use twinstep_models::press::frame::Motor;
use twinstep_models::press::linked::Linked;

/// All of them, in the order of the axes.
pub(super) fn linked(machine: &Machine) -> Vec<LinkedPress> {
    let presses = machine.presses.iter().enumerate();
    presses
        .filter_map(|(n, press)| {
            let twin = press.axis.twin.as_ref()?;
            Some(LinkedPress {
                // There are at most 1024 axes and presses.
                axis: (machine.axes.len() + n) as u16,
                linked: behind(press, twin.force_constant_n_per_a)?,
            })
        })
        .collect()
}

/// Sets their bits: they are presses, whether they know a part or not.
pub(super) fn mark(linked: &[LinkedPress], judges: &mut [JudgeLane]) {
    for one in linked {
        let axis = usize::from(one.axis);
        if let Some(judge) = judges.get_mut(axis / LANES) {
            judge.presses |= 1 << (axis % LANES);
        }
    }
}

impl PlanStore {
    /// Whether axis `n` is that of a press with a twin behind a crank or a table.
    pub(crate) fn is_linked(&self, n: usize) -> bool {
        self.linked.iter().any(|one| usize::from(one.axis) == n)
    }
}

/// What stands between axis and ram of a press whose axis has this force per current (N/A); none: a screw.
pub(crate) fn behind(press: &Press, force_n_per_a: f64) -> Option<Linked> {
    let train = &press.drive_train;
    Some(Linked {
        linkage: train.linkage?,
        motor: Motor {
            torque_constant_nm_per_a: force_n_per_a,
            efficiency: train.efficiency,
            efficiency_back: train.efficiency_back,
        },
        counterbalance: train.counterbalance,
        ram_mass_kg: train.ram_mass_kg,
        standstill_m_per_s: standstill_m_per_s(press),
    })
}
