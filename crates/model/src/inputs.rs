//! From samples to tensors.

use burn::tensor::{Device, Tensor, TensorData};
use ommatidia_geometry::{Ego, Pose};
use ommatidia_scene::{RgbImage, Rig};
use rayon::prelude::*;

use crate::{
    Error, Moment, NetworkConfig, Sample,
    backbone::FIRST_STRIDE,
    config::{ImageConfig, SpaceConfig},
    lift::{Table, Tables},
    memory::{Fusion, Warp, Warps},
    rays,
};

/// A batch, on the device.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Oldest first; the last is the present.
    pub moments: Vec<MomentInputs>,
}

/// One moment of every sample of a batch.
#[derive(Debug, Clone)]
pub struct MomentInputs {
    /// Normalised pictures `[batch * cameras, 3, height, width]`, the cameras of one sample after another.
    pub images: Tensor<4>,
    /// Where the cells of the finest features look, `[batch * cameras, 5, rows, columns]`; in networks that
    /// are told ([`crate::neck::NeckConfig::rays`]).
    pub rays: Option<Tensor<4>>,
    /// Which pixels each voxel sees; in networks with a space.
    pub tables: Option<Tables>,
    /// Into the frame of the moment that remembers this one; in past moments.
    pub warps: Option<Warps>,
}

impl NetworkConfig {
    /// What the network reads of a batch.
    ///
    /// # Errors
    /// [`Error::Sample`] names the sample that does not fit the network or the others of the batch.
    pub fn inputs(&self, samples: &[Sample], device: &Device) -> Result<Inputs, Error> {
        let Some(first) = samples.first() else {
            return Err(Error::Sample {
                sample: "of an empty batch".to_owned(),
                what: "there is none; a batch holds at least one".to_owned(),
            });
        };
        samples.iter().try_for_each(|sample| self.check_sample(sample, first))?;
        // Without memory the past is not looked at.
        let count = if self.memory().is_some() { first.moments.len() } else { 1 };
        let skipped = first.moments.len() - count;
        let moments = (skipped..first.moments.len()).map(|index| {
            let moments: Vec<&Moment> = samples.iter().map(|s| &s.moments[index]).collect();
            let followers: Vec<&Moment> =
                samples.iter().filter_map(|sample| self.follower(&sample.moments, index)).collect();
            self.moment(&moments, &followers, device)
        });
        Ok(Inputs { moments: moments.collect() })
    }

    fn memory(&self) -> Option<&crate::memory::MemoryConfig> {
        self.space.as_ref().and_then(|space| space.memory.as_ref())
    }

