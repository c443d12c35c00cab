//! One axis by itself through a cycle, in substeps: each is exact where it can be, or goes to the moment at which something happens
//! (`substeps.rs`).
//!
//! The load of a substep is told as it comes, and a substep may be tried before it is taken: a load that goes by the motion which it makes
//! is found so ([`mod@crate::press::linked`]).

use super::cascade::AxisState;
use super::params::{LaneParams, SUBSTEPS};
use super::pieces::PIECES_MAX;
use super::reference::Reference;
use super::substeps::{Loops, Path, substep};
use super::told::Told;
use crate::lane::{LANES, Lane, ZERO, clamp};
use crate::sample;
use crate::simd::{Portable, Vector};

/// Pieces of a substep that is tried at most: what takes more of them is cut, and the substep is made in as many as are left of the cycle.
const TRIED_PIECES_MAX: usize = 12;

/// What acts on an axis from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Burden {
    /// Load (A).
    pub load_a: f64,
    /// What is lost on its way while the axis moves forwards and backwards, or is about to: dry friction beside its own (A, >= 0).
    pub friction_a: [f64; 2],
}

impl Burden {
    /// A load that comes without losses.
    pub const fn of(load_a: f64) -> Self {
        Self {
            load_a,
            friction_a: [0.0; 2],
        }
    }

    /// What is lost in the direction of `v` (A).
    #[inline(always)]
    pub const fn friction_a(&self, v: f64) -> f64 {
        let [forwards_a, backwards_a] = self.friction_a;
        if v >= 0.0 { forwards_a } else { backwards_a }
    }
}

/// The references of eight axes over a cycle: start, end and the slopes of each.
pub struct Ways([Lane; 4]);

impl Ways {
    /// In the coming cycle.
    pub fn of(p: &LaneParams, reference: &Reference) -> Self {
        let mut ways = [ZERO; 4];
        for part in 0..Portable::PARTS {
            let of = Self::part_of::<Portable>(p, reference, part);
            for (lane, path) in ways.iter_mut().zip(of) {
                path.store(lane, part);
            }
        }
        Self(ways)
    }

    /// Those of a part of the axes.
    #[inline(always)]
    pub(crate) fn part_of<V: Vector>(p: &LaneParams, reference: &Reference, part: usize) -> [V; 4] {
        let paths = reference.paths::<V>(p, part);
        [paths.from_m, paths.to_m, paths.first_m, paths.second_m]
    }

    /// That of axis `l`.
    pub(super) fn path(&self, l: usize) -> Path {
        path(&self.0, l)
    }
}

/// 1 / length of a substep (1/s).
pub(crate) fn per_step_s(p: &LaneParams) -> f64 {
    SUBSTEPS as f64 * p.per_s
}

/// The piece of the reference of axis `l`, of start, end and slopes of all eight.
pub(super) fn path(ways: &[Lane; 4], l: usize) -> Path {
    let [from_m, to_m, first_m, second_m] = [0, 1, 2, 3].map(|n| ways[n][l]);
    Path {
        from_m,
        to_m,
        first_m,
        second_m,
    }
}

/// An axis on its way through a cycle.
pub struct Walk<'a> {
    p: &'a LaneParams,
    l: usize,
    loops: Loops<'a>,
    path: Path,
    /// What the drive is told besides a position, if anything, and how.
    told: Option<&'a Told>,
    mode: sample::Told,
    disturbance_a: f64,
    /// Where it began (m).
    began_m: f64,
    z: [f64; 5],
    /// The reference at the beginning of the substep that comes (m), its number, and the pieces that are left of the cycle.
    from_m: f64,
    n: usize,
    left: usize,
}

impl<'a> Walk<'a> {
    /// Axis `l` at the beginning of the cycle.
    pub fn begin(
        p: &'a LaneParams,
        l: usize,
        ways: &Ways,
        told: &'a Told,
        before: &AxisState,
    ) -> Self {
        let modes = told.modes(p);
        let any = modes.offsets | modes.apart();
        let told = (any & (1 << l) != 0).then_some(told);
        Self::along(p, l, ways.path(l), told, before)
    }

    /// The same along a piece of its reference.
    pub(super) fn along(
        p: &'a LaneParams,
        l: usize,
        path: Path,
        told: Option<&'a Told>,
        before: &AxisState,
    ) -> Self {
        let mode = told.map_or(sample::Told::Position, |told| told.of(l));
        Self {
            p,
            l,
            loops: match mode {
                sample::Told::Velocity => Loops::velocity(p, l),
                sample::Told::Torque => Loops::torque(p, l),
                _ => Loops::position(p, l),
            },
            path,
            told,
            mode,
            disturbance_a: before.disturbance_a[l],
            began_m: before.position_m[l],
            z: [
                before.position_m[l],
                before.velocity_m_per_s[l],
                before.current_a[l],
                before.integral_a[l],
                before.reported_a[l],
            ],
            from_m: path.from_m,
            n: 0,
            left: PIECES_MAX,
        }
    }

    /// Its lane, and its place in it.
    pub const fn axis(&self) -> (&'a LaneParams, usize) {
        (self.p, self.l)
    }

