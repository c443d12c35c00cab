use super::*;
use proptest::prelude::*;

/// Period, inertia, noise and what scipy 1.17.1 says: gains, innovation variance.
///
/// `scipy.linalg.solve_discrete_are(F.T, H.T, Q, R)` with Q integrated over the period, states scaled by position noise and
/// period; 200 000 steps of the plain Riccati iteration in numpy gave the same eleven digits.
const GOLDEN: [(f64, f64, [f64; 3], [f64; 4]); 4] = [
    (
        1e-3,
        0.375,
        [2.886751345948129e-07, 0.0, 40.0],
        [
            9.8919062808e-01,
            1.5502965575e+03,
            4.5556551763e+05,
            7.7093594293e-12,
        ],
    ),
    (
        1e-3,
        0.375,
        [2.886751345948129e-07, 1e-4, 5.0],
        [
            8.9660272050e-01,
            9.1771996718e+02,
            1.7612263866e+05,
            8.0595286200e-13,
        ],
    ),
    (
        31.25e-6,
        1e-3,
        [1e-8, 1e-5, 0.5],
        [
            7.2674857564e-01,
            1.4572874251e+04,
            1.4610875240e+05,
            3.6596332566e-16,
        ],
    ),
    (
        4e-3,
        50.0,
        [1e-5, 0.02, 100.0],
        [
            7.3711830363e-01,
            1.1733369529e+02,
            3.2427253746e+05,
            3.8039924947e-10,
        ],
    ),
];

fn noise([position_m, velocity_walk, disturbance_walk]: [f64; 3]) -> AxisNoise {
    AxisNoise {
        position_m,
        velocity_walk,
        disturbance_walk,
    }
}

#[test]
fn gains_agree_with_an_independent_solution() {
    for (period_s, inertia, walks, gold) in GOLDEN {
        let found = steady(period_s, inertia, &noise(walks)).unwrap();
        let found = [
            found.position,
            found.velocity_per_s,
            found.disturbance_a_per_m,
            found.innovation_m2,
        ];
        for (f, g) in found.iter().zip(gold) {
            assert!((f / g - 1.0).abs() < 1e-9, "{found:?} for {gold:?}");
        }
    }
}

/// Covariance in SI after prediction: the textbook recursion, nothing scaled and nothing doubled.
fn plain(period_s: f64, inertia: f64, n: &AxisNoise, from: Matrix, measured: bool) -> Matrix {
    let (t, j) = (period_s, inertia);
    let f = [
        [1.0, t, -t * t / (2.0 * j)],
        [0.0, 1.0, -t / j],
        [0.0, 0.0, 1.0],
    ];
    let v = n.velocity_walk * n.velocity_walk;
    let d = n.disturbance_walk * n.disturbance_walk;
    let a = d / (j * j);
    let (t2, t3) = (t * t, t * t * t);
    let q = [
        [
            v * t3 / 3.0 + a * t2 * t3 / 20.0,
            v * t2 / 2.0 + a * t2 * t2 / 8.0,
            -d / j * t3 / 6.0,
        ],
        [
            v * t2 / 2.0 + a * t2 * t2 / 8.0,
            v * t + a * t3 / 3.0,
            -d / j * t2 / 2.0,
        ],
        [-d / j * t3 / 6.0, -d / j * t2 / 2.0, d * t],
    ];
    let mut p = from;
    if measured {
        let s = p[0][0] + n.position_m * n.position_m;
        let row = p[0];
        for r in p.iter_mut() {
            let k = r[0] / s;
            for (x, h) in r.iter_mut().zip(row) {
                *x -= k * h;
            }
        }
    }
    symmetric(&sum(&product(&product(&f, &p), &transposed(&f)), &q))
}

#[test]
fn a_million_plain_steps_come_to_the_same_gains_and_coasting_widens_like_them() {
    let (period_s, inertia) = (1e-3, 0.4);
    let n = noise([3e-7, 2e-4, 0.02]);
    let solved = steady(period_s, inertia, &n).unwrap();
    let mut p = [[0.0; 3]; 3];
    for _ in 0..1_000_000 {
        p = plain(period_s, inertia, &n, p, true);
    }
    let r2 = n.position_m * n.position_m;
    let s = p[0][0] + r2;
    let close = |found: f64, brute: f64| {
        assert!((found / brute - 1.0).abs() < 1e-6, "{found} for {brute}");
    };
    close(solved.innovation_m2, s);
    close(solved.position, p[0][0] / s);
    close(solved.velocity_per_s, p[1][0] / s);
    close(solved.disturbance_a_per_m, -p[2][0] / s);
    close(solved.disturbance_a, libm::sqrt(p[2][2]));
    let mut coasting = p;
    for n_coasted in 0..=40 {
        let wide = libm::sqrt((coasting[0][0] + r2) / s);
        close(solved.widening(n_coasted), wide);
        coasting = plain(period_s, inertia, &n, coasting, false);
    }
}

