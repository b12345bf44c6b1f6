//! `omma bundle verify FILE`, `omma bundle delta OLD NEW --out FILE`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_store::atomic;
use ommatidia_update::bundle::Bundle;
use ommatidia_update::delta::{self, Methods};
use ommatidia_update::vehicle::sha256_of;
use serde_json::json;

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Check every byte of a bundle, and show what it says of itself
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The bundle
    bundle: PathBuf,
    /// Write its files here, which must be empty or new
    #[arg(long, value_name = "DIR")]
    extract: Option<PathBuf>,
}

/// Write what leads from one bundle to a later one in few bytes
#[derive(Debug, Args)]
pub(crate) struct DeltaArguments {
    /// Bundle that the vehicle has
    old: PathBuf,
    /// Bundle that it is to get
    new: PathBuf,
    /// Delta to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also measure each method by itself
    #[arg(long)]
    compare: bool,
}

pub(super) fn verify(arguments: &VerifyArguments, common: &Common) -> Result<ExitCode, Failure> {
    let path = &arguments.bundle;
    let file = super::open(path)?;
    let bundle = Bundle::open(&file)?;
    bundle.verify_contents()?;
    let sha256 = sha256_of(&file)
        .map_err(|cause| Failure::input(format!("cannot read {}: {cause}", path.display())))?;
    if let Some(folder) = &arguments.extract {
        extract(&bundle, folder)?;
    }
    let manifest = bundle.manifest();
    let result = json!({ "bundle": path, "sha256": sha256, "manifest": manifest });
    output::print(common, &result, || {
        let mut text = format!(
            "{} release {}: every file is what the manifest names\nsha256 {sha256}\nneeds runtime {}, {} and {} bytes of memory\n",
            manifest.name,
            manifest.release,
            manifest.requires.runtime,
            manifest.requires.hardware.join(" or "),
            manifest.requires.memory_bytes,
        );
        let rows = manifest.files.iter().map(|file| {
            vec![
                file.path.clone(),
                json!(file.role).as_str().unwrap_or_default().to_owned(),
                file.bytes.to_string(),
                file.blake3.to_string(),
            ]
        });
        text += &output::table(&["file", "role", "bytes", "blake3"], rows);
        let rows = manifest.metrics.iter().map(|metric| {
            let share = format!("{}..{} at {}", metric.low, metric.high, metric.confidence);
            vec![metric.name.clone(), metric.value.to_string(), share]
        });
        text + &output::table(&["metric", "value", "interval"], rows)
    })
}

/// Writes a bundle's files, whose names cannot lead out of the folder.
pub(crate) fn extract(bundle: &Bundle<'_>, folder: &Path) -> Result<(), Failure> {
    atomic::create_directory(folder)?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::input(format!(
            "{} is not empty; choose another folder",
            folder.display()
        )));
    }
    for file in &bundle.manifest().files {
        let path = folder.join(&file.path);
        atomic::create_directory(path.parent().unwrap_or(folder))?;
        let mut out = atomic::AtomicFile::create_among_many(&path)?;
        io::copy(&mut bundle.read(&file.path)?, &mut out).map_err(|cause| out.error(cause))?;
        out.commit()?;
    }
    let manifest = bundle.manifest().to_bytes()?;
    Ok(atomic::write_among_many(&folder.join("manifest.json"), &manifest)?)
}

pub(super) fn delta(arguments: &DeltaArguments, common: &Common) -> Result<ExitCode, Failure> {
    let (old, new) = (super::open(&arguments.old)?, super::open(&arguments.new)?);
    let mut out = atomic::AtomicFile::create(&arguments.out)?;
    let summary = delta::create(&old, &new, Methods::default(), &mut out)?;
    out.commit()?;
    let whole_bytes = fs::metadata(&arguments.new).map_or(0, |metadata| metadata.len());
    let share = summary.bytes as f64 / whole_bytes.max(1) as f64;
    let none = Methods { chunks: false, prefix: false, words: false };
    let alone = [
        ("compressed", none),
        ("chunks", Methods { chunks: true, ..none }),
        ("prefix", Methods { prefix: true, ..none }),
        ("words", Methods { words: true, ..none }),
    ];
    let mut compared = serde_json::Map::new();
    for (name, methods) in alone.into_iter().filter(|_| arguments.compare) {
        let summary = delta::create(&old, &new, methods, &mut io::sink())?;
        compared.insert(name.to_owned(), summary.bytes.into());
    }
    let result = json!({
        "delta": arguments.out,
        "bytes": summary.bytes,
        "whole_bytes": whole_bytes,
        "share": share,
        "copied_bytes": summary.copied_bytes,
        "plain_bytes": summary.plain_bytes,
        "prefix_bytes": summary.prefix_bytes,
        "words_bytes": summary.words_bytes,
        "alone_bytes": compared,
    });
    output::print(common, &result, || {
        let mut text = format!(
            "{}: {} bytes, {:.1} % of {whole_bytes}\n",
            arguments.out.display(),
            summary.bytes,
            100.0 * share
        );
        for (name, bytes) in &compared {
            text += &format!("{name} alone: {bytes} bytes\n");
        }
        text
    })
}
