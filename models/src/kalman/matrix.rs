//! Three by three.

use super::larger;

pub(super) type Matrix = [[f64; 3]; 3];
pub(super) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

pub(super) fn transposed(a: &Matrix) -> Matrix {
    let mut t = [[0.0; 3]; 3];
    for (r, row) in a.iter().enumerate() {
        for (c, x) in row.iter().enumerate() {
            t[c][r] = *x;
        }
    }
    t
}

pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = [[0.0; 3]; 3];
    for (to, row) in out.iter_mut().zip(a) {
        for (c, x) in to.iter_mut().enumerate() {
            *x = row[0] * b[0][c] + row[1] * b[1][c] + row[2] * b[2][c];
        }
    }
    out
}

pub(super) fn sum(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = *a;
    for (x, y) in out.iter_mut().flatten().zip(b.iter().flatten()) {
        *x += y;
    }
    out
}

pub(super) fn symmetric(a: &Matrix) -> Matrix {
    let mut out = sum(a, &transposed(a));
    for x in out.iter_mut().flatten() {
        *x *= 0.5;
    }
    out
}

/// The largest entry.
pub(super) fn size(a: &Matrix) -> f64 {
    a.iter()
        .flatten()
        .fold(0.0, |most, x| larger(most, libm::fabs(*x)))
}

/// The largest difference of two entries.
pub(super) fn distance(a: &Matrix, b: &Matrix) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.fold(0.0, |most, (x, y)| larger(most, libm::fabs(x - y)))
}

/// Inverse by the adjugate. `I + G X` of two positive semidefinite matrices is never singular.
pub(super) fn inverse(a: &Matrix) -> Matrix {
    let minor = |r: usize, c: usize| {
        let (r1, r2) = ((r + 1) % 3, (r + 2) % 3);
        let (c1, c2) = ((c + 1) % 3, (c + 2) % 3);
        a[r1][c1] * a[r2][c2] - a[r1][c2] * a[r2][c1]
    };
    let determinant = a[0][0] * minor(0, 0) + a[0][1] * minor(0, 1) + a[0][2] * minor(0, 2);
    let mut out = [[0.0; 3]; 3];
    for (r, row) in out.iter_mut().enumerate() {
        for (c, x) in row.iter_mut().enumerate() {
            *x = minor(c, r) / determinant;
        }
    }
    out
}
