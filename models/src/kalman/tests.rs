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
        position_walk: 0.0,
        velocity_walk,
        disturbance_walk,
    }
}

#[test]
fn gains_agree_with_an_independent_solution() {
    for (period_s, inertia, walks, gold) in GOLDEN {
        let found = steady(period_s, inertia, &noise(walks)).unwrap();
        let found = [
            found.gains.position,
            found.gains.velocity_per_s,
            found.gains.disturbance_a_per_m,
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
    let x = n.position_walk * n.position_walk;
    let q = [
        [
            x * t + v * t3 / 3.0 + a * t2 * t3 / 20.0,
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
    let mut n = noise([3e-7, 2e-4, 0.02]);
    n.position_walk = 1e-6;
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
    close(solved.gains.position, p[0][0] / s);
    close(solved.gains.velocity_per_s, p[1][0] / s);
    close(solved.gains.disturbance_a_per_m, -p[2][0] / s);
    close(solved.disturbance_a, libm::sqrt(p[2][2]));
    // Forty cycles without a sample, forty with one: width and gains are those of the textbook.
    let mut ours = solved.covariance;
    for cycle in 0..80 {
        close(solved.widening(&ours), libm::sqrt((p[0][0] + r2) / s));
        let measured = cycle >= 40;
        if measured {
            let (gains, after) = solved.take_in(&ours);
            let s = p[0][0] + r2;
            close(gains.position, p[0][0] / s);
            close(gains.velocity_per_s, p[1][0] / s);
            close(gains.disturbance_a_per_m, -p[2][0] / s);
            ours = after;
        }
        ours = solved.coast(&ours);
        p = plain(period_s, inertia, &n, p, measured);
    }
}

#[test]
fn three_equal_poles_are_the_optimum_of_their_noise() {
    // Far below the rate of the cycle the gains are those of (s + w)^3: 3 w T, 3 w2 T and w3 T J.
    for hz in [0.5, 2.0, 5.0] {
        let (period_s, inertia, position_m) = (1e-4, 0.7, 1e-6);
        let noise = AxisNoise::of_bandwidth(hz, position_m, inertia, period_s);
        let gains = steady(period_s, inertia, &noise).unwrap().gains;
        let w = 2.0 * core::f64::consts::PI * hz;
        for (found, asked) in [
            (gains.position, 3.0 * w * period_s),
            (gains.velocity_per_s, 3.0 * w * w * period_s),
            (gains.disturbance_a_per_m, w * w * w * period_s * inertia),
        ] {
            assert!(
                (found / asked - 1.0).abs() < 0.02,
                "{hz} Hz: {found} for {asked}"
            );
        }
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
        position_walk in prop_oneof![Just(0.0), decades(1e-12, 1e3)],
        // Viscous friction of an axis: it dies out within a cycle at the largest.
        damping in prop_oneof![Just(0.0), decades(1e-6, 10.0)],
        coasted in 0u32..200,
    ) {
        let n = AxisNoise { position_m, position_walk, velocity_walk, disturbance_walk };
        let solved = steady(period_s, inertia, &n).unwrap();
        let gains = solved.gains;
        prop_assert!(gains.position > 0.0 && gains.position < 1.0, "{solved:?}");
        prop_assert!(gains.velocity_per_s > 0.0 && gains.disturbance_a_per_m > 0.0, "{solved:?}");
        prop_assert!(solved.decay < 1.0, "{solved:?}");
        prop_assert!(solved.innovation_m2 >= position_m * position_m, "{solved:?}");
        let mut p = solved.covariance;
        for _ in 0..coasted {
            p = solved.coast(&p);
        }
        let (near, far) = (solved.widening(&p), solved.widening(&solved.coast(&p)));
        prop_assert!(near >= 1.0 - 1e-9 && far >= near && far.is_finite(), "{near} {far}");
        // However wide it was, samples bring it back.
        for _ in 0..200 {
            let (gains, after) = solved.take_in(&p);
            prop_assert!((0.0..=1.0).contains(&gains.position), "{gains:?}");
            p = solved.coast(&after);
            prop_assert!(p.xx >= 0.0 && p.vv >= 0.0 && p.dd >= 0.0, "{p:?}");
        }
        prop_assert!(solved.widening(&p) <= far * (1.0 + 1e-9));
        // The error of the axis that the observer really watches, damped by its friction, velocity in m per cycle.
        let (t, j) = (period_s, inertia);
        let k = [gains.position, gains.velocity_per_s * t, gains.disturbance_a_per_m * t * t / j];
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
