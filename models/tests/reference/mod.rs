//! The independent solution that the models are judged against.
//!
//! An adaptive integrator (Dormand, Prince 1980, orders 5 and 4) with events located by bisection, and the continuous
//! equations of an axis written out on their own, from the literature, with nothing of the code under test: the motor and
//! the load in absolute positions, the gap as Nordin, Galic and Gutman (1997) give it.
#![allow(
    dead_code,
    reason = "every test uses a part of it: it is compiled into each of them"
)]

pub mod axes;
pub mod equations;
pub mod exact;
pub mod plant;
pub mod press;

/// Relative tolerance of a step; the absolute one is this times the scale of each state.
pub const TOLERANCE: f64 = 1e-10;

const C: [f64; 7] = [0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0];
const A: [[f64; 6]; 7] = [
    [0.0; 6],
    [0.2, 0.0, 0.0, 0.0, 0.0, 0.0],
    [3.0 / 40.0, 9.0 / 40.0, 0.0, 0.0, 0.0, 0.0],
    [44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0, 0.0, 0.0, 0.0],
    [
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
        0.0,
        0.0,
    ],
    [
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
        0.0,
    ],
    [
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];
/// Fifth minus fourth order.
const E: [f64; 7] = [
    71.0 / 57600.0,
    0.0,
    -71.0 / 16695.0,
    71.0 / 1920.0,
    -17253.0 / 339200.0,
    22.0 / 525.0,
    -1.0 / 40.0,
];

/// One step: the fifth order solution and the estimated error.
fn dormand_prince<const N: usize>(
    f: &impl Fn(f64, &[f64; N]) -> [f64; N],
    t: f64,
    y: &[f64; N],
    h: f64,
) -> ([f64; N], [f64; N]) {
    let mut k = [[0.0; N]; 7];
    let mut at = *y;
    for stage in 0..7 {
        at = *y;
        for (earlier, slope) in k.iter().enumerate().take(stage) {
            for n in 0..N {
                at[n] += h * A[stage][earlier] * slope[n];
            }
        }
        k[stage] = f(t + C[stage] * h, &at);
    }
    let mut error = [0.0; N];
    for (weight, slope) in E.iter().zip(&k) {
        for n in 0..N {
            error[n] += h * weight * slope[n];
        }
    }
    // The last stage stands at the fifth order solution.
    (at, error)
}

/// Integrates from `from_s` to `to_s`, or to the first moment at which `guard` falls below 0. Returns the time reached, the
/// states there, and whether the guard ended it.
pub fn integrate<const N: usize>(
    f: impl Fn(f64, &[f64; N]) -> [f64; N],
    guard: impl Fn(f64, &[f64; N]) -> f64,
    from_s: f64,
    to_s: f64,
    y: [f64; N],
    scale: &[f64; N],
) -> (f64, [f64; N], bool) {
    integrate_within(TOLERANCE, f, guard, (from_s, to_s), y, scale)
}

/// The same within a tolerance of its own.
pub fn integrate_within<const N: usize>(
    tolerance: f64,
    f: impl Fn(f64, &[f64; N]) -> [f64; N],
    guard: impl Fn(f64, &[f64; N]) -> f64,
    (from_s, to_s): (f64, f64),
    y: [f64; N],
    scale: &[f64; N],
) -> (f64, [f64; N], bool) {
    let (mut t, mut y) = (from_s, y);
    let mut h = (to_s - from_s) * 0.01;
    for _ in 0..20_000_000 {
        if t >= to_s {
            return (to_s, y, false);
        }
        let last = t + h >= to_s;
        let step = if last { to_s - t } else { h };
        let (next, error) = dormand_prince(&f, t, &y, step);
        let mut worst = 0.0f64;
        for n in 0..N {
            let allowed = tolerance * (scale[n] + y[n].abs().max(next[n].abs()));
            worst = worst.max((error[n] / allowed).abs());
        }
        assert!(worst.is_finite(), "the reference diverged at {t} s: {y:?}");
        if worst > 1.0 {
            h = step * (0.9 * worst.powf(-0.2)).clamp(0.1, 0.9);
            continue;
        }
        if guard(t + step, &next) < 0.0 {
            let (mut low, mut high) = (0.0, step);
            let mut reached = next;
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                let (at, _) = dormand_prince(&f, t, &y, middle);
                if guard(t + middle, &at) < 0.0 {
                    (high, reached) = (middle, at);
                } else {
                    low = middle;
                }
            }
            return (t + high, reached, true);
        }
        t = if last { to_s } else { t + step };
        y = next;
        h = step * (0.9 * worst.max(1e-8).powf(-0.2)).clamp(0.3, 3.0);
    }
    panic!("the reference needs more than 2e7 steps from {from_s} to {to_s} s");
}

/// Seeded random numbers (splitmix64): the seed stands in every message of a failure.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even between two bounds.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Even in the logarithm between two bounds > 0.
    pub fn decades(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.between(0.0, 1.0))
    }
}

/// Root of the mean square.
pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
}
