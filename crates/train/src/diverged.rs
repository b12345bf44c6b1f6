//! What a batch looked like that the training could not follow.

use std::path::Path;

use ommatidia_model::Sample;
use ommatidia_store::{atomic, image};

use crate::Error;

/// Folder within a run.
pub(crate) const FOLDER: &str = "diverged";

/// Saves names and pictures of a batch, and returns the error that says so.
///
/// # Errors
/// What cannot be written.
pub(crate) fn save(
    folder: &Path,
    (step, rank): (u64, usize),
    what: String,
    batches: &[Vec<Sample>],
) -> Result<Error, Error> {
    let saved = folder.join(format!("step_{step:09}_rank_{rank}"));
    atomic::create_directory(folder)?;
    atomic::create_directory(&saved)?;
    let mut samples = Vec::new();
    for sample in batches.iter().flatten() {
        for (camera, picture) in sample.present().images.iter().enumerate() {
            let path = saved.join(format!("{:03}_{camera}.png", samples.len()));
            atomic::write_bytes(&path, &image::encode(picture, &sample.name).bytes)?;
        }
        samples.push(sample.name.clone());
    }
    atomic::write_bytes(&saved.join("names.txt"), (samples.join("\n") + "\n").as_bytes())?;
    Ok(Error::Diverged { step, what, samples, saved })
}
