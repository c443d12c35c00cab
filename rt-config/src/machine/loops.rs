//! What of a twin its loops are made of.

use super::AxisTwin;
use twinstep_models::axis::AxisParams;

impl AxisTwin {
    /// Mass, viscous friction and the loops of the drive, as the ratios that a model has: all that says how fast the axis is and whether its
    /// loops settle. The rest is that of an axis that idles.
    pub fn loops(&self) -> AxisParams {
        let kf = self.force_constant_n_per_a;
        let mut params = AxisParams {
            inertia: self.mass_kg / kf,
            viscous: self.viscous_n_s_per_m / kf,
            ..AxisParams::IDLE
        };
        if let Some(cascade) = &self.cascade {
            params.position_gain_per_s = cascade.position_gain_per_s;
            params.velocity_gain = cascade.velocity_gain_a_s_per_m;
            params.integral_gain = cascade.integral_gain_a_per_m;
            params.velocity_feedforward = cascade.velocity_feedforward;
            params.current_time_constant_s = cascade.current_time_constant_s;
            params.current_filter_s = cascade.current_filter_s;
            params.sampled = cascade.sampled;
            params.cascade_valid = true;
        }
        params
    }
}
