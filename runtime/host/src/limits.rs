//! The limits on a residual itself, by the indexes that the cycle uses. What CUSUM and window judge has no fixed distance from
//! the prediction, and no limit here.

use twinstep_cycle::event::{Detector, Event, Source};
use twinstep_cycle::plan::Plan;
use twinstep_models::channel::Channel;

/// Limits of one axis or press.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct OfAxis {
    position_m: Option<f64>,
    velocity_m_per_s: Option<f64>,
    current_a: Option<f64>,
    drift_m: Option<f64>,
    movement_m: Option<f64>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    axes: Vec<OfAxis>,
    stations_pa: Vec<Option<f64>>,
}

impl Limits {
    /// Those of `plan`.
    pub fn of(plan: &Plan<'_>) -> Self {
        let axes = plan.axes.iter().map(|axis| {
            let [position_m, velocity_m_per_s, current_a] = axis.limits;
            OfAxis {
                position_m,
                velocity_m_per_s,
                current_a,
                drift_m: axis.drift_limit_m,
                movement_m: Some(axis.movement_m),
            }
        });
        Self {
            axes: axes.collect(),
            stations_pa: plan.stations.iter().map(|one| one.limit_pa).collect(),
        }
    }

    /// The size of the residual from which on this detector speaks, in the unit of the event; none where it judges something else.
    pub fn limit(&self, event: &Event) -> Option<f64> {
        if event.detector != Detector::FastLimit {
            return None;
        }
        match event.source {
            Source::Axis(n) => {
                let of = self.axes.get(usize::from(n))?;
                match event.channel {
                    Channel::PositionNext => of.position_m,
                    Channel::VelocityNext => of.velocity_m_per_s,
                    Channel::CurrentNext => of.current_a,
                    Channel::Drift => of.drift_m,
                    Channel::Movement => of.movement_m,
                    _ => None,
                }
            }
            Source::Station(n) if event.channel == Channel::PressureNext => {
                *self.stations_pa.get(usize::from(n))?
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::tests::leak;

    #[test]
    fn a_limit_is_that_of_the_channel_and_of_the_fast_detector_alone() {
        let limits = Limits {
            axes: vec![OfAxis {
                position_m: Some(1e-5),
                drift_m: Some(2e-4),
                ..OfAxis::default()
            }],
            stations_pa: vec![Some(500.0)],
        };
        let of = |source, channel, detector| {
            limits.limit(&Event {
                source,
                channel,
                detector,
                ..leak(1)
            })
        };
        let axis = Source::Axis(0);
        assert_eq!(
            of(axis, Channel::PositionNext, Detector::FastLimit),
            Some(1e-5)
        );
        assert_eq!(of(axis, Channel::Drift, Detector::FastLimit), Some(2e-4));
        assert_eq!(of(axis, Channel::PositionNext, Detector::Cusum), None);
        assert_eq!(of(axis, Channel::CurrentNext, Detector::FastLimit), None);
        assert_eq!(
            of(Source::Axis(1), Channel::Drift, Detector::FastLimit),
            None
        );
        let station = Source::Station(0);
        assert_eq!(
            of(station, Channel::PressureNext, Detector::FastLimit),
            Some(500.0)
        );
        assert_eq!(of(station, Channel::LeakRate, Detector::FastLimit), None);
        assert_eq!(of(Source::Bus, Channel::Frames, Detector::FastLimit), None);
    }
}
