//! Small symmetric matrices: inverse by Cholesky, and products.
#![allow(
    clippy::needless_range_loop,
    reason = "indexes of rows and columns run over several arrays at once"
)]

/// A square matrix, row by row.
pub type Matrix<const N: usize> = [[f64; N]; N];

/// The matrix with `diagonal` on its diagonal.
pub fn diagonal<const N: usize>(diagonal: &[f64; N]) -> Matrix<N> {
    let mut m = [[0.0; N]; N];
    for i in 0..N {
        m[i][i] = diagonal[i];
    }
    m
}

/// Inverse of a symmetric positive definite matrix; none where it is not.
pub fn inverse<const N: usize>(a: &Matrix<N>) -> Option<Matrix<N>> {
    let mut l = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let mut sum = a[i][j];
            for k in 0..j {
                sum -= l[i][k] * l[j][k];
            }
            if i == j {
                // Also refuses NaN.
                if !(sum > 1e-14 * a[i][i] && sum > 0.0) {
                    return None;
                }
                l[i][i] = libm::sqrt(sum);
            } else {
                l[i][j] = sum / l[j][j];
            }
        }
    }
    let mut out = [[0.0; N]; N];
    for column in 0..N {
        let mut y = [0.0; N];
        for i in 0..N {
            let mut sum = if i == column { 1.0 } else { 0.0 };
            for k in 0..i {
                sum -= l[i][k] * y[k];
            }
            y[i] = sum / l[i][i];
        }
        for i in (0..N).rev() {
            let mut sum = y[i];
            for k in i + 1..N {
                sum -= l[k][i] * out[k][column];
            }
            out[i][column] = sum / l[i][i];
        }
    }
    Some(out)
}

/// `a` times `x`.
pub fn times<const R: usize, const C: usize>(a: &[[f64; C]; R], x: &[f64; C]) -> [f64; R] {
    let mut out = [0.0; R];
    for (out, row) in out.iter_mut().zip(a) {
        *out = dot(row, x);
    }
    out
}

/// Scalar product.
pub fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_singular_matrix_has_no_inverse() {
        assert_eq!(inverse(&[[1.0, 1.0], [1.0, 1.0]]), None);
        assert_eq!(inverse(&[[f64::NAN, 0.0], [0.0, 1.0]]), None);
        assert_eq!(inverse(&[[-1.0]]), None);
    }

    proptest! {
        #[test]
        fn a_matrix_times_its_inverse_is_one(v in proptest::array::uniform9(-1.0..1.0f64), d in 0.05..5.0f64) {
            let mut a = diagonal(&[d; 3]);
            for i in 0..3 {
                for j in 0..3 {
                    for k in 0..3 {
                        a[i][j] += v[3 * i + k] * v[3 * j + k];
                    }
                }
            }
            let b = inverse(&a).expect("positive definite");
            for i in 0..3 {
                for j in 0..3 {
                    let mut sum = 0.0;
                    for k in 0..3 {
                        sum += a[i][k] * b[k][j];
                    }
                    let one = if i == j { 1.0 } else { 0.0 };
                    prop_assert!((sum - one).abs() < 1e-9, "{sum}");
                }
            }
        }
    }
}
