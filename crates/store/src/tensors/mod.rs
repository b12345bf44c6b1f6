//! Weights of networks as others publish them: safetensors, and PyTorch's state dicts.
//!
//! Nothing in a file is executed: of a pickle only what describes tensors is understood, and everything else
//! is refused or passed over. Lengths and places are checked before they are used, and numbers are unpacked
//! only when they are asked for, so memory stays within the file's size, some hundred MB of description, and the
//! tensors taken.

mod archive;
mod pickle;
mod pytorch;
mod safetensors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Error;

/// How a file spells numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    /// Whole numbers and others, of so many bytes: counted, never taken.
    Other(usize),
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Other(bytes) => bytes,
        }
    }
}

/// Where a tensor's numbers lie. The place of every number was found to be within the file.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    /// Numbers from one to the next along each dimension.
    strides: Vec<usize>,
    /// Byte of the first number.
    start: usize,
}

type Entries = BTreeMap<String, Entry>;

/// A file of named tensors.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
    entries: Entries,
}

impl TensorFile {
    /// Reads what tensors there are. The format is told by the content.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Source`] if the file is damaged, cut short, of another format, or holds a
    /// whole model as Python objects instead of a state dict.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|cause| Error::read(path, cause))?;
        let entries = parse(&bytes).map_err(|what| Error::source(path, what))?;
        Ok(Self { path: path.to_owned(), bytes, entries })
    }

    /// Names and sizes, in the order of names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), &entry.shape[..]))
    }

    /// Sizes of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| &entry.shape[..])
    }

    /// A tensor's numbers in C order.
    ///
    /// # Errors
    /// [`Error::Source`] if there is no such tensor, its numbers are no floating-point ones, or not finite.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>, Error> {
        let fail = |what: String| Error::source(&self.path, what);
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| fail(format!("holds no tensor {name}")))?;
        let read: fn(&[u8]) -> f32 = match entry.kind {
            Kind::F16 => |b| half(u16::from_le_bytes([b[0], b[1]])),
            Kind::Bf16 => |b| f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16),
            Kind::F32 => |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Kind::F64 => {
                |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
            }
            Kind::Other(_) => {
                return Err(fail(format!("tensor {name} holds no floating-point numbers")));
            }
        };
        let size = entry.kind.bytes();
        let mut numbers = Vec::with_capacity(entry.shape.iter().product());
        each_place(&entry.shape, &entry.strides, |place| {
            let at = entry.start + place * size;
            numbers.push(read(&self.bytes[at..at + size]));
        });
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(at) => Err(fail(format!("tensor {name}: number {at} is {}", numbers[at]))),
            None => Ok(numbers),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Entries, String> {
    if bytes.starts_with(archive::LOCAL_HEADER) {
        return pytorch::of_archive(bytes);
    }
    if bytes.starts_with(pytorch::MAGIC) {
        return pytorch::of_sequence(bytes);
    }
    safetensors::parse(bytes)
}

/// Calls `visit` with the place of every number, in C order.
fn each_place(shape: &[usize], strides: &[usize], mut visit: impl FnMut(usize)) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    let mut place = 0;
    loop {
        visit(place);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
}

/// Numbers of a shape; `None` where that is no number.
fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))
}

/// IEEE 754's 16-bit number.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests;
