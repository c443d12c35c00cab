//! The force on a ram behind a crank or a table whose motion a twin explains: see [`mod@twinstep_models::press::linked`].

use super::{PressPlan, PressSample};
use twinstep_models::axis::load::LoadEstimate;
use twinstep_models::press::frame::ForceUnknown;
use twinstep_models::press::linked::Linked;

impl PressPlan {
    /// A cycle of a press with a twin behind a crank or a table: what of its load the twin explains has part and losses in it, and `part_a` is what
    /// it expects of the part, without losses (A).
    #[cold]
    #[inline(never)]
    pub fn of_linked(&self, linked: &Linked, load: &LoadEstimate, part_a: f64) -> PressSample {
        let at = linked.at(load.position_m, load.velocity_m_per_s);
        let size = if at.per_way < 0.0 {
            -at.per_way
        } else {
            at.per_way
        };
        // Written so that a Jacobian that is no number is refused too.
        let known = size > 0.0 && size >= linked.linkage.least();
        let kf = linked.motor.torque_constant_nm_per_a;
        let force_n = |asked_a: f64| kf * asked_a / at.per_way;
        // On the way back the part may drive what locks itself: less than what makes a contact does not tell who drives.
        let back = at.ram_m_per_s() * self.direction < 0.0;
        let least_a = if back {
            self.stroke.contact_n * size / kf
        } else {
            0.0
        };
        let rest_a = load.measured_a - load.predicted_a;
        let asked = if known {
            let of = [part_a, rest_a];
            linked.asked_a(&at, load.acceleration_m_per_s2, of, least_a)
        } else {
            Err(ForceUnknown::DeadCentre)
        };
        PressSample {
            predicted_n: known.then(|| force_n(part_a)),
            ..self.sample(
                (at.ram_m, at.per_way),
                load.velocity_m_per_s,
                asked.map(force_n),
            )
        }
    }
}

#[cfg(test)]
mod tests;
