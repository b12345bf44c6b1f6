//! Checkpoints: one safetensors file each, there whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ommatidia_scene::{ContentHash, Skipped};
use ommatidia_store::{Error as StoreError, atomic, hash};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flat::Layout;
use crate::optimiser::Moments;
use crate::{Error, Weights};

/// The version that this program writes and reads.
const VERSION: u32 = 2;
/// Folder of the checkpoints within a run.
pub const FOLDER: &str = "checkpoints";
const ENDING: &str = "safetensors";

/// Where a training is, but for its numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Steps that are done.
    pub step: u64,
    /// Running mean of the loss; `None` before the first step.
    pub usual_loss: Option<f64>,
    /// Running mean of the sum of the losses before they are weighed, for telling when it leaps.
    pub usual_parts: Option<f64>,
    /// Best score so far.
    pub best: Option<Best>,
    /// Seconds that were spent, where the learning rate falls by time; else 0.
    pub spent_s: f64,
    /// What could not be read so far.
    pub skipped: Vec<Skipped>,
}

/// The best validation so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Name of the score that counts.
    pub name: String,
    /// How high it was.
    pub value: f64,
    /// Steps that were done.
    pub step: u64,
}

/// All that a training needs to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Where it is.
    pub progress: Progress,
    /// Weights and their average.
    pub weights: Weights,
    /// What the optimiser remembers.
    pub moments: Moments,
}

#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    version: u32,
    progress: Progress,
    config: Value,
}

/// Prefixes of the four numbers that there are per weight.
const PARTS: [&str; 4] = ["weights", "average", "adam_mean", "adam_square"];

impl Checkpoint {
    fn rows(&self) -> [&[f32]; 4] {
        [&self.weights.now, &self.weights.average, &self.moments.mean, &self.moments.square]
    }

    /// Of all its numbers' bits.
    pub fn hash(&self) -> ContentHash {
        let numbers = self.rows().into_iter().flatten();
        hash::of_bytes(&numbers.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Writes it into a run's folder and returns the file. The same state gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Store`] if the disk is full; older checkpoints are then as they were.
    pub fn write(&self, folder: &Path, layout: &Layout, config: &Value) -> Result<PathBuf, Error> {
        atomic::create_directory(folder)?;
        let path = folder.join(format!("step_{:09}.{ENDING}", self.progress.step));
        let metadata =
            Metadata { version: VERSION, progress: self.progress.clone(), config: config.clone() };
        let metadata = serde_json::to_string(&metadata).expect("a state is plain data");
        let rows: Vec<(&str, &[f32])> = PARTS.into_iter().zip(self.rows()).collect();
        atomic::write_bytes(&path, &encode(layout, &rows, &metadata))?;
        Ok(path)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is damaged, of another network, or of other settings: then naming each
    /// that differs.
    pub fn read(path: &Path, layout: &Layout, config: &Value) -> Result<Self, Error> {
        let fail = |what: String| Error::Checkpoint { path: path.to_owned(), what };
        let bytes = std::fs::read(path).map_err(|cause| StoreError::read(path, cause))?;
        let (metadata, tensors) = decode(&bytes).map_err(fail)?;
        let metadata: Metadata = serde_json::from_str(&metadata)
            .map_err(|cause| fail(format!("its description cannot be read ({cause})")))?;
        if metadata.version != VERSION {
            let version = metadata.version;
            return Err(fail(format!(
                "was written as version {version}, this program reads {VERSION}"
            )));
        }
        let differences = differences(&metadata.config, config, "then");
        if !differences.is_empty() {
            return Err(fail(format!(
                "was made with other settings; take the old ones, or start anew in another folder:\n  {}",
                differences.join("\n  ")
            )));
        }
        let row = |part: &str| row(layout, part, &tensors).map_err(fail);
        let [now, average, mean, square] = PARTS;
        Ok(Self {
            progress: metadata.progress,
            weights: Weights { now: row(now)?, average: row(average)? },
            moments: Moments { mean: row(mean)?, square: row(square)? },
        })
    }
}

/// Writes weights alone, by the paths of their modules, and returns the hash of the file.
///
/// # Errors
/// [`Error::Store`].
pub fn write_weights(
    path: &Path,
    layout: &Layout,
    row: &[f32],
    config: &Value,
) -> Result<ContentHash, Error> {
    let metadata = serde_json::json!({ "version": VERSION, "config": config }).to_string();
    let bytes = encode(layout, &[("", row)], &metadata);
    atomic::write_bytes(path, &bytes)?;
    Ok(hash::of_bytes(&bytes))
}

/// Reads what [`write_weights`] wrote.
///
/// # Errors
/// [`Error::Checkpoint`] if it is damaged or of another network.
pub fn read_weights(path: &Path, layout: &Layout) -> Result<Vec<f32>, Error> {
    let bytes = std::fs::read(path).map_err(|cause| StoreError::read(path, cause))?;
    parse_weights(&bytes, path, layout)
}

/// As [`read_weights`], of bytes that were read from `path`.
///
/// # Errors
/// [`Error::Checkpoint`].
pub fn parse_weights(bytes: &[u8], path: &Path, layout: &Layout) -> Result<Vec<f32>, Error> {
    let fail = |what: String| Error::Checkpoint { path: path.to_owned(), what };
    let (_, tensors) = decode(bytes).map_err(fail)?;
    row(layout, "", &tensors).map_err(fail)
}

/// Settings by their names, `table.key`; in a list of tasks by the task instead of the place.
pub fn flatten(settings: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, name: String, into: &mut BTreeMap<String, String>) {
        let join =
            |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, field)| walk(field, join(key), into));
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (index, item) in items.iter().enumerate() {
                    let task = item.get("task").and_then(Value::as_str);
                    walk(item, join(task.unwrap_or(&index.to_string())), into);
                }
            }
            other => {
                into.insert(name, other.to_string());
            }
        }
    }
    let mut flat = BTreeMap::new();
    walk(settings, String::new(), &mut flat);
    flat
}

