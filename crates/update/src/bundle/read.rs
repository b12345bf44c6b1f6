//! Opens and checks a bundle. Believes nothing: every byte of it is either a file's content, whose hash
//! the manifest names, or follows from the manifest.

use std::io::{self, Read};

use ommatidia_scene::ContentHash;

use super::manifest::{MANIFEST_PATH, MAX_MANIFEST_BYTES};
use super::{Manifest, tar};
use crate::Error;
use crate::disk::{ReadAt, Section};

/// Where a file's content lies in the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Name within the bundle.
    pub path: String,
    /// First byte.
    pub offset: u64,
    /// Size.
    pub bytes: u64,
}

/// A bundle whose layout was checked.
pub struct Bundle<'a> {
    source: &'a dyn ReadAt,
    manifest: Manifest,
    placed: Vec<Placed>,
}

impl<'a> Bundle<'a> {
    /// Reads the manifest and checks that everything lies where it must. Contents are not read yet.
    ///
    /// # Errors
    /// [`Error::Layout`], [`Error::Manifest`], [`Error::Io`].
    pub fn open(source: &'a dyn ReadAt) -> Result<Self, Error> {
        let total = source.bytes().map_err(|cause| Error::io("cannot read the bundle", cause))?;
        let layout = |at, problem: &str| Error::Layout { at, problem: problem.to_owned() };
        if total < tar::BLOCK {
            return Err(layout(0, "it does not begin with a manifest; this is no bundle"));
        }
        let block = read_block(source, 0)?;
        let bytes = tar::stated_bytes(&block)
            .filter(|bytes| *bytes <= MAX_MANIFEST_BYTES.min(total))
            .ok_or_else(|| layout(0, "it does not begin with a manifest; this is no bundle"))?;
        if block != tar::header(MANIFEST_PATH, bytes) {
            return Err(layout(0, "it does not begin with a manifest; this is no bundle"));
        }
        let manifest = Manifest::from_bytes(&read_bytes(source, tar::BLOCK, bytes)?)?;
        let mut at = tar::BLOCK + bytes;
        check_zeros(source, at, tar::padding(bytes))?;
        at += tar::padding(bytes);
        let mut placed = Vec::with_capacity(manifest.files.len());
        for file in &manifest.files {
            if read_block(source, at)? != tar::header(&file.path, file.bytes) {
                return Err(layout(at, &format!("the header of {} should be here", file.path)));
            }
            let offset = at + tar::BLOCK;
            placed.push(Placed { path: file.path.clone(), offset, bytes: file.bytes });
            at = offset + file.bytes;
            check_zeros(source, at, tar::padding(file.bytes))?;
            at += tar::padding(file.bytes);
        }
        check_zeros(source, at, tar::END_BYTES)?;
        if total != at + tar::END_BYTES {
            return Err(layout(at + tar::END_BYTES, "it goes on behind its end"));
        }
        Ok(Self { source, manifest, placed })
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where each file's content lies, by path.
    pub fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// A file's bytes as a stream.
    ///
    /// # Errors
    /// [`Error::Manifest`] if there is no such file.
    pub fn read(&self, path: &str) -> Result<Section<'a>, Error> {
        let at = self.placed.binary_search_by(|placed| placed.path.as_str().cmp(path));
        let at =
            at.map_err(|_| Error::Manifest { problem: format!("there is no file {path:?}") })?;
        let Placed { offset, bytes, .. } = self.placed[at];
        Ok(Section::new(self.source, offset, bytes))
    }

    /// Reads every file and compares it with its hash.
    ///
    /// # Errors
    /// [`Error::Content`] for the first that differs, [`Error::Io`].
    pub fn verify_contents(&self) -> Result<(), Error> {
        for (file, placed) in self.manifest.files.iter().zip(&self.placed) {
            let mut hasher = blake3::Hasher::new();
            io::copy(&mut Section::new(self.source, placed.offset, placed.bytes), &mut hasher)
                .map_err(|cause| Error::io(format!("cannot read {}", file.path), cause))?;
            let found = ContentHash(*hasher.finalize().as_bytes());
            if found != file.blake3 {
                let (path, expected) = (file.path.clone(), file.blake3);
                return Err(Error::Content { path, expected, found });
            }
        }
        Ok(())
    }
}

fn read_block(source: &dyn ReadAt, at: u64) -> Result<[u8; tar::BLOCK as usize], Error> {
    let mut block = [0; tar::BLOCK as usize];
    fill(source, at, &mut block)?;
    Ok(block)
}

/// `bytes` must have been bounded by what there is.
fn read_bytes(source: &dyn ReadAt, at: u64, bytes: u64) -> Result<Vec<u8>, Error> {
    let mut buffer = vec![0; usize::try_from(bytes).expect("a manifest's size was checked")];
    fill(source, at, &mut buffer)?;
    Ok(buffer)
}

fn fill(source: &dyn ReadAt, at: u64, buffer: &mut [u8]) -> Result<(), Error> {
    let bytes = buffer.len() as u64;
    Section::new(source, at, bytes).read_exact(buffer).map_err(|cause| match cause.kind() {
        io::ErrorKind::UnexpectedEof => Error::Layout { at, problem: "it ends early".to_owned() },
        _ => Error::io("cannot read the bundle", cause),
    })
}

fn check_zeros(source: &dyn ReadAt, at: u64, count: u64) -> Result<(), Error> {
    let mut buffer = [0; tar::END_BYTES as usize];
    let buffer = &mut buffer[..count as usize];
    fill(source, at, buffer)?;
    if buffer.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(Error::Layout { at, problem: "padding is not zero".to_owned() })
}
