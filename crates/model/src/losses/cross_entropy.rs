//! Cross-entropy of dense class maps, with weights per class and soft or missing truth.

use burn::tensor::{Tensor, TensorData, activation::log_softmax};

use super::Total;

/// Mean over the true classes of `-log p`, each weighted: `-sum w_c t_c log p_c / sum w_c t_c`.
///
/// `logits`, `truth`: `[batch, classes, x, y]`; the truth's entries are the shares of the classes in a cell
/// and sum to 1, or to less where part of it is not known: all zero is masked out. `weights`: one per class.
/// 0 where nothing is known.
pub fn cross_entropy(logits: Tensor<4>, truth: Tensor<4>, weights: &[f32]) -> Tensor<1> {
    let weighted = weigh(truth, weights);
    let total = weighted.clone().total().clamp_min(1e-6);
    -(weighted * log_softmax(logits, 1)).total() / total
}

/// The shares of the classes times their weights.
pub(crate) fn weigh(truth: Tensor<4>, weights: &[f32]) -> Tensor<4> {
    let classes = truth.dims()[1];
    assert_eq!(weights.len(), classes, "one weight per class");
    if weights.iter().all(|&weight| weight == 1.0) {
        return truth;
    }
    let data = TensorData::new(weights.to_vec(), [1, classes, 1, 1]);
    let weights = Tensor::from_data(data, &truth.device());
    truth * weights
}

/// Weights that lift rare classes, `1 / ln(1.02 + share)`, scaled to a mean of 1 over the classes that
/// occur: Paszke et al. 2016 (ENet), section 5.1. `counts`: how often each class occurs in the training
/// set; a class that never does weighs 1.
pub fn balanced_weights(counts: &[u64]) -> Vec<f32> {
    let total: u64 = counts.iter().sum();
    let raw = |&count: &u64| (count > 0).then(|| 1.0 / (1.02 + count as f64 / total as f64).ln());
    let raw: Vec<_> = counts.iter().map(raw).collect();
    let occurring = raw.iter().flatten().count().max(1);
    let mean = raw.iter().flatten().sum::<f64>() / occurring as f64;
    raw.into_iter().map(|weight| weight.map_or(1.0, |weight| (weight / mean) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::testing::{check_gradient, number, tensor};

    #[test]
    fn by_hand() {
        // Two cells: p = (3/4, 1/4) of class 0, and one that nobody has seen.
        let logits = tensor([1, 2, 1, 2], &[3f32.ln(), 9.0, 0.0, -9.0]);
        let truth = tensor([1, 2, 1, 2], &[1.0, 0.0, 0.0, 0.0]);
        let loss = number(cross_entropy(logits.clone(), truth, &[1.0, 1.0]));
        assert!((loss - (4f32 / 3.0).ln()).abs() < 1e-6, "{loss}");

        // Half of each class, weights 3 to 1.
        let half = tensor([1, 2, 1, 2], &[0.5, 0.0, 0.5, 0.0]);
        let loss = number(cross_entropy(logits, half, &[3.0, 1.0]));
        let expected = (3.0 * (4f32 / 3.0).ln() + 4f32.ln()) / 4.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }

    #[test]
    fn nothing_known_is_no_loss() {
        let nothing = tensor([1, 2, 1, 2], &[0.0; 4]);
        let logits = tensor([1, 2, 1, 2], &[5.0, -3.0, 1.0, 2.0]);
        assert_eq!(number(cross_entropy(logits, nothing, &[1.0, 2.0])), 0.0);
    }

    #[test]
    fn gradient() {
        let truth =
            tensor([2, 3, 1, 2], &[1.0, 0.2, 0.0, 0.5, 0.0, 0.3, 0.0, 0.0, 1.0, 0.0, 0.0, 0.9]);
        check_gradient([2, 3, 1, 2], |logits| {
            cross_entropy(logits, truth.clone(), &[1.0, 2.0, 0.5])
        });
    }

    #[test]
    fn rare_classes_weigh_more() {
        let weights = balanced_weights(&[90, 0, 10]);
        assert!(weights[2] > 3.0 * weights[0], "{weights:?}");
        assert_eq!(weights[1], 1.0);
        assert!((weights[0] + weights[2] - 2.0).abs() < 1e-6, "{weights:?}");
    }
}
