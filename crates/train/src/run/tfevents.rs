//! TensorBoard's event files: records of protocol buffers, each framed by its length and two checksums.
//!
//! `tensorflow/core/lib/io/record_writer.h`, `tensorflow/core/util/event.proto`, `summary.proto`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ommatidia_store::Error as StoreError;

use crate::Error;

/// An event file that grows.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Starts a file of its own in a folder: TensorBoard joins them.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn create(folder: &Path, unix_s: f64, step: u64) -> Result<Self, Error> {
        let path = folder.join(format!("events.out.tfevents.{:010}.{step}", unix_s as u64));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|cause| StoreError::write(&path, 0, cause))?;
        let mut events = Self { path, file };
        let mut version = Vec::new();
        double(&mut version, 1, unix_s);
        bytes(&mut version, 3, b"brain.Event:2");
        events.write(&version)?;
        Ok(events)
    }

    /// Appends numbers of one step.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn append(
        &mut self,
        unix_s: f64,
        step: u64,
        values: &[(String, f64)],
    ) -> Result<(), Error> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut one = Vec::new();
            bytes(&mut one, 1, tag.as_bytes());
            one.push(2 << 3 | 5);
            one.extend((*value as f32).to_le_bytes());
            bytes(&mut summary, 1, &one);
        }
        let mut event = Vec::new();
        double(&mut event, 1, unix_s);
        event.push(2 << 3);
        varint(&mut event, step);
        bytes(&mut event, 5, &summary);
        self.write(&event)
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked(&length).to_le_bytes());
        record.extend(data);
        record.extend(masked(data).to_le_bytes());
        let written = self.file.write_all(&record);
        Ok(written.map_err(|cause| StoreError::write(&self.path, 0, cause))?)
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// As `tensorflow/core/lib/hash/crc32c.h` masks a checksum that is stored beside its data.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's polynomial, reflected (RFC 3720, appendix B.4).
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

static TABLE: [u32; 256] = table();

fn crc32c(data: &[u8]) -> u32 {
    let next = |crc: u32, &byte: &u8| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)];
    !data.iter().fold(!0, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn a_file_holds_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path(), 12.5, 0).unwrap();
        events.append(13.0, 300, &[("loss".to_owned(), 0.5)]).unwrap();
        let data = std::fs::read(&events.path).unwrap();
        let first = u64::from_le_bytes(data[..8].try_into().unwrap()) as usize;
        assert_eq!(&data[12 + 9 + 2..12 + first], b"brain.Event:2");
        let second = &data[16 + first..];
        let length = u64::from_le_bytes(second[..8].try_into().unwrap()) as usize;
        assert_eq!(second.len(), length + 16);
        // Step 300 as a varint, then the summary: one value of tag "loss" and 0.5.
        assert_eq!(second[12 + 9..12 + 12], [2 << 3, 0xac, 0x02]);
        assert_eq!(second[12 + 12..12 + length][..6], [0x2a, 13, 0x0a, 11, 0x0a, 4]);
        assert_eq!(second[12 + length - 4..12 + length], 0.5_f32.to_le_bytes());
    }
}
