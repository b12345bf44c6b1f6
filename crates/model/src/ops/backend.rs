//! Our kernels as operators of Burn: on the CPU, with gradients. Elsewhere the layers use Burn's own.

use burn::{
    backend::{
        Autodiff, Backend, DispatchDevice, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::Device,
};
use ommatidia_kernels::convolution::Shape;

use super::{cpu, cpu::NormKept};

/// Whether a device runs these operators.
pub(crate) fn ours(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// A convolution's stride and zeros around, both along y and x.
pub(crate) type Steps = [[usize; 2]; 2];

/// How a normalisation ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormOptions {
    /// Added to the variance.
    pub(crate) epsilon: f64,
    /// Cut off below 0.
    pub(crate) relu: bool,
    /// There is a shortcut to be added; else that tensor is empty.
    pub(crate) shortcut: bool,
}

/// The operators.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Operators: Backend {
    /// Images `[batch, in, y, x]`, weight `[out, in, y, x]`, and a bias `[out]`, or of no numbers.
    fn convolution(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        steps: Steps,
    ) -> FloatTensor<Self>;

    /// By the statistics of the batch: the output, mean and variance per channel.
    fn norm(
        images: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        shortcut: FloatTensor<Self>,
        options: NormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Weighted sums of rows: [`super::gather_sum`].
    fn look_up(
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl Operators for Flex {
    fn convolution(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        steps: Steps,
    ) -> FloatTensor<Self> {
        let shape = cpu::shape(&images, &weight, steps);
        cpu::convolution(&shape, &images, &weight, &bias)
    }

    fn norm(
        images: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        shortcut: FloatTensor<Self>,
        options: NormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (out, statistics) = cpu::norm(&images, &gamma, &beta, &shortcut, options);
        let [mean, variance] = cpu::of_statistics(&statistics);
        (out, mean, variance)
    }

    fn look_up(
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        cpu::look_up(&rows, &index, &weights)
    }
}

#[derive(Debug)]
struct ConvolutionStep;

impl Backward<Flex, 3> for ConvolutionStep {
    type State = (Shape, FloatTensor<Flex>, FloatTensor<Flex>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [images_node, weight_node, bias_node] = ops.parents;
        let given = gradients.consume::<Flex>(&ops.node);
        let (shape, images, weight) = ops.state;
        if let Some(node) = images_node {
            gradients.register::<Flex>(node.id, cpu::by_images(&shape, &given, &weight));
        }
        if let Some(node) = weight_node {
            gradients.register::<Flex>(node.id, cpu::by_weight(&shape, &images, &given));
        }
        if let Some(node) = bias_node {
            gradients.register::<Flex>(node.id, cpu::by_bias(&shape, &given));
        }
    }
}

#[derive(Debug)]
struct NormStep;

impl Backward<Flex, 4> for NormStep {
    type State = NormKept;

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let given = gradients.consume::<Flex>(&ops.node);
        let by = cpu::norm_gradients(&ops.state, &given, ops.parents[3].is_some());
        for (node, gradient) in ops.parents.into_iter().zip(by) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct LookUpStep;

impl Backward<Flex, 2> for LookUpStep {
    type State = (FloatTensor<Flex>, IntTensor<Flex>, FloatTensor<Flex>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let given = gradients.consume::<Flex>(&ops.node);
        let (rows, index, weights) = ops.state;
        let by = cpu::look_up_gradients(&rows, &index, &weights, &given);
        for (node, gradient) in ops.parents.into_iter().zip(by) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> Operators for Autodiff<Flex, C> {
    fn convolution(
        images: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        steps: Steps,
    ) -> FloatTensor<Self> {
        let nodes = [images.node(), weight.node(), bias.node()];
        let step = ConvolutionStep.prepare::<C>(nodes).compute_bound().stateful();
        let (images, weight) = (images.into_primitive(), weight.into_primitive());
        let shape = cpu::shape(&images, &weight, steps);
        let out = cpu::convolution(&shape, &images, &weight, bias.primitive());
        match step {
            OpsKind::Tracked(step) => step.finish((shape, images, weight), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }

    fn norm(
        images: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        shortcut: FloatTensor<Self>,
        options: NormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [images.node(), gamma.node(), beta.node(), shortcut.node()];
        let step = NormStep.prepare::<C>(nodes).compute_bound().stateful();
        let [images, gamma, beta, shortcut] =
            [images, gamma, beta, shortcut].map(|tensor| tensor.into_primitive());
        let (out, statistics) = cpu::norm(&images, &gamma, &beta, &shortcut, options);
        let [mean, variance] = cpu::of_statistics(&statistics);
        let out = match step {
            OpsKind::Tracked(step) => {
                let rectified = options.relu.then(|| out.clone());
                let kept = NormKept { images, gamma, rectified, statistics, options };
                step.finish(kept, out)
            }
            OpsKind::UnTracked(step) => step.finish(out),
        };
        (out, FloatTensor::<Self>::new(mean), FloatTensor::<Self>::new(variance))
    }

    fn look_up(
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [rows.node(), weights.node()];
        let step = LookUpStep.prepare::<C>(nodes).compute_bound().stateful();
        let (rows, weights) = (rows.into_primitive(), weights.into_primitive());
        let out = cpu::look_up(&rows, &index, &weights);
        match step {
            OpsKind::Tracked(step) => step.finish((rows, index, weights), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }
}
