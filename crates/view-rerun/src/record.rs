//! Writes one recording.

use std::fs;
use std::path::{Path, PathBuf};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{Clip, Frame, ImageEncoding, Taxonomy, Trajectory, VectorSpace};
use ommatidia_store::{ClipReader, Labels};
use re_sdk::{AsComponents, RecordingStream, RecordingStreamBuilder};
use re_sdk_types::archetypes::{EncodedImage, ViewCoordinates};
use re_sdk_types::components::MediaType;

use crate::{Error, shapes};

/// Colours of the labelled path and of the given one.
const LABELLED: [u8; 3] = [240, 122, 36];
const GIVEN: [u8; 3] = [90, 150, 230];

/// What a recording holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Frames.
    pub frames: usize,
    /// Camera images.
    pub images: usize,
    /// Lidar sweeps.
    pub clouds: usize,
    /// Frames for which labels say something.
    pub labelled: usize,
    /// Size of the file.
    pub bytes: u64,
}

/// Writes a clip, and its labels where there are any, to `path`, which is replaced when all is
/// written. `progress` is called after each frame with how many are done.
///
/// # Errors
/// Where the clip or the labels cannot be read or the recording cannot be written; `path` is left as
/// it was.
pub fn record(
    clip: &ClipReader,
    labels: Option<&Labels>,
    taxonomy: &Taxonomy,
    path: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<Summary, Error> {
    let part = part_of(path);
    let outcome = write(clip, labels, taxonomy, &part, progress).and_then(|mut summary| {
        let failed = |cause| Error::Write { path: path.to_owned(), cause };
        let file = fs::File::open(&part).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        summary.bytes = file.metadata().map_err(failed)?.len();
        fs::rename(&part, path).map_err(failed)?;
        Ok(summary)
    });
    if outcome.is_err() {
        // Nothing to do where even this fails: the error that matters is the first one.
        let _ = fs::remove_file(&part);
    }
    outcome
}

/// A file beside `path`, of its own name and ending.
fn part_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

fn write(
    reader: &ClipReader,
    labels: Option<&Labels>,
    taxonomy: &Taxonomy,
    part: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<Summary, Error> {
    let clip = reader.clip();
    let labelled_path = labels.map(Labels::trajectory).transpose()?.flatten();
    let out = Output::create(clip, part)?;
    out.write_static(clip, labelled_path.as_ref())?;
    let trajectory = labelled_path.as_ref().or(clip.trajectory.as_ref());
    let mut summary = Summary::default();
    for (index, frame) in clip.frames.iter().enumerate() {
        out.at(index, frame.timestamp);
        if let Some(world_from_ego) = trajectory.and_then(|t| t.at(frame.timestamp)) {
            out.log("world/ego", &shapes::transform(&world_from_ego))?;
        }
        if let Some(labels) = labels {
            let cameras = labels.cameras(frame.timestamp)?;
            let space = VectorSpace { cameras, ..labels.vector_space(frame.timestamp)? };
            summary.labelled += usize::from(out.write_labels(&space, taxonomy)?);
        }
        summary.images += out.write_images(reader, index, frame)?;
        summary.clouds += out.write_clouds(reader, index, frame)?;
        summary.frames += 1;
        progress(summary.frames);
    }
    out.finish()?;
    Ok(summary)
}

/// An entity's name may hold anything; `/` would part it.
fn camera_entity(name: &str) -> String {
    format!("world/ego/cameras/{}", name.replace('/', "_"))
}

fn lidar_entity(name: &str) -> String {
    format!("world/ego/lidars/{}", name.replace('/', "_"))
}

struct Output {
    stream: RecordingStream,
    path: PathBuf,
    start: Timestamp,
}

impl Output {
    fn create(clip: &Clip, path: &Path) -> Result<Self, Error> {
        // The directory is checked here because the SDK creates files on its own thread.
        fs::File::create(path).map_err(|cause| Error::Write { path: path.to_owned(), cause })?;
        let start = clip.frames.first().map_or(Timestamp(0), |frame| frame.timestamp);
        let stream = RecordingStreamBuilder::new("ommatidia")
            .recording_id(clip.id.clone())
            .recording_name(clip.id.clone())
            .save(path)
            .map_err(|cause| Error::Recording { path: path.to_owned(), cause: Box::new(cause) })?;
        // Wall-clock time and call count say nothing about the drive.
        stream.set_log_time_enabled(false);
        stream.set_log_tick_enabled(false);
        Ok(Self { stream, path: path.to_owned(), start })
    }

    fn failed(&self, cause: re_sdk::RecordingStreamError) -> Error {
        Error::Recording { path: self.path.clone(), cause: Box::new(cause) }
    }

    fn at(&self, frame: usize, timestamp: Timestamp) {
        self.stream.set_time_sequence("frame", frame as i64);
        self.stream.set_duration_secs("time", (timestamp - self.start).as_secs_f64());
    }

    fn log(&self, entity: &str, what: &dyn AsComponents) -> Result<(), Error> {
        self.stream.log(entity, what).map_err(|cause| self.failed(cause))
    }

    fn log_static(&self, entity: &str, what: &dyn AsComponents) -> Result<(), Error> {
        self.stream.log_static(entity, what).map_err(|cause| self.failed(cause))
    }

    fn write_static(&self, clip: &Clip, labelled: Option<&Trajectory>) -> Result<(), Error> {
        self.log_static("world", &ViewCoordinates::RIGHT_HAND_Z_UP())?;
        for camera in &clip.rig.cameras {
            let entity = camera_entity(&camera.name);
            self.log_static(&entity, &shapes::transform(&camera.ego_from_camera))?;
            self.log_static(&entity, &shapes::pinhole(camera))?;
        }
        for lidar in &clip.rig.lidars {
            let entity = lidar_entity(&lidar.name);
            self.log_static(&entity, &shapes::transform(&lidar.ego_from_lidar))?;
        }
        if let Some(path) = labelled {
            self.log_static("world/trajectory", &shapes::path(path.samples(), LABELLED))?;
        }
        if let Some(path) = &clip.trajectory {
            self.log_static("world/given", &shapes::path(path.samples(), GIVEN))?;
        }
        Ok(())
    }

    fn write_images(
        &self,
        reader: &ClipReader,
        index: usize,
        frame: &Frame,
    ) -> Result<usize, Error> {
        let mut written = 0;
        for (camera, image) in reader.clip().rig.cameras.iter().zip(&frame.images) {
            let Some(image) = image else { continue };
            let encoded = reader.encoded_image(image)?;
            let media_type = match encoded.encoding {
                ImageEncoding::Jpeg => MediaType::jpeg(),
                ImageEncoding::Png => MediaType::png(),
            };
            self.at(index, image.timestamp);
            let picture = EncodedImage::new(encoded.bytes.to_vec()).with_media_type(media_type);
            self.log(&format!("{}/image", camera_entity(&camera.name)), &picture)?;
            written += 1;
        }
        Ok(written)
    }

    fn write_clouds(
        &self,
        reader: &ClipReader,
        index: usize,
        frame: &Frame,
    ) -> Result<usize, Error> {
        let mut written = 0;
        for (lidar, cloud) in reader.clip().rig.lidars.iter().zip(&frame.clouds) {
            let Some(cloud) = cloud else { continue };
            self.at(index, cloud.timestamp);
            self.log(&lidar_entity(&lidar.name), &shapes::cloud(&reader.cloud(cloud)?))?;
            written += 1;
        }
        Ok(written)
    }

    /// Whether there was anything to write.
    fn write_labels(&self, space: &VectorSpace, taxonomy: &Taxonomy) -> Result<bool, Error> {
        if let Some(occupancy) = &space.occupancy {
            self.log("world/ego/occupancy", &shapes::occupancy(occupancy, taxonomy))?;
        }
        if let Some(surface) = &space.surface {
            self.log("world/ego/surface", &shapes::surface(surface))?;
        }
        if let Some(objects) = &space.objects {
            self.log("world/ego/objects", &shapes::objects(objects, taxonomy))?;
        }
        if let Some(lanes) = &space.lanes {
            self.log("world/ego/lanes", &shapes::lanes(lanes))?;
        }
        let mut depths = 0;
        for view in &space.cameras {
            if let Some(depth) = &view.depth {
                let entity = format!("{}/depth", camera_entity(&view.camera));
                self.log(&entity, &shapes::depth(depth))?;
                depths += 1;
            }
        }
        Ok(depths > 0
            || space.occupancy.is_some()
            || space.surface.is_some()
            || space.objects.is_some()
            || space.lanes.is_some())
    }

    /// Waits until everything is in the file.
    fn finish(self) -> Result<(), Error> {
        let flushed = self.stream.flush_blocking();
        self.stream.disconnect();
        flushed.map_err(|cause| Error::Write {
            path: self.path.clone(),
            cause: std::io::Error::other(cause.to_string()),
        })
    }
}
