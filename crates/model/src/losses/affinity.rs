//! Scene-class affinity: precision, recall and specificity of whole scenes, made differentiable.

use burn::tensor::Tensor;

use super::Total;

use super::labels::Labels;

/// Keeps logarithms finite.
const SMALL: f32 = 1e-6;

/// Cao & de Charette 2022 (MonoScene), equations (1) to (4): the negative logarithms of soft precision,
/// recall and specificity of each class present, their sum meaned over these classes.
///
/// `probability`: `[batch, classes, x, y]`. 0 where nothing is judged.
pub fn semantic_affinity(probability: Tensor<4>, labels: &Labels) -> Tensor<1> {
    let classes = probability.dims()[1];
    let counts = labels.counts(classes);
    let judged: u64 = counts.iter().sum();
    let probability = probability * labels.judged.clone();
    let own = probability.clone().gather(1, labels.class.clone());
    let mut sum = probability.clone().total() * 0.0;
    let mut present = 0.0;
    for (class, &truth) in counts.iter().enumerate().filter(|(_, truth)| **truth > 0) {
        let mask = labels.class.clone().equal_elem(class as i32).float();
        let hit = (own.clone() * mask).total();
        let said = probability.clone().narrow(1, class, 1).total();
        sum = sum + terms(hit, said, truth as f32, judged as f32);
        present += 1.0;
    }
    sum / f32::max(present, 1.0)
}

/// The same of occupied against free. `occupied`: its probability `[batch, 1, x, y]`; `labels`: 1 occupied,
/// 0 free. 0 where nothing is occupied.
pub fn geometric_affinity(occupied: Tensor<4>, labels: &Labels) -> Tensor<1> {
    let counts = labels.counts(2);
    let occupied = occupied * labels.judged.clone();
    if counts[1] == 0 {
        return occupied.total() * 0.0;
    }
    let mask = labels.class.clone().equal_elem(1).float();
    let hit = (occupied.clone() * mask).total();
    terms(hit, occupied.total(), counts[1] as f32, (counts[0] + counts[1]) as f32)
}

/// Minus the logarithms for one class. `hit`: probability in its cells; `said`: in all judged cells;
/// `truth`, `judged`: its cells and all of them.
fn terms(hit: Tensor<1>, said: Tensor<1>, truth: f32, judged: f32) -> Tensor<1> {
    let log = |share: Tensor<1>| (share + SMALL).log();
    let precision = hit.clone() / (said.clone() + SMALL);
    let recall = hit.clone() / truth;
    let sum = log(precision) + log(recall);
    if judged <= truth {
        return -sum;
    }
    // What was not said elsewhere, of all that lies elsewhere.
    let specificity = (hit - said + (judged - truth)) / (judged - truth);
    -(sum + log(specificity))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, activation::softmax};

    use super::*;
    use crate::losses::{
        lovasz::VOID,
        testing::{check_gradient, number, tensor},
    };

    fn labels(host: &[u8]) -> Labels {
        Labels::new(host.to_vec(), [1, 1, host.len()], &Device::flex())
    }

    #[test]
    fn by_hand() {
        let probability = tensor([1, 2, 1, 4], &[0.8, 0.6, 0.5, 0.9, 0.2, 0.4, 0.5, 0.1]);
        let labels = labels(&[0, 0, 1, VOID]);
        let class = |hit: f32, said: f32, truth: f32| {
            let elsewhere = 3.0 - truth;
            -((hit / said).ln() + (hit / truth).ln() + ((elsewhere - said + hit) / elsewhere).ln())
        };
        let first = class(1.4, 1.9, 2.0);
        let second = class(0.5, 1.1, 1.0);
        let loss = number(semantic_affinity(probability.clone(), &labels));
        assert!((loss - (first + second) / 2.0).abs() < 1e-4, "{loss}");
        let occupied = probability.narrow(1, 1, 1);
        let loss = number(geometric_affinity(occupied, &labels));
        assert!((loss - second).abs() < 1e-4, "{loss} {second}");
    }

    #[test]
    fn right_and_certain_costs_nothing() {
        let probability = tensor([1, 2, 1, 3], &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let labels = labels(&[0, 1, 1]);
        assert!(number(semantic_affinity(probability.clone(), &labels)).abs() < 1e-5);
        assert!(number(geometric_affinity(probability.narrow(1, 1, 1), &labels)).abs() < 1e-5);
    }

    #[test]
    fn nothing_judged_costs_nothing() {
        let probability = tensor([1, 2, 1, 2], &[0.5; 4]);
        let labels = labels(&[VOID, VOID]);
        assert_eq!(number(semantic_affinity(probability.clone(), &labels)), 0.0);
        assert_eq!(number(geometric_affinity(probability.narrow(1, 1, 1), &labels)), 0.0);
    }

    #[test]
    fn gradients() {
        let labels = labels(&[0, 1, VOID, 1]);
        check_gradient([1, 2, 1, 4], |logits| semantic_affinity(softmax(logits, 1), &labels));
        check_gradient([1, 2, 1, 4], |logits| {
            geometric_affinity(softmax(logits, 1).narrow(1, 1, 1), &labels)
        });
    }
}
