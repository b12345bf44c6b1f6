//! Weighted sums of looked-up rows, with both gradients: what lifts features of pictures into space by
//! table, and moves a remembered space into the present.
//!
//! `out[b][v] = sum over t of weights[b][v][t] · rows[b][index[b][v][t]]`, over all channels. Results
//! depend on neither threads nor instruction set.

mod gather;
pub mod reference;

#[cfg(test)]
mod tests;

pub use gather::{forward, gradients};

/// Sizes of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Tables, and sets of rows.
    pub batch: usize,
    /// Rows of each set.
    pub rows: usize,
    /// Numbers of each row.
    pub channels: usize,
    /// Sums of each table.
    pub outputs: usize,
    /// Rows of each sum.
    pub taps: usize,
}

impl Sizes {
    /// Numbers in the rows, `[batch, rows, channels]`.
    pub fn len_rows(&self) -> usize {
        self.batch * self.rows * self.channels
    }

    /// Numbers in a table, `[batch, outputs, taps]`.
    pub fn len_table(&self) -> usize {
        self.batch * self.outputs * self.taps
    }

    /// Numbers in the result, `[batch, outputs, channels]`.
    pub fn len_out(&self) -> usize {
        self.batch * self.outputs * self.channels
    }
}

/// Why there is no such look-up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A slice does not have the length that the sizes ask for.
    #[error("look-up: {what} holds {found} numbers, its sizes say {expected}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that it should have.
        expected: usize,
    },
    /// The table points past the rows.
    #[error("look-up: entry {at} of the table is row {row}; there are {rows}")]
    Row {
        /// Which entry.
        at: usize,
        /// What it says.
        row: i64,
        /// How many rows there are.
        rows: usize,
    },
}

/// Lengths fit, and every entry is a row.
fn check(sizes: &Sizes, rows: usize, index: &[i32], weights: usize) -> Result<(), Error> {
    let lengths = [
        ("the rows", rows, sizes.len_rows()),
        ("the index", index.len(), sizes.len_table()),
        ("the weights", weights, sizes.len_table()),
    ];
    for (what, found, expected) in lengths {
        if found != expected {
            return Err(Error::Length { what, found, expected });
        }
    }
    let out = |row: &i32| usize::try_from(*row).map_or(true, |row| row >= sizes.rows);
    match index.iter().position(out) {
        Some(at) => Err(Error::Row { at, row: i64::from(index[at]), rows: sizes.rows }),
        None => Ok(()),
    }
}
