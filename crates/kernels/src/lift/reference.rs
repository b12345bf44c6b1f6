//! The look-up as its definition says.

use super::Sizes;

/// Calls `visit(output row, table entry, input row)` for every term; rows are counted over the batch.
fn terms(sizes: &Sizes, index: &[i32], mut visit: impl FnMut(usize, usize, usize)) {
    for entry in 0..sizes.len_table() {
        let output = entry / sizes.taps;
        let set = output / sizes.outputs;
        visit(output, entry, set * sizes.rows + index[entry] as usize);
    }
}

/// The sums.
pub fn forward(sizes: &Sizes, rows: &[f32], index: &[i32], weights: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; sizes.len_out()];
    terms(sizes, index, |output, entry, row| {
        for c in 0..sizes.channels {
            out[output * sizes.channels + c] += weights[entry] * rows[row * sizes.channels + c];
        }
    });
    out
}

/// Gradients by the rows and by the weights, of a gradient by the sums.
pub fn gradients(
    sizes: &Sizes,
    rows: &[f32],
    index: &[i32],
    weights: &[f32],
    given: &[f32],
) -> [Vec<f32>; 2] {
    let (mut by_rows, mut by_weights) = (vec![0.0; rows.len()], vec![0.0; weights.len()]);
    terms(sizes, index, |output, entry, row| {
        for c in 0..sizes.channels {
            let given = given[output * sizes.channels + c];
            by_rows[row * sizes.channels + c] += weights[entry] * given;
            by_weights[entry] += rows[row * sizes.channels + c] * given;
        }
    });
    [by_rows, by_weights]
}
