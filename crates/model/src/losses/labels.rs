//! One class per cell, some cells not judged.

use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};

use super::Total;

use super::lovasz::VOID;

/// Classes of the cells of maps `[batch, x, y]`, on the host and on the device.
#[derive(Debug, Clone)]
pub struct Labels {
    /// The classes, row-major; [`VOID`] is not judged.
    pub host: Vec<u8>,
    /// The same `[batch, 1, x, y]`; 0 where not judged.
    pub class: Tensor<4, Int>,
    /// 1 where judged, 0 elsewhere, `[batch, 1, x, y]`.
    pub judged: Tensor<4>,
}

impl Labels {
    /// Moves the classes of maps `[batch, x, y]` to the device.
    pub fn new(host: Vec<u8>, [batch, x, y]: [usize; 3], device: &Device) -> Self {
        assert_eq!(host.len(), batch * x * y, "a label per cell");
        let shape = [batch, 1, x, y];
        let class: Vec<_> =
            host.iter().map(|&l| if l == VOID { 0 } else { i32::from(l) }).collect();
        let judged: Vec<_> = host.iter().map(|&l| f32::from(u8::from(l != VOID))).collect();
        Self {
            class: Tensor::from_data(TensorData::new(class, shape), device),
            judged: Tensor::from_data(TensorData::new(judged, shape), device),
            host,
        }
    }

    /// Cells of each of so many classes.
    pub fn counts(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        self.host.iter().filter(|&&l| l != VOID).for_each(|&l| counts[usize::from(l)] += 1);
        counts
    }

    /// The class weight of each judged cell, 0 elsewhere, `[batch, 1, x, y]`.
    fn weights(&self, weights: &[f32]) -> Tensor<4> {
        if weights.iter().all(|&weight| weight == 1.0) {
            return self.judged.clone();
        }
        let weight = |&l: &u8| if l == VOID { 0.0 } else { weights[usize::from(l)] };
        let host: Vec<_> = self.host.iter().map(weight).collect();
        Tensor::from_data(TensorData::new(host, self.judged.dims()), &self.judged.device())
    }

    /// [`super::cross_entropy::cross_entropy`] for one class per cell. `logits`: `[batch, classes, x, y]`.
    pub fn cross_entropy(&self, logits: Tensor<4>, weights: &[f32]) -> Tensor<1> {
        assert_eq!(weights.len(), logits.dims()[1], "one weight per class");
        let weights = self.weights(weights);
        let total = weights.clone().total().clamp_min(1e-6);
        -(log_softmax(logits, 1).gather(1, self.class.clone()) * weights).total() / total
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::losses::{
        cross_entropy::cross_entropy,
        testing::{check_gradient, number, numbers, tensor},
    };

    const HOST: [u8; 6] = [2, VOID, 0, 1, 2, 2];

    #[test]
    fn agrees_with_shares() {
        let labels = Labels::new(HOST.to_vec(), [2, 1, 3], &Device::flex());
        let logits = tensor([2, 3, 1, 3], &numbers(18));
        let share =
            |image: usize, class: u8, i: usize| f32::from(u8::from(HOST[image * 3 + i] == class));
        let shares = (0..18).map(|i| share(i / 9, (i / 3 % 3) as u8, i % 3));
        let shares = tensor([2, 3, 1, 3], &shares.collect::<Vec<_>>());
        for weights in [[1.0; 3], [1.0, 2.0, 0.25]] {
            let expected = number(cross_entropy(logits.clone(), shares.clone(), &weights));
            let loss = number(labels.cross_entropy(logits.clone(), &weights));
            assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
        }
        assert_eq!(labels.counts(3), [1, 1, 3]);
    }

    #[test]
    fn gradient() {
        let labels = Labels::new(HOST.to_vec(), [2, 1, 3], &Device::flex());
        check_gradient([2, 3, 1, 3], |logits| labels.cross_entropy(logits, &[1.0, 2.0, 0.5]));
    }
}