/// Settings that differ, as `name: then 1, now 2` where `earlier` is `then`.
pub fn differences(then: &Value, now: &Value, earlier: &str) -> Vec<String> {
    let (old, new) = (flatten(then), flatten(now));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let text = |side: &BTreeMap<String, String>, name: &str| {
        side.get(name).cloned().unwrap_or_else(|| "absent".to_owned())
    };
    differing
        .map(|name| format!("{name}: {earlier} {}, now {}", text(&old, name), text(&new, name)))
        .collect()
}

fn tensor_name(part: &str, path: &str) -> String {
    if part.is_empty() { path.to_owned() } else { format!("{part}/{path}") }
}

/// The safetensors format: length of the header, header in JSON, numbers.
fn encode(layout: &Layout, rows: &[(&str, &[f32])], metadata: &str) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!({ "omma": metadata }));
    let mut at = 0;
    for (part, _) in rows {
        for slot in layout.slots() {
            let end = at + 4 * slot.len();
            let entry = serde_json::json!({
                "dtype": "F32", "shape": slot.shape, "data_offsets": [at, end]
            });
            header.insert(tensor_name(part, &slot.path), entry);
            at = end;
        }
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + at);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for (_, row) in rows {
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

/// A tensor's sizes and its bytes.
type Stored<'a> = BTreeMap<String, (Vec<usize>, &'a [u8])>;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The description of this program's, and the tensors by name.
fn decode(bytes: &[u8]) -> Result<(String, Stored<'_>), String> {
    let damaged = |what: &str| format!("is damaged ({what}); take an older one");
    let (length, rest) =
        bytes.split_first_chunk::<8>().ok_or_else(|| damaged("it has no header"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok();
    let (header, data) = length
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| damaged("its header is cut short"))?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|cause| damaged(&cause.to_string()))?;
    let metadata = header.get("__metadata__").and_then(|metadata| metadata["omma"].as_str());
    let metadata = metadata.ok_or_else(|| "was not written by this program".to_owned())?.to_owned();
    let mut tensors = Stored::new();
    for (name, entry) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        let entry: Entry =
            serde_json::from_value(entry).map_err(|cause| damaged(&format!("{name}: {cause}")))?;
        let [begin, end] = entry.data_offsets;
        let count = entry.shape.iter().try_fold(4_usize, |n, &side| n.checked_mul(side));
        let raw = (begin <= end).then(|| data.get(begin..end)).flatten();
        let raw = raw.filter(|raw| Some(raw.len()) == count && entry.dtype == "F32");
        let raw = raw.ok_or_else(|| damaged(&format!("{name} is not all there")))?;
        tensors.insert(name, (entry.shape, raw));
    }
    Ok((metadata, tensors))
}

fn row(layout: &Layout, part: &str, tensors: &Stored<'_>) -> Result<Vec<f32>, String> {
    let mut row = Vec::with_capacity(layout.len());
    for slot in layout.slots() {
        let name = tensor_name(part, &slot.path);
        let Some((shape, raw)) = tensors.get(&name) else {
            return Err(format!("is of another network: it lacks {name}"));
        };
        if *shape != slot.shape {
            return Err(format!(
                "is of another network: {name} is {shape:?} there and {:?} here",
                slot.shape
            ));
        }
        row.extend(raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    Ok(row)
}

/// Checkpoints of a run, oldest first.
///
/// # Errors
/// [`Error::Store`].
pub fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let fail = |cause| StoreError::read(folder, cause);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let step = name.strip_prefix("step_").and_then(|rest| rest.strip_suffix(".safetensors"));
        found.extend(step.and_then(|step| step.parse().ok()).map(|step: u64| (step, path.clone())));
    }
    found.sort();
    Ok(found)
}

/// Removes all but the last `keep` checkpoints.
///
/// # Errors
/// [`Error::Store`].
pub fn prune(folder: &Path, keep: usize) -> Result<(), Error> {
    let found = list(folder)?;
    let old = found.len().saturating_sub(keep.max(1));
    for (_, path) in &found[..old] {
        std::fs::remove_file(path).map_err(|cause| StoreError::write(path, 0, cause))?;
    }
    Ok(())
}