    /// Position (m), velocity (m/s), current, integrator and reported current (A) at the beginning of the substep that comes.
    pub const fn now(&self) -> [f64; 5] {
        self.z
    }

    /// What is held for a disturbance (A).
    pub const fn disturbance_a(&self) -> f64 {
        self.disturbance_a
    }

    /// How the velocity at the end of a substep, while the axis moves on, goes with a load that stands still over it (m/s per A), less than 0: the
    /// loops of its mode answer within it.
    pub const fn by_load(&self) -> f64 {
        self.loops.steps.0.velocity[6]
    }

    /// The reference at the end of the substep that comes (m).
    fn to_m(&self) -> f64 {
        let share = (self.n + 1) as f64 / SUBSTEPS as f64;
        self.path.at(share, self.p.bend[self.l])
    }

    /// What it would be after the substep that comes, with this beside the disturbance.
    pub fn tried(&self, burden: &Burden) -> [f64; 5] {
        let left = if self.left < TRIED_PIECES_MAX {
            self.left
        } else {
            TRIED_PIECES_MAX
        };
        self.stepped(burden, left).0
    }

    /// Takes that substep.
    pub fn step(&mut self, burden: &Burden) {
        (self.z, self.left) = self.stepped(burden, self.left);
        self.from_m = self.to_m();
        self.n += 1;
    }

    /// The axis after a substep, and the pieces that are left then.
    fn stepped(&self, burden: &Burden, mut left: usize) -> ([f64; 5], usize) {
        let (p, l) = (self.p, self.l);
        let burden = &Burden {
            load_a: self.disturbance_a + burden.load_a,
            ..*burden
        };
        let (mut z, to_m) = (self.z, self.to_m());
        let Some(told) = self.told else {
            z = substep(p, l, &self.loops, z, [self.from_m, to_m], burden, &mut left);
            return (z, left);
        };
        let [from, to] = [self.n, self.n + 1].map(|n| n as f64 / SUBSTEPS as f64);
        let (m_per_s, a) = told.mean(p, l, from, to);
        let mut loops = self.loops;
        let piece = match self.mode {
            sample::Told::Velocity => [z[0], z[0] + m_per_s * p.step_s],
            sample::Told::Torque => [z[0]; 2],
            _ => {
                // A constant velocity is the same as a reference that lies further on.
                let gain = loops.position_gain_per_s;
                let further_m = if gain > 0.0 { m_per_s / gain } else { 0.0 };
                [self.from_m + further_m, to_m + further_m]
            }
        };
        let own_a = z[3];
        if self.mode == sample::Told::Torque {
            loops.offset_a = clamp(a, p.limit_a[l]);
            z[3] = loops.offset_a;
        } else {
            loops.offset_a = a;
            z[3] = own_a + loops.offset_a;
        }
        z = substep(p, l, &loops, z, piece, burden, &mut left);
        z[3] = if self.mode == sample::Told::Torque {
            own_a
        } else {
            z[3] - loops.offset_a
        };
        (z, left)
    }

    /// Puts it into its place as it is after its last substep. A drive that closes its loops once a cycle has computed what it holds until the
    /// next.
    pub(crate) fn end(self, s: &mut AxisState) {
        let l = self.l;
        let [x, v, mut i, q, mut r] = self.z;
        if self.p.sampled & (1 << l) != 0 {
            i = self.held_a();
            r = i;
        }
        s.position_m[l] = x;
        s.velocity_m_per_s[l] = v;
        s.current_a[l] = i;
        s.integral_a[l] = q;
        s.reported_a[l] = r;
    }

    /// What such a drive holds (A): by the mean velocity of the cycle, as [`super::cascade`] has it of axes side by side.
    fn held_a(&self) -> f64 {
        let (p, l, loops) = (self.p, self.l, &self.loops);
        let mean = (self.z[0] - self.began_m) * p.per_s;
        let last = 1.0 - 1.0 / SUBSTEPS as f64;
        let follows = |further_m_per_s: f64| {
            let error = self.path.to_m - self.z[0];
            loops.position_gain_per_s * error
                + loops.velocity_feedforward * (self.path.second_m * p.per_s)
                + further_m_per_s
        };
        let (wanted, besides_a) = match (self.told, self.mode) {
            (Some(told), sample::Told::Velocity | sample::Told::Torque) => {
                told.mean(p, l, last, 1.0)
            }
            (Some(told), _) => {
                let (m_per_s, a) = told.mean(p, l, 0.0, 1.0);
                (follows(m_per_s), a)
            }
            (None, _) => (follows(0.0), 0.0),
        };
        clamp(
            loops.velocity_gain * (wanted - mean) + besides_a,
            p.limit_a[l],
        )
    }
}

/// One axis by itself under a load that stands still over the cycle (A): position, velocity, current, integrator and reported current after it.
pub(super) fn under(mut walk: Walk<'_>, load_a: f64) -> [f64; 5] {
    for _ in 0..SUBSTEPS {
        walk.step(&Burden::of(load_a));
    }
    walk.z
}

/// A bit for each place of a lane.
pub fn places(bits: u8) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |l| bits & (1 << l) != 0)
}
