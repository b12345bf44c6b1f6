//! What the readers share.

pub(crate) mod feather;
pub(crate) mod image_file;
pub(crate) mod inputs;
pub(crate) mod npz;
pub(crate) mod numbered;
pub(crate) mod poses;
pub(crate) mod rfc3339;
pub(crate) mod sanity;
pub(crate) mod search;
pub(crate) mod skips;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod thinning;
pub(crate) mod velodyne;

use std::path::Path;

use crate::Error;
use crate::formats::ImportOptions;

/// The taxonomy that foreign classes are mapped onto.
pub(crate) const TAXONOMY: &str = "driving";

/// The data sets count pixels from the centre of the first one, as OpenCV does; we from its corner.
pub(crate) const PIXEL_CENTRE_PX: f64 = 0.5;

/// The options as the provenance records them: without the machine's directories.
pub(crate) fn resolved_config(options: &ImportOptions) -> serde_json::Value {
    let rig = options.rig.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    serde_json::json!({ "sequence": options.sequence, "rig": rig, "rate_hz": options.rate_hz })
}

/// Index of the drive to read among those that a source holds: the wanted one, or the only one.
///
/// # Errors
/// None, several and none wanted, or the wanted one is not there; lists what there is.
pub(crate) fn choose(
    source: &Path,
    kind: &str,
    names: &[String],
    wanted: Option<&str>,
) -> Result<usize, Error> {
    let what = match wanted {
        Some(wanted) => match names.iter().position(|name| name == wanted) {
            Some(index) => return Ok(index),
            None => format!("holds no {kind} {wanted:?}; there is {}", listed(names)),
        },
        None if names.len() == 1 => return Ok(0),
        None if names.is_empty() => format!("holds no {kind}"),
        None => {
            let count = names.len();
            format!("holds {count} of {kind}; choose one with --sequence: {}", listed(names))
        }
    };
    Err(Error::source(source, what))
}

/// Most names that an error lists.
const LISTED: usize = 20;

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        n if n > LISTED => format!("{shown}, … ({n} in all)"),
        _ => shown,
    }
}

/// Index of the wanted drive: by its whole name, or by the end of it where only one ends so.
///
/// # Errors
/// As [`choose`].
pub(crate) fn choose_drive(
    source: &Path,
    kind: &str,
    found: &[search::Found],
    wanted: Option<&str>,
) -> Result<usize, Error> {
    let names: Vec<String> = found.iter().map(|drive| drive.name.clone()).collect();
    if let Some(wanted) = wanted {
        let suffix = format!("/{wanted}");
        let mut ending = (0..names.len()).filter(|&i| names[i].ends_with(&suffix));
        if !names.iter().any(|name| name == wanted)
            && let (Some(only), None) = (ending.next(), ending.next())
        {
            return Ok(only);
        }
    }
    choose(source, kind, &names, wanted)
}

/// A sensor's payload; `None` where its whole folder was not downloaded, which is counted.
///
/// # Errors
/// What `read` says: a folder that is there must hold the file.
pub(crate) fn read_unless_absent<T>(
    path: &Path,
    skips: &mut skips::Skips,
    read: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        skips.add(format!("files of {name}"), "the folder is not there", 1);
        return Ok(None);
    }
    read(path).map(Some)
}
