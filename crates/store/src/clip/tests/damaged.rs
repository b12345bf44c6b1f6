//! Clips that were cut or changed after they were written.

use super::*;

/// Reads everything there is.
fn read(path: &Path) -> Result<String, Error> {
    let reader = ClipReader::open(path)?;
    let clip = reader.clip();
    let mut text = format!("{clip:?}");
    for frame in &clip.frames {
        for image in frame.images.iter().flatten() {
            text += &format!("{:?}", reader.encoded_image(image)?.bytes);
        }
        for cloud in frame.clouds.iter().flatten() {
            text += &format!("{:?}", reader.cloud(cloud)?);
        }
    }
    Ok(text)
}

struct Whole {
    _directory: tempfile::TempDir,
    path: std::path::PathBuf,
    bytes: Vec<u8>,
    text: String,
}

fn whole() -> Whole {
    let (header, frames) = testing::drive(2);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.mcap");
    testing::write_clip(&path, &header, &frames).unwrap();
    let (bytes, text) = (std::fs::read(&path).unwrap(), read(&path).unwrap());
    Whole { _directory: directory, path, bytes, text }
}

#[test]
fn a_clip_cut_at_any_byte_is_an_error() {
    let whole = whole();
    for length in (0..whole.bytes.len()).rev() {
        let file = std::fs::OpenOptions::new().write(true).open(&whole.path).unwrap();
        file.set_len(length as u64).unwrap();
        let error = read(&whole.path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("clip.mcap") && text.contains("cut short"), "{text}");
        assert!(!error.is_environment());
    }
}

#[test]
fn a_flipped_bit_is_harmless_or_an_error() {
    let mut whole = whole();
    let mut errors = 0;
    for at in (0..whole.bytes.len()).step_by(3) {
        whole.bytes[at] ^= 1 << (at % 8);
        std::fs::write(&whole.path, &whole.bytes).unwrap();
        whole.bytes[at] ^= 1 << (at % 8);
        match read(&whole.path) {
            Ok(text) => assert!(text == whole.text, "byte {at} was believed"),
            Err(error) => {
                errors += 1;
                assert!(error.to_string().contains("clip.mcap"), "{error}");
            }
        }
    }
    // Viewers' indexes and times are not ours to check; everything else is.
    assert!(errors * 9 > whole.bytes.len(), "{errors} of {}", whole.bytes.len());
}

#[test]
fn a_malicious_summary_with_a_right_checksum_is_an_error_or_harmless() {
    let mut whole = whole();
    let tail = whole.bytes.len() - 37;
    let start = u64::from_le_bytes(whole.bytes[tail + 9..tail + 17].try_into().unwrap()) as usize;
    let crc = whole.bytes.len() - 12;
    // Prime steps: every byte would be slow, round ones would meet only some fields.
    for (offset, value) in [(0, 0), (1, 0x7f), (2, 0xff)] {
        for at in (start + offset..tail).step_by(7) {
            let old = std::mem::replace(&mut whole.bytes[at], value);
            let sum = crc32fast::hash(&whole.bytes[start..crc]).to_le_bytes();
            whole.bytes[crc..crc + 4].copy_from_slice(&sum);
            std::fs::write(&whole.path, &whole.bytes).unwrap();
            whole.bytes[at] = old;
            if let Ok(text) = read(&whole.path) {
                assert!(text == whole.text, "byte {at} was believed");
            }
        }
    }
}

#[test]
fn other_files_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.mcap");
    let check = |bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let text = ClipReader::open(&path).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    };
    check(b"", "cut short or no MCAP");
    check(&[0; 500], "no MCAP file");
    let foreign = mcap::Writer::new(std::io::Cursor::new(Vec::new())).and_then(|mut writer| {
        writer.finish()?;
        Ok(writer.into_inner().into_inner())
    });
    check(&foreign.unwrap(), "not one of ours");
    let missing = ClipReader::open(&directory.path().join("none.mcap")).unwrap_err();
    assert!(missing.to_string().contains("none.mcap") && !missing.is_environment());
    let folder = ClipReader::open(directory.path()).unwrap_err();
    assert!(!folder.is_environment(), "{folder}");
}
