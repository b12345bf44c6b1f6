//! What is learnt from: sources of samples, their order, their random changes, and threads that fetch ahead.

mod augment;
mod clips;
mod colour;
mod loader;
mod order;
mod pictures;
mod sizes;
mod skipped;
pub mod space;
#[cfg(test)]
mod tests;
pub mod view;
mod window;

pub use augment::{AugmentConfig, fit};
pub use clips::ClipSource;
pub use loader::{Loader, LoaderConfig, Positions};
pub use order::Order;
pub use pictures::{CAMERA, MAP, Pictures};
pub use skipped::SkipLog;
pub use window::{Spacing, Window};

use std::path::{Path, PathBuf};

use ommatidia_model::Sample;
use ommatidia_scene::{Input, Taxonomy};

use crate::Error;
use crate::random::Random;

/// Somewhere samples come from. Numbered from 0; reading one does not touch the others.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// What it holds, by content.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn inputs(&self) -> Result<Vec<Input>, Error>;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// There is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What to call a sample in messages.
    fn name(&self, index: usize) -> String;

    /// Reads a sample: pictures as they were recorded, and what is known about them.
    ///
    /// # Errors
    /// What cannot be read, and why.
    fn read(&self, index: usize) -> Result<Sample, Error>;
}

/// Several sources as one.
#[derive(Debug)]
pub struct Dataset {
    sources: Vec<Box<dyn Source>>,
    /// Samples before each source, and all of them at the end.
    before: Vec<usize>,
    cameras: usize,
}

impl Dataset {
    /// Of these sources.
    pub fn new(sources: Vec<Box<dyn Source>>) -> Self {
        let mut before = vec![0];
        for source in &sources {
            before.push(before[before.len() - 1] + source.len());
        }
        Self { sources, before, cameras: 0 }
    }

    /// Cameras of every moment; 0 where the sources were not opened here.
    pub fn cameras(&self) -> usize {
        self.cameras
    }

    /// Opens clips, folders of clips with their labels, and folders of pictures with class maps. Where a
    /// folder has one named `split` within, that one is meant.
    ///
    /// # Errors
    /// [`Error::Data`] for what is none of these, or lacks labels, or has other numbers of cameras than the
    /// rest: samples of one batch have as many pictures.
    pub fn open(
        paths: &[PathBuf],
        split: &str,
        window: Window,
        taxonomy: &Taxonomy,
    ) -> Result<Self, Error> {
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        let mut cameras = SameCameras::default();
        for path in paths {
            let within = path.join(split);
            let place = if within.is_dir() { &within } else { path };
            let clips = clips::list(place);
            for clip in &clips {
                let source = ClipSource::open(clip, window, taxonomy)?;
                if !source.is_empty() {
                    cameras.add(clip, source.reader().clip().rig.cameras.len())?;
                    sources.push(Box::new(source));
                }
            }
            if clips.is_empty() {
                let pictures = Pictures::open(place, taxonomy)?;
                if !pictures.has_truth() {
                    let what =
                        "has no class maps beside it (a folder of the same name ending in annot)";
                    return Err(Error::Data { path: place.clone(), what: what.to_owned() });
                }
                cameras.add(place, 1)?;
                sources.push(Box::new(pictures));
            }
        }
        let cameras = cameras.0.map_or(0, |(_, cameras)| cameras);
        let all = Self { cameras, ..Self::new(sources) };
        if all.is_empty() {
            let path = paths.first().cloned().unwrap_or_default();
            let what = "holds no sample: its clips are shorter than a window".to_owned();
            return Err(Error::Data { path, what });
        }
        Ok(all)
    }

    fn place(&self, index: usize) -> (&dyn Source, usize) {
        let source = self.before.partition_point(|&before| before <= index) - 1;
        (&*self.sources[source], index - self.before[source])
    }
}

impl Source for Dataset {
    fn inputs(&self) -> Result<Vec<Input>, Error> {
        let all: Vec<Vec<Input>> =
            self.sources.iter().map(|source| source.inputs()).collect::<Result<_, _>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    fn len(&self) -> usize {
        self.before[self.before.len() - 1]
    }

    fn name(&self, index: usize) -> String {
        let (source, own) = self.place(index);
        source.name(own)
    }

    fn read(&self, index: usize) -> Result<Sample, Error> {
        let (source, own) = self.place(index);
        source.read(own)
    }
}

/// Holds all data to the number of cameras of the first: samples of one batch have as many pictures.
#[derive(Debug, Default)]
struct SameCameras(Option<(PathBuf, usize)>);

impl SameCameras {
    fn add(&mut self, path: &Path, cameras: usize) -> Result<(), Error> {
        let (first, as_many) = self.0.get_or_insert_with(|| (path.to_owned(), cameras));
        if *as_many == cameras {
            return Ok(());
        }
        let what = format!(
            "is of {cameras} cameras, and {} of {as_many}; train on rigs of one number of cameras",
            first.display()
        );
        Err(Error::Data { path: path.to_owned(), what })
    }
}

/// Most samples that are tried in place of one that cannot be read.
const MAX_TRIES: usize = 16;

/// The sample at a position of the training, changed as its seed says. One that cannot be read is logged,
/// and another, chosen by the same seed, takes its place.
fn training_sample(
    source: &dyn Source,
    (epoch, index): (u64, usize),
    config: &LoaderConfig,
    skipped: &SkipLog,
) -> Result<Sample, Error> {
    let mut tried = index;
    let mut replacements = Random::of(&[config.seed, order::REPLACE, epoch, index as u64]);
    for attempt in 1.. {
        match source.read(tried) {
            Ok(sample) => {
                let mut random = Random::of(&[config.seed, order::AUGMENT, epoch, index as u64]);
                return Ok(augment::augment(sample, config.size, &config.augment, &mut random));
            }
            Err(cause) => {
                let sample = source.name(tried);
                if attempt == MAX_TRIES {
                    let cause = cause.to_string();
                    return Err(Error::Unreadable { failed: attempt, sample, cause });
                }
                skipped.add(&sample, &cause.to_string());
            }
        }
        tried = replacements.below(source.len() as u64) as usize;
    }
    unreachable!("the loop ends at its last attempt")
}
