//! The replay gate: before a candidate drives, it computes again what it computed at release, on this
//! computer and with this engine, and must agree.

use std::collections::BTreeMap;
use std::io::Read;

use crate::Error;
use crate::bundle::{Bundle, Expected};

/// Largest tensor of a replay case, bytes.
pub const MAX_TENSOR_BYTES: u64 = 256 << 20;

/// What runs a bundle's network.
pub trait Engine {
    /// Outputs by name for inputs by name: 32-bit floats, row by row.
    ///
    /// # Errors
    /// In words, why the network cannot be run.
    fn run(
        &mut self,
        bundle: &Bundle<'_>,
        inputs: &BTreeMap<String, Vec<f32>>,
    ) -> Result<BTreeMap<String, Vec<f32>>, String>;
}

/// How well a replay agreed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agreement {
    /// Cases that were computed.
    pub cases: usize,
    /// Numbers that were compared.
    pub values: u64,
    /// Largest difference.
    pub max_difference: f64,
}

/// Computes every case and compares.
///
/// # Errors
/// [`Error::Gate`] with the first number out of tolerance, or if the engine fails or the bundle has no
/// case; [`Error::Io`].
pub fn run(bundle: &Bundle<'_>, engine: &mut dyn Engine) -> Result<Agreement, Error> {
    let mut agreement = Agreement::default();
    if bundle.manifest().replay.is_empty() {
        return Err(Error::Gate { reason: "the bundle has no replay case".to_owned() });
    }
    for case in &bundle.manifest().replay {
        let refuse =
            |reason: String| Error::Gate { reason: format!("case {}: {reason}", case.name) };
        let inputs =
            case.inputs.iter().map(|(name, path)| Ok((name.clone(), tensor(bundle, path)?)));
        let inputs = inputs.collect::<Result<_, Error>>()?;
        let outputs = engine.run(bundle, &inputs).map_err(refuse)?;
        for expected in &case.expected {
            let found = outputs.get(&expected.output);
            let found =
                found.ok_or_else(|| refuse(format!("there is no output {}", expected.output)))?;
            let truth = tensor(bundle, &expected.path)?;
            let difference = compare(expected, &truth, found).map_err(refuse)?;
            agreement.values += truth.len() as u64;
            agreement.max_difference = agreement.max_difference.max(difference);
        }
        agreement.cases += 1;
    }
    Ok(agreement)
}

/// The largest difference, or where and by how much it is out of tolerance. Equal infinities agree, and
/// so do two values that are not numbers.
fn compare(expected: &Expected, truth: &[f32], found: &[f32]) -> Result<f64, String> {
    let output = &expected.output;
    if truth.len() != found.len() {
        return Err(format!("{output} has {} values instead of {}", found.len(), truth.len()));
    }
    let mut largest: f64 = 0.0;
    for (at, (truth, found)) in truth.iter().zip(found).enumerate() {
        let (truth, found) = (f64::from(*truth), f64::from(*found));
        if truth == found || (truth.is_nan() && found.is_nan()) {
            continue;
        }
        let difference = (truth - found).abs();
        let bound = expected.absolute + expected.relative * truth.abs();
        if !difference.is_finite() || difference > bound {
            return Err(format!(
                "{output}[{at}] is {found} instead of {truth} (tolerance {bound})"
            ));
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

fn tensor(bundle: &Bundle<'_>, path: &str) -> Result<Vec<f32>, Error> {
    let bytes = bundle.manifest().file(path).map_or(0, |file| file.bytes);
    if bytes > MAX_TENSOR_BYTES || !bytes.is_multiple_of(4) {
        let reason = format!("{path} of {bytes} bytes is no tensor of 32-bit floats");
        return Err(Error::Gate { reason });
    }
    let mut buffer = Vec::new();
    bundle
        .read(path)?
        .read_to_end(&mut buffer)
        .map_err(|cause| Error::io(format!("cannot read {path}"), cause))?;
    let (words, _) = buffer.as_chunks::<4>();
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}
