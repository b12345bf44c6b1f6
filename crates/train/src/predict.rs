//! A trained network over all samples of a source.

use burn::tensor::Device;
use ommatidia_model::Sample;
use ommatidia_scene::{CameraView, VectorSpace};

use crate::data::view::View;
use crate::data::{SkipLog, Source, fit};
use crate::{Error, Learner};

/// Takes a sample's number, the sizes of its pictures, and the answer.
pub type Each<'a> = dyn FnMut(usize, &[[usize; 2]], VectorSpace) -> Result<(), Error> + 'a;

/// Asks the network about every sample in order, `batch` at a time, and hands over each sample's number and
/// answer, with what cameras see at the size of their own pictures. Samples that cannot be read are logged.
///
/// # Errors
/// [`Error::Network`] if samples do not fit the network; what `each` returns.
pub fn predict<L: Learner>(
    (network, device): (&L, &Device),
    source: &dyn Source,
    (size, batch): ([usize; 2], usize),
    skipped: &SkipLog,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let mut waiting: Vec<(usize, Sample, Vec<[usize; 2]>)> = Vec::new();
    for index in 0..source.len() {
        match source.read(index) {
            Ok(sample) => {
                let sizes = sizes(&sample);
                waiting.push((index, fit(sample, size), sizes));
            }
            Err(cause) => skipped.add(&source.name(index), &cause.to_string()),
        }
        let moments = |entry: &(usize, Sample, _)| entry.1.moments.len();
        // Samples of one batch have windows of one length: the first ones of a clip are shorter.
        let split =
            waiting.len() > 1 && moments(&waiting[0]) != moments(&waiting[waiting.len() - 1]);
        let last = if split { waiting.pop() } else { None };
        if waiting.len() == batch || split || index + 1 == source.len() {
            ask((network, device), &mut waiting, size, each)?;
        }
        if let Some(entry) = last {
            waiting.push(entry);
            if index + 1 == source.len() {
                ask((network, device), &mut waiting, size, each)?;
            }
        }
    }
    Ok(())
}

fn ask<L: Learner>(
    (network, device): (&L, &Device),
    waiting: &mut Vec<(usize, Sample, Vec<[usize; 2]>)>,
    size: [usize; 2],
    each: &mut Each<'_>,
) -> Result<(), Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    let (mut asked, mut samples) = (Vec::new(), Vec::new());
    for (index, sample, sizes) in waiting.drain(..) {
        asked.push((index, sizes));
        samples.push(sample);
    }
    let answers = network.predict(&samples, device)?;
    for (((index, sizes), sample), mut space) in asked.into_iter().zip(&samples).zip(answers) {
        let rig = &sample.present().rig;
        let full = |view: CameraView| match rig.camera_index(&view.camera) {
            Some(camera) => View::stretch(size[0], size[1], sizes[camera]).truth(&view, size),
            None => view,
        };
        space.cameras = space.cameras.into_iter().map(full).collect();
        each(index, &sizes, space)?;
    }
    Ok(())
}

/// Width and height of the present pictures.
fn sizes(sample: &Sample) -> Vec<[usize; 2]> {
    sample.present().images.iter().map(|image| [image.width, image.height]).collect()
}
