//! Loss of heat maps whose peaks are object centres.

use burn::tensor::{
    Tensor,
    activation::{log_sigmoid, sigmoid},
};

use super::Total;

/// Penalty-reduced focal loss, Zhou, Wang & Krähenbühl 2019 (CenterNet), equation (1) with alpha 2 and
/// beta 4, over the number of peaks (at least 1).
///
/// `logits`, `truth`: `[batch, classes, x, y]`, the truth 1 at peaks and a Gaussian below 1 around them.
/// `judged`: the same shape or `[batch, 1, x, y]`; 0 leaves a cell out.
pub fn heat_map(logits: Tensor<4>, truth: Tensor<4>, judged: Tensor<4>) -> Tensor<1> {
    let peaks = truth.clone().greater_equal_elem(1.0).float();
    let away = (truth.neg() + 1.0).powi_scalar(4);
    let p = sigmoid(logits.clone());
    let at_peak = (p.clone().neg() + 1.0).powi_scalar(2) * log_sigmoid(logits.clone());
    let elsewhere = away * p.powi_scalar(2) * log_sigmoid(logits.neg());
    let count = (peaks.clone() * judged.clone()).total().clamp_min(1.0);
    // `away` is 0 at peaks.
    -((peaks * at_peak + elsewhere) * judged).total() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::testing::{check_gradient, number, tensor};

    #[test]
    fn by_hand() {
        let logits = tensor([1, 1, 1, 3], &[3f32.ln(), -3f32.ln(), 2.0]);
        let truth = tensor([1, 1, 1, 3], &[1.0, 0.5, 0.0]);
        let judged = tensor([1, 1, 1, 3], &[1.0, 1.0, 0.0]);
        let loss = number(heat_map(logits, truth, judged));
        let expected = (1.0 / 16.0 + 1.0 / 16.0 / 16.0) * (4f32 / 3.0).ln();
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }

    #[test]
    fn gradient() {
        let truth = tensor([1, 2, 2, 1], &[1.0, 0.3, 0.9, 0.0]);
        let judged = tensor([1, 1, 2, 1], &[1.0, 1.0]);
        check_gradient([1, 2, 2, 1], |logits| heat_map(logits, truth.clone(), judged.clone()));
    }
}
