//! Linear least squares by normal equations, with columns scaled to the same size. Few columns, many rows.

/// Sums of the normal equations.
#[derive(Clone, Debug)]
pub struct LeastSquares {
    n: usize,
    rows: u64,
    ata: Vec<f64>,
    aty: Vec<f64>,
    yy: f64,
}

/// The solution.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Parameters in the order of the columns.
    pub x: Vec<f64>,
    /// Standard error of each, if the residuals were white.
    pub standard_error: Vec<f64>,
    /// Inverse of the normal matrix, row by row.
    pub inverse_normal: Vec<f64>,
    /// Root mean square of the residuals.
    pub residual_rms: f64,
    /// Rows that were used.
    pub rows: u64,
}

impl LeastSquares {
    /// For `columns` parameters.
    pub fn new(columns: usize) -> Self {
        Self {
            n: columns,
            rows: 0,
            ata: vec![0.0; columns * columns],
            aty: vec![0.0; columns],
            yy: 0.0,
        }
    }

    /// From the sums over so many `rows`: products of the columns, row by row, products of the columns with y, and of y with itself.
    pub(super) fn of_sums(rows: u64, ata: Vec<f64>, aty: Vec<f64>, yy: f64) -> Self {
        Self {
            n: aty.len(),
            rows,
            ata,
            aty,
            yy,
        }
    }

    /// Takes in one equation `a . x = y`. Rows of another length or with a value that is not finite are ignored.
    pub fn push(&mut self, a: &[f64], y: f64) {
        if a.len() != self.n || !y.is_finite() || a.iter().any(|v| !v.is_finite()) {
            return;
        }
        self.rows += 1;
        self.yy += y * y;
        for (i, ai) in a.iter().enumerate() {
            self.aty[i] += ai * y;
            for (j, aj) in a.iter().enumerate() {
                self.ata[i * self.n + j] += ai * aj;
            }
        }
    }

    /// Solves by Cholesky. None where the rows cannot tell the parameters apart.
    pub fn solve(&self) -> Option<Solution> {
        let n = self.n;
        if self.rows <= n as u64 {
            return None;
        }
        let scale: Vec<f64> = (0..n).map(|i| libm::sqrt(self.ata[i * n + i])).collect();
        if scale.iter().any(|s| *s <= 0.0) {
            return None;
        }
        let scaled = |i: usize, j: usize| self.ata[i * n + j] / (scale[i] * scale[j]);
        let mut l = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let mut s = scaled(i, j);
                for k in 0..j {
                    s -= l[i * n + k] * l[j * n + k];
                }
                if i == j {
                    // Columns that are all but parallel cannot be told apart.
                    if s < 1e-11 {
                        return None;
                    }
                    l[i * n + i] = libm::sqrt(s);
                } else {
                    l[i * n + j] = s / l[j * n + j];
                }
            }
        }
        let rhs: Vec<f64> = (0..n).map(|i| self.aty[i] / scale[i]).collect();
        let z = cholesky_solve(&l, n, &rhs);
        let x: Vec<f64> = z.iter().zip(&scale).map(|(z, s)| z / s).collect();
        let explained: f64 = x.iter().zip(&self.aty).map(|(x, y)| x * y).sum();
        let left = (self.yy - explained).max(0.0);
        let variance = left / (self.rows as f64 - n as f64);
        let mut inverse_normal = vec![0.0; n * n];
        for i in 0..n {
            let mut unit = vec![0.0; n];
            unit[i] = 1.0;
            let column = cholesky_solve(&l, n, &unit);
            for (j, c) in column.iter().enumerate() {
                inverse_normal[j * n + i] = c / (scale[i] * scale[j]);
            }
        }
        let standard_error = (0..n)
            .map(|i| libm::sqrt(variance * inverse_normal[i * n + i]))
            .collect();
        Some(Solution {
            x,
            standard_error,
            inverse_normal,
            residual_rms: libm::sqrt(left / self.rows as f64),
            rows: self.rows,
        })
    }
}

fn cholesky_solve(l: &[f64], n: usize, b: &[f64]) -> Vec<f64> {
    let mut y = b.to_vec();
    for i in 0..n {
        for k in 0..i {
            y[i] -= l[i * n + k] * y[k];
        }
        y[i] /= l[i * n + i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            y[i] -= l[k * n + i] * y[k];
        }
        y[i] /= l[i * n + i];
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_come_back() {
        let mut ls = LeastSquares::new(3);
        for k in 0..200 {
            let t = f64::from(k) * 0.1;
            let row = [1.0, t, libm::sin(t)];
            ls.push(&row, 2.0 - 3.0 * row[1] + 0.5 * row[2]);
        }
        let s = ls.solve().expect("well posed");
        for (x, truth) in s.x.iter().zip([2.0, -3.0, 0.5]) {
            assert!((x - truth).abs() < 1e-9, "{x} for {truth}");
        }
        assert!(s.residual_rms < 1e-6);
    }

    #[test]
    fn parallel_columns_are_refused() {
        let mut ls = LeastSquares::new(2);
        for k in 0..50 {
            ls.push(&[f64::from(k), 2.0 * f64::from(k)], 1.0);
        }
        assert_eq!(ls.solve(), None);
    }
}
