//! Operators on numbers.

use burn::backend::ir::{
    BoolOperationIr, FloatOperationIr, IntOperationIr, NumericOperationIr, ReduceDimOpIr,
    ScalarOpIr, TensorIr,
};

use super::emit::{Emit, shape, sizes};
use crate::{Error, proto::Attribute};

/// Adds the nodes; whether there are any for this operator.
pub(super) fn lower(emit: &mut Emit, operation: &NumericOperationIr) -> Result<bool, Error> {
    use NumericOperationIr as Op;
    match operation {
        Op::Add(op) => emit.op("Add", &[&op.lhs, &op.rhs], &op.out),
        Op::Sub(op) => emit.op("Sub", &[&op.lhs, &op.rhs], &op.out),
        Op::Mul(op) => emit.op("Mul", &[&op.lhs, &op.rhs], &op.out),
        Op::Div(op) => emit.op("Div", &[&op.lhs, &op.rhs], &op.out),
        Op::AddScalar(op) => by_scalar(emit, "Add", op)?,
        Op::SubScalar(op) => by_scalar(emit, "Sub", op)?,
        Op::MulScalar(op) => by_scalar(emit, "Mul", op)?,
        Op::DivScalar(op) => by_scalar(emit, "Div", op)?,
        Op::RemScalar(op) if op.lhs.dtype.is_int() => by_scalar(emit, "Mod", op)?,
        Op::PowiScalar(op) => by_scalar(emit, "Pow", op)?,
        Op::Abs(op) => emit.op("Abs", &[&op.input], &op.out),
        Op::Neg(op) => emit.op("Neg", &[&op.input], &op.out),
        Op::Full(op) => emit.filled(&op.out, op.value.elem())?,
        Op::SumDim(op) => reduce(emit, "ReduceSum", op),
        Op::MeanDim(op) => reduce(emit, "ReduceMean", op),
        Op::MaxDim(op) => reduce(emit, "ReduceMax", op),
        Op::MinDim(op) => reduce(emit, "ReduceMin", op),
        Op::Sum(op) => {
            let axes: Vec<i64> = (0..sizes(&op.input).len() as i64).collect();
            let (axes, to) = (emit.integers(&axes), emit.integers(&shape(&op.out)));
            let out = emit.name(op.out.id);
            let (input, whole) = (emit.name(op.input.id), format!("{out}_whole"));
            let with = vec![Attribute::integer("keepdims", 0)];
            emit.node("ReduceSum", &[&input, &axes], &whole, with);
            emit.node("Reshape", &[&whole, &to], &out, Vec::new());
        }
        Op::Greater(op) => emit.op("Greater", &[&op.lhs, &op.rhs], &op.out),
        Op::GreaterEqual(op) => emit.op("GreaterOrEqual", &[&op.lhs, &op.rhs], &op.out),
        Op::Lower(op) => emit.op("Less", &[&op.lhs, &op.rhs], &op.out),
        Op::LowerEqual(op) => emit.op("LessOrEqual", &[&op.lhs, &op.rhs], &op.out),
        Op::GreaterElem(op) => by_scalar(emit, "Greater", op)?,
        Op::GreaterEqualElem(op) => by_scalar(emit, "GreaterOrEqual", op)?,
        Op::LowerElem(op) => by_scalar(emit, "Less", op)?,
        Op::LowerEqualElem(op) => by_scalar(emit, "LessOrEqual", op)?,
        Op::ClampMin(op) => by_scalar(emit, "Max", op)?,
        Op::ClampMax(op) => by_scalar(emit, "Min", op)?,
        Op::Clamp(op) => {
            let least = emit.scalar(op.min, op.tensor.dtype)?;
            let most = emit.scalar(op.max, op.tensor.dtype)?;
            let (input, out) = (emit.name(op.tensor.id), emit.name(op.out.id));
            emit.node("Clip", &[&input, &least, &most], &out, Vec::new());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn lower_float(emit: &mut Emit, operation: &FloatOperationIr) -> Result<bool, Error> {
    use FloatOperationIr as Op;
    let (name, op) = match operation {
        Op::Exp(op) => ("Exp", op),
        Op::Log(op) => ("Log", op),
        Op::Erf(op) => ("Erf", op),
        Op::Sqrt(op) => ("Sqrt", op),
        Op::Cos(op) => ("Cos", op),
        Op::Sin(op) => ("Sin", op),
        Op::Tanh(op) => ("Tanh", op),
        Op::Floor(op) => ("Floor", op),
        Op::Ceil(op) => ("Ceil", op),
        Op::Round(op) => ("Round", op),
        Op::Recip(op) => ("Reciprocal", op),
        Op::IntoInt(op) => return emit.cast(&op.input, &op.out).map(|()| true),
        Op::PowfScalar(op) => return by_scalar(emit, "Pow", op).map(|()| true),
        Op::Matmul(op) => {
            emit.op("MatMul", &[&op.lhs, &op.rhs], &op.out);
            return Ok(true);
        }
        _ => return Ok(false),
    };
    emit.op(name, &[&op.input], &op.out);
    Ok(true)
}

pub(super) fn lower_int(emit: &mut Emit, operation: &IntOperationIr) -> Result<bool, Error> {
    match operation {
        IntOperationIr::IntoFloat(op) => emit.cast(&op.input, &op.out).map(|()| true),
        _ => Ok(false),
    }
}

pub(super) fn lower_bool(emit: &mut Emit, operation: &BoolOperationIr) -> Result<bool, Error> {
    use BoolOperationIr as Op;
    match operation {
        Op::IntoFloat(op) | Op::IntoInt(op) => emit.cast(&op.input, &op.out)?,
        Op::Not(op) => emit.op("Not", &[&op.input], &op.out),
        Op::And(op) => emit.op("And", &[&op.lhs, &op.rhs], &op.out),
        Op::Or(op) => emit.op("Or", &[&op.lhs, &op.rhs], &op.out),
        _ => return Ok(false),
    }
    Ok(true)
}

fn by_scalar(emit: &mut Emit, name: &str, op: &ScalarOpIr) -> Result<(), Error> {
    let scalar = emit.scalar(op.rhs, op.lhs.dtype)?;
    emit.op_constant(name, (&op.lhs, &scalar), &op.out, Vec::new());
    Ok(())
}

fn reduce(emit: &mut Emit, name: &str, op: &ReduceDimOpIr) {
    let kept = i64::from(sizes(&op.out).len() == sizes(&op.input).len());
    let axes = emit.integers(&[op.axis as i64]);
    let with = vec![Attribute::integer("keepdims", kept)];
    emit.op_constant(name, (&op.input, &axes), &op.out, with);
}

impl Emit {
    /// A value that is the same everywhere.
    pub(super) fn filled(&mut self, out: &TensorIr, value: f64) -> Result<(), Error> {
        let scalar = self.scalar(burn::backend::ir::ScalarIr::Float(value), out.dtype)?;
        let to = self.integers(&shape(out));
        let out = self.name(out.id);
        self.node("Expand", &[&scalar, &to], &out, Vec::new());
        Ok(())
    }
}
