//! Visual odometry for rigs of any cameras.
//!
//! Corners are followed by Lucas–Kanade there and back, from the last keyframe into each new frame;
//! cameras whose views overlap (known from the rig's geometry) see them at once and so measure
//! their distance, others by motion. The pose that most points agree on places the frame; a window
//! of keyframes is adjusted as it moves along, and long overlapping runs of keyframes again with
//! hindsight. Points on other moving things disagree with the vehicle's motion and are dropped.
//! After Leutenegger et al. 2015 (OKVIS) and Mur-Artal & Tardós 2017 (ORB-SLAM2).
//!
//! The world begins at the first ego pose, or is that of the given trajectory. Poses of a data set and
//! wheels take part in every adjustment; positions by satellites, whose noise only a long way averages
//! out, set the whole path in the end. Loops are not closed: a place that is visited again is not
//! recognised, and drift stays what it is.

mod account;
mod adjust;
mod anchor;
mod checkpoint;
mod confidence;
mod config;
mod follow;
mod ground;
mod keyframe;
mod measure;
mod motion;

mod prepare;
mod recalibrate;
mod roles;
mod shutter;
mod smooth;
mod state;
mod triangulate;
mod view;

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_kernels::simd::Simd;
use ommatidia_scene::{GrayImage, PoseSample, PoseSource, Rig, Skipped, Trajectory};

use crate::Error;
use account::Reason;
use adjust::Adjuster;
pub use config::{OdometryConfig, PriorConfig};
use follow::Follower;
use keyframe::Keyframer;
use motion::Motion;
use prepare::{Predicted, fingerprints};
use roles::Roles;
use state::{Depth, FrameRecord, Keyframe, Sighting, State};
use view::Views;

const STAGE: &str = "odometry";

/// One frame of a clip.
#[derive(Debug, Clone, Copy)]
pub struct OdometryInput<'a> {
    /// The frame's time; strictly ascending.
    pub timestamp: Timestamp,
    /// One entry per camera of the rig: middle of exposure, and the image.
    pub images: &'a [Option<(Timestamp, GrayImage)>],
    /// Poses that came with the clip, the same for all frames.
    pub prior: Option<&'a Trajectory>,
}

/// What is known of a frame when it is passed; [`OdometryResult`] knows better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OdometryFrame {
    /// Where the vehicle is, before smoothing.
    pub world_from_ego: Pose<World, Ego>,
    /// 0 to 1; 0 where the pose is only predicted.
    pub confidence: f32,
    /// Points that agree on the motion.
    pub inliers: usize,
    /// Points that were followed.
    pub followed: usize,
}

/// The path of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct OdometryResult {
    /// One pose per frame, source [`PoseSource::Odometry`]; that of the given poses where no frame had
    /// an image.
    pub trajectory: Trajectory,
    /// Of each frame, 0 to 1.
    pub frame_confidence: Vec<f32>,
    /// Of the clip, 0 to 1.
    pub confidence: f32,
    /// What was left out, or had to be predicted.
    pub skipped: Vec<Skipped>,
    /// The rig, its stereo partners turned as the drive showed them to be; the rig given where it
    /// showed nothing, or [`OdometryConfig::recalibrate`] is off.
    pub rig: Rig,
}

/// Estimates the path of a vehicle from its cameras, frame by frame.
pub struct Odometry {
    /// As given.
    given: Rig,
    /// As corrected.
    rig: Rig,
    config: OdometryConfig,
    roles: Roles,
    simd: Simd,
    state: State,
    reference: Views,
}

impl Odometry {
    /// An odometry that has seen nothing.
    ///
    /// # Errors
    /// [`Error::Rig`] if the rig has no camera or a camera is unusable; [`Error::Config`].
    pub fn new(rig: &Rig, config: &OdometryConfig) -> Result<Self, Error> {
        config.check()?;
        let problem = |what: String| Error::Rig { stage: STAGE, what };
        rig.check().map_err(|error| problem(error.to_string()))?;
        if rig.cameras.is_empty() {
            return Err(problem("the rig has no camera; give poses with the clip instead".into()));
        }
        let reference = rig.cameras.iter().map(|_| None).collect();
        Ok(Self {
            given: rig.clone(),
            rig: rig.clone(),
            config: *config,
            roles: Roles::of(rig),
            simd: Simd::detect(),
            state: State::default(),
            reference,
        })
    }

    /// Number of frames passed so far.
    pub fn frames(&self) -> usize {
        self.state.frames.len()
    }

