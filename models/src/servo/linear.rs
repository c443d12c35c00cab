//! Exact steps of linear systems.
//!
//! # Derivation
//! `y' = A y` has `y(h) = exp(A h) y(0)` for any h, stiff or not. What is kept is `E = exp(A h) - I`, so that a step is
//! `y + E y` and a small increment is not lost beside the identity. With X = A h / 2^n small enough for a short Taylor
//! series, doubling the step is `E(2h) = 2 E(h) + E(h)^2` (scaling and squaring: Moler, Van Loan 2003, method 3, written
//! for exp - I). A constant input is one more state whose derivative is 0.

/// A square matrix, by rows.
pub type Matrix<const N: usize> = [[f64; N]; N];

/// Norm below which the Taylor series is cut after [`TERMS`] terms: 0.25^13 / 13! is below 1e-17.
const SMALL: f64 = 0.25;
/// Terms of the Taylor series.
const TERMS: usize = 12;
/// Most halvings; a matrix that would need more is out of every range that `servo` allows.
const HALVINGS_MAX: u32 = 160;

fn product<const N: usize>(a: &Matrix<N>, b: &Matrix<N>) -> Matrix<N> {
    let mut c = [[0.0; N]; N];
    for (row, out) in a.iter().zip(&mut c) {
        for (&x, from) in row.iter().zip(b) {
            if x != 0.0 {
                for (y, to) in from.iter().zip(out.iter_mut()) {
                    *to += x * y;
                }
            }
        }
    }
    c
}

/// From `exp(A h) - I` to `exp(2 A h) - I`.
pub fn doubled<const N: usize>(e: &Matrix<N>) -> Matrix<N> {
    let mut out = product(e, e);
    for (row, from) in out.iter_mut().zip(e) {
        for (to, x) in row.iter_mut().zip(from) {
            *to += 2.0 * x;
        }
    }
    out
}

/// `exp(a step_s) - I`.
pub fn expm1<const N: usize>(a: &Matrix<N>, step_s: f64) -> Matrix<N> {
    let mut norm = 0.0;
    for row in a {
        let sum = row.iter().map(|x| x.abs()).sum::<f64>() * step_s;
        norm = if sum > norm { sum } else { norm };
    }
    let mut halvings = 0;
    let mut scale = step_s;
    while norm > SMALL && halvings < HALVINGS_MAX {
        norm *= 0.5;
        scale *= 0.5;
        halvings += 1;
    }
    let mut x = *a;
    for row in &mut x {
        for value in row {
            *value *= scale;
        }
    }
    // Horner: X (I + X/2 (I + X/3 (...))) without the leading I.
    let mut e = x;
    for n in (1..TERMS).rev() {
        let factor = 1.0 / (n as f64 + 1.0);
        let mut inner = e;
        for (i, row) in inner.iter_mut().enumerate() {
            for value in row.iter_mut() {
                *value *= factor;
            }
            row[i] += 1.0;
        }
        e = product(&x, &inner);
    }
    for _ in 0..halvings {
        e = doubled(&e);
    }
    e
}

/// `y + e y`.
pub fn apply<const N: usize>(e: &Matrix<N>, y: &[f64; N]) -> [f64; N] {
    let mut out = *y;
    for (row, to) in e.iter().zip(&mut out) {
        let mut sum = 0.0;
        for (x, from) in row.iter().zip(y) {
            sum += x * from;
        }
        *to += sum;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_decays_as_the_exponential() {
        for (rate, step_s) in [(1.0, 1e-6), (3.0, 0.5), (2e6, 0.004)] {
            let e = expm1(&[[-rate]], step_s);
            let truth = libm::expm1(-rate * step_s);
            assert!((e[0][0] - truth).abs() <= 1e-13 * truth.abs());
        }
    }

    #[test]
    fn an_oscillator_turns_by_its_angle() {
        let w = 2000.0;
        let t = 0.0123;
        let e = expm1(&[[0.0, w], [-w, 0.0]], t);
        assert!((e[0][0] + 1.0 - libm::cos(w * t)).abs() < 1e-12);
        assert!((e[0][1] - libm::sin(w * t)).abs() < 1e-12);
    }

    #[test]
    fn a_constant_input_is_a_state() {
        // x' = v, v' = f: half f t squared.
        let e = expm1(&[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]], 0.5);
        let y = apply(&e, &[1.0, 2.0, 4.0]);
        assert!((y[0] - 2.5).abs() < 1e-15 && (y[1] - 4.0).abs() < 1e-15);
    }
}
