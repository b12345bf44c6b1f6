//! The fast version: outputs, and in the gradient rows, are spread over threads; channels over lanes.

use rayon::prelude::*;

use super::{Error, Sizes, check};
use crate::simd::{Simd, multiversion};

/// Outputs or rows that one thread takes at least.
const AT_ONCE: usize = 512;

/// The sums.
///
/// # Errors
/// [`Error`] where lengths do not fit or the table points past the rows.
pub fn forward(
    simd: Simd,
    sizes: &Sizes,
    rows: &[f32],
    index: &[i32],
    weights: &[f32],
) -> Result<Vec<f32>, Error> {
    check(sizes, rows.len(), index, weights.len())?;
    let mut out = vec![0.0; sizes.len_out()];
    if out.is_empty() {
        return Ok(out);
    }
    let chunks = out.par_chunks_mut(sizes.channels).enumerate();
    chunks.with_min_len(AT_ONCE).for_each(|(output, out)| {
        let first = output / sizes.outputs * sizes.rows;
        for tap in output * sizes.taps..(output + 1) * sizes.taps {
            if weights[tap] != 0.0 {
                let row = first + index[tap] as usize;
                add(simd, weights[tap], &rows[row * sizes.channels..][..sizes.channels], out);
            }
        }
    });
    Ok(out)
}

/// Gradients by the rows and by the weights, of a gradient by the sums.
///
/// # Errors
/// [`Error`] where lengths do not fit or the table points past the rows.
pub fn gradients(
    simd: Simd,
    sizes: &Sizes,
    rows: &[f32],
    index: &[i32],
    weights: &[f32],
    given: &[f32],
) -> Result<[Vec<f32>; 2], Error> {
    check(sizes, rows.len(), index, weights.len())?;
    if given.len() != sizes.len_out() {
        let (found, expected) = (given.len(), sizes.len_out());
        return Err(Error::Length { what: "the gradient by the sums", found, expected });
    }
    let (channels, taps) = (sizes.channels, sizes.taps.max(1));
    let mut by_weights = vec![0.0; weights.len()];
    let chunks = by_weights.par_chunks_mut(taps).enumerate();
    chunks.with_min_len(AT_ONCE).for_each(|(output, by_weights)| {
        let first = output / sizes.outputs * sizes.rows;
        let given = &given[output * channels..][..channels];
        for (by_weight, &row) in by_weights.iter_mut().zip(&index[output * taps..]) {
            *by_weight = dot(simd, &rows[(first + row as usize) * channels..][..channels], given);
        }
    });
    let uses = Uses::new(sizes, index, weights);
    let mut by_rows = vec![0.0; rows.len()];
    let chunks = by_rows.par_chunks_mut(channels.max(1)).enumerate();
    chunks.with_min_len(AT_ONCE).for_each(|(row, by_row)| {
        for &entry in uses.of(row) {
            let output = entry as usize / taps;
            add(simd, weights[entry as usize], &given[output * channels..][..channels], by_row);
        }
    });
    Ok([by_rows, by_weights])
}

/// Which entries of the table use each row, in the table's order: the order of the sums is so fixed.
struct Uses {
    /// Where each row's entries begin; one more than rows.
    begin: Vec<u32>,
    entries: Vec<u32>,
}

impl Uses {
    fn new(sizes: &Sizes, index: &[i32], weights: &[f32]) -> Self {
        let per_set = sizes.outputs * sizes.taps;
        let used = || {
            let entries = index.iter().zip(weights).enumerate();
            entries
                .filter(|(_, (_, weight))| **weight != 0.0)
                .map(move |(entry, (row, _))| (entry, entry / per_set * sizes.rows + *row as usize))
        };
        let mut begin = vec![0_u32; sizes.batch * sizes.rows + 1];
        used().for_each(|(_, row)| begin[row + 1] += 1);
        for row in 1..begin.len() {
            begin[row] += begin[row - 1];
        }
        let mut next = begin.clone();
        let mut entries = vec![0; begin[begin.len() - 1] as usize];
        for (entry, row) in used() {
            entries[next[row] as usize] = entry as u32;
            next[row] += 1;
        }
        Self { begin, entries }
    }

    fn of(&self, row: usize) -> &[u32] {
        &self.entries[self.begin[row] as usize..self.begin[row + 1] as usize]
    }
}

multiversion! {
    fn add(simd, weight: f32, row: &[f32], out: &mut [f32]) {
        for (out, value) in out.iter_mut().zip(row) {
            *out += weight * value;
        }
    }
}

const LANES: usize = 16;

multiversion! {
    fn dot(simd, a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [0.0_f32; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        sums.iter().sum()
    }
}
