//! Clips with their labels: windows of moments, each with all cameras' pictures.

use std::path::{Path, PathBuf};

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_model::{Moment, Sample};
use ommatidia_scene::{Frame, Input, RgbImage, Taxonomy, Trajectory, VectorSpace};
use ommatidia_store::{ClipReader, Labels, hash};

use super::{Source, Window, sizes};
use crate::Error;

/// One clip, with what is known about it.
#[derive(Debug)]
pub struct ClipSource {
    reader: ClipReader,
    labels: Option<Labels>,
    trajectory: Option<Trajectory>,
    /// Frames of each sample, oldest first.
    windows: Vec<Vec<usize>>,
}

impl ClipSource {
    /// A clip and its labels, which lie beside it as `NAME.truth`, `NAME` or `labels/NAME`.
    ///
    /// # Errors
    /// [`Error::Data`] if there are none, or they are of another clip or other classes.
    pub fn open(clip: &Path, window: Window, taxonomy: &Taxonomy) -> Result<Self, Error> {
        let reader = ClipReader::open(clip)?;
        let beside = [
            clip.with_extension("truth"),
            clip.with_extension(""),
            clip.with_file_name("labels").join(clip.file_stem().unwrap_or_default()),
        ];
        let fail = |what: String| Error::Data { path: clip.to_owned(), what };
        let found = beside.iter().find(|folder| folder.is_dir()).ok_or_else(|| {
            let looked: Vec<String> =
                beside.iter().map(|path| path.display().to_string()).collect();
            fail(format!("has no labels; looked for {}. Run omma label", looked.join(", ")))
        })?;
        let labels = Labels::open(found)?;
        if labels.manifest().clip.content_hash != reader.content_hash() {
            return Err(fail(format!("is not the clip that {} is of", found.display())));
        }
        if labels.manifest().taxonomy != taxonomy.name {
            return Err(fail(format!(
                "has labels with classes of taxonomy {}, and the training is of {}",
                labels.manifest().taxonomy,
                taxonomy.name
            )));
        }
        let trajectory = match labels.trajectory()? {
            Some(trajectory) => Some(trajectory),
            None => reader.clip().trajectory.clone(),
        };
        let windows = windows(&reader, trajectory.as_ref(), window, true);
        Ok(Self { reader, labels: Some(labels), trajectory, windows })
    }

    /// A clip alone, to predict for.
    ///
    /// # Errors
    /// A clip that cannot be read.
    pub fn unlabelled(clip: &Path, window: Window) -> Result<Self, Error> {
        let reader = ClipReader::open(clip)?;
        let trajectory = reader.clip().trajectory.clone();
        // Predictions are made of every frame; the first ones have shorter windows.
        let windows = windows(&reader, trajectory.as_ref(), window, false);
        Ok(Self { reader, labels: None, trajectory, windows })
    }

    /// The clip.
    pub fn reader(&self) -> &ClipReader {
        &self.reader
    }

    /// The frame that a sample asks about.
    fn asked(&self, index: usize) -> usize {
        *self.windows[index].last().expect("a window holds the frame that is asked about")
    }

    fn moment(&self, frame: &Frame, asked: bool) -> Result<Moment, Error> {
        let rig = &self.reader.clip().rig;
        let picture = |camera: usize| -> Result<RgbImage, Error> {
            let sensor = &rig.cameras[camera];
            let Some(image) = &frame.images[camera] else {
                // A camera that delivered nothing is dark.
                let (width, height) = (sensor.width as usize, sensor.height as usize);
                return Ok(RgbImage::new(width, height, vec![0; 3 * width * height]));
            };
            Ok(self.reader.rgb(image)?)
        };
        let moment = Moment {
            timestamp: frame.timestamp,
            images: (0..rig.cameras.len()).map(picture).collect::<Result<_, _>>()?,
            rig: rig.clone(),
            world_from_ego: self.pose(frame.timestamp),
            truth: if asked { self.truth(frame.timestamp)? } else { VectorSpace::default() },
        };
        sizes::check(&moment)
            .map_err(|what| Error::Data { path: self.reader.path().to_owned(), what })?;
        Ok(moment)
    }

    fn pose(&self, at: Timestamp) -> Option<Pose<World, Ego>> {
        self.trajectory.as_ref()?.near(at, Trajectory::REACH)
    }

    fn truth(&self, at: Timestamp) -> Result<VectorSpace, Error> {
        let Some(labels) = &self.labels else { return Ok(VectorSpace::default()) };
        let mut truth = labels.vector_space(at)?;
        truth.cameras = labels.cameras(at)?;
        Ok(truth)
    }
}

impl Source for ClipSource {
    fn inputs(&self) -> Result<Vec<Input>, Error> {
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut inputs =
            vec![Input { name: name(self.reader.path()), blake3: self.reader.content_hash() }];
        if let Some(labels) = &self.labels {
            // The manifest holds the hash of every table.
            let manifest = hash::of_file(&labels.directory().join("manifest.json"))?;
            inputs.push(Input { name: name(labels.directory()), blake3: manifest });
        }
        Ok(inputs)
    }

    fn len(&self) -> usize {
        self.windows.len()
    }

    fn name(&self, index: usize) -> String {
        format!("{} frame {}", self.reader.path().display(), self.asked(index))
    }

    fn read(&self, index: usize) -> Result<Sample, Error> {
        let asked = self.asked(index);
        let frames = &self.reader.clip().frames;
        let moments =
            self.windows[index].iter().map(|&frame| self.moment(&frames[frame], frame == asked));
        Ok(Sample { name: self.name(index), moments: moments.collect::<Result<_, _>>()? })
    }
}

/// The frames of each sample.
fn windows(
    reader: &ClipReader,
    trajectory: Option<&Trajectory>,
    window: Window,
    whole: bool,
) -> Vec<Vec<usize>> {
    let place = |frame: &Frame| {
        let pose = trajectory.and_then(|path| path.near(frame.timestamp, Trajectory::REACH));
        (frame.timestamp, pose)
    };
    let frames: Vec<_> = reader.clip().frames.iter().map(place).collect();
    window.cut(&frames, whole)
}

/// Clips in a folder, by name; one clip by itself.
pub(super) fn list(path: &Path) -> Vec<PathBuf> {
    let is_clip = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "mcap");
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut clips: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_clip).collect();
    clips.sort();
    clips
}
