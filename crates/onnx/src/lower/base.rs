//! Operators that move numbers.

use burn::backend::ir::{BaseOperationIr, SliceOpIr};

use super::emit::{Emit, shape, sizes};
use crate::{Error, proto::Attribute};

/// Adds the nodes; whether there are any for this operator.
pub(super) fn lower(emit: &mut Emit, operation: &BaseOperationIr) -> Result<bool, Error> {
    use BaseOperationIr as Op;
    match operation {
        Op::Reshape(op) => {
            let to = emit.integers(&shape(&op.out));
            emit.op_constant("Reshape", (&op.input, &to), &op.out, Vec::new());
        }
        Op::Expand(op) => {
            let to = emit.integers(&shape(&op.out));
            emit.op_constant("Expand", (&op.input, &to), &op.out, Vec::new());
        }
        Op::SwapDims(op) => {
            let mut axes: Vec<usize> = (0..sizes(&op.input).len()).collect();
            axes.swap(op.dim1, op.dim2);
            let with = vec![Attribute::integers("perm", axes)];
            emit.op_with("Transpose", &[&op.input], &op.out, with);
        }
        Op::Permute(op) => {
            let with = vec![Attribute::integers("perm", op.axes.iter().copied())];
            emit.op_with("Transpose", &[&op.input], &op.out, with);
        }
        Op::Slice(op) => slice(emit, op)?,
        Op::Select(op) => {
            let with = vec![Attribute::integer("axis", op.dim as i64)];
            emit.op_with("Gather", &[&op.tensor, &op.indices], &op.out, with);
        }
        Op::Gather(op) => {
            let with = vec![Attribute::integer("axis", op.dim as i64)];
            emit.op_with("GatherElements", &[&op.tensor, &op.indices], &op.out, with);
        }
        Op::Cat(op) => {
            let with = vec![Attribute::integer("axis", op.dim as i64)];
            emit.op_with("Concat", &op.tensors.iter().collect::<Vec<_>>(), &op.out, with);
        }
        Op::RepeatDim(op) => {
            let mut times = vec![1; sizes(&op.tensor).len()];
            times[op.dim] = op.times as i64;
            let times = emit.integers(&times);
            emit.op_constant("Tile", (&op.tensor, &times), &op.out, Vec::new());
        }
        Op::MaskFill(op) => {
            let value = emit.scalar(op.value, op.tensor.dtype)?;
            let [mask, tensor, out] =
                [&op.mask, &op.tensor, &op.out].map(|value| emit.name(value.id));
            emit.node("Where", &[&mask, &value, &tensor], &out, Vec::new());
        }
        Op::MaskWhere(op) => emit.op("Where", &[&op.mask, &op.value, &op.tensor], &op.out),
        Op::Equal(op) => emit.op("Equal", &[&op.lhs, &op.rhs], &op.out),
        Op::EqualElem(op) => {
            let value = emit.scalar(op.rhs, op.lhs.dtype)?;
            emit.op_constant("Equal", (&op.lhs, &value), &op.out, Vec::new());
        }
        Op::Cast(op) => emit.cast(&op.input, &op.out)?,
        Op::Zeros(op) => emit.filled(&op.out, 0.0)?,
        Op::Ones(op) => emit.filled(&op.out, 1.0)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Burn's ranges lie within the tensor; a negative step goes through them backwards.
fn slice(emit: &mut Emit, op: &SliceOpIr) -> Result<(), Error> {
    let whole = sizes(&op.tensor);
    let (mut axes, mut starts, mut ends, mut steps) = (vec![], vec![], vec![], vec![]);
    for (axis, range) in op.ranges.iter().enumerate() {
        let (start, step) = (range.start as i64, range.step as i64);
        let end = range.end.map_or(whole[axis] as i64, |end| end as i64);
        if (start, end, step) == (0, whole[axis] as i64, 1) {
            continue;
        }
        if step < 0 {
            return Err(Error::Operator { what: "a slice taken backwards".to_owned() });
        }
        axes.push(axis as i64);
        starts.push(start);
        ends.push(end);
        steps.push(step);
    }
    let [starts, ends, axes, steps] = [starts, ends, axes, steps].map(|v| emit.integers(&v));
    let (input, out) = (emit.name(op.tensor.id), emit.name(op.out.id));
    emit.node("Slice", &[&input, &starts, &ends, &axes, &steps], &out, Vec::new());
    Ok(())
}
