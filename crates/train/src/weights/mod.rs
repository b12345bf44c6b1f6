//! Published weights as the backbone's first ones.

mod map;

use std::path::{Path, PathBuf};

use ommatidia_store::Error as StoreError;
use ommatidia_store::tensors::TensorFile;
use serde::Serialize;

use crate::Error;
use crate::flat::{Layout, Slot};

pub use map::{MAPS, NameMap};

/// Names of the backbone's tensors begin with it.
const BACKBONE: &str = "backbone.";
/// What trainings put before all names of a network.
const PREFIXES: &[&str] = &["", "module.", "backbone.", "model.", "encoder.", "module.backbone."];
/// Least share of the backbone's numbers that must be found.
const LEAST: f64 = 0.5;

/// What was read into a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// The file.
    pub file: PathBuf,
    /// The map of names: a built-in one, or a file.
    pub map: String,
    /// Tensors of the backbone that were read.
    pub read: usize,
    /// Tensors that the backbone has.
    pub of: usize,
    /// Share of the backbone's numbers that was read.
    pub share: f64,
    /// Tensors of the backbone that the file lacks; they keep their fresh values.
    pub missing: Vec<String>,
    /// Tensors of other sizes; the backbone's keep their fresh values.
    pub misfits: Vec<String>,
    /// Tensors of the file that the backbone has no place for, such as a classifier's.
    pub left: Vec<String>,
}

/// A tensor of ours and where it comes from.
struct Found<'a> {
    slot: &'a Slot,
    /// Its name in the file.
    name: String,
    part: Option<[usize; 2]>,
    transpose: bool,
}

struct Matching<'a> {
    map: String,
    found: Vec<Found<'a>>,
    missing: Vec<String>,
}

/// Reads weights of a backbone from a file into a network's row: safetensors, or a PyTorch state dict.
///
/// `map` is the name of a map of [`MAPS`] or a file in TOML; without it, the built-in map that finds most holds.
///
/// # Errors
/// [`Error::Store`] if a file is damaged or no file of weights; [`Error::Weights`] if there is no such map, or
/// less than half of the backbone is found: nothing is then changed.
pub fn import(
    file: &Path,
    map: Option<&str>,
    layout: &Layout,
    row: &mut [f32],
) -> Result<Imported, Error> {
    let tensors = TensorFile::open(file)?;
    let fail = |what: String| Error::Weights { path: file.to_owned(), what };
    let slots: Vec<&Slot> =
        layout.slots().iter().filter(|slot| slot.path.starts_with(BACKBONE)).collect();
    let maps = maps(map)?;
    let matchings = maps.iter().flat_map(|(name, map)| {
        PREFIXES.iter().map(|prefix| matching(&slots, &tensors, (name, map), prefix))
    });
    // Of equals the first.
    let best = matchings.rev().max_by_key(|matching| matching.found.len());
    let Matching { map, found, missing } = best.expect("there is a map");
    let mut changed = row.to_vec();
    let (mut read, mut numbers, mut misfits) = (0, 0, Vec::new());
    for found in &found {
        match taken(&tensors, found)? {
            Ok(values) => {
                changed[found.slot.range()].copy_from_slice(&values);
                (read, numbers) = (read + 1, numbers + values.len());
            }
            Err(misfit) => misfits.push(misfit),
        }
    }
    let all: usize = slots.iter().map(|slot| slot.len()).sum();
    let share = numbers as f64 / all.max(1) as f64;
    let used = |name: &str| found.iter().any(|found| found.name == name);
    let left: Vec<String> =
        tensors.tensors().map(|(name, _)| name.to_owned()).filter(|name| !used(name)).collect();
    if share < LEAST {
        let some = |all: &[String]| all.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        return Err(fail(format!(
            "only {read} of the backbone's {} tensors fit ({:.0} % of its numbers, by the map {map}); missing: {}; of other sizes: {}; left over: {}. Take weights of this backbone, set network.backbone to theirs, or give a --weights-map",
            slots.len(),
            100.0 * share,
            some(&missing),
            some(&misfits),
            some(&left)
        )));
    }
    row.copy_from_slice(&changed);
    let (map, of) = (map.to_owned(), slots.len());
    Ok(Imported { file: file.to_owned(), map, read, of, share, missing, misfits, left })
}

/// The map that is asked for, or all.
fn maps(wanted: Option<&str>) -> Result<Vec<(String, NameMap)>, Error> {
    let built_in = |(name, text): &(&str, &str)| {
        let map = NameMap::parse(text).expect("built-in maps are tested");
        ((*name).to_owned(), map)
    };
    let Some(wanted) = wanted else { return Ok(MAPS.iter().map(built_in).collect()) };
    if let Some(found) = MAPS.iter().find(|(name, _)| *name == wanted) {
        return Ok(vec![built_in(found)]);
    }
    let path = Path::new(wanted);
    let fail = |what: String| Error::Weights { path: path.to_owned(), what };
    if !path.exists() && !wanted.ends_with(".toml") {
        let known: Vec<&str> = MAPS.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        return Err(fail(format!(
            "is neither a file nor a built-in map of names; there are {known}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|cause| StoreError::read(path, cause))?;
    Ok(vec![(wanted.to_owned(), NameMap::parse(&text).map_err(fail)?)])
}

fn matching<'a>(
    slots: &[&'a Slot],
    tensors: &TensorFile,
    (map_name, map): (&str, &NameMap),
    prefix: &str,
) -> Matching<'a> {
    let mut matching = Matching { map: map_name.to_owned(), found: vec![], missing: vec![] };
    for slot in slots {
        // Behind the prefix comes the kind of network, of which there is one.
        let within = slot.path.strip_prefix(BACKBONE).and_then(|path| path.split_once('.'));
        let origin = within.and_then(|(_, path)| map.origin(path));
        let origin = origin.map(|origin| (format!("{prefix}{}", origin.name), origin));
        match origin.filter(|(name, _)| tensors.shape(name).is_some()) {
            Some((name, origin)) => matching.found.push(Found {
                slot,
                name,
                part: origin.part,
                transpose: origin.transpose,
            }),
            None => matching.missing.push(slot.path.clone()),
        }
    }
    matching
}

/// A tensor's numbers in our order, or why its sizes do not fit.
fn taken(tensors: &TensorFile, found: &Found<'_>) -> Result<Result<Vec<f32>, String>, Error> {
    let Found { slot, name, part, transpose } = found;
    let theirs = tensors.shape(name).unwrap_or_default();
    let misfit = || format!("{} {:?}, of {name} {theirs:?}", slot.path, slot.shape);
    let mut shape = theirs.to_vec();
    if let Some([_, of]) = part {
        match shape.first_mut() {
            Some(side) if side.is_multiple_of(*of) => *side /= of,
            _ => return Ok(Err(misfit())),
        }
    }
    let transpose = *transpose && shape.len() == 2;
    let [rows, columns] = [shape.first(), shape.get(1)].map(|side| side.copied().unwrap_or(1));
    if transpose {
        shape.reverse();
    }
    if shape != slot.shape {
        return Ok(Err(misfit()));
    }
    let mut numbers = tensors.numbers(name)?;
    if let Some([part, _]) = part {
        let start = part * slot.len();
        numbers = numbers[start..start + slot.len()].to_vec();
    }
    if transpose {
        let place = |at: usize| numbers[at % rows * columns + at / rows];
        numbers = (0..rows * columns).map(place).collect();
    }
    Ok(Ok(numbers))
}
