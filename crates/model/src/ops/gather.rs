//! Weighted sums of looked-up rows: the operator behind the lift and the memory.

use burn::tensor::{Int, Tensor};

use super::{apply::look_up, backend::ours};

/// `out[b][v] = sum over t of weights[b][v][t] · rows[b][index[b][v][t]]`, all over channels.
///
/// `rows` `[batch, rows, channels]`, `index` and `weights` `[batch, outputs, taps]`; the result is
/// `[batch, outputs, channels]`. In ONNX: Gather, Mul, Add.
pub fn gather_sum(rows: Tensor<3>, index: Tensor<3, Int>, weights: Tensor<3>) -> Tensor<3> {
    if ours(&rows.device()) {
        return look_up(rows, index, weights);
    }
    gather_standard(rows, index, weights)
}

/// The same by standard operators, for other devices and for export.
pub(super) fn gather_standard(
    rows: Tensor<3>,
    index: Tensor<3, Int>,
    weights: Tensor<3>,
) -> Tensor<3> {
    let [batch, _, channels] = rows.dims();
    let [_, outputs, taps] = index.dims();
    if batch == 1 {
        return gather_single(rows, index, weights);
    }
    let tap = |t: usize| {
        let index = index.clone().slice([0..batch, 0..outputs, t..t + 1]);
        let taken = rows.clone().gather(1, index.expand([batch, outputs, channels]));
        taken * weights.clone().slice([0..batch, 0..outputs, t..t + 1])
    };
    (0..taps).map(tap).reduce(|sum, term| sum + term).expect("a table has taps")
}

/// Of one sample: whole rows are looked up, which engines of exported networks do fastest.
fn gather_single(rows: Tensor<3>, index: Tensor<3, Int>, weights: Tensor<3>) -> Tensor<3> {
    let [_, count, channels] = rows.dims();
    let [_, outputs, taps] = index.dims();
    let rows = rows.reshape([count, channels]);
    let tap = |t: usize| {
        let index = index.clone().narrow(2, t, 1).reshape([outputs]);
        let weight = weights.clone().narrow(2, t, 1).reshape([outputs, 1]);
        rows.clone().select(0, index) * weight
    };
    let sum = (0..taps).map(tap).reduce(|sum, term| sum + term).expect("a table has taps");
    sum.reshape([1, outputs, channels])
}
