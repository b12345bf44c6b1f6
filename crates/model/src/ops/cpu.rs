//! The kernels, on Burn's CPU tensors.

use std::borrow::Cow;

use burn::{
    backend::{
        Flex, TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::TensorData,
};
use ommatidia_kernels::{
    convolution::{self, Shape},
    lift,
    norm::{self, Known, Sizes, Statistics},
    simd::Simd,
};
use rayon::prelude::*;

use super::backend::{NormOptions, Steps};

type Floats = FloatTensor<Flex>;

/// The numbers of a tensor in C order.
fn numbers(tensor: &Floats) -> Cow<'_, [f32]> {
    match tensor.as_slice::<f32>() {
        Some(numbers) => Cow::Borrowed(numbers),
        None => {
            let packed = tensor.to_contiguous();
            Cow::Owned(packed.as_slice::<f32>().expect("packed numbers are one slice").to_vec())
        }
    }
}

fn tensor(numbers: Vec<f32>, shape: &[usize]) -> Floats {
    Floats::from_data(TensorData::new(numbers, shape.to_vec()))
}

fn dims<const D: usize>(tensor: &Floats) -> [usize; D] {
    tensor.shape().dims()
}

/// What fits by construction must fit: a misfit is a bug of a layer.
fn fits<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// The sizes of a convolution.
pub(super) fn shape(images: &Floats, weight: &Floats, [stride, padding]: Steps) -> Shape {
    let [batch, channels_in, height, width] = dims(images);
    let [channels_out, seen, kernel_y, kernel_x] = dims(weight);
    assert_eq!(seen, channels_in, "channels that the weight sees");
    let (size_in, kernel) = ([height, width], [kernel_y, kernel_x]);
    Shape { batch, channels_in, channels_out, size_in, kernel, stride, padding }
}

pub(super) fn convolution(
    shape: &Shape,
    images: &Floats,
    weight: &Floats,
    bias: &Floats,
) -> Floats {
    let mut out = vec![0.0; shape.len_out()];
    let bias = numbers(bias);
    let bias = (!bias.is_empty()).then_some(&*bias);
    let (images, weight) = (numbers(images), numbers(weight));
    fits(convolution::forward(Simd::detect(), shape, &images, &weight, bias, &mut out));
    let [height, width] = shape.size_out();
    tensor(out, &[shape.batch, shape.channels_out, height, width])
}

pub(super) fn by_images(shape: &Shape, given: &Floats, weight: &Floats) -> Floats {
    let mut out = vec![0.0; shape.len_in()];
    let (given, weight) = (numbers(given), numbers(weight));
    fits(convolution::input_gradient(Simd::detect(), shape, &given, &weight, &mut out));
    let [height, width] = shape.size_in;
    tensor(out, &[shape.batch, shape.channels_in, height, width])
}

pub(super) fn by_weight(shape: &Shape, images: &Floats, given: &Floats) -> Floats {
    let mut out = vec![0.0; shape.len_weight()];
    let (images, given) = (numbers(images), numbers(given));
    fits(convolution::weight_gradient(Simd::detect(), shape, &images, &given, &mut out));
    let [taps_y, taps_x] = shape.kernel;
    tensor(out, &[shape.channels_out, shape.channels_in, taps_y, taps_x])
}

/// The sum of each channel, over planes in order.
pub(super) fn by_bias(shape: &Shape, given: &Floats) -> Floats {
    let given = numbers(given);
    let [height, width] = shape.size_out();
    let planes: Vec<f64> = given
        .par_chunks(height * width)
        .map(|plane| {
            let row = |row: &[f32]| f64::from(row.iter().sum::<f32>());
            plane.chunks(64).map(row).sum()
        })
        .collect();
    let channel = |channel: usize| {
        let of_images = planes.iter().skip(channel).step_by(shape.channels_out);
        of_images.sum::<f64>() as f32
    };
    tensor((0..shape.channels_out).map(channel).collect(), &[shape.channels_out])
}

/// What the gradient of a normalisation needs.
#[derive(Debug, Clone)]
pub(super) struct NormKept {
    pub(super) images: Floats,
    pub(super) gamma: Floats,
    /// The output, where a ReLU made it.
    pub(super) rectified: Option<Floats>,
    pub(super) statistics: Statistics,
    pub(super) options: NormOptions,
}

fn sizes(images: &Floats) -> Sizes {
    let [batch, channels, height, width] = dims(images);
    Sizes { batch, channels, pixels: height * width }
}

