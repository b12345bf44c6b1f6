//! Learned perceptual similarity, with weights that the user gives.
//!
//! Zhang et al. 2018, *The unreasonable effectiveness of deep features as a perceptual metric*, Eq. (1), as the
//! package `lpips` 0.1 computes it. The network is a list of steps, so that AlexNet and VGG are both data.

use rayon::prelude::*;

use super::Picture;
use crate::Error;

/// Added to norms of features, as in the package.
const EPSILON: f64 = 1e-10;
/// Mean of the network's training images per channel, for samples from -1 to 1.
const SHIFT: [f64; 3] = [-0.030, -0.088, -0.188];
/// Their spread.
const SCALE: [f64; 3] = [0.458, 0.448, 0.450];

/// A convolution with zeros around the picture, followed by `max(0, x)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// `[out][in][row][column]`, row-major.
    pub weights: Vec<f64>,
    /// One per output channel.
    pub bias: Vec<f64>,
    /// Channels going in.
    pub inputs: usize,
    /// Side of the kernel, pixels.
    pub side: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
}

/// One step of the network.
#[derive(Debug, Clone, PartialEq)]
pub enum LpipsStep {
    /// Convolution and rectification.
    Convolution(Convolution),
    /// Largest value in squares of `side`, every `stride`, without padding.
    MaxPool {
        /// Side of the square.
        side: usize,
        /// Pixels from one output to the next.
        stride: usize,
    },
}

/// Steps up to features that are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct LpipsLayer {
    /// From the layer before.
    pub steps: Vec<LpipsStep>,
    /// Weight of each channel's squared difference.
    pub weights: Vec<f64>,
}

/// A network with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Lpips {
    layers: Vec<LpipsLayer>,
}

/// Channels of rows of columns.
#[derive(Debug, Clone)]
struct Features {
    channels: usize,
    height: usize,
    width: usize,
    values: Vec<f64>,
}

impl Lpips {
    /// A network for pictures of three channels.
    ///
    /// # Errors
    /// Weights that do not fit each other, named by layer and step.
    pub fn new(layers: Vec<LpipsLayer>) -> Result<Self, Error> {
        let mut channels = 3;
        for (l, layer) in layers.iter().enumerate() {
            for (s, step) in layer.steps.iter().enumerate() {
                let wrong =
                    |what: String| Err(Error::row("network", format!("layer {l} step {s}"), what));
                match step {
                    LpipsStep::MaxPool { side, stride } if *side == 0 || *stride == 0 => {
                        return wrong("a pool of no size".to_owned());
                    }
                    LpipsStep::MaxPool { .. } => {}
                    LpipsStep::Convolution(c) => {
                        let wanted = c.bias.len() * c.inputs * c.side * c.side;
                        if c.inputs != channels
                            || c.stride == 0
                            || wanted == 0
                            || c.weights.len() != wanted
                        {
                            return wrong(format!(
                                "{} weights for {} to {} channels of side {}, after {channels} channels",
                                c.weights.len(),
                                c.inputs,
                                c.bias.len(),
                                c.side
                            ));
                        }
                        channels = c.bias.len();
                    }
                }
            }
            if layer.weights.len() != channels {
                let what = format!("{} weights for {channels} channels", layer.weights.len());
                return Err(Error::row("network", format!("layer {l}"), what));
            }
        }
        Ok(Self { layers })
    }

    /// AlexNet's five convolutions from their weights and biases, and the channel weights of each.
    ///
    /// # Errors
    /// Weights that do not fit.
    pub fn alexnet(
        convolutions: [(Vec<f64>, Vec<f64>); 5],
        channel_weights: [Vec<f64>; 5],
    ) -> Result<Self, Error> {
        // Inputs, side, stride and padding; whether a pool comes first.
        const SHAPES: [(usize, usize, usize, usize, bool); 5] = [
            (3, 11, 4, 2, false),
            (64, 5, 1, 2, true),
            (192, 3, 1, 1, true),
            (384, 3, 1, 1, false),
            (256, 3, 1, 1, false),
        ];
        let layers = SHAPES.into_iter().zip(convolutions).zip(channel_weights).map(
            |(((inputs, side, stride, padding, pool), (weights, bias)), channel_weights)| {
                let pool = pool.then_some(LpipsStep::MaxPool { side: 3, stride: 2 });
                let own = Convolution { weights, bias, inputs, side, stride, padding };
                let steps = pool.into_iter().chain([LpipsStep::Convolution(own)]).collect();
                LpipsLayer { steps, weights: channel_weights }
            },
        );
        Self::new(layers.collect())
    }

