//! Checks shared by the tests of losses.

use burn::tensor::{Device, Tensor, TensorData};

/// A plain tensor.
pub(crate) fn tensor<const D: usize>(shape: [usize; D], values: &[f32]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

/// The number in a tensor of one.
pub(crate) fn number(tensor: Tensor<1>) -> f32 {
    tensor.into_scalar::<f32>()
}

/// Numbers without pattern in [-1, 1), the same each time.
pub(crate) fn numbers(count: usize) -> Vec<f32> {
    let next = |state: &mut u32, _| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    };
    (0..count).scan(7, next).collect()
}

/// The gradient of `loss` by autodiff against central differences.
pub(crate) fn check_gradient(shape: [usize; 4], loss: impl Fn(Tensor<4>) -> Tensor<1>) {
    let at = numbers(shape.iter().product());
    check_gradient_at(shape, &at, loss);
}

/// As [`check_gradient`], at a given place.
pub(crate) fn check_gradient_at(
    shape: [usize; 4],
    at: &[f32],
    loss: impl Fn(Tensor<4>) -> Tensor<1>,
) {
    const STEP: f32 = 1.0 / 256.0;
    let data = TensorData::new(at.to_vec(), shape);
    let input = Tensor::<4>::from_data(data, &Device::flex().autodiff()).require_grad();
    let gradients = loss(input.clone()).backward();
    let gradient = input.grad(&gradients).expect("the loss depends on its input").into_data();
    let gradient = gradient.as_slice::<f32>().expect("f32").to_vec();
    for (i, &slope) in gradient.iter().enumerate() {
        let moved = |step: f32| {
            let mut values = at.to_vec();
            values[i] += step;
            number(loss(tensor(shape, &values)))
        };
        let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let tolerance = 2e-3 * (1.0 + expected.abs());
        assert!((slope - expected).abs() < tolerance, "element {i}: {slope}, not {expected}");
    }
    assert!(gradient.iter().any(|&slope| slope.abs() > 1e-4), "some slope: {gradient:?}");
}
