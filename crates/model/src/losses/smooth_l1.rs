//! Regression that outliers do not rule.

use burn::tensor::Tensor;

use super::Total;

/// Mean over the judged elements of `d^2 / 2b` up to `|d| = b` and `|d| - b / 2` beyond: Girshick 2015
/// (Fast R-CNN), equation (3).
///
/// All of one shape; `judged` weighs elements and may have one channel. 0 where nothing is judged.
pub fn smooth_l1(
    predicted: Tensor<4>,
    truth: Tensor<4>,
    judged: Tensor<4>,
    beta: f32,
) -> Tensor<1> {
    let judged = judged.expand(predicted.dims());
    let total = judged.clone().total().clamp_min(1e-6);
    (smooth_l1_of(predicted - truth, beta) * judged).total() / total
}

/// The same of each difference.
pub fn smooth_l1_of(difference: Tensor<4>, beta: f32) -> Tensor<4> {
    let size = difference.abs();
    let near = size.clone().clamp_max(beta);
    near.clone() * (size - near * 0.5) / beta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::testing::{check_gradient_at, number, tensor};

    #[test]
    fn by_hand() {
        let predicted = tensor([1, 2, 1, 2], &[0.5, 9.0, 3.0, 1.0]);
        let judged = tensor([1, 1, 1, 2], &[1.0, 0.0]);
        let loss = number(smooth_l1(predicted, tensor([1, 2, 1, 2], &[0.0; 4]), judged, 1.0));
        assert!((loss - (0.125 + 2.5) / 2.0).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn gradient() {
        let truth = tensor([1, 2, 1, 2], &[0.0; 4]);
        let judged = tensor([1, 2, 1, 2], &[1.0, 0.5, 1.0, 0.0]);
        check_gradient_at([1, 2, 1, 2], &[0.2, -0.7, 2.0, 1.0], |predicted| {
            smooth_l1(predicted, truth.clone(), judged.clone(), 0.5)
        });
    }
}
