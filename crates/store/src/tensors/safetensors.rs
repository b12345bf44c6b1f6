//! The safetensors format: the header's length, a header in JSON, numbers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Entries, Entry, Kind, count};

/// The largest header that Hugging Face's own reader takes.
const MAX_HEADER: usize = 100_000_000;

#[derive(Deserialize)]
struct Written {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

pub(super) fn parse(bytes: &[u8]) -> Result<Entries, String> {
    const NEITHER: &str =
        "is neither a safetensors file nor a PyTorch state dict, or it is cut short";
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or(NEITHER)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|&n| n <= MAX_HEADER);
    let header = length.and_then(|length| rest.split_at_checked(length));
    let (header, data) = header.filter(|(header, _)| header.starts_with(b"{")).ok_or(NEITHER)?;
    let header: BTreeMap<String, Value> = serde_json::from_slice(header)
        .map_err(|cause| format!("the safetensors header is damaged: {cause}"))?;
    let begin = bytes.len() - data.len();
    let entries = header.into_iter().filter(|(name, _)| name != "__metadata__");
    entries
        .map(|(name, written)| {
            let entry = entry(&name, written, begin, data)?;
            Ok((name, entry))
        })
        .collect()
}

fn entry(name: &str, written: Value, begin: usize, data: &[u8]) -> Result<Entry, String> {
    let written: Written = serde_json::from_value(written)
        .map_err(|cause| format!("the safetensors header is damaged at {name}: {cause}"))?;
    let kind = match written.dtype.as_str() {
        "F16" => Kind::F16,
        "BF16" => Kind::Bf16,
        "F32" => Kind::F32,
        "F64" => Kind::F64,
        "I64" | "U64" => Kind::Other(8),
        "I32" | "U32" => Kind::Other(4),
        "I16" | "U16" => Kind::Other(2),
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => Kind::Other(1),
        other => return Err(format!("tensor {name} is of the unknown kind {other}")),
    };
    let [first, end] = written.data_offsets;
    let announced = count(&written.shape).and_then(|count| count.checked_mul(kind.bytes()));
    let held = end.checked_sub(first).filter(|_| end <= data.len());
    if held.is_none() || held != announced {
        return Err(format!("tensor {name} is not all there; the file is damaged or cut short"));
    }
    let strides = packed(&written.shape);
    Ok(Entry { kind, strides, shape: written.shape, start: begin + first })
}

/// Strides of C order.
fn packed(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}
