//! From one bundle to a later one in few bytes.
//!
//! A delta is a list of steps that write the new bundle from start to end. What content-defined chunking
//! finds in the old bundle is copied; each remaining segment takes the smallest, by measured size, of
//! three spellings: compressed by itself, compressed with the segment of the old bundle at the same place
//! as zstd's reference prefix, or as differences of 32-bit words from it, in planes of bytes. The last is
//! for fine-tuned weights, where all numbers change a little and no run of bytes stays.
//!
//! Applying holds one segment of each bundle, whatever their size. A delta is a target of the image
//! repository and is signed as bundles are; its result counts only with the hash that was signed.

mod apply;
mod chunks;
mod create;
mod format;
mod words;

#[cfg(test)]
mod tests;

pub use apply::apply;
pub use create::{Methods, Summary, create};
pub use format::{Header, MAX_SEGMENT_BYTES};
