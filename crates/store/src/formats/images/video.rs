//! Videos, through an `ffmpeg` subprocess that hands over JPEG images.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::formats::common::inputs::MAX_IMAGE_BYTES;
use crate::{EncodedImage, Error};

/// File names that are taken for videos.
const EXTENSIONS: [&str; 9] = ["mp4", "mkv", "avi", "mov", "webm", "m4v", "mpg", "h264", "h265"];
/// Quality of the JPEG images: 2 is the best that ffmpeg's encoder has.
const JPEG_QUALITY: &str = "2";
/// Most of ffmpeg's complaints that an error shows, bytes.
const MAX_COMPLAINT_BYTES: u64 = 2000;

/// Looks at the name only.
pub(super) fn is_video(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    path.is_file() && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// A video being decoded.
pub(super) struct Video {
    path: PathBuf,
    child: Child,
    stdout: BufReader<ChildStdout>,
    complaints: tempfile::NamedTempFile,
    delivered: usize,
}

fn missing_program(program: &'static str, path: &Path) -> Error {
    let what = "install it, or unpack the video into a folder of images".to_owned();
    Error::MissingProgram { program, path: path.to_owned(), what }
}

/// Without a protocol, ffmpeg would take `http:…` as a place to fetch from.
fn local(path: &Path) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from("file:");
    name.push(path);
    name
}

/// Images per second that a video announces.
///
/// # Errors
/// `ffprobe` is missing or finds none.
pub(super) fn announced_rate_hz(path: &Path) -> Result<f64, Error> {
    const ARGUMENTS: [&str; 8] = [
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=avg_frame_rate",
        "-of",
        "csv=p=0",
    ];
    let run = Command::new("ffprobe")
        .args(ARGUMENTS)
        .args(["-protocol_whitelist", "file"])
        .arg(local(path))
        .stdin(Stdio::null())
        .output();
    let output = match run {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Err(missing_program("ffprobe", path));
        }
        Err(cause) => return Err(Error::read(path, cause)),
        Ok(output) => output,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.trim().trim_end_matches(',').split_once('/').and_then(|(images, seconds)| {
        Some(images.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?)
    });
    rate.filter(|rate| (1e-3..1e6).contains(rate)).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint: String = complaint.trim().chars().take(300).collect();
        let what = format!("has no video with a rate that ffprobe can tell. {complaint}");
        Error::source(path, what)
    })
}

impl Video {
    /// Starts decoding, at a constant rate.
    ///
    /// # Errors
    /// `ffmpeg` is missing.
    pub(super) fn open(path: &Path, rate_hz: f64) -> Result<Self, Error> {
        let failed = |cause| Error::read(path, cause);
        let complaints = tempfile::NamedTempFile::new().map_err(failed)?;
        let stderr = complaints.reopen().map_err(failed)?;
        let child = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i"])
            .arg(local(path))
            .args(["-map", "0:v:0", "-r", &rate_hz.to_string(), "-f", "image2pipe"])
            .args(["-c:v", "mjpeg", "-q:v", JPEG_QUALITY, "-pix_fmt", "yuvj420p"])
            .args(["-flags", "+bitexact", "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn();
        let mut child = match child {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(missing_program("ffmpeg", path));
            }
            child => child.map_err(failed)?,
        };
        let Some(stdout) = child.stdout.take() else {
            return Err(Error::source(path, "ffmpeg gave no output to read"));
        };
        let (path, stdout) = (path.to_owned(), BufReader::with_capacity(1 << 16, stdout));
        Ok(Self { path, child, stdout, complaints, delivered: 0 })
    }

    /// The next image, `None` after the last.
    ///
    /// # Errors
    /// `ffmpeg` failed or delivered something else than JPEG.
    pub(super) fn next_image(&mut self) -> Result<Option<EncodedImage>, Error> {
        let image = read_jpeg(&mut self.stdout)
            .map_err(|cause| self.failure(&format!("the images from ffmpeg break off: {cause}")))?;
        let Some(bytes) = image else {
            let status = self.child.wait().map_err(|cause| Error::read(&self.path, cause))?;
            if !status.success() || self.delivered == 0 {
                return Err(self.failure("ffmpeg cannot decode it"));
            }
            return Ok(None);
        };
        let origin = format!("{}, image {}", self.path.display(), self.delivered);
        self.delivered += 1;
        EncodedImage::sniff(bytes.into(), origin).map(Some)
    }

    fn failure(&self, what: &str) -> Error {
        let mut complaint = Vec::new();
        if let Ok(file) = self.complaints.reopen() {
            // Without its words the error still says what happened.
            let _ = file.take(MAX_COMPLAINT_BYTES).read_to_end(&mut complaint);
        }
        let complaint = String::from_utf8_lossy(&complaint);
        Error::source(&self.path, format!("{what}. {}", complaint.trim()))
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        // Fails if it has already ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One JPEG image out of a stream of them. ITU-T T.81, B.1.1: outside the compressed data each marker
/// segment says its length; inside, 0xFF is followed by 0 or a restart marker.
fn read_jpeg(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut bytes = Vec::new();
    let mut next = |bytes: &mut Vec<u8>| -> io::Result<Option<u8>> {
        if bytes.len() as u64 >= MAX_IMAGE_BYTES {
            return Err(invalid("an image is larger than any image"));
        }
        let mut byte = [0];
        Ok(match stream.read(&mut byte)? {
            0 => None,
            _ => {
                bytes.push(byte[0]);
                Some(byte[0])
            }
        })
    };
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    if next(&mut bytes)?.is_none() {
        return Ok(None);
    }
    if bytes[0] != 0xff || next(&mut bytes)? != Some(START) {
        return Err(invalid("no JPEG image starts here"));
    }
    let mut in_scan = false;
    loop {
        let byte = next(&mut bytes)?.ok_or_else(cut)?;
        if byte != 0xff {
            if in_scan {
                continue;
            }
            return Err(invalid("a JPEG marker is missing"));
        }
        let marker = next(&mut bytes)?.ok_or_else(cut)?;
        match marker {
            END => return Ok(Some(bytes)),
            0 | 0xd0..=0xd7 if in_scan => {}
            0xff => return Err(invalid("a JPEG marker is missing")),
            marker => {
                let high = next(&mut bytes)?.ok_or_else(cut)?;
                let low = next(&mut bytes)?.ok_or_else(cut)?;
                for _ in 2..u16::from_be_bytes([high, low]) {
                    next(&mut bytes)?.ok_or_else(cut)?;
                }
                in_scan = marker == SCAN;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpegs_are_told_apart() {
        // A segment that holds an end marker, then compressed data with a stuffed byte and a restart.
        let image: &[u8] = &[
            0xff, 0xd8, 0xff, 0xfe, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 3, 7, 1, 0xff, 0, 2, 0xff,
            0xd0, 3, 0xff, 0xd9,
        ];
        let mut stream = io::Cursor::new([image, image].concat());
        assert_eq!(read_jpeg(&mut stream).unwrap().unwrap(), image);
        assert_eq!(read_jpeg(&mut stream).unwrap().unwrap(), image);
        assert!(read_jpeg(&mut stream).unwrap().is_none());
        for length in 1..image.len() {
            assert!(read_jpeg(&mut &image[..length]).is_err(), "{length} bytes");
        }
        assert!(read_jpeg(&mut &b"PNG"[..]).is_err());
    }
}
