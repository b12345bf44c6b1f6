//! Layers.

use burn::backend::ir::{
    ActivationOperationIr, AdaptiveAvgPool2dOpIr, AvgPool2dOpIr, BatchNormOpIr, Conv2dOpIr,
    InterpolateModeIr, InterpolateOpIr, LayerNormOpIr, LinearOpIr, MaxPool2dOpIr,
    ModuleOperationIr, UnaryOpIr,
};
use burn::tensor::DType;

use super::emit::{Emit, shape, sizes};
use crate::{Error, proto::Attribute};

/// Adds the nodes; whether there are any for this operator.
pub(super) fn lower(emit: &mut Emit, operation: &ModuleOperationIr) -> Result<bool, Error> {
    use ModuleOperationIr as Op;
    match operation {
        Op::Conv2d(op) => convolution(emit, op),
        Op::BatchNorm(op) => batch_norm(emit, op),
        Op::Linear(op) => linear(emit, op),
        Op::LayerNorm(op) => layer_norm(emit, op),
        Op::Interpolate(op) => return interpolate(emit, op),
        Op::MaxPool2d(op) => max_pool(emit, op),
        Op::AvgPool2d(op) => average_pool(emit, op),
        Op::AdaptiveAvgPool2d(op) => adaptive_pool(emit, op),
        Op::Embedding(op) => emit.op("Gather", &[&op.weights, &op.indices], &op.out),
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn lower_activation(
    emit: &mut Emit,
    operation: &ActivationOperationIr,
) -> Result<bool, Error> {
    use ActivationOperationIr as Op;
    match operation {
        Op::Relu(op) => emit.op("Relu", &[&op.input], &op.out),
        Op::Sigmoid(op) => emit.op("Sigmoid", &[&op.input], &op.out),
        Op::Gelu(op) => gelu(emit, op)?,
        Op::Softmax(op) => {
            let with = vec![Attribute::integer("axis", op.axis as i64)];
            emit.op_with("Softmax", &[&op.input], &op.out, with);
        }
        Op::LogSoftmax(op) => {
            let with = vec![Attribute::integer("axis", op.axis as i64)];
            emit.op_with("LogSoftmax", &[&op.input], &op.out, with);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn convolution(emit: &mut Emit, op: &Conv2dOpIr) {
    let [(top, bottom), (left, right)] = op.options.padding;
    let with = vec![
        Attribute::integers("kernel_shape", sizes(&op.weight)[2..].to_vec()),
        Attribute::integers("strides", op.options.stride),
        Attribute::integers("dilations", op.options.dilation),
        Attribute::integers("pads", [top, left, bottom, right]),
        Attribute::integer("group", op.options.groups as i64),
    ];
    let inputs = [Some(&op.x), Some(&op.weight), op.bias.as_ref()];
    emit.op_with("Conv", &inputs.into_iter().flatten().collect::<Vec<_>>(), &op.out, with);
}

fn batch_norm(emit: &mut Emit, op: &BatchNormOpIr) {
    let inputs = [&op.x, &op.gamma, &op.beta, &op.mean, &op.variance];
    let with = vec![Attribute::number("epsilon", op.epsilon.elem::<f32>())];
    emit.op_with("BatchNormalization", &inputs, &op.out, with);
}

fn linear(emit: &mut Emit, op: &LinearOpIr) {
    let Some(bias) = &op.bias else { return emit.op("MatMul", &[&op.x, &op.weight], &op.out) };
    let [x, weight, bias, out] =
        [&op.x, &op.weight, bias, &op.out].map(|tensor| emit.name(tensor.id));
    let product = format!("{out}_product");
    emit.node("MatMul", &[&x, &weight], &product, Vec::new());
    emit.node("Add", &[&product, &bias], &out, Vec::new());
}

fn layer_norm(emit: &mut Emit, op: &LayerNormOpIr) {
    let inputs = [Some(&op.input), Some(&op.gamma), op.beta.as_ref()];
    let with = vec![
        Attribute::integer("axis", -1),
        Attribute::number("epsilon", op.epsilon.elem::<f32>()),
    ];
    let inputs: Vec<_> = inputs.into_iter().flatten().collect();
    emit.op_with("LayerNormalization", &inputs, &op.out, with);
}

fn interpolate(emit: &mut Emit, op: &InterpolateOpIr) -> Result<bool, Error> {
    if op.options.mode != InterpolateModeIr::Nearest {
        return Ok(false);
    }
    let (input, out) = (emit.name(op.x.id), emit.name(op.out.id));
    let to = emit.integers(&shape(&op.out));
    let with = vec![
        Attribute::text("mode", "nearest"),
        Attribute::text("coordinate_transformation_mode", "asymmetric"),
        Attribute::text("nearest_mode", "floor"),
    ];
    emit.node("Resize", &[&input, "", "", &to], &out, with);
    Ok(true)
}

fn max_pool(emit: &mut Emit, op: &MaxPool2dOpIr) {
    let [y, x] = op.padding;
    let with = vec![
        Attribute::integers("kernel_shape", op.kernel_size),
        Attribute::integers("strides", op.stride),
        Attribute::integers("pads", [y, x, y, x]),
        Attribute::integers("dilations", op.dilation),
        Attribute::integer("ceil_mode", i64::from(op.ceil_mode)),
    ];
    emit.op_with("MaxPool", &[&op.x], &op.out, with);
}

fn average_pool(emit: &mut Emit, op: &AvgPool2dOpIr) {
    let [y, x] = op.padding;
    let with = vec![
        Attribute::integers("kernel_shape", op.kernel_size),
        Attribute::integers("strides", op.stride),
        Attribute::integers("pads", [y, x, y, x]),
        Attribute::integer("ceil_mode", i64::from(op.ceil_mode)),
        Attribute::integer("count_include_pad", i64::from(op.count_include_pad)),
    ];
    emit.op_with("AveragePool", &[&op.x], &op.out, with);
}

/// Means over rectangles: a matrix product along each axis, as ONNX has no pooling to any size.
fn adaptive_pool(emit: &mut Emit, op: &AdaptiveAvgPool2dOpIr) {
    let (from, to) = (sizes(&op.x), op.output_size);
    let mut along = |axis: usize, transposed: bool| {
        let (size, count) = (from[2 + axis], to[axis]);
        let mut shares = vec![0.0; count * size];
        for index in 0..count {
            let (start, end) = (index * size / count, ((index + 1) * size).div_ceil(count));
            for place in start..end {
                let at = if transposed { place * count + index } else { index * size + place };
                shares[at] = 1.0 / (end - start) as f32;
            }
        }
        let dims = if transposed { [size, count] } else { [count, size] };
        emit.floats(&format!("means_{}_{}_{transposed}", size, count), &dims, &shares)
    };
    let (rows, columns) = (along(0, false), along(1, true));
    let (input, out) = (emit.name(op.x.id), emit.name(op.out.id));
    let half = format!("{out}_columns");
    emit.node("MatMul", &[&input, &columns], &half, Vec::new());
    emit.node("MatMul", &[&rows, &half], &out, Vec::new());
}

/// `x (1 + erf(x / sqrt 2)) / 2`: ONNX has its own from opset 20 on.
fn gelu(emit: &mut Emit, op: &UnaryOpIr) -> Result<(), Error> {
    let scalar = |emit: &mut Emit, value: f64| {
        emit.scalar(burn::backend::ir::ScalarIr::Float(value), DType::F32)
    };
    let root = scalar(emit, std::f64::consts::FRAC_1_SQRT_2)?;
    let (one, half) = (scalar(emit, 1.0)?, scalar(emit, 0.5)?);
    let (x, out) = (emit.name(op.input.id), emit.name(op.out.id));
    let [scaled, erf, shifted, halved] =
        ["scaled", "erf", "shifted", "halved"].map(|part| format!("{out}_{part}"));
    emit.node("Mul", &[&x, &root], &scaled, Vec::new());
    emit.node("Erf", &[&scaled], &erf, Vec::new());
    emit.node("Add", &[&erf, &one], &shifted, Vec::new());
    emit.node("Mul", &[&shifted, &half], &halved, Vec::new());
    emit.node("Mul", &[&x, &halved], &out, Vec::new());
    Ok(())
}
