//! Linear assignment: each row to one column at least total cost.

/// Pairs (row, column) of least total cost, by row. `cost`: row-major, finite. All of the shorter side are assigned.
///
/// Shortest augmenting paths after Crouse, On implementing 2D rectangular assignment algorithms, IEEE TAES 2016.
/// Where several assignments cost the same, the order of search decides; it is that of SciPy's
/// `linear_sum_assignment`, which the official tools call, so that ties fall the same way.
pub(crate) fn assign(cost: &[f64], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    assert_eq!(cost.len(), rows * columns, "a cost for each pair");
    if rows <= columns {
        let column_of_row = Search::new(cost, rows, columns).run();
        return column_of_row.into_iter().enumerate().collect();
    }
    let mut turned = Vec::with_capacity(cost.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| cost[row * columns + column]));
    }
    let row_of_column = Search::new(&turned, columns, rows).run();
    let mut pairs: Vec<_> = row_of_column.into_iter().enumerate().map(|(c, r)| (r, c)).collect();
    pairs.sort_unstable();
    pairs
}

const NONE: usize = usize::MAX;

/// Dual variables, the assignment so far, and the state of the search for the next path.
struct Search<'a> {
    cost: &'a [f64],
    columns: usize,
    of_row: Vec<f64>,
    of_column: Vec<f64>,
    column_of_row: Vec<usize>,
    row_of_column: Vec<usize>,
    /// Cost of the shortest path to each column, and the row before it.
    shortest: Vec<f64>,
    before: Vec<usize>,
    seen_row: Vec<bool>,
    seen_column: Vec<bool>,
    remaining: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(cost: &'a [f64], rows: usize, columns: usize) -> Self {
        Self {
            cost,
            columns,
            of_row: vec![0.0; rows],
            of_column: vec![0.0; columns],
            column_of_row: vec![NONE; rows],
            row_of_column: vec![NONE; columns],
            shortest: vec![0.0; columns],
            before: vec![NONE; columns],
            seen_row: vec![false; rows],
            seen_column: vec![false; columns],
            remaining: Vec::with_capacity(columns),
        }
    }

    fn run(mut self) -> Vec<usize> {
        for row in 0..self.column_of_row.len() {
            let (sink, length) = self.path_from(row);
            self.update_duals(row, length);
            self.augment(row, sink);
        }
        self.column_of_row
    }

    /// Dijkstra from a free row to the nearest free column: that column, and the path's length.
    fn path_from(&mut self, start: usize) -> (usize, f64) {
        self.remaining.clear();
        // Backwards, so that equal costs give the identity.
        self.remaining.extend((0..self.columns).rev());
        self.seen_row.fill(false);
        self.seen_column.fill(false);
        self.shortest.fill(f64::INFINITY);
        let (mut row, mut length) = (start, 0.0);
        loop {
            self.seen_row[row] = true;
            let (at, lowest) = self.relax(row, length);
            length = lowest;
            let column = self.remaining.swap_remove(at);
            self.seen_column[column] = true;
            if self.row_of_column[column] == NONE {
                return (column, length);
            }
            row = self.row_of_column[column];
        }
    }

    /// Shortens paths through a row; where in `remaining` the nearest column is, and how far. Of equally near
    /// ones a free column is preferred.
    fn relax(&mut self, row: usize, length: f64) -> (usize, f64) {
        let (mut at, mut lowest) = (NONE, f64::INFINITY);
        let costs = &self.cost[row * self.columns..][..self.columns];
        for (i, &column) in self.remaining.iter().enumerate() {
            let through = length + costs[column] - self.of_row[row] - self.of_column[column];
            if through < self.shortest[column] {
                self.before[column] = row;
                self.shortest[column] = through;
            }
            let here = self.shortest[column];
            if here < lowest || (here == lowest && self.row_of_column[column] == NONE) {
                (at, lowest) = (i, here);
            }
        }
        assert!(at != NONE, "finite costs have a path");
        (at, lowest)
    }

    fn update_duals(&mut self, start: usize, length: f64) {
        self.of_row[start] += length;
        for row in (0..self.of_row.len()).filter(|&row| row != start) {
            if self.seen_row[row] {
                self.of_row[row] += length - self.shortest[self.column_of_row[row]];
            }
        }
        for column in 0..self.columns {
            if self.seen_column[column] {
                self.of_column[column] -= length - self.shortest[column];
            }
        }
    }

    fn augment(&mut self, start: usize, sink: usize) {
        let mut column = sink;
        loop {
            let row = self.before[column];
            self.row_of_column[column] = row;
            std::mem::swap(&mut self.column_of_row[row], &mut column);
            if row == start {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(cost: &[f64], columns: usize, pairs: &[(usize, usize)]) -> f64 {
        pairs.iter().map(|(row, column)| cost[row * columns + column]).sum()
    }

    /// Least cost of assigning rows from `row` on; `rows <= columns`.
    fn least(cost: &[f64], rows: usize, columns: usize, row: usize, taken: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        let with = |column: usize| {
            cost[row * columns + column] + least(cost, rows, columns, row + 1, taken | 1 << column)
        };
        let free = (0..columns).filter(|column| taken & 1 << column == 0);
        free.map(with).fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn no_other_assignment_is_cheaper(
            rows in 1usize..5, more in 0usize..3, seed in proptest::collection::vec(0u8..6, 40),
        ) {
            let columns = rows + more;
            let cost: Vec<f64> =
                seed[..rows * columns].iter().map(|&level| f64::from(level) / 3.0).collect();
            let pairs = assign(&cost, rows, columns);
            let best = least(&cost, rows, columns, 0, 0);
            prop_assert!((total(&cost, columns, &pairs) - best).abs() < 1e-9);
            let turned: Vec<f64> = (0..columns * rows)
                .map(|i| cost[(i % rows) * columns + i / rows])
                .collect();
            let pairs = assign(&turned, columns, rows);
            prop_assert_eq!(pairs.len(), rows);
            prop_assert!((total(&turned, rows, &pairs) - best).abs() < 1e-9);
        }
    }

    #[test]
    fn equal_costs_give_the_identity() {
        assert_eq!(assign(&[1.0; 9], 3, 3), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(assign(&[0.0; 6], 3, 2), [(0, 0), (1, 1)]);
        assert_eq!(assign(&[], 0, 4), []);
    }
}
