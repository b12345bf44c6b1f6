use burn::{
    module::{Module, Param},
    tensor::{Device, Distribution, Gradients, Int, Tensor, activation::relu},
};

use super::{gather::gather_standard, *};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.3, 1.0), device)
}

fn close<const D: usize>(what: &str, found: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let scale = expected.clone().abs().max().into_scalar::<f32>();
    let off = (found - expected).abs().max().into_scalar::<f32>();
    assert!(off <= 1e-4 * (1.0 + scale), "{what}: off by {off} of {scale}");
}

/// The layer's output and gradients against Burn's own operators.
fn check(settings: ConvSettings, onto: bool) {
    let device = Device::flex().autodiff();
    device.seed(1);
    let layer = ConvNorm::new(settings, &device);
    let [input, output] = settings.channels;
    let images = random([2, input, 7, 10], &device).require_grad();
    let size = [7, 10].map(|side: usize| side.div_ceil(settings.stride));
    let shortcut = random([2, output, size[0], size[1]], &device).require_grad();
    let given = random([2, output, size[0], size[1]], &device);
    let gradients =
        |out: &Tensor<4>| -> Gradients { (out.clone() * given.clone()).sum().backward() };
    let ours = match onto {
        true => layer.forward_onto(images.clone(), shortcut.clone()),
        false => layer.forward(images.clone()),
    };
    let mean = layer.norm.running_mean.value_sync();
    let fresh = ConvNorm::new(settings, &device);
    let theirs = fresh.norm.clone().forward(layer.conv.forward(images.clone()));
    let theirs = relu(if onto { theirs + shortcut.clone() } else { theirs });
    close("output", ours.clone(), theirs.clone());
    close("running mean", mean, fresh.norm.running_mean.value_sync());
    let (by_ours, by_theirs) = (gradients(&ours), gradients(&theirs));
    let of = |by: &Gradients| (images.grad(by).unwrap(), layer.conv.weight.val().grad(by).unwrap());
    let (found, expected) = (of(&by_ours), of(&by_theirs));
    close("by the images", found.0, expected.0);
    close("by the weight", found.1, expected.1);
    let gamma = |layer: &ConvNorm, by: &Gradients| layer.norm.gamma.val().grad(by).unwrap();
    close("by gamma", gamma(&layer, &by_ours), gamma(&fresh, &by_theirs));
    let beta = |layer: &ConvNorm, by: &Gradients| layer.norm.beta.val().grad(by).unwrap();
    close("by beta", beta(&layer, &by_ours), beta(&fresh, &by_theirs));
    if onto {
        let of = |by: &Gradients| shortcut.grad(by).unwrap();
        close("by the shortcut", of(&by_ours), of(&by_theirs));
    }
}

#[test]
fn layers_agree_with_burns_operators() {
    check(ConvSettings::new([5, 9], 3), false);
    check(ConvSettings::new([5, 9], 3).stride(2), false);
    check(ConvSettings::new([6, 9], 1), true);
    check(ConvSettings::new([6, 9], 1).stride(2), false);
    check(ConvSettings::new([8, 8], 3).groups(4), true);
}

#[test]
fn a_bias_is_added_and_has_its_gradient() {
    let device = Device::flex().autodiff();
    let mut layer = Conv::new(ConvSettings::new([3, 4], 3), &device);
    layer.conv.bias = Some(Param::from_tensor(random([4], &device)));
    let images = random([2, 3, 5, 6], &device);
    let given = random([2, 4, 5, 6], &device);
    let (ours, theirs) = (layer.forward(images.clone()), layer.conv.forward(images));
    close("output", ours.clone(), theirs.clone());
    let by = |out: Tensor<4>| {
        let gradients = (out * given.clone()).sum().backward();
        layer.conv.bias.as_ref().unwrap().val().grad(&gradients).unwrap()
    };
    close("by the bias", by(ours), by(theirs));
}

#[test]
fn after_training_running_statistics_count() {
    let device = Device::flex().autodiff();
    let layer = ConvNorm::new(ConvSettings::new([3, 4], 3), &device);
    layer.forward(random([2, 3, 5, 6], &device));
    let layer = layer.valid();
    let images = random([2, 3, 5, 6], &Device::flex());
    let expected = relu(layer.norm.forward(layer.conv.forward(images.clone())));
    close("output", layer.forward(images), expected);
}

#[test]
fn look_ups_agree_with_standard_operators() {
    let device = Device::flex().autodiff();
    let rows = random([2, 5, 3], &device).require_grad();
    let weights = random([2, 7, 4], &device).require_grad();
    let index = Tensor::<1, Int>::arange(0..56, &device).remainder_scalar(5).reshape([2, 7, 4]);
    let given = random([2, 7, 3], &device);
    let ours = gather_sum(rows.clone(), index.clone(), weights.clone());
    let theirs = gather_standard(rows.clone(), index, weights.clone());
    close("sums", ours.clone(), theirs.clone());
    let by = |out: Tensor<3>| {
        let gradients = (out * given.clone()).sum().backward();
        (rows.grad(&gradients).unwrap(), weights.grad(&gradients).unwrap())
    };
    let (found, expected) = (by(ours), by(theirs));
    close("by the rows", found.0, expected.0);
    close("by the weights", found.1, expected.1);
}
