//! Exact steps of linear systems.
//!
//! # Derivation
//! `y' = A y` has `y(h) = exp(A h) y(0)` for any h, stiff or not. What is kept is `E = exp(A h) - I`, so that a step is
//! `y + E y` and a small increment is not lost beside the identity. With X = A h / 2^n small enough for a short Taylor
//! series, doubling the step is `E(2h) = 2 E(h) + E(h)^2` (scaling and squaring: Moler, Van Loan 2003, method 3, written
//! for exp - I). A constant input is one more state whose derivative is 0.
//!
//! Ways in metres and velocities in m/s differ by the frequency, so that the norm of A is its square. Powers of two as units
//! of the states bring rows and columns to the same size first (balancing: Parlett, Reinsch 1969), which costs no accuracy
//! and saves half of the doublings: `exp(A) = D exp(D^-1 A D) D^-1`.

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

/// Rounds over all states in which their units are chosen.
const ROUNDS: usize = 3;
/// Largest power of two by which a unit changes at once.
const BINARY_MAX: usize = 100;

/// The unit of a state (a power of two) by which the sizes of its row and its column come closest.
fn unit(column: f64, row: f64) -> f64 {
    // What nothing acts on, or what acts on nothing, is free: it is put below all that counts.
    let (mut c, r) = match (column > 0.0, row > 0.0) {
        (true, true) => (column, row),
        (true, false) => (column, 1.0 / column),
        (false, true) => (1.0 / row, row),
        (false, false) => return 1.0,
    };
    let mut f = 1.0;
    for _ in 0..BINARY_MAX {
        if c < 0.5 * r {
            (f, c) = (2.0 * f, 4.0 * c);
        } else if c >= 2.0 * r {
            (f, c) = (0.5 * f, 0.25 * c);
        } else {
            break;
        }
    }
    f
}

/// Chooses the units of the states, and gives them.
fn balance<const N: usize>(a: &mut Matrix<N>) -> [f64; N] {
    let mut units = [1.0; N];
    for _ in 0..ROUNDS {
        for i in 0..N {
            let (mut column, mut row) = (0.0, 0.0);
            for (j, from) in a.iter().enumerate() {
                if j != i {
                    column += from[i].abs();
                    row += a[i][j].abs();
                }
            }
            let f = unit(column, row);
            if f == 1.0 {
                continue;
            }
            units[i] *= f;
            for value in &mut a[i] {
                *value /= f;
            }
            for to in a.iter_mut() {
                to[i] *= f;
            }
        }
    }
    units
}

/// `exp(a step_s) - I`.
pub fn expm1<const N: usize>(a: &Matrix<N>, step_s: f64) -> Matrix<N> {
    let mut balanced = *a;
    let units = balance(&mut balanced);
    let mut e = expm1_balanced(&balanced, step_s);
    for (row, to) in e.iter_mut().zip(&units) {
        for (value, from) in row.iter_mut().zip(&units) {
            *value *= to / from;
        }
    }
    e
}

fn expm1_balanced<const N: usize>(a: &Matrix<N>, step_s: f64) -> Matrix<N> {
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
    fn stiff_units_are_balanced() {
        // Way and velocity: the norm is w^2 as it stands, and 2 w with units of a power of two.
        let w = 3e4;
        let mut a = [[0.0, 1.0, 0.0], [-w * w, 0.0, 1.0], [0.0; 3]];
        balance(&mut a);
        let largest = a.iter().flatten().fold(0.0, |m: f64, x| m.max(x.abs()));
        assert!(largest < 2.0 * w, "{largest}");
        let e = expm1(&[[0.0, 1.0, 0.0], [-w * w, 0.0, 1.0], [0.0; 3]], 0.01);
        assert!((e[0][0] + 1.0 - libm::cos(300.0)).abs() < 1e-10);
        assert!((e[0][1] * w - libm::sin(300.0)).abs() < 1e-10);
        assert!((e[0][2] * w * w - (1.0 - libm::cos(300.0))).abs() < 1e-10);
    }

    #[test]
    fn a_constant_input_is_a_state() {
        // x' = v, v' = f: half f t squared.
        let e = expm1(&[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]], 0.5);
        let y = apply(&e, &[1.0, 2.0, 4.0]);
        assert!((y[0] - 2.5).abs() < 1e-15 && (y[1] - 4.0).abs() < 1e-15);
    }
}
