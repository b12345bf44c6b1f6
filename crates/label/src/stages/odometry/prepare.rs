//! Before a frame is measured: checks, prediction, where its cameras were, and its images.

use nalgebra::Vector6;
use ommatidia_geometry::{Camera, Ego, Pose, Timestamp, World};
use ommatidia_kernels::flow::Pyramid;
use ommatidia_scene::{CameraSensor, GrayImage, PoseSource};
use rayon::prelude::*;

use super::account::Reason;
use super::view::{View, Views};
use super::{Odometry, OdometryInput, STAGE};
use crate::Error;

/// Sensors closer in time than this are taken as simultaneous, seconds.
const SIMULTANEOUS_S: f64 = 5e-4;

/// A predicted frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predicted {
    pub world_from_ego: Pose<World, Ego>,
    pub velocity: Vector6<f64>,
    pub elapsed_s: f64,
}

impl Odometry {
    pub(super) fn check_images(
        &self,
        images: &[Option<(Timestamp, GrayImage)>],
    ) -> Result<(), Error> {
        let problem = |what: String| Err(Error::Input { stage: STAGE, what });
        if images.len() != self.rig.cameras.len() {
            let cameras = self.rig.cameras.len();
            return problem(format!(
                "{} images for {cameras} cameras; pass one entry each",
                images.len()
            ));
        }
        for (camera, image) in self.rig.cameras.iter().zip(images) {
            let Some((_, image)) = image else { continue };
            if (image.width, image.height) != (camera.width as usize, camera.height as usize) {
                return problem(format!(
                    "camera {} is calibrated for {} x {} pixels, its image has {} x {}",
                    camera.name, camera.width, camera.height, image.width, image.height
                ));
            }
        }
        Ok(())
    }

    pub(super) fn check_time(&self, timestamp: Timestamp) -> Result<(), Error> {
        match self.state.frames.last() {
            Some(last) if last.timestamp >= timestamp => Err(Error::Input {
                stage: STAGE,
                what: format!(
                    "frame {} at {timestamp} s is not after the one before it at {} s",
                    self.state.frames.len(),
                    last.timestamp
                ),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn note_prior(&mut self, input: &OdometryInput<'_>) {
        let Some(prior) = input.prior else { return };
        self.state.prior = Some((prior.source, prior.scale));
        if prior.at(input.timestamp).is_none() {
            self.state.account.add(Reason::OutsidePrior);
        }
    }

    /// Where the vehicle should be at the frame, and its right tangent per second.
    pub(super) fn predict(&self, input: &OdometryInput<'_>) -> Predicted {
        let given = input.prior.and_then(|prior| prior.at(input.timestamp));
        let Some(last) = self.state.frames.last() else {
            let world_from_ego = given.unwrap_or_else(Pose::identity);
            return Predicted { world_from_ego, velocity: Vector6::zeros(), elapsed_s: 0.0 };
        };
        let pose = self.state.pose_of(last);
        let elapsed_s = (input.timestamp - last.timestamp).as_secs_f64();
        // Between two frames satellites err by more than the vehicle moves.
        let smooth = input.prior.filter(|prior| prior.source != PoseSource::Gnss);
        let before = smooth.and_then(|prior| prior.at(last.timestamp));
        if let (Some(before), Some(now)) = (before, given) {
            let moved = before.inverse() * now;
            let velocity = moved.log() / elapsed_s;
            return Predicted { world_from_ego: pose * moved, velocity, elapsed_s };
        }
        let coasting = self.state.coasting_s + elapsed_s <= self.config.coast_s + elapsed_s;
        let velocity =
            self.state.velocity.filter(|_| coasting).map_or(Vector6::zeros(), Vector6::from);
        Predicted { world_from_ego: pose.retract(&(velocity * elapsed_s)), velocity, elapsed_s }
    }

    /// Where each camera was at its exposure, in the ego frame at the frame's time. Empty where all
    /// are exposed at that time.
    pub(super) fn mounts(
        &self,
        input: &OdometryInput<'_>,
        predicted: &Predicted,
    ) -> Vec<Pose<Ego, Camera>> {
        let late = |image: &Option<(Timestamp, GrayImage)>| {
            image.as_ref().map_or(0.0, |(time, _)| (*time - input.timestamp).as_secs_f64())
        };
        if input.images.iter().all(|image| late(image).abs() < SIMULTANEOUS_S) {
            return Vec::new();
        }
        let smooth = input.prior.filter(|prior| prior.source != PoseSource::Gnss);
        let at = |time: Timestamp| smooth.and_then(|prior| prior.at(time));
        let mount = |(camera, image): (&CameraSensor, &Option<_>)| {
            let given = image.as_ref().and_then(|(time, _): &(Timestamp, GrayImage)| {
                Some(at(input.timestamp)?.inverse() * at(*time)?)
            });
            let moved = given.unwrap_or_else(|| Pose::exp(&(predicted.velocity * late(image))));
            moved * camera.ego_from_camera
        };
        self.rig.cameras.iter().zip(input.images).map(mount).collect()
    }

    pub(super) fn views(
        &self,
        images: &[Option<(Timestamp, GrayImage)>],
        mounts: &[Pose<Ego, Camera>],
    ) -> Views {
        let view = |(index, image): (usize, &Option<(Timestamp, GrayImage)>)| {
            let (_, image) = image.as_ref()?;
            let mounted = self.rig.cameras[index].ego_from_camera;
            Some(View {
                pyramid: Pyramid::new(self.simd, image, self.config.pyramid_levels),
                ego_from_camera: mounts.get(index).copied().unwrap_or(mounted),
            })
        };
        images.par_iter().enumerate().map(view).collect()
    }
}

/// A number per image that differs if the images do: FNV-1a over words of eight bytes.
pub(super) fn fingerprints(images: &[Option<(Timestamp, GrayImage)>]) -> Vec<Option<u64>> {
    let of = |image: &GrayImage| {
        image.data.chunks(8).fold(0xcbf2_9ce4_8422_2325u64, |hash, chunk| {
            let word = chunk.iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
            (hash ^ word).wrapping_mul(0x0100_0000_01b3)
        })
    };
    images.par_iter().map(|image| image.as_ref().map(|(_, image)| of(image))).collect()
}