    /// Distance of two pictures of three channels with samples from 0 to `data_range`; 0 for equal ones.
    ///
    /// # Errors
    /// Pictures of different size, of other than three channels, or too small for the network.
    pub fn distance(
        &self,
        truth: &Picture<'_>,
        estimate: &Picture<'_>,
        data_range: f64,
    ) -> Result<f64, Error> {
        truth.check_like(estimate)?;
        if truth.channels != 3 {
            let what = format!("{} channels; the network takes three", truth.channels);
            return Err(Error::row("truth", "picture", what));
        }
        let mut pair = [entry(truth, data_range), entry(estimate, data_range)];
        let mut total = 0.0;
        for (l, layer) in self.layers.iter().enumerate() {
            for step in &layer.steps {
                for features in &mut pair {
                    *features = apply(step, features).ok_or_else(|| {
                        let what = format!(
                            "{}x{} is too small for layer {l} of the network",
                            truth.width, truth.height
                        );
                        Error::row("truth", "picture", what)
                    })?;
                }
            }
            total += difference(&pair[0], &pair[1], &layer.weights);
        }
        Ok(total)
    }
}

/// Samples as the network was trained on them.
fn entry(picture: &Picture<'_>, data_range: f64) -> Features {
    let sample =
        |c: usize, pixel: &[f64]| (2.0 * pixel[c] / data_range - 1.0 - SHIFT[c]) / SCALE[c];
    let values = (0..3)
        .flat_map(|c| picture.samples.chunks_exact(3).map(move |pixel| sample(c, pixel)))
        .collect();
    Features { channels: 3, height: picture.height, width: picture.width, values }
}

fn apply(step: &LpipsStep, input: &Features) -> Option<Features> {
    match step {
        LpipsStep::Convolution(convolution) => convolve(convolution, input),
        LpipsStep::MaxPool { side, stride } => max_pool(input, *side, *stride),
    }
}

fn outputs(size: usize, padding: usize, side: usize, stride: usize) -> Option<usize> {
    Some((size + 2 * padding).checked_sub(side)? / stride + 1)
}

fn convolve(c: &Convolution, input: &Features) -> Option<Features> {
    let height = outputs(input.height, c.padding, c.side, c.stride)?;
    let width = outputs(input.width, c.padding, c.side, c.stride)?;
    let channel = |out: usize| -> Vec<f64> {
        let mut plane = vec![c.bias[out]; height * width];
        for i in 0..c.inputs {
            let source = &input.values[i * input.height * input.width..];
            let kernel = &c.weights[(out * c.inputs + i) * c.side * c.side..];
            for ky in 0..c.side {
                for kx in 0..c.side {
                    let tap = Tap { weight: kernel[ky * c.side + kx], offset: [ky, kx] };
                    tap.add(&mut plane, source, c, [input.width, input.height, width]);
                }
            }
        }
        plane.iter_mut().for_each(|v| *v = v.max(0.0));
        plane
    };
    let planes: Vec<Vec<f64>> = (0..c.bias.len()).into_par_iter().map(channel).collect();
    Some(Features { channels: c.bias.len(), height, width, values: planes.concat() })
}

/// One weight of a kernel and its row and column.
struct Tap {
    weight: f64,
    offset: [usize; 2],
}

impl Tap {
    /// Adds its part to all outputs that it reaches; `sizes` are the input's width and height and the output's
    /// width.
    fn add(&self, plane: &mut [f64], source: &[f64], c: &Convolution, sizes: [usize; 3]) {
        let [input_width, input_height, width] = sizes;
        let [ky, kx] = self.offset;
        for (y, row) in plane.chunks_exact_mut(width).enumerate() {
            let inside = (y * c.stride + ky).checked_sub(c.padding).filter(|&y| y < input_height);
            let Some(sy) = inside else { continue };
            let from = &source[sy * input_width..(sy + 1) * input_width];
            for (x, sum) in row.iter_mut().enumerate() {
                let sx = (x * c.stride + kx).checked_sub(c.padding);
                if let Some(v) = sx.and_then(|x| from.get(x)) {
                    *sum += self.weight * v;
                }
            }
        }
    }
}

