//! The black box to beat: a linear ARX model of the recording itself.
//!
//! `y[k] = sum a[i] y[k-i] + sum b[i] r[k+1-i]`, i = 1..10, fitted by least squares (QR) on the first half and iterated over
//! the horizon. The reference is known ahead, as it is to the twin.

use nalgebra::{DMatrix, DVector};

/// Order of the model.
pub const ORDER: usize = 10;

/// A fitted model.
#[derive(Clone, Debug)]
pub struct Arx {
    own: Vec<f64>,
    reference: Vec<f64>,
}

impl Arx {
    /// Fits on `y[..half]`. None where the record is too short or the columns cannot be told apart.
    pub fn fit(y: &[f64], reference: Option<&[f64]>, half: usize) -> Option<Self> {
        let inputs = if reference.is_some() { ORDER } else { 0 };
        let columns = ORDER + inputs;
        let rows = half.min(y.len()).checked_sub(ORDER)?;
        if rows < 4 * columns {
            return None;
        }
        let a = DMatrix::from_fn(rows, columns, |row, column| {
            let k = row + ORDER;
            match (column < ORDER, reference) {
                (false, Some(r)) => r[k + ORDER - column],
                _ => y[k - 1 - column],
            }
        });
        let b = DVector::from_fn(rows, |row, _| y[row + ORDER]);
        let qr = a.qr();
        let solution = qr.r().solve_upper_triangular(&(qr.q().transpose() * b))?;
        if solution.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let (own, reference) = solution.as_slice().split_at(ORDER);
        Some(Self {
            own: own.to_vec(),
            reference: reference.to_vec(),
        })
    }

    /// The value `horizon` cycles after `k`, from nothing of `y` after `k`. `buffer` is working memory.
    pub fn ahead(
        &self,
        y: &[f64],
        reference: Option<&[f64]>,
        k: usize,
        horizon: usize,
        buffer: &mut Vec<f64>,
    ) -> f64 {
        buffer.clear();
        buffer.extend_from_slice(&y[k + 1 - ORDER..=k]);
        for step in 1..=horizon {
            let mut next = 0.0;
            for (i, a) in self.own.iter().enumerate() {
                next += a * buffer[buffer.len() - 1 - i];
            }
            if let Some(r) = reference {
                for (i, b) in self.reference.iter().enumerate() {
                    next += b * r[k + step - i];
                }
            }
            buffer.push(next);
        }
        buffer.last().copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_system_is_found_and_iterated() {
        let r: Vec<f64> = (0..600)
            .map(|k| libm::sin(0.03 * f64::from(k)) + libm::sin(0.171 * f64::from(k)))
            .collect();
        let mut y = vec![0.0, 0.0];
        for k in 2..600 {
            y.push(1.6 * y[k - 1] - 0.7 * y[k - 2] + 0.1 * r[k]);
        }
        let arx = Arx::fit(&y, Some(&r), 300).unwrap();
        let mut buffer = Vec::new();
        for horizon in [1, 10, 100] {
            let ahead = arx.ahead(&y, Some(&r), 400, horizon, &mut buffer);
            assert!(
                (ahead - y[400 + horizon]).abs() < 1e-6,
                "{horizon}: {ahead}"
            );
        }
    }

    #[test]
    fn a_short_record_is_refused() {
        assert!(Arx::fit(&[0.0; 30], None, 15).is_none());
    }
}
