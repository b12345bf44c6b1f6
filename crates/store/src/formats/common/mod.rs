//! What the readers share.

pub(crate) mod image_size;
pub(crate) mod inputs;
pub(crate) mod numbered;
pub(crate) mod poses;
pub(crate) mod sanity;
pub(crate) mod skips;
pub(crate) mod text;
pub(crate) mod thinning;
pub(crate) mod velodyne;

use std::path::Path;

use crate::Error;
use crate::formats::ImportOptions;

/// The taxonomy that foreign classes are mapped onto.
pub(crate) const TAXONOMY: &str = "driving";

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
