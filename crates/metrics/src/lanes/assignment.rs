//! CULane's assignment of predicted to annotated lanes.

/// Edges this close to being tight count as tight in the official program, so that its assignment may miss the
/// best one by as much per lane; found lanes depend on it.
const SLACK: f64 = 1e-2;

/// Kuhn and Munkres' maximal assignment with labels, rows to columns, as `hungarianGraph.hpp` of CULane's
/// evaluation: no more rows than columns. The column of each row.
pub(super) fn assign(weights: &[Vec<f64>], columns: usize) -> Vec<usize> {
    let rows = weights.len();
    assert!(rows <= columns, "the smaller side is assigned");
    let mut state = State {
        weights,
        row_label: weights.iter().map(|row| row.iter().copied().fold(-1e5, f64::max)).collect(),
        column_label: vec![0.0; columns],
        row_of: vec![None; columns],
        row_seen: vec![false; rows],
        column_seen: vec![false; columns],
    };
    for row in 0..rows {
        loop {
            state.row_seen.fill(false);
            state.column_seen.fill(false);
            if state.augment(row) {
                break;
            }
            state.relax();
        }
    }
    let mut found = vec![0; rows];
    for (column, row) in state.row_of.iter().enumerate() {
        if let Some(row) = row {
            found[*row] = column;
        }
    }
    found
}

struct State<'a> {
    weights: &'a [Vec<f64>],
    row_label: Vec<f64>,
    column_label: Vec<f64>,
    row_of: Vec<Option<usize>>,
    row_seen: Vec<bool>,
    column_seen: Vec<bool>,
}

impl State<'_> {
    fn excess(&self, row: usize, column: usize) -> f64 {
        self.row_label[row] + self.column_label[column] - self.weights[row][column]
    }

    /// Looks for a path of tight edges from a row to a free column, and takes it.
    fn augment(&mut self, row: usize) -> bool {
        self.row_seen[row] = true;
        for column in 0..self.row_of.len() {
            if self.column_seen[column] || self.excess(row, column).abs() >= SLACK {
                continue;
            }
            self.column_seen[column] = true;
            let free = match self.row_of[column] {
                None => true,
                Some(other) => self.augment(other),
            };
            if free {
                self.row_of[column] = Some(row);
                return true;
            }
        }
        false
    }

    /// Makes at least one more edge tight.
    fn relax(&mut self) {
        let (rows, columns) = (self.weights.len(), self.row_of.len());
        let mut least = f64::INFINITY;
        for row in (0..rows).filter(|&row| self.row_seen[row]) {
            for column in (0..columns).filter(|&column| !self.column_seen[column]) {
                least = least.min(self.excess(row, column));
            }
        }
        for row in 0..rows {
            if self.row_seen[row] {
                self.row_label[row] -= least;
            }
        }
        for column in 0..columns {
            if self.column_seen[column] {
                self.column_label[column] += least;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn best(weights: &[Vec<f64>], used: &mut Vec<bool>, row: usize) -> f64 {
        if row == weights.len() {
            return 0.0;
        }
        let mut found = f64::NEG_INFINITY;
        for column in 0..used.len() {
            if !used[column] {
                used[column] = true;
                found = found.max(weights[row][column] + best(weights, used, row + 1));
                used[column] = false;
            }
        }
        found
    }

    proptest! {
        #[test]
        fn is_the_best_up_to_its_slack(
            weights in (1usize..5).prop_flat_map(|rows| {
                (rows..6).prop_flat_map(move |columns| proptest::collection::vec(
                    proptest::collection::vec(0.0..1.0f64, columns), rows))
            }),
        ) {
            let columns = weights[0].len();
            let found = assign(&weights, columns);
            let total: f64 = found.iter().enumerate().map(|(r, &c)| weights[r][c]).sum();
            let most = best(&weights, &mut vec![false; columns], 0);
            prop_assert!(total >= most - 2.0 * SLACK * weights.len() as f64);
            let mut distinct = found.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), weights.len());
        }
    }
}
