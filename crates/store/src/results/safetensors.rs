//! Weights as safetensors: a JSON header and raw numbers.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::Error;
use crate::formats::common::inputs::{MAX_CLOUD_BYTES, read_bounded};

/// A tensor of floating point numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f64>,
}

/// Tensors by name; those that are not `F32` or `F64` are left out.
///
/// # Errors
/// Missing or unreadable file, or one whose header or sizes are not safetensors', by the tensor's name.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, "it holds weights")?;
    parse(&bytes).map_err(|what| Error::source(path, what))
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let no_header = || "is not safetensors: there is no header".to_owned();
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(no_header)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| no_header())?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(no_header)?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|cause| format!("header: {cause}"))?;
    let mut found = BTreeMap::new();
    for (name, entry) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        if let Some(tensor) =
            tensor(&entry, data).map_err(|what| format!("tensor {name}: {what}"))?
        {
            found.insert(name, tensor);
        }
    }
    Ok(found)
}

fn tensor(entry: &Value, data: &[u8]) -> Result<Option<Tensor>, String> {
    let numbers = |key: &str| -> Result<Vec<usize>, String> {
        let values = entry[key].as_array().ok_or_else(|| format!("has no {key}"))?;
        let of = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        values
            .iter()
            .map(of)
            .collect::<Option<_>>()
            .ok_or_else(|| format!("{key} is no list of sizes"))
    };
    let size = match entry["dtype"].as_str() {
        Some("F32") => 4,
        Some("F64") => 8,
        Some(_) => return Ok(None),
        None => return Err("has no dtype".to_owned()),
    };
    let (shape, place) = (numbers("shape")?, numbers("data_offsets")?);
    let count = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
    let wanted = count.and_then(|n| n.checked_mul(size));
    let raw = match place[..] {
        [begin, end] if begin <= end => data.get(begin..end),
        _ => None,
    };
    let raw = raw.filter(|raw| Some(raw.len()) == wanted);
    let raw = raw.ok_or_else(|| format!("its bytes {place:?} do not hold {shape:?}"))?;
    let values = if size == 4 {
        raw.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
    } else {
        raw.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
    };
    Ok(Some(Tensor { shape, values }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    const HEADER: &str = r#"{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"i":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#;

    fn good() -> Vec<u8> {
        file(HEADER, &[1.5f32.to_le_bytes(), (-2f32).to_le_bytes(), [0; 4], [0; 4]].concat())
    }

    #[test]
    fn reads_floats_and_names_what_is_wrong() {
        let found = parse(&good()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["w"], Tensor { shape: vec![2, 1], values: vec![1.5, -2.0] });
        let check = |header: &str, words: &str| {
            let what = parse(&file(header, &[0; 8])).unwrap_err();
            assert!(what.contains(words), "{what}");
        };
        check(&HEADER.replace("[2,1]", "[3,1]"), "tensor w: its bytes [0, 8] do not hold [3, 1]");
        check(&HEADER.replace("[0,8]", "[0,80]"), "tensor w");
        check("{", "header");
        assert!(parse(&[255; 20]).unwrap_err().contains("no header"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_or_read_never_a_panic(at in 0usize..200, byte in any::<u8>()) {
            let mut bytes = good();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}