    /// The moment that remembers another one.
    fn follower<'a>(&self, moments: &'a [Moment], index: usize) -> Option<&'a Moment> {
        match self.memory()?.fusion {
            Fusion::Recurrent => moments.get(index + 1),
            Fusion::Attention => moments[index + 1..].last(),
        }
    }

    /// One moment of every sample; `followers` remember them, none where these are the present ones.
    pub(crate) fn moment(
        &self,
        moments: &[&Moment],
        followers: &[&Moment],
        device: &Device,
    ) -> MomentInputs {
        let tables = self.space.as_ref().map(|space| self.tables(space, moments, device));
        let warps = self.space.as_ref().filter(|_| !followers.is_empty()).map(|space| {
            let pairs = moments.iter().zip(followers);
            let warp = |(past, present): (&&Moment, &&Moment)| {
                past_from_present(past, present).map_or_else(
                    || Warp::nowhere(&space.grid),
                    |pose| Warp::new(&space.grid, &pose),
                )
            };
            Warps::new(&pairs.map(warp).collect::<Vec<_>>(), device)
        });
        let rays = self.neck.rays.then(|| rays::rays(moments, self.features(0), device));
        MomentInputs { images: images(&self.image, moments, device), rays, tables, warps }
    }

    /// Rows and columns of a level of the pyramid.
    fn features(&self, level: usize) -> [usize; 2] {
        let stride = FIRST_STRIDE << (self.neck.first + level);
        [self.image.height, self.image.width].map(|side| side.div_ceil(stride))
    }

    /// Which pixels each voxel sees with a rig whose pictures are of the network's size; `None` in a
    /// network without space.
    pub fn table(&self, rig: &Rig) -> Option<Table> {
        self.space.as_ref().map(|space| self.table_of(space, rig))
    }

    /// Where the cells of the features look with such a rig, `[camera, channel, row, column]` and these sizes;
    /// `None` in a network that is not told.
    pub fn rays(&self, rig: &Rig) -> Option<([usize; 4], Vec<f32>)> {
        let size = self.features(0);
        let shape = [rig.cameras.len(), rays::CHANNELS, size[0], size[1]];
        self.neck.rays.then(|| (shape, rays::of_rig(rig, size)))
    }

    fn table_of(&self, space: &SpaceConfig, rig: &Rig) -> Table {
        Table::new(rig, self.features(space.lift.level), &space.grid, &space.lift)
    }

    fn tables(&self, space: &SpaceConfig, moments: &[&Moment], device: &Device) -> Tables {
        let mut tables: Vec<Table> = Vec::with_capacity(moments.len());
        for (index, moment) in moments.iter().enumerate() {
            // Samples of one drive share their rig, unless it is augmented.
            let table = match index.checked_sub(1).filter(|&i| moments[i].rig == moment.rig) {
                Some(last) => tables[last].clone(),
                None => self.table_of(space, &moment.rig),
            };
            tables.push(table);
        }
        Tables::new(&tables, space.grid.len(), device)
    }

    /// Whether a sample fits the network and the first one of its batch.
    fn check_sample(&self, sample: &Sample, first: &Sample) -> Result<(), Error> {
        let fail = |what: String| Err(Error::Sample { sample: sample.name.clone(), what });
        let [height, width] = [self.image.height, self.image.width];
        let (Some(moment), Some(like)) = (sample.moments.first(), first.moments.first()) else {
            return fail("it holds no moment; it must hold at least one".to_owned());
        };
        if sample.moments.len() != first.moments.len() {
            let [found, other] = [sample, first].map(|sample| sample.moments.len());
            return fail(format!("{found} moments in a batch of {other}; give all as many"));
        }
        if moment.images.is_empty() || moment.images.len() != like.images.len() {
            let [found, other] = [moment, like].map(|moment| moment.images.len());
            return fail(format!("{found} pictures in a batch of {other}; give all as many"));
        }
        for moment in &sample.moments {
            let images = moment.images.len();
            if images != like.images.len() || images != moment.rig.cameras.len() {
                let cameras = moment.rig.cameras.len();
                return fail(format!("{images} pictures for {cameras} cameras"));
            }
            for (image, camera) in moment.images.iter().zip(&moment.rig.cameras) {
                if [image.height, image.width] != [height, width] {
                    return fail(format!(
                        "camera {} gives {} x {} pixels; the network takes {width} x {height}",
                        camera.name, image.width, image.height
                    ));
                }
            }
        }
        Ok(())
    }
}

/// How the vehicle moved between two moments, where that is known.
pub(crate) fn past_from_present(past: &Moment, present: &Moment) -> Option<Pose<Ego, Ego>> {
    Some(past.world_from_ego?.inverse() * present.world_from_ego?)
}

/// Normalised pictures.
fn images(config: &ImageConfig, moments: &[&Moment], device: &Device) -> Tensor<4> {
    let images: Vec<_> = moments.iter().flat_map(|moment| &moment.images).collect();
    let mut data = Vec::new();
    config.normalise(&images, &mut data);
    let shape = [images.len(), 3, config.height, config.width];
    Tensor::from_data(TensorData::new(data, shape), device)
}

impl ImageConfig {
    /// Pictures of the network's size as it reads them, `[image, channel, row, column]` in C order, in place
    /// of what `data` held.
    ///
    /// # Panics
    /// If a picture is of another size.
    pub fn normalise(&self, images: &[&RgbImage], data: &mut Vec<f32>) {
        let plane = self.height * self.width;
        let fits = |image: &&RgbImage| (image.height, image.width) == (self.height, self.width);
        assert!(images.iter().all(fits), "pictures are of the network's size");
        data.clear();
        data.resize(images.len() * 3 * plane, 0.0);
        data.par_chunks_mut(plane).enumerate().for_each(|(index, out)| {
            let (image, channel) = (images[index / 3], index % 3);
            let (mean, scale) = (self.mean[channel], 1.0 / self.deviation[channel]);
            for (out, pixel) in out.iter_mut().zip(image.data.chunks_exact(3)) {
                *out = (f32::from(pixel[channel]) - mean) * scale;
            }
        });
    }
}
