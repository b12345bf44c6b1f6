//! Symmetric positive-definite systems of 6x6 blocks, stored and factored inside their envelope.
//!
//! George & Liu 1981, *Computer solution of large sparse positive definite systems*, chapter 4:
//! Cholesky fills nothing outside the envelope.

use nalgebra::{Matrix6, Vector6};

/// The lower triangle by block rows, each from its first block that may be non-zero.
#[derive(Debug, Clone)]
pub(super) struct EnvelopeMatrix {
    first: Vec<usize>,
    rows: Vec<Vec<Matrix6<f64>>>,
}

impl EnvelopeMatrix {
    /// All zero; `first[i] <= i` is the first block column of row `i`.
    pub(super) fn zeros(first: Vec<usize>) -> Self {
        let row = |(i, &start): (usize, &usize)| vec![Matrix6::zeros(); i - start + 1];
        let rows = first.iter().enumerate().map(row).collect();
        Self { first, rows }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// First block column of row `i`.
    pub(super) fn first(&self, i: usize) -> usize {
        self.first[i]
    }

    /// Block `(i, j)` with `j <= i` inside the envelope.
    pub(super) fn block_mut(&mut self, i: usize, j: usize) -> &mut Matrix6<f64> {
        &mut self.rows[i][j - self.first[i]]
    }

    /// `L` with `L L^T = self`, or `None` if not positive definite.
    pub(super) fn cholesky(mut self) -> Option<EnvelopeFactor> {
        let mut inverse_diagonals: Vec<Matrix6<f64>> = Vec::with_capacity(self.len());
        for i in 0..self.len() {
            let (above, rest) = self.rows.split_at_mut(i);
            let row = &mut rest[0];
            let start = self.first[i];
            for j in start..i {
                let other = &above[j];
                let other_start = self.first[j];
                let mut sum = row[j - start];
                for k in start.max(other_start)..j {
                    sum -= row[k - start] * other[k - other_start].transpose();
                }
                row[j - start] = sum * inverse_diagonals[j].transpose();
            }
            let mut sum = row[i - start];
            for block in &row[..i - start] {
                sum -= block * block.transpose();
            }
            let lower = sum.cholesky()?.l();
            if lower.diagonal().iter().any(|x| !x.is_finite()) {
                return None;
            }
            inverse_diagonals.push(lower.solve_lower_triangular(&Matrix6::identity())?);
            row[i - start] = lower;
        }
        Some(EnvelopeFactor { factor: self, inverse_diagonals })
    }
}

/// A Cholesky factor.
pub(super) struct EnvelopeFactor {
    factor: EnvelopeMatrix,
    inverse_diagonals: Vec<Matrix6<f64>>,
}

impl EnvelopeFactor {
    /// Solves in place.
    pub(super) fn solve(&self, x: &mut [Vector6<f64>]) {
        let EnvelopeMatrix { first, rows } = &self.factor;
        for i in 0..rows.len() {
            let mut sum = x[i];
            for j in first[i]..i {
                sum -= rows[i][j - first[i]] * x[j];
            }
            x[i] = self.inverse_diagonals[i] * sum;
        }
        for i in (0..rows.len()).rev() {
            let solved = self.inverse_diagonals[i].transpose() * x[i];
            x[i] = solved;
            for j in first[i]..i {
                x[j] -= rows[i][j - first[i]].transpose() * solved;
            }
        }
    }

    /// The diagonal blocks of the inverse: the covariances.
    pub(super) fn inverse_diagonal(&self) -> Vec<Matrix6<f64>> {
        let count = self.factor.len();
        let block = |i: usize| {
            let mut covariance = Matrix6::zeros();
            for axis in 0..6 {
                let mut column = vec![Vector6::zeros(); count];
                column[i][axis] = 1.0;
                self.solve(&mut column);
                covariance.set_column(axis, &column[i]);
            }
            (covariance + covariance.transpose()) * 0.5
        };
        (0..count).map(block).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    /// A banded positive-definite matrix, dense and inside its envelope.
    fn example(first: &[usize]) -> (DMatrix<f64>, EnvelopeMatrix) {
        let n = first.len();
        let mut lower = DMatrix::zeros(6 * n, 6 * n);
        for (i, &start) in first.iter().enumerate() {
            for r in 0..6 {
                for c in 6 * start..=6 * i + r {
                    let value = ((7 * (6 * i + r) + 3 * c) % 11) as f64 / 11.0 - 0.4;
                    lower[(6 * i + r, c)] = if c == 6 * i + r { 3.0 + value } else { value };
                }
            }
        }
        let dense = &lower * lower.transpose();
        let mut sparse = EnvelopeMatrix::zeros(first.to_vec());
        for (i, &start) in first.iter().enumerate() {
            for j in start..=i {
                *sparse.block_mut(i, j) = dense.fixed_view::<6, 6>(6 * i, 6 * j).into();
            }
        }
        (dense, sparse)
    }

    #[test]
    fn agrees_with_dense_cholesky() {
        for first in [vec![0], vec![0, 0, 0], vec![0, 0, 1, 3, 2, 0]] {
            let (dense, sparse) = example(&first);
            let right = DVector::from_fn(dense.nrows(), |i, _| (i as f64 * 0.7).sin());
            let expected = dense.clone().cholesky().unwrap().solve(&right);
            let factor = sparse.cholesky().unwrap();
            let block = |i: usize| Vector6::from_column_slice(&right.as_slice()[6 * i..6 * i + 6]);
            let mut x: Vec<_> = (0..first.len()).map(block).collect();
            factor.solve(&mut x);
            let flat: Vec<f64> = x.iter().flat_map(|v| v.iter().copied()).collect();
            assert!((DVector::from_vec(flat) - expected).norm() < 1e-9);
            let inverse = dense.try_inverse().unwrap();
            for (i, covariance) in factor.inverse_diagonal().iter().enumerate() {
                assert!((inverse.fixed_view::<6, 6>(6 * i, 6 * i) - covariance).norm() < 1e-9);
            }
        }
    }

    #[test]
    fn indefinite_is_refused() {
        let mut matrix = EnvelopeMatrix::zeros(vec![0]);
        *matrix.block_mut(0, 0) = -Matrix6::identity();
        assert!(matrix.cholesky().is_none());
    }
}
