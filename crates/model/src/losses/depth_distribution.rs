//! Loss of depth as a distribution over bins.

use burn::tensor::{Tensor, activation::softmax};

use super::Total;

/// Binary cross-entropy between the softmax over bins and the true bin, over the number of cells whose
/// depth is known: Li et al. 2022 (BEVDepth), section 3.2, as its code has it.
///
/// `logits`: `[batch, bins, height, width]`. `truth`: the same, shares of the bins that sum to 1 in a cell,
/// or all 0 where its depth is not known. 0 where none is.
pub fn depth_distribution(logits: Tensor<4>, truth: Tensor<4>) -> Tensor<1> {
    let known = truth.clone().sum_dim(1);
    let cells = known.clone().total().clamp_min(1e-6);
    let p = softmax(logits, 1).clamp(1e-6, 1.0 - 1e-6);
    let no = truth.clone().neg() + 1.0;
    let terms = truth * p.clone().log() + no * (p.neg() + 1.0).log();
    -(terms * known).total() / cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::testing::{check_gradient, number, tensor};

    #[test]
    fn by_hand() {
        // p = (1/2, 1/4, 1/4) in one cell, nothing known of the other.
        let logits = tensor([1, 3, 1, 2], &[2f32.ln(), 7.0, 0.0, 8.0, 0.0, 9.0]);
        let truth = tensor([1, 3, 1, 2], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let loss = number(depth_distribution(logits, truth));
        let expected = 2f32.ln() + 2.0 * (4f32 / 3.0).ln();
        assert!((loss - expected).abs() < 1e-5, "{loss} {expected}");
    }

    #[test]
    fn gradient() {
        let truth = tensor([1, 3, 1, 2], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check_gradient([1, 3, 1, 2], |logits| depth_distribution(logits, truth.clone()));
    }
}
