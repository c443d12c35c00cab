//! Lanes with axes that are told more than a position, or something else, or with a press whose part is stiff.

use super::LaneState;
use super::compare::Sample;
use crate::plan::PartCurve;
use twinstep_models::axis::cascade::States;
use twinstep_models::axis::params::{LaneGains, LaneParams};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisState, cascade, observer, stiff};
use twinstep_models::lane::LANES;
use twinstep_models::sample::{self, AxisReading, DriveState};
use twinstep_models::simd::{Kernel, Vector};

/// The observers take the last sample in, and every axis of such a lane is advanced.
pub(super) struct PredictTold<'a> {
    pub lane: &'a mut LaneState,
    pub params: &'a LaneParams,
    pub gains: &'a LaneGains,
    /// Those of the plan where the lane has presses.
    pub curves: Option<&'a [PartCurve]>,
}

impl Kernel for PredictTold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (params, lane) = (self.params, self.lane);
        let measured = lane.filter.sample(lane.newest);
        let (twin, press) = (&mut lane.twin, &mut lane.press);
        let stiff = self.curves.is_some() && press.any_stiff();
        let mut before = AxisState::REST;
        for part in 0..V::Whole::PARTS {
            let z = States::<V::Whole>::load(twin, part);
            let measured = V::Whole::each(measured, part);
            let z = observer::corrected(params, self.gains, z, measured, lane.used, part);
            if stiff {
                z.store(&mut before, part);
            }
            let mut contact_a = None;
            if let Some(curves) = self.curves {
                let (x, v) = (z.position_m, z.velocity_m_per_s);
                press.touch(params.period_s, curves, x, v, part);
                contact_a = Some(&press.contact_a);
            }
            let (reference, told) = (&lane.reference, &lane.told);
            cascade::advanced_told(params, reference, told, z, contact_a, part).store(twin, part);
        }
        if stiff {
            let met = press.met(params, &before, !lane.told.any());
            stiff::advance_met(params, &lane.reference, &met, &before, twin);
        }
    }
}

/// Eight axes that are simply measured and enabled, and told what they do on the bus.
#[derive(Clone, Copy)]
pub(super) struct Following<'a> {
    pub readings: [&'a AxisReading; LANES],
    /// A bit for each that is told more than a position, or something else.
    pub told: u8,
    /// A bit for each in CSV.
    velocity: u8,
    /// A bit for each in CST.
    torque: u8,
}

/// The readings of a lane, if its eight places all are of such axes.
#[inline(never)]
pub(super) fn following(samples: &[Sample]) -> Option<Following<'_>> {
    let eight = samples.first_chunk::<LANES>()?;
    let mut all = Following {
        readings: [&super::compare::NOTHING; LANES],
        told: 0,
        velocity: 0,
        torque: 0,
    };
    for (l, (reading, sample)) in all.readings.iter_mut().zip(eight).enumerate() {
        let r = sample.as_ref().ok()?;
        if r.state != DriveState::OperationEnabled || r.told == sample::Told::Own {
            return None;
        }
        *reading = r;
        all.told |= u8::from(r.told != sample::Told::Position) << l;
        all.velocity |= u8::from(r.told == sample::Told::Velocity) << l;
        all.torque |= u8::from(r.told == sample::Told::Torque) << l;
    }
    Some(all)
}

impl Following<'_> {
    /// Takes in what they are told, if each is in the mode in which it was: returns whether it is.
    #[inline(always)]
    pub fn go_on<V: Vector>(&self, told: &mut Told) -> bool {
        let modes = told.places(sample::Told::Velocity) == self.velocity
            && told.places(sample::Told::Torque) == self.torque
            && told.places(sample::Told::Own) == 0;
        if modes {
            V::apart::<V, _>(GoOn { told, of: self });
        }
        modes
    }
}

struct GoOn<'a, 'b> {
    told: &'a mut Told,
    of: &'a Following<'b>,
}

impl Kernel for GoOn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let of = self.of;
        self.told.go_on::<V>(|l| {
            let r = of.readings[l];
            match r.told {
                sample::Told::Position => [0.0; 4],
                _ => [r.told_m_per_s, r.told_a, 0.0, 0.0],
            }
        });
    }
}
