//! Exact steps of axes that are told more than a position, or something else: made with the plan, and chosen by the modes of a lane.

use super::Modes;
use crate::axis::params::{AxisParams, LaneParams, SUBSTEPS};
use crate::axis::quick::quick;
use crate::axis::steps::{OffsetSteps, RestingStep, Step};
use crate::axis::transition::{OFFSETS, Transition, offsets, told_transitions};
use crate::lane::{Lane, ZERO};
use crate::simd::Vector;

/// The exact step of eight moving axes and that of eight resting ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Of moving axes.
    pub moving: Step,
    /// Of resting ones.
    pub resting: RestingStep,
}

impl Steps {
    /// Nothing comes of anything.
    const NONE: Self = Self {
        moving: Step::NONE,
        resting: RestingStep::NONE,
    };

    fn put(&mut self, l: usize, (moving, resting): &(Transition, Transition)) {
        self.moving.put(l, moving);
        self.resting.put(l, resting);
    }

    /// The steps of a lane whose axes are in different modes: each place has the columns of its own.
    #[inline(always)]
    pub(super) fn mixed<V: Vector>(p: &LaneParams, modes: &Modes) -> Self {
        let mut mixed = Self {
            moving: p.moving,
            resting: p.resting,
        };
        let told = &p.fine.told;
        if modes.velocity != 0 {
            mixed.take::<V>(&told.velocity, modes.velocity);
        }
        if modes.torque != 0 {
            mixed.take::<V>(&told.torque, modes.torque);
        }
        mixed
    }

    /// Takes the columns of `places` from `other`.
    #[inline(always)]
    fn take<V: Vector>(&mut self, other: &Self, places: u8) {
        for part in 0..V::PARTS {
            let mask = V::mask(places, part);
            let (to, from) = (&mut self.moving, &other.moving);
            take::<V, _>(&mut to.way, &from.way, mask, part);
            take::<V, _>(&mut to.velocity, &from.velocity, mask, part);
            take::<V, _>(&mut to.current, &from.current, mask, part);
            take::<V, _>(&mut to.integral, &from.integral, mask, part);
            take::<V, _>(&mut to.reported, &from.reported, mask, part);
            let (to, from) = (&mut self.resting, &other.resting);
            take::<V, _>(&mut to.current, &from.current, mask, part);
            take::<V, _>(&mut to.integral, &from.integral, mask, part);
            take::<V, _>(&mut to.reported, &from.reported, mask, part);
        }
    }
}

#[inline(always)]
fn take<V: Vector, const N: usize>(
    to: &mut [Lane; N],
    from: &[Lane; N],
    places: V::Mask,
    part: usize,
) {
    for n in 0..N {
        let [own, other] = V::each([&to[n], &from[n]], part);
        V::select(places, other, own).store(&mut to[n], part);
    }
}

/// The steps of eight axes in every mode but CSP, and what offsets add in that. A drive that nobody knows has those of CSP in all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct ToldSteps {
    /// In CSV: the position loop is open, and the slope of the reference is the target.
    pub velocity: Steps,
    /// In CST: the velocity loop is open too, and what is asked for stands in the integrator.
    pub torque: Steps,
    /// What offsets add in CSP.
    pub offsets: OffsetSteps,
    /// The loops turn the axis around within a period in CSV; without loops nothing does.
    pub quick: u8,
    /// The delay of references has at least 1, 2, 3 whole cycles.
    pub reaches: [u8; 3],
    /// Whole cycles of it, where all axes have the same.
    pub alike: Option<u8>,
    /// Share of the last substep that lies before the change of what is told (0 to 1).
    pub last: Lane,
}

impl ToldSteps {
    /// Of no axes.
    pub(in crate::axis) const NONE: Self = Self {
        velocity: Steps::NONE,
        torque: Steps::NONE,
        offsets: OffsetSteps {
            moving: [[ZERO; OFFSETS]; 5],
            resting: [[ZERO; OFFSETS]; 3],
        },
        quick: 0,
        reaches: [0; 3],
        alike: None,
        last: ZERO,
    };

    /// Sets those of place `l`, whose delay is `whole` cycles and the share `change` of one.
    pub(in crate::axis) fn put(&mut self, l: usize, exact: &ToldExact, whole: f64, change: f64) {
        self.velocity.put(l, &exact.velocity);
        self.torque.put(l, &exact.torque);
        for (n, row) in exact.offsets.0.iter().enumerate() {
            for (c, x) in row.iter().enumerate() {
                self.offsets.moving[n][c][l] = *x;
            }
        }
        for (n, row) in exact.offsets.1.iter().skip(2).enumerate() {
            for (c, x) in row.iter().enumerate() {
                self.offsets.resting[n][c][l] = *x;
            }
        }
        self.quick |= u8::from(exact.quick) << l;
        for (n, bits) in self.reaches.iter_mut().enumerate() {
            *bits |= u8::from(whole > n as f64) << l;
        }
        let substeps = SUBSTEPS as f64;
        let last = (change - (substeps - 1.0) / substeps) * substeps;
        self.last[l] = last.clamp(0.0, 1.0);
    }
}

/// What of it takes exponentials, for one axis.
#[derive(Clone, Copy)]
pub(in crate::axis) struct ToldExact {
    velocity: (Transition, Transition),
    torque: (Transition, Transition),
    offsets: ([[f64; OFFSETS]; 5], [[f64; OFFSETS]; 5]),
    quick: bool,
}

impl ToldExact {
    /// Of an axis with the loops of CSP, of CSV and of CST. `whole` are its steps in CSP; what it is told changes at the share `change`.
    pub(in crate::axis) fn new(
        [position, velocity, torque]: [&AxisParams; 3],
        whole: &(Transition, Transition),
        period_s: f64,
        change: f64,
    ) -> Self {
        if !position.cascade_valid {
            return Self {
                velocity: *whole,
                torque: *whole,
                offsets: ([[0.0; OFFSETS]; 5], [[0.0; OFFSETS]; 5]),
                quick: false,
            };
        }
        Self {
            velocity: told_transitions(velocity, period_s, change),
            torque: told_transitions(torque, period_s, change),
            offsets: [true, false]
                .map(|moving| offsets(position, period_s, change, moving))
                .into(),
            quick: quick(velocity, period_s),
        }
    }
}
