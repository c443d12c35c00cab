//! Lanes with axes that are told more than a position, or something else, or with a press whose part is stiff, or
//! that stands behind a crank or a table.

use super::LaneState;
use super::compare::Sample;
use crate::contact::Presses;
use twinstep_models::axis::cascade::{Reference, States};
use twinstep_models::axis::params::{LaneGains, LaneParams};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{cascade, observer, stiff};
use twinstep_models::lane::{LANES, Lane};
use twinstep_models::sample::{self, AxisReading, DriveState};
use twinstep_models::simd::{Kernel, Vector};

/// The observers take the last sample in, and every axis of such a lane is advanced.
pub(super) struct PredictTold<'a> {
    pub lane: &'a mut LaneState,
    pub params: &'a LaneParams,
    pub gains: &'a LaneGains,
    /// Those of the lane, if it has any.
    pub presses: Option<Presses<'a>>,
    /// A bit for each axis that there is.
    pub places: u8,
}

impl Kernel for PredictTold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (params, lane) = (self.params, self.lane);
        let measured = lane.filter.sample(lane.newest);
        let (twin, press) = (&mut lane.twin, &mut lane.press);
        let path = Path {
            params,
            reference: &lane.reference,
            told: (lane.told_any != 0).then_some(&lane.told),
        };
        let Some(presses) = &self.presses else {
            for part in 0..V::Whole::PARTS {
                let z = States::<V::Whole>::load(twin, part);
                let measured = V::Whole::each(measured, part);
                let z = observer::corrected(params, self.gains, z, measured, lane.used, part);
                path.advanced(z, None, part).store(twin, part);
            }
            return;
        };
        for part in 0..V::Whole::PARTS {
            let z = States::<V::Whole>::load(twin, part);
            let measured = V::Whole::each(measured, part);
            observer::corrected(params, self.gains, z, measured, lane.used, part).store(twin, part);
        }
        let before = *twin;
        let linked = (presses.linked.iter()).fold(0, |bits, one| bits | one.bit());
        // Behind a linkage an axis is stepped by itself, whatever it is beside the others.
        if self.places & !linked != 0 {
            for part in 0..V::Whole::PARTS {
                let at = [&before.position_m, &before.velocity_m_per_s];
                let [x, v] = V::Whole::each(at, part);
                press.touch(params.period_s, presses.curves, x, v, part);
            }
            for one in presses.linked {
                // Its part is where the ram is.
                press.contact_a[one.place()] = 0.0;
            }
            for part in 0..V::Whole::PARTS {
                let z = States::<V::Whole>::load(&before, part);
                path.advanced(z, Some(&press.contact_a), part)
                    .store(twin, part);
            }
        }
        if press.any_stiff() {
            let met = press.met(presses.curves, params, &before, !lane.told.any());
            let back_m = stiff::advance_met(params, &lane.reference, &met, &before, twin);
            press.came_back(back_m);
        }
        if linked != 0 {
            let of = (params, &lane.reference, &lane.told);
            press.walk::<V::Whole>(of, presses, &before, twin);
        }
    }
}

/// What the axes of a lane follow over a cycle.
struct Path<'a> {
    params: &'a LaneParams,
    reference: &'a Reference,
    /// None where it is positions alone.
    told: Option<&'a Told>,
}

impl Path<'_> {
    #[inline(always)]
    fn advanced<V: Vector>(
        &self,
        z: States<V>,
        contact_a: Option<&Lane>,
        part: usize,
    ) -> States<V> {
        let (params, reference) = (self.params, self.reference);
        match self.told {
            Some(told) => cascade::advanced_told(params, reference, told, z, contact_a, part),
            None => cascade::advanced(params, reference, z, contact_a, part),
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
    let mut readings = [&super::compare::NOTHING; LANES];
    let mut alike = true;
    for (l, sample) in eight.iter().enumerate() {
        let r = sample.as_ref().ok()?;
        if r.state != DriveState::OperationEnabled {
            return None;
        }
        readings[l] = r;
        alike &= r.told == readings[0].told;
    }
    let mut all = Following {
        readings,
        told: 0,
        velocity: 0,
        torque: 0,
    };
    // Where all are in the mode of the first, as a rule, one of them speaks for all.
    for (l, r) in readings
        .iter()
        .enumerate()
        .take(if alike { 1 } else { LANES })
    {
        if r.told == sample::Told::Own {
            return None;
        }
        let places = if alike { u8::MAX } else { 1 << l };
        let bits = |on: bool| if on { places } else { 0 };
        all.told |= bits(r.told != sample::Told::Position);
        all.velocity |= bits(r.told == sample::Told::Velocity);
        all.torque |= bits(r.told == sample::Told::Torque);
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