fn max_pool(input: &Features, side: usize, stride: usize) -> Option<Features> {
    let height = outputs(input.height, 0, side, stride)?;
    let width = outputs(input.width, 0, side, stride)?;
    let mut values = Vec::with_capacity(input.channels * height * width);
    for plane in input.values.chunks_exact(input.height * input.width) {
        for y in 0..height {
            for x in 0..width {
                let mut most = f64::NEG_INFINITY;
                for row in plane.chunks_exact(input.width).skip(y * stride).take(side) {
                    most = row[x * stride..x * stride + side].iter().copied().fold(most, f64::max);
                }
                values.push(most);
            }
        }
    }
    Some(Features { channels: input.channels, height, width, values })
}

/// Mean over pixels of the weighted squared differences of features of length 1.
fn difference(a: &Features, b: &Features, weights: &[f64]) -> f64 {
    let pixels = a.height * a.width;
    let norms = |f: &Features| -> Vec<f64> {
        let squares =
            |p: usize| (0..f.channels).map(|c| f.values[c * pixels + p].powi(2)).sum::<f64>();
        (0..pixels).map(|p| squares(p).sqrt() + EPSILON).collect()
    };
    let (norm_a, norm_b) = (norms(a), norms(b));
    let mut sum = 0.0;
    for (c, weight) in weights.iter().enumerate() {
        for p in 0..pixels {
            let i = c * pixels + p;
            sum += weight * (a.values[i] / norm_a[p] - b.values[i] / norm_b[p]).powi(2);
        }
    }
    sum / pixels as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;

    fn network(random: &mut Random) -> Lpips {
        let mut numbers = |n: usize| (0..n).map(|_| random.uniform() - 0.4).collect::<Vec<f64>>();
        let convolution = |weights, bias, inputs| {
            LpipsStep::Convolution(Convolution {
                weights,
                bias,
                inputs,
                side: 3,
                stride: 1,
                padding: 1,
            })
        };
        let first = convolution(numbers(4 * 3 * 9), numbers(4), 3);
        let second = convolution(numbers(5 * 4 * 9), numbers(5), 4);
        let pool = LpipsStep::MaxPool { side: 3, stride: 2 };
        Lpips::new(vec![
            LpipsLayer { steps: vec![first], weights: vec![0.5; 4] },
            LpipsLayer { steps: vec![pool, second], weights: vec![0.2; 5] },
        ])
        .unwrap()
    }

    #[test]
    fn identity_symmetry_and_size() {
        let mut random = Random::new(4);
        let network = network(&mut random);
        let mut picture = || (0..9 * 8 * 3).map(|_| random.uniform()).collect::<Vec<f64>>();
        let (a, b) = (picture(), picture());
        let of = |a: &[f64], b: &[f64]| {
            let picture = |samples| Picture { width: 9, height: 8, channels: 3, samples };
            network.distance(&picture(a), &picture(b), 1.0).unwrap()
        };
        assert_eq!(of(&a, &a), 0.0);
        assert_eq!(of(&a, &b), of(&b, &a));
        assert!(of(&a, &b) > 0.0);
        let tiny = Picture { width: 2, height: 2, channels: 3, samples: &a[..12] };
        let message = network.distance(&tiny, &tiny, 1.0).unwrap_err().to_string();
        assert!(message.contains("2x2 is too small for layer 1"), "{message}");
    }

    #[test]
    fn a_convolution_by_hand() {
        let c = Convolution {
            weights: vec![1.0, 0.0, 0.0, -1.0],
            bias: vec![0.5],
            inputs: 1,
            side: 2,
            stride: 2,
            padding: 1,
        };
        let input = Features { channels: 1, height: 2, width: 2, values: vec![1.0, 2.0, 3.0, 4.0] };
        let found = convolve(&c, &input).unwrap();
        // Windows begin at -1 and 1: only the corners next to each other overlap the picture.
        assert_eq!(found.values, [0.0, 0.5, 0.5, 4.5]);
    }

    #[test]
    fn weights_that_do_not_fit_are_named() {
        let wrong = LpipsLayer { steps: Vec::new(), weights: vec![1.0; 4] };
        let message = Lpips::new(vec![wrong]).unwrap_err().to_string();
        assert!(message.contains("layer 0: 4 weights for 3 channels"), "{message}");
        let empty = || (Vec::new(), Vec::new());
        assert!(
            Lpips::alexnet([empty(), empty(), empty(), empty(), empty()], Default::default())
                .is_err()
        );
    }
}
