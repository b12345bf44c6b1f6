//! A trained network over all samples of a source.

use burn::tensor::Device;
use ommatidia_model::{Network, Sample, Stream};
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

/// Asks a network with a memory about every moment of a drive in order; it remembers them as it goes.
/// Otherwise as [`predict`]. Moments that cannot be read leave a gap.
///
/// # Errors
/// As [`predict`].
pub fn predict_stream(
    (network, device): (&Network, &Device),
    source: &dyn Source,
    size: [usize; 2],
    skipped: &SkipLog,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let mut stream = Stream::default();
    for index in 0..source.len() {
        let sample = match source.read(index) {
            Ok(sample) => sample,
            Err(cause) => {
                skipped.add(&source.name(index), &cause.to_string());
                continue;
            }
        };
        let sizes = sizes(&sample);
        let sample = fit(sample, size);
        let outputs = network.step(&mut stream, sample.present(), device);
        let outputs = outputs.map_err(|cause| Error::Network(cause.to_string()))?;
        let samples = std::slice::from_ref(&sample);
        for space in network.decode(&outputs, samples) {
            each(index, &sizes, full_size(space, &sample, size, &sizes))?;
        }
    }
    Ok(())
}

/// What cameras see at the size of their own pictures: `sample` is of the network's `size`, and `sizes` are
/// width and height of the pictures that it was made from.
pub fn full_size(
    mut space: VectorSpace,
    sample: &Sample,
    size: [usize; 2],
    sizes: &[[usize; 2]],
) -> VectorSpace {
    let rig = &sample.present().rig;
    let full = |view: CameraView| match rig.camera_index(&view.camera) {
        Some(camera) => View::stretch(size[0], size[1], sizes[camera]).truth(&view, size),
        None => view,
    };
    space.cameras = space.cameras.into_iter().map(full).collect();
    space
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
    for (((index, sizes), sample), space) in asked.into_iter().zip(&samples).zip(answers) {
        each(index, &sizes, full_size(space, sample, size, &sizes))?;
    }
    Ok(())
}

/// Width and height of the present pictures.
fn sizes(sample: &Sample) -> Vec<[usize; 2]> {
    sample.present().images.iter().map(|image| [image.width, image.height]).collect()
}
