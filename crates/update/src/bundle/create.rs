//! Writes a bundle from files.

use std::io::{self, Read, Write};

use ommatidia_scene::{ContentHash, Provenance};

use super::manifest::{FORMAT, MANIFEST_PATH, MAX_MANIFEST_BYTES};
use super::{Entry, Manifest, Metric, Need, ReplayCase, Requirements, Role, tar};
use crate::Error;
use crate::disk::{ReadAt, Section};

/// A file to put in.
pub struct PlannedFile {
    /// Name within the bundle.
    pub path: String,
    /// What it is for.
    pub role: Role,
    /// Its bytes.
    pub source: Box<dyn ReadAt>,
}

/// What a bundle is to hold.
pub struct Plan {
    /// The product.
    pub name: String,
    /// Counts up.
    pub release: u64,
    /// In any order.
    pub files: Vec<PlannedFile>,
    /// What a vehicle must have.
    pub requires: Requirements,
    /// What else a vehicle must run with it, in any order.
    pub needs: Vec<Need>,
    /// Figures at release.
    pub metrics: Vec<Metric>,
    /// What the replay gate computes.
    pub replay: Vec<ReplayCase>,
    /// What it was made from.
    pub provenance: Provenance,
}

/// Writes a bundle and returns its manifest. The bytes depend on the plan alone, and not on the order of
/// its files, metrics or cases.
///
/// # Errors
/// [`Error::Plan`] if the plan does not hold together or a file changed while it was read,
/// [`Error::Io`].
pub fn write(plan: Plan, out: &mut dyn Write) -> Result<Manifest, Error> {
    let Plan { name, release, mut files, requires, mut needs, mut metrics, mut replay, provenance } =
        plan;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    needs.sort();
    metrics.sort_by(|a, b| a.name.cmp(&b.name));
    replay.sort_by(|a, b| a.name.cmp(&b.name));
    let entries = files.iter().map(entry).collect::<Result<_, _>>()?;
    let format = FORMAT.to_owned();
    let manifest = Manifest {
        format,
        name,
        release,
        files: entries,
        requires,
        needs,
        metrics,
        replay,
        provenance,
    };
    let as_plan = |error| match error {
        Error::Manifest { problem } => Error::Plan { problem },
        other => other,
    };
    let bytes = manifest.to_bytes().map_err(as_plan)?;
    if bytes.len() as u64 > MAX_MANIFEST_BYTES {
        let problem = format!("its manifest would have {} bytes; leave out inputs", bytes.len());
        return Err(Error::Plan { problem });
    }
    let fail = |cause| Error::io("cannot write the bundle", cause);
    write_file(MANIFEST_PATH, &mut bytes.as_slice(), bytes.len() as u64, out).map_err(fail)?;
    for (file, entry) in files.iter().zip(&manifest.files) {
        let mut source = Section::new(&*file.source, 0, entry.bytes);
        let written = write_file(&entry.path, &mut source, entry.bytes, out).map_err(fail)?;
        if written != entry.blake3 {
            let problem = format!("{} changed while it was read; run it again", entry.path);
            return Err(Error::Plan { problem });
        }
    }
    tar::write_zeros(out, tar::END_BYTES).map_err(fail)?;
    Ok(manifest)
}

fn entry(file: &PlannedFile) -> Result<Entry, Error> {
    let fail = |cause| Error::io(format!("cannot read {}", file.path), cause);
    let bytes = file.source.bytes().map_err(fail)?;
    let mut hasher = blake3::Hasher::new();
    let read = io::copy(&mut Section::new(&*file.source, 0, bytes), &mut hasher).map_err(fail)?;
    if read != bytes {
        return Err(fail(io::ErrorKind::UnexpectedEof.into()));
    }
    let blake3 = ContentHash(*hasher.finalize().as_bytes());
    Ok(Entry { path: file.path.clone(), role: file.role, bytes, blake3 })
}

fn write_file(
    name: &str,
    source: &mut dyn Read,
    bytes: u64,
    out: &mut dyn Write,
) -> io::Result<ContentHash> {
    out.write_all(&tar::header(name, bytes))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        out.write_all(&buffer[..count])?;
    }
    tar::write_zeros(out, tar::padding(bytes))?;
    Ok(ContentHash(*hasher.finalize().as_bytes()))
}
