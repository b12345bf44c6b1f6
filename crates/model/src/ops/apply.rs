//! Layers' operators: ours where the device runs them, Burn's elsewhere.

use burn::{
    backend::Dispatch,
    nn::{BatchNorm, PaddingConfig2d, conv::Conv2d},
    tensor::{Device, Int, Tensor, activation::relu},
};

use super::backend::{NormOptions, Operators, ours};

/// Whether a layer normalises by the statistics of the batch.
fn trains(norm: &BatchNorm, device: &Device) -> bool {
    device.is_autodiff() && norm.training.is_enabled()
}

/// Applies a convolution and a normalisation by running statistics as one convolution; `None` where that
/// does not serve.
pub(super) fn convolve_folded(
    conv: &Conv2d,
    norm: &BatchNorm,
    images: &Tensor<4>,
) -> Option<Tensor<4>> {
    let device = images.device();
    let padding = simple_padding(conv).filter(|_| ours(&device) && !trains(norm, &device))?;
    let value = |running: Tensor<1>| running.to_device(&device);
    let deviation = (value(norm.running_var.value()) + norm.epsilon).sqrt();
    let scale = norm.gamma.val() / deviation;
    let bias = norm.beta.val() - value(norm.running_mean.value()) * scale.clone();
    let [channels] = scale.dims();
    let weight = conv.weight.val() * scale.reshape([channels, 1, 1, 1]);
    Some(convolve_with(images.clone(), weight, Some(bias), conv.stride, padding))
}

/// The padding of a convolution that our kernels run.
fn simple_padding(conv: &Conv2d) -> Option<[usize; 2]> {
    let PaddingConfig2d::Explicit(top, left, bottom, right) = conv.padding else { return None };
    let simple = (top, left) == (bottom, right) && conv.groups == 1 && conv.dilation == [1, 1];
    simple.then_some([top, left])
}

/// Applies a convolution, `[batch, channels, height, width]` to the same.
pub fn convolve(conv: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    let Some(padding) = simple_padding(conv).filter(|_| ours(&images.device())) else {
        return conv.forward(images);
    };
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    convolve_with(images, conv.weight.val(), bias, conv.stride, padding)
}

/// Convolves on our kernels.
pub(super) fn convolve_with(
    images: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &images.device()));
    Tensor::from_dispatch(<Dispatch as Operators>::convolution(
        images.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        [stride, padding],
    ))
}

/// Normalises by the statistics of the batch when training, by running ones else; adds the shortcut, and
/// cuts off below 0 where `rectify` is asked for.
pub fn normalise(
    norm: &BatchNorm,
    images: Tensor<4>,
    shortcut: Option<Tensor<4>>,
    rectify: bool,
) -> Tensor<4> {
    let device = images.device();
    if !trains(norm, &device) || !ours(&device) {
        let out = norm.forward(images);
        let out = match shortcut {
            Some(shortcut) => out + shortcut,
            None => out,
        };
        return if rectify { relu(out) } else { out };
    }
    let options =
        NormOptions { epsilon: norm.epsilon, relu: rectify, shortcut: shortcut.is_some() };
    let shortcut = shortcut.unwrap_or_else(|| Tensor::zeros([0, 0, 0, 0], &device));
    let (out, mean, variance) = <Dispatch as Operators>::norm(
        images.into_dispatch(),
        norm.gamma.val().into_dispatch(),
        norm.beta.val().into_dispatch(),
        shortcut.into_dispatch(),
        options,
    );
    let keep = |running: Tensor<1>, new: Tensor<1>| {
        (running.to_device(&device) * (1.0 - norm.momentum) + new.detach() * norm.momentum).detach()
    };
    let mean = keep(norm.running_mean.value_sync(), Tensor::from_dispatch(mean));
    let variance = keep(norm.running_var.value_sync(), Tensor::from_dispatch(variance));
    norm.running_mean.update(mean);
    norm.running_var.update(variance);
    Tensor::from_dispatch(out)
}

/// Looks up on our kernels.
pub(super) fn look_up(rows: Tensor<3>, index: Tensor<3, Int>, weights: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Operators>::look_up(
        rows.into_dispatch(),
        index.into_dispatch(),
        weights.into_dispatch(),
    ))
}