    /// Places one more frame.
    ///
    /// # Errors
    /// [`Error::Input`] if an image's size is not that of its camera, the number of images not that
    /// of cameras, or time does not advance. The frame then leaves no trace.
    pub fn step(&mut self, input: &OdometryInput<'_>) -> Result<OdometryFrame, Error> {
        self.check_images(input.images)?;
        self.check_time(input.timestamp)?;
        self.note_prior(input);
        let predicted = self.predict(input);
        let missing = input.images.iter().filter(|image| image.is_none()).count();
        let fingerprints = fingerprints(input.images);
        let repeated = missing < input.images.len() && fingerprints == self.state.fingerprints;
        self.state.fingerprints = fingerprints;
        if missing == input.images.len() || repeated {
            let reason = if repeated { Reason::RepeatedImages } else { Reason::NoImages };
            self.state.account.add(reason);
            return Ok(self.coast(input, predicted));
        }
        (0..missing).for_each(|_| self.state.account.add(Reason::MissingImage));
        let mounts = self.mounts(input, &predicted);
        let views = self.views(input.images, &mounts);
        if self.reference.iter().all(Option::is_none) {
            return Ok(self.start(input, predicted, mounts, views));
        }
        match self.measure(&predicted, &views) {
            Ok((motion, pixels)) => Ok(self.advance(input, &motion, &pixels, mounts, views)),
            Err(reason) => {
                self.state.account.add(reason);
                Ok(self.start(input, predicted, mounts, views))
            }
        }
    }

    /// The path of all frames passed, smoothed to the end.
    pub fn finish(mut self) -> OdometryResult {
        let adjuster = Adjuster::new(&self.rig, &self.config, &self.state);
        smooth::smooth(&adjuster, &mut self.state);
        anchor::anchor(&mut self.state, self.config.prior.gnss_position_m);
        let state = &self.state;
        let samples = state
            .frames
            .iter()
            .map(|record| PoseSample {
                timestamp: record.timestamp,
                world_from_ego: state.pose_of(record),
            })
            .collect();
        let frame_confidence: Vec<f32> = state.frames.iter().map(|f| f.confidence).collect();
        // Without any image the path is the given one, at the frames' times.
        let blind = state.account.count(Reason::NoImages) == state.frames.len() as u64;
        let given = state.prior.filter(|_| blind).map(|(source, _)| source);
        let source = given.unwrap_or(PoseSource::Odometry);
        let trajectory = Trajectory::new(source, self.state.scale(), samples)
            .unwrap_or_else(|error| panic!("poses of ascending frames make a path: {error}"));
        OdometryResult {
            trajectory,
            confidence: confidence::of_clip(&frame_confidence),
            frame_confidence,
            skipped: state.account.skipped(),
            rig: self.rig.clone(),
        }
    }

