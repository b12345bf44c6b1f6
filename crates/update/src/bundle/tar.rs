//! The one way in which a bundle lies in a file: a POSIX `ustar` archive with nothing left to choose.
//!
//! Every header follows from a name and a size (mode 0644, no owner, time 0), padding is zero, and the
//! archive ends with two empty blocks. A reader builds the header that should be there and compares:
//! a bundle whose parts are known has exactly one spelling. `tar tf` lists it.

use std::io;

/// Header and padding come in blocks of this size.
pub(crate) const BLOCK: u64 = 512;
/// Longest name that a header holds without a prefix.
pub(crate) const MAX_NAME: usize = 100;
/// Largest size that eleven octal digits hold.
pub(crate) const MAX_FILE_BYTES: u64 = (1 << 33) - 1;
/// What follows the last file.
pub(crate) const END_BYTES: u64 = 2 * BLOCK;

/// The header of a file. `name`: at most [`MAX_NAME`] bytes; `bytes`: at most [`MAX_FILE_BYTES`].
pub(crate) fn header(name: &str, bytes: u64) -> [u8; BLOCK as usize] {
    assert!(name.len() <= MAX_NAME && bytes <= MAX_FILE_BYTES, "names and sizes were checked");
    let mut block = [0; BLOCK as usize];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    // The sum is taken with spaces in its own place.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Zeros after a file of that size.
pub(crate) fn padding(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK) - bytes
}

/// The size that a header states, for the first file, whose size nothing else says.
pub(crate) fn stated_bytes(block: &[u8; BLOCK as usize]) -> Option<u64> {
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(())?;
    u64::from_str_radix(digits, 8).ok()
}

/// Appends zeros.
pub(crate) fn write_zeros(out: &mut dyn io::Write, count: u64) -> io::Result<()> {
    let zeros = [0; END_BYTES as usize];
    out.write_all(&zeros[..usize::try_from(count).expect("padding is short").min(zeros.len())])
}
