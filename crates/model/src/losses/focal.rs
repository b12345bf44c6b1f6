//! Focal loss: cross-entropy that turns away from what is already right.

use burn::tensor::{
    Tensor,
    activation::{log_sigmoid, log_softmax, sigmoid},
};

use super::Total;

use super::cross_entropy::weigh;

/// Of independent yes-or-no cells: Lin et al. 2017, equation (5),
/// `-a_t (1 - p_t)^g log p_t`, summed over the judged cells and divided by the number of true ones (at
/// least 1).
///
/// All tensors of one shape. `truth`: 0 or 1. `judged`: 0 leaves a cell out. `alpha`: weight of the true
/// cells, `1 - alpha` that of the others.
pub fn sigmoid_focal(
    logits: Tensor<4>,
    truth: Tensor<4>,
    judged: Tensor<4>,
    alpha: f32,
    gamma: f32,
) -> Tensor<1> {
    let no = truth.clone().neg() + 1.0;
    let p = sigmoid(logits.clone());
    let own =
        truth.clone() * (p.clone().neg() + 1.0).powf_scalar(gamma) * log_sigmoid(logits.clone());
    let other = no * p.powf_scalar(gamma) * log_sigmoid(logits.neg());
    let total = (truth * judged.clone()).total().clamp_min(1.0);
    -((own * alpha + other * (1.0 - alpha)) * judged).total() / total
}

/// Of one class per cell: `-sum w_c t_c (1 - p_c)^g log p_c / sum w_c t_c`, with shares and weights as in
/// [`super::cross_entropy::cross_entropy`], which it is for `gamma` 0.
pub fn softmax_focal(
    logits: Tensor<4>,
    truth: Tensor<4>,
    weights: &[f32],
    gamma: f32,
) -> Tensor<1> {
    let weighted = weigh(truth, weights);
    let total = weighted.clone().total().clamp_min(1e-6);
    let log_p = log_softmax(logits, 1);
    let rest = (log_p.clone().exp().neg() + 1.0).clamp_min(1e-6).powf_scalar(gamma);
    -(weighted * rest * log_p).total() / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::{
        cross_entropy::cross_entropy,
        testing::{check_gradient, number, numbers, tensor},
    };

    #[test]
    fn by_hand() {
        // p = 3/4 where true, 1/4 where not, and a cell that does not count.
        let logits = tensor([1, 1, 1, 3], &[3f32.ln(), -3f32.ln(), 4.0]);
        let truth = tensor([1, 1, 1, 3], &[1.0, 0.0, 0.0]);
        let judged = tensor([1, 1, 1, 3], &[1.0, 1.0, 0.0]);
        let loss = number(sigmoid_focal(logits, truth, judged, 0.25, 2.0));
        let expected = (0.25 + 0.75) * (1.0 / 16.0) * (4f32 / 3.0).ln();
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }

    #[test]
    fn without_focus_it_is_cross_entropy() {
        let logits = tensor([2, 3, 2, 1], &numbers(12));
        let truth = tensor([2, 3, 2, 1], &[1., 0., 0., 1., 0., 0., 0., 0.5, 1., 0., 0., 0.5]);
        let weights = [1.0, 0.5, 2.0];
        let loss = number(softmax_focal(logits.clone(), truth.clone(), &weights, 0.0));
        let expected = number(cross_entropy(logits, truth, &weights));
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }

    #[test]
    fn gradients() {
        let truth = tensor([1, 2, 2, 1], &[1.0, 0.0, 0.0, 1.0]);
        let judged = tensor([1, 2, 2, 1], &[1.0, 1.0, 0.0, 1.0]);
        check_gradient([1, 2, 2, 1], |logits| {
            sigmoid_focal(logits, truth.clone(), judged.clone(), 0.25, 2.0)
        });
        check_gradient([1, 2, 2, 1], |logits| {
            softmax_focal(logits, truth.clone(), &[1.0, 3.0], 2.0)
        });
    }
}
