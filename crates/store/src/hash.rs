//! BLAKE3 of files and streams.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ommatidia_scene::ContentHash;

use crate::Error;

const BUFFER_BYTES: usize = 4 << 20;

/// Hash of some bytes.
pub fn of_bytes(bytes: &[u8]) -> ContentHash {
    ContentHash(*blake3::hash(bytes).as_bytes())
}

/// Hash of a file's bytes, the same as `b3sum` prints. Streams through a buffer of 4 MiB and hashes it
/// on all threads.
///
/// # Errors
/// [`Error::Read`].
pub fn of_file(path: &Path) -> Result<ContentHash, Error> {
    let fail = |cause| Error::read(path, cause);
    let mut file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let mut buffer = vec![0; BUFFER_BYTES.min(length as usize + 1)];
    let mut hasher = blake3::Hasher::new();
    loop {
        let filled = fill(&mut file, &mut buffer).map_err(fail)?;
        hasher.update_rayon(&buffer[..filled]);
        if filled < buffer.len() {
            return Ok(ContentHash(*hasher.finalize().as_bytes()));
        }
    }
}

fn fill(source: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_hashes_as_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for length in [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, 2 * BUFFER_BYTES + 17] {
            let bytes: Vec<u8> = (0..length).map(|i| ((i * 31) >> 3) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(of_file(&path).unwrap(), of_bytes(&bytes), "{length} bytes");
        }
        // The published hash of no bytes.
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(of_bytes(b"").to_string(), empty);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = of_file(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"));
        assert!(!error.is_environment());
    }
}