    fn follower(&self) -> Follower<'_> {
        let newest = self.state.keyframes.len().checked_sub(1);
        let velocity = newest.map(|i| shutter::velocity(&self.state.keyframes, i));
        let velocity = velocity.unwrap_or_default();
        Follower { rig: &self.rig, config: &self.config, simd: self.simd, velocity }
    }

    /// Takes over a measured motion, and makes a keyframe of the frame if it is time for one.
    fn advance(
        &mut self,
        input: &OdometryInput<'_>,
        motion: &Motion,
        pixels: &[Option<[f32; 2]>],
        mounts: Vec<Pose<Ego, ommatidia_geometry::Camera>>,
        views: Views,
    ) -> OdometryFrame {
        let followed = pixels.iter().flatten().count();
        let considered = self.considered(pixels);
        let confidence = confidence::of_motion(motion, considered);
        let world_from_ego = motion.world_from_ego;
        if self.is_keyframe(&world_from_ego, followed) {
            self.keyframe(input, world_from_ego, mounts, false);
            self.record_sightings(motion, pixels);
            self.complete_keyframe(views);
            self.record(input, Pose::identity(), confidence);
        } else {
            let keyframe = self.state.keyframes[self.state.keyframes.len() - 1].world_from_ego;
            self.record(input, keyframe.inverse() * world_from_ego, confidence);
        }
        self.note_velocity();
        OdometryFrame {
            world_from_ego: self.state.last_pose().unwrap_or(world_from_ego),
            confidence,
            inliers: motion.count,
            followed,
        }
    }

    /// How many followed points could have agreed.
    fn considered(&self, pixels: &[Option<[f32; 2]>]) -> usize {
        let measured = |(track, pixel): &(&state::Track, &Option<_>)| {
            pixel.is_some() && track.depth == Depth::Measured
        };
        let measured = self.state.tracks.iter().zip(pixels).filter(measured).count();
        if measured < 2 * self.config.min_inliers {
            pixels.iter().flatten().count()
        } else {
            measured
        }
    }

    fn is_keyframe(&self, world_from_ego: &Pose<World, Ego>, followed: usize) -> bool {
        let Some(keyframe) = self.state.keyframes.last() else { return true };
        let moved = keyframe.world_from_ego.inverse() * *world_from_ego;
        let share = followed as f64 / self.state.tracks.len().max(1) as f64;
        moved.translation.norm() >= self.config.keyframe_distance_m
            || moved.rotation.angle() >= self.config.keyframe_turn_rad
            || share < self.config.keyframe_share
    }

    fn keyframe(
        &mut self,
        input: &OdometryInput<'_>,
        world_from_ego: Pose<World, Ego>,
        mounts: Vec<Pose<Ego, ommatidia_geometry::Camera>>,
        restarted: bool,
    ) {
        let satellites = input.prior.filter(|prior| prior.source == PoseSource::Gnss);
        let before = self.state.keyframes.last().filter(|_| !restarted);
        let before = before.map(|keyframe| (keyframe.timestamp, keyframe.world_from_ego));
        let this = (input.timestamp, world_from_ego);
        self.state.keyframes.push(Keyframe {
            frame: self.state.frames.len() as u32,
            timestamp: input.timestamp,
            world_from_ego,
            mounts,
            restarted,
            prior: input.prior.and_then(|prior| prior.at(input.timestamp)),
            fix: satellites.and_then(|given| anchor::fix(given, before, this)),
        });
    }

    /// Adds the new keyframe's sightings. Points that disagree with the motion are left without one,
    /// and so end; guessed points are kept until they can be judged.
    fn record_sightings(&mut self, motion: &Motion, pixels: &[Option<[f32; 2]>]) {
        let keyframe = self.state.keyframes.len() as u32 - 1;
        for (index, track) in self.state.tracks.iter_mut().enumerate() {
            let Some(pixel) = pixels[index] else { continue };
            if motion.inliers[index] || track.depth == Depth::Guessed {
                track.pixel = pixel;
                track.sightings.push(Sighting { keyframe, camera: track.host, pixel });
            }
        }
        // Guessed points that were never seen again are worth nothing; the rest ends in `retire`.
        let newest =
            |track: &state::Track| track.sightings.last().is_some_and(|s| s.keyframe == keyframe);
        let (followed, lost): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.state.tracks).into_iter().partition(newest);
        self.state.tracks = followed;
        let useful = |t: &state::Track| t.depth == Depth::Measured && t.sightings.len() >= 2;
        self.state.ended.extend(lost.into_iter().filter(useful));
    }

    fn complete_keyframe(&mut self, views: Views) {
        let velocity = self.follower().velocity;
        let mut state = std::mem::take(&mut self.state);
        let adjuster = Adjuster::new(&self.rig, &self.config, &state);
        let follower = Follower { velocity, ..self.follower() };
        let keyframer = Keyframer { follower, roles: &self.roles, adjuster };
        keyframer.complete(&mut state, &views);
        smooth::smooth_if_due(&keyframer.adjuster, &mut state);
        if self.config.recalibrate {
            recalibrate::gather(&self.rig, &self.roles, self.config.sigma_px, &mut state);
            recalibrate::apply(&mut self.rig, &self.given, &mut state);
        }
        self.state = state;
        self.reference = views;
    }

    /// Starts tracking at a frame, at a pose that was only predicted.
    fn start(
        &mut self,
        input: &OdometryInput<'_>,
        predicted: Predicted,
        mounts: Vec<Pose<Ego, ommatidia_geometry::Camera>>,
        views: Views,
    ) -> OdometryFrame {
        let first = self.state.frames.is_empty();
        let useful = |t: &state::Track| t.depth == Depth::Measured && t.sightings.len() >= 2;
        let tracks = std::mem::take(&mut self.state.tracks);
        self.state.ended.extend(tracks.into_iter().filter(useful));
        self.keyframe(input, predicted.world_from_ego, mounts, !first);
        self.complete_keyframe(views);
        self.state.coasting_s += predicted.elapsed_s;
        let measured = self.state.tracks.iter().filter(|t| t.depth == Depth::Measured).count();
        let confidence = if first { confidence::of_start(measured) } else { 0.0 };
        self.record(input, Pose::identity(), confidence);
        let world_from_ego = self.state.last_pose().unwrap_or(predicted.world_from_ego);
        OdometryFrame { world_from_ego, confidence, inliers: 0, followed: 0 }
    }

    /// Places a frame by prediction alone; points are still followed from the last keyframe.
    fn coast(&mut self, input: &OdometryInput<'_>, predicted: Predicted) -> OdometryFrame {
        let world_from_ego = predicted.world_from_ego;
        self.state.coasting_s += predicted.elapsed_s;
        match self.state.keyframes.last().map(|keyframe| keyframe.world_from_ego) {
            Some(keyframe) => self.record(input, keyframe.inverse() * world_from_ego, 0.0),
            None => {
                self.keyframe(input, world_from_ego, Vec::new(), false);
                self.record(input, Pose::identity(), 0.0);
            }
        }
        OdometryFrame { world_from_ego, confidence: 0.0, inliers: 0, followed: 0 }
    }

    fn record(
        &mut self,
        input: &OdometryInput<'_>,
        keyframe_from_ego: Pose<Ego, Ego>,
        confidence: f32,
    ) {
        let keyframe = self.state.keyframes.len() as u32 - 1;
        let timestamp = input.timestamp;
        self.state.frames.push(FrameRecord { timestamp, keyframe, keyframe_from_ego, confidence });
    }

    /// The velocity over the last two frames, the last of which was measured.
    fn note_velocity(&mut self) {
        let [.., before, last] = self.state.frames[..] else { return };
        let elapsed_s = (last.timestamp - before.timestamp).as_secs_f64();
        let moved = self.state.pose_of(&before).inverse() * self.state.pose_of(&last);
        let velocity = moved.log() / elapsed_s;
        self.state.velocity = Some(velocity.into());
        self.state.coasting_s = 0.0;
    }
}