#[test]
fn a_disturbance_walk_gives_the_bandwidth_it_was_made_for() {
    // Far below the rate of the cycle the error dies like a Butterworth filter: exp(-w T / 2) per cycle for the slow pair.
    for hz in [0.5, 2.0, 5.0] {
        let (period_s, inertia, position_m) = (1e-3, 0.7, 1e-6);
        let walk = AxisNoise::disturbance_walk_of(hz, position_m, inertia, period_s);
        let solved = steady(period_s, inertia, &noise([position_m, 0.0, walk])).unwrap();
        let w = -2.0 * libm::log(solved.decay) / period_s;
        let asked = 2.0 * core::f64::consts::PI * hz;
        assert!((w / asked - 1.0).abs() < 0.02, "{hz} Hz: {w} for {asked}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let good = noise([1e-6, 0.0, 1.0]);
    let name = |t, j, n: AxisNoise| match steady(t, j, &n) {
        Err(KalmanError::Parameter { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(0.0, 1.0, good), "period");
    assert_eq!(name(1e-3, f64::NAN, good), "inertia");
    assert_eq!(name(1e-3, 1.0, noise([0.0, 0.0, 1.0])), "position noise");
    assert_eq!(name(1e-3, 1.0, noise([1e-6, -1.0, 1.0])), "velocity walk");
    assert_eq!(name(1e-3, 1.0, noise([1e-6, 0.0, 0.0])), "walk");
    let text = steady(-1.0, 1.0, &good).unwrap_err().to_string();
    assert!(text.contains("period") && text.contains("-1"), "{text}");
}

/// A number over many decades.
fn decades(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (libm::log(low)..libm::log(high)).prop_map(libm::exp)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_observer_is_stable_over_the_whole_range(
        period_s in decades(31.25e-6, 1.0),
        inertia in decades(1e-3, 50.0),
        position_m in decades(1e-10, 1e-3),
        velocity_walk in prop_oneof![Just(0.0), decades(1e-9, 1e3)],
        disturbance_walk in decades(1e-9, 1e6),
        // Viscous friction of an axis: it dies out within a cycle at the largest.
        damping in prop_oneof![Just(0.0), decades(1e-6, 10.0)],
        coasted in 0u32..30_000,
    ) {
        let n = AxisNoise { position_m, velocity_walk, disturbance_walk };
        let solved = steady(period_s, inertia, &n).unwrap();
        prop_assert!(solved.position > 0.0 && solved.position < 1.0, "{solved:?}");
        prop_assert!(solved.velocity_per_s > 0.0 && solved.disturbance_a_per_m > 0.0, "{solved:?}");
        prop_assert!(solved.decay < 1.0, "{solved:?}");
        prop_assert!(solved.innovation_m2 >= position_m * position_m, "{solved:?}");
        let (near, far) = (solved.widening(coasted), solved.widening(coasted + 1));
        prop_assert!(near >= 1.0 && far >= near && far.is_finite(), "{near} {far}");
        // The error of the axis that the observer really watches, damped by its friction, velocity in m per cycle.
        let (t, j) = (period_s, inertia);
        let k = [solved.position, solved.velocity_per_s * t, solved.disturbance_a_per_m * t * t / j];
        prop_assert!(is_stable(damping, k), "damping {damping}: {solved:?}");
    }
}

/// Whether the error of an observer with gains `k` dies out on an axis whose velocity falls by exp(-c) a cycle.
///
/// With z = 1 + s and s = 2 w / (1 - w) the unit circle becomes the left half plane, where Hurwitz' conditions hold. In s no
/// small figure is the difference of large ones, so that a root at 1 - 1e-12 still counts as stable.
fn is_stable(c: f64, k: [f64; 3]) -> bool {
    let lost = -libm::expm1(-c);
    let (b1, b2) = if c > 1e-4 {
        (lost / c, (c - lost) / (c * c))
    } else {
        (1.0 - 0.5 * c, 0.5 - c / 6.0)
    };
    let u0 = k[0] + b1 * k[1] + b2 * k[2];
    let u1 = (1.0 - lost) * k[1] + b1 * k[2];
    let (a2, a1, a0) = (
        u0 + lost,
        u0 * lost + u1 * b1 + k[2] * b2,
        k[2] * (b1 * b1 + b2 * lost),
    );
    let (w3, w2, w1, w0) = (
        8.0 - 4.0 * a2 + 2.0 * a1 - a0,
        4.0 * a2 - 4.0 * a1 + 3.0 * a0,
        2.0 * a1 - 3.0 * a0,
        a0,
    );
    w3 > 0.0 && w2 > 0.0 && w1 > 0.0 && w0 > 0.0 && w2 * w1 > w3 * w0
}

#[test]
fn the_stability_test_can_fail() {
    assert!(is_stable(0.0, [0.9, 0.5, 0.1]));
    assert!(!is_stable(0.0, [0.9, 0.1, 0.5]));
    assert!(!is_stable(0.0, [2.5, 0.5, 0.1]));
}
