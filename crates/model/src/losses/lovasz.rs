//! Lovász-softmax: a surrogate of the mean intersection over union.
//!
//! Berman, Triki & Blaschko 2018, algorithm 1 and equation (11), over the pixels of the whole batch and
//! the classes present in it.

use burn::tensor::{Tensor, TensorData};

use super::Total;
use rayon::prelude::*;

/// The label of what is not judged.
pub const VOID: u8 = u8::MAX;

/// Mean over the classes present of the Lovász extension of the Jaccard loss.
///
/// `probability`: `[batch, classes, x, y]`. `labels`: class of each `[batch, x, y]`, or [`VOID`]. 0 where
/// every label is void.
///
/// Given the order of the errors the loss is linear in them; the order is found on the host by an exact
/// sort, ties by index, so that the result does not depend on threads or device.
pub fn lovasz_softmax(probability: Tensor<4>, labels: &[u8]) -> Tensor<1> {
    let [batch, classes, height, width] = probability.dims();
    let area = height * width;
    assert_eq!(labels.len(), batch * area, "a label per cell");
    let values = probability.to_data().convert::<f32>();
    let values = values.as_slice::<f32>().expect("converted to f32");
    let slopes: Vec<_> = (0..classes as u8)
        .into_par_iter()
        .map(|class| {
            let at = |i: usize| values[(i / area * classes + usize::from(class)) * area + i % area];
            class_slopes(labels, class, at)
        })
        .collect();

    let present = slopes.iter().flatten().count().max(1) as f32;
    let mut slope = vec![0.0; values.len()];
    let mut constant = 0.0;
    for (class, (slopes, offset)) in
        slopes.iter().enumerate().filter_map(|(c, s)| Some((c, s.as_ref()?)))
    {
        constant += offset / present;
        for (image, slopes) in slopes.chunks_exact(area).enumerate() {
            let start = (image * classes + class) * area;
            slope[start..start + area].copy_from_slice(slopes);
        }
    }
    slope.iter_mut().for_each(|slope| *slope /= present);
    let slope = Tensor::from_data(
        TensorData::new(slope, [batch, classes, height, width]),
        &probability.device(),
    );
    (probability * slope).total() + constant
}

/// How the loss of one class depends on its probabilities: a slope per cell and an offset; `None` if no
/// cell is of that class.
fn class_slopes(labels: &[u8], class: u8, at: impl Fn(usize) -> f32) -> Option<(Vec<f32>, f32)> {
    let positives = labels.iter().filter(|&&label| label == class).count();
    if positives == 0 {
        return None;
    }
    let error = |i: usize| if labels[i] == class { 1.0 - at(i) } else { at(i) };
    let judged = (0..labels.len()).filter(|&i| labels[i] != VOID);
    let order = by_descending_error(judged.map(|i| (error(i).abs(), i as u32)).collect());

    let mut slopes = vec![0.0; labels.len()];
    let (mut intersection, mut union) = (positives as f64, positives as f64);
    let (mut jaccard_before, mut offset) = (0.0, 0.0);
    for index in order {
        let own = labels[index as usize] == class;
        intersection -= f64::from(u8::from(own));
        union += f64::from(u8::from(!own));
        let jaccard = 1.0 - intersection / union;
        let gain = (jaccard - jaccard_before) as f32;
        jaccard_before = jaccard;
        slopes[index as usize] = if own { -gain } else { gain };
        offset += if own { f64::from(gain) } else { 0.0 };
    }
    Some((slopes, offset as f32))
}

/// Indices by descending error, equal ones in ascending order of index.
fn by_descending_error(mut keyed: Vec<(f32, u32)>) -> Vec<u32> {
    // Non-negative floats order as their bits do; two stable passes over 16 bits each.
    const DIGITS: usize = 1 << 16;
    if keyed.len() < DIGITS {
        keyed.sort_by_key(|&(error, _)| !error.to_bits());
        return keyed.into_iter().map(|(_, index)| index).collect();
    }
    let mut other = keyed.clone();
    for shift in [0, 16] {
        let digit = |error: f32| (!error.to_bits() >> shift) as usize & (DIGITS - 1);
        let mut starts = vec![0u32; DIGITS + 1];
        keyed.iter().for_each(|&(error, _)| starts[digit(error) + 1] += 1);
        (0..DIGITS).for_each(|d| starts[d + 1] += starts[d]);
        for &entry in &keyed {
            let place = &mut starts[digit(entry.0)];
            other[*place as usize] = entry;
            *place += 1;
        }
        std::mem::swap(&mut keyed, &mut other);
    }
    keyed.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::softmax;
    use proptest::prelude::*;

    use super::*;
    use crate::losses::testing::{check_gradient, number, tensor};

    #[test]
    fn by_hand() {
        // Class 0: errors 0.4 (own), 0.3 (other), 0.1 (own); Jaccard 1/2, 2/3, 1. Class 1 mirrors them
        // with one positive: 0.4 (other), 0.3 (own), 0.1 (other); Jaccard 1/2, 1, 1.
        let probability = tensor([1, 2, 1, 4], &[0.9, 0.6, 0.3, 0.5, 0.1, 0.4, 0.7, 0.5]);
        let loss = number(lovasz_softmax(probability, &[0, 0, 1, VOID]));
        let first = 0.4 * 0.5 + 0.3 * (2.0 / 3.0 - 0.5) + 0.1 * (1.0 - 2.0 / 3.0);
        let second = 0.4 * 0.5 + 0.3 * 0.5;
        assert!((loss - (first + second) / 2.0).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn certain_predictions_score_their_jaccard_loss() {
        let check = |labels: [u8; 4], predicted: [u8; 4], expected: f32| {
            let shares =
                (0..3).flat_map(|class| predicted.map(|p| f32::from(u8::from(p == class))));
            let probability = tensor([1, 3, 2, 2], &shares.collect::<Vec<_>>());
            let loss = number(lovasz_softmax(probability, &labels));
            assert!((loss - expected).abs() < 1e-6, "{labels:?} {predicted:?}: {loss}");
        };
        check([0, 1, 2, 2], [0, 1, 2, 2], 0.0);
        check([0, 0, 1, VOID], [0, 1, 1, 2], 0.5);
        check([0, 0, 0, 0], [0, 0, 0, 1], 0.25);
        check([VOID; 4], [0, 1, 2, 0], 0.0);
    }

    #[test]
    fn gradient() {
        check_gradient([2, 3, 1, 3], |logits| {
            lovasz_softmax(softmax(logits, 1), &[0, 1, 2, VOID, 1, 0])
        });
    }

    proptest! {
        #[test]
        fn both_sorts_agree(errors in proptest::collection::vec(0u8..20, 1 << 16)) {
            let keyed: Vec<_> = errors.iter().enumerate()
                .map(|(i, &error)| (f32::from(error) / 19.0, i as u32)).collect();
            let mut expected = keyed.clone();
            expected.sort_by(|a, b| b.0.total_cmp(&a.0));
            let expected: Vec<_> = expected.into_iter().map(|(_, index)| index).collect();
            prop_assert_eq!(by_descending_error(keyed), expected);
        }
    }
}