pub(super) fn norm(
    images: &Floats,
    gamma: &Floats,
    beta: &Floats,
    shortcut: &Floats,
    options: NormOptions,
) -> (Floats, Statistics) {
    let (sizes, x) = (sizes(images), numbers(images));
    let statistics = norm::statistics(Simd::detect(), &sizes, &x);
    let lines = lines(&statistics, &numbers(gamma), &numbers(beta), options.epsilon);
    let shortcut = options.shortcut.then(|| numbers(shortcut));
    let [scale, shift] = &lines;
    let out =
        norm::apply(Simd::detect(), &sizes, &x, [scale, shift], shortcut.as_deref(), options.relu);
    (tensor(out, &dims::<4>(images)), statistics)
}

/// Scale and shift of each channel.
fn lines(statistics: &Statistics, gamma: &[f32], beta: &[f32], epsilon: f64) -> [Vec<f32>; 2] {
    let channels = statistics.mean.iter().zip(&statistics.variance).zip(gamma.iter().zip(beta));
    let (scale, shift) = channels
        .map(|((mean, variance), (gamma, beta))| {
            let scale = f64::from(*gamma) / (f64::from(*variance) + epsilon).sqrt();
            (scale as f32, (f64::from(*beta) - scale * f64::from(*mean)) as f32)
        })
        .unzip();
    [scale, shift]
}

/// Mean and variance as tensors.
pub(super) fn of_statistics(statistics: &Statistics) -> [Floats; 2] {
    [&statistics.mean, &statistics.variance].map(|all| tensor(all.clone(), &[all.len()]))
}

/// By images, gamma, beta and, where it is `wanted`, the shortcut.
pub(super) fn norm_gradients(kept: &NormKept, given: &Floats, wanted: bool) -> [Option<Floats>; 4] {
    let sizes = sizes(&kept.images);
    let (x, gamma) = (numbers(&kept.images), numbers(&kept.gamma));
    let rectified = kept.rectified.as_ref().map(numbers);
    let known = Known {
        x: &x,
        rectified: rectified.as_deref(),
        statistics: &kept.statistics,
        gamma: &gamma,
        epsilon: kept.options.epsilon as f32,
    };
    let wanted = wanted && kept.options.shortcut;
    let by = norm::backward(Simd::detect(), &sizes, &known, &numbers(given), wanted);
    let shape = dims::<4>(&kept.images);
    let by_shortcut = wanted.then(|| match by.shortcut {
        Some(masked) => tensor(masked, &shape),
        // Without a ReLU it is the gradient given.
        None => given.clone(),
    });
    [
        Some(tensor(by.x, &shape)),
        Some(tensor(by.gamma, &[sizes.channels])),
        Some(tensor(by.beta, &[sizes.channels])),
        by_shortcut,
    ]
}

/// The table's entries.
fn entries(index: &IntTensor<Flex>) -> Vec<i32> {
    let packed = index.to_contiguous();
    match packed.as_slice::<i32>() {
        Some(entries) => entries.to_vec(),
        None => {
            let wide = packed.as_slice::<i64>().expect("indices are of 32 or 64 bits");
            // What does not fit is past all rows, and refused as such.
            wide.iter().map(|&entry| i32::try_from(entry).unwrap_or(i32::MAX)).collect()
        }
    }
}

fn look_up_sizes(rows: &Floats, weights: &Floats) -> lift::Sizes {
    let ([batch, rows, channels], [_, outputs, taps]) = (dims(rows), dims(weights));
    lift::Sizes { batch, rows, channels, outputs, taps }
}

pub(super) fn look_up(rows: &Floats, index: &IntTensor<Flex>, weights: &Floats) -> Floats {
    let sizes = look_up_sizes(rows, weights);
    let (rows, weights, index) = (numbers(rows), numbers(weights), entries(index));
    let out = fits(lift::forward(Simd::detect(), &sizes, &rows, &index, &weights));
    tensor(out, &[sizes.batch, sizes.outputs, sizes.channels])
}

/// By rows and weights.
pub(super) fn look_up_gradients(
    rows: &Floats,
    index: &IntTensor<Flex>,
    weights: &Floats,
    given: &Floats,
) -> [Floats; 2] {
    let sizes = look_up_sizes(rows, weights);
    let shapes = [dims::<3>(rows), dims::<3>(weights)];
    let (rows, weights, index) = (numbers(rows), numbers(weights), entries(index));
    let given = numbers(given);
    let by = fits(lift::gradients(Simd::detect(), &sizes, &rows, &index, &weights, &given));
    let [by_rows, by_weights] = by;
    [tensor(by_rows, &shapes[0]), tensor(by_weights, &shapes[1])]
}
