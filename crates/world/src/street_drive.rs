//! A drive along a street: what the rig records, and what is really there.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Duration, Ego, Pose, Timestamp, World};
use ommatidia_scene::{
    CameraView, ClassId, Drivable, Object, PointCloud, PoseSample, PoseSource, RgbImage, Rig,
    Scale, Surface, SurfaceSpec, Trajectory, VectorSpace,
};

use crate::noise::mix;
use crate::rig;
use crate::sensor::Moment;
use crate::street::{ROAD_HALF_WIDTH_M, Street};

/// Speed of the ego vehicle, m/s.
const EGO_SPEED_M_S: f64 = 8.0;
/// Objects farther than this are not listed, metres.
const OBJECT_RANGE_M: f64 = 50.0;

/// What to drive and how to film it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreetDriveOptions {
    /// Everything random comes from it.
    pub seed: u64,
    /// Image width, pixels.
    pub width: u32,
    /// Image height, pixels.
    pub height: u32,
    /// Number of frames.
    pub frames: usize,
    /// Frames a second.
    pub rate_hz: f64,
}

impl Default for StreetDriveOptions {
    fn default() -> Self {
        Self { seed: 1, width: 800, height: 288, frames: 40, rate_hz: 10.0 }
    }
}

/// A drive whose frames are rendered when asked for.
pub struct StreetDrive {
    /// The options it was made with.
    pub options: StreetDriveOptions,
    /// Stereo cameras and a lidar.
    pub rig: Rig,
    street: Street,
}

/// One moment as recorded, with its truth.
pub struct StreetDriveFrame {
    /// When.
    pub timestamp: Timestamp,
    /// One picture per camera.
    pub images: Vec<RgbImage>,
    /// One sweep per lidar.
    pub clouds: Vec<PointCloud>,
    /// Exact depth and class per camera, exact surface, exact boxes.
    pub truth: VectorSpace,
}

impl StreetDrive {
    /// A stereo drive.
    pub fn new(options: StreetDriveOptions) -> Self {
        let length_m = EGO_SPEED_M_S * options.frames as f64 / options.rate_hz + 40.0;
        let street = Street::new(options.seed, length_m);
        Self { options, rig: rig::stereo(options.width, options.height), street }
    }

    /// When frame `index` is taken.
    pub fn timestamp(&self, index: usize) -> Timestamp {
        Timestamp::default() + Duration::from_secs_f64(index as f64 / self.options.rate_hz)
    }

    /// Where the vehicle is at frame `index`; the first pose is the world's origin.
    pub fn world_from_ego(&self, index: usize) -> Pose<World, Ego> {
        self.street_from_ego(0).inverse().cast::<World, World>() * self.street_from_ego(index)
    }

    /// The exact poses.
    pub fn trajectory(&self) -> Trajectory {
        let sample =
            |i| PoseSample { timestamp: self.timestamp(i), world_from_ego: self.world_from_ego(i) };
        let samples = (0..self.options.frames).map(sample).collect();
        Trajectory::new(PoseSource::Simulation, Scale::Metric, samples)
            .expect("frames ascend in time")
    }

    fn street_from_ego(&self, index: usize) -> Pose<World, Ego> {
        self.street.world_from_ego(self.timestamp(index).as_secs_f64() * EGO_SPEED_M_S)
    }

    /// Renders frame `index`.
    pub fn frame(&self, index: usize) -> StreetDriveFrame {
        let timestamp = self.timestamp(index);
        let street_from_ego = self.street_from_ego(index);
        let moment = Moment::new(&self.street, timestamp.as_secs_f64());
        let seed = |salt: usize| mix(self.options.seed ^ mix((index * 64 + salt) as u64));
        let (mut images, mut cameras) = (Vec::new(), Vec::new());
        for (i, camera) in self.rig.cameras.iter().enumerate() {
            let filmed = moment.film(camera, street_from_ego, seed(i));
            images.push(filmed.image);
            let (depth, semantics) = (Some(filmed.depth), Some(filmed.class));
            cameras.push(CameraView {
                camera: camera.name.clone(),
                depth,
                semantics,
                ..CameraView::default()
            });
        }
        let sweep = |(i, lidar): (usize, &ommatidia_scene::LidarSensor)| {
            moment.sweep(lidar.ego_from_lidar, street_from_ego, seed(32 + i))
        };
        let clouds = self.rig.lidars.iter().enumerate().map(sweep).collect();
        let truth = VectorSpace {
            timestamp,
            surface: Some(self.surface(&moment, street_from_ego)),
            objects: Some(self.objects(timestamp, street_from_ego)),
            cameras,
            ..VectorSpace::default()
        };
        StreetDriveFrame { timestamp, images, clouds, truth }
    }

    /// Boxes around the vehicle.
    fn objects(&self, timestamp: Timestamp, street_from_ego: Pose<World, Ego>) -> Vec<Object> {
        const STEP_S: f64 = 1e-3;
        let time_s = timestamp.as_secs_f64();
        let ego_from_street = street_from_ego.inverse();
        let object = |actor: &crate::street::Actor| {
            let at = |t: f64| self.street.world_from_actor(actor, t);
            let ego_from_object = ego_from_street * at(time_s);
            let moved = at(time_s + STEP_S).translation - at(time_s - STEP_S).translation;
            let velocity: Vector3<f64> = ego_from_street.rotate(&(moved / (2.0 * STEP_S)));
            (ego_from_object.translation.norm() < OBJECT_RANGE_M).then(|| Object {
                track: Some(actor.track),
                class: actor.class,
                ego_from_object,
                size_m: actor.size_m,
                velocity_m_s: Some(velocity.into()),
                keypoints: Vec::new(),
                confidence: 1.0,
                lidar_points: None,
            })
        };
        self.street.actors.iter().filter_map(object).collect()
    }

    /// Height and drivability of every cell, seen or not.
    fn surface(&self, moment: &Moment<'_>, street_from_ego: Pose<World, Ego>) -> Surface {
        let mut surface = Surface::unobserved(SurfaceSpec::default());
        let spec = surface.spec;
        for index in 0..spec.len() {
            let cell = [index as u32 / spec.size[1], index as u32 % spec.size[1]];
            let [x, y] = spec.centre(cell);
            let p_in_street = street_from_ego * Point3::new(x, y, 0.0);
            let (_, lateral) = self.street.road_coordinates(&p_in_street);
            let Some(height) = moment.ground_height(&p_in_street) else {
                surface.drivable[index] = Drivable::No;
                continue;
            };
            surface.height_m[index] = height as f32;
            surface.confidence[index] = 255;
            let on_road = lateral.abs() < ROAD_HALF_WIDTH_M;
            surface.drivable[index] = if on_road { Drivable::Yes } else { Drivable::No };
            surface.class[index] = if on_road {
                self.street.classes.road
            } else if height > 0.0 {
                self.street.classes.sidewalk
            } else {
                ClassId::UNKNOWN
            };
        }
        surface
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> StreetDrive {
        StreetDrive::new(StreetDriveOptions {
            width: 96,
            height: 48,
            frames: 3,
            ..StreetDriveOptions::default()
        })
    }

    #[test]
    fn a_frame_is_the_same_on_any_number_of_threads() {
        let render = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let frame = small().frame(2);
                (frame.images, frame.clouds, frame.truth.cameras)
            })
        };
        assert!(render(1) == render(2));
    }

    #[test]
    fn seeds_make_different_streets() {
        let other = StreetDrive::new(StreetDriveOptions { seed: 2, ..small().options });
        assert_ne!(small().frame(0).images, other.frame(0).images);
    }

    #[test]
    fn the_vehicle_stands_on_drivable_ground_at_height_zero() {
        let surface = small().frame(1).truth.surface.unwrap();
        let cell = surface.spec.index(surface.spec.cell_at(0.5, 0.0).unwrap());
        assert_eq!(surface.drivable[cell], Drivable::Yes);
        assert_eq!(surface.height_m[cell], 0.0);
    }

    #[test]
    fn the_drive_starts_at_the_origin_and_moves_at_its_speed() {
        let trajectory = small().trajectory();
        assert!(trajectory.samples()[0].world_from_ego.translation.norm() < 1e-12);
        assert!((trajectory.path_m() - 2.0 * 0.1 * EGO_SPEED_M_S).abs() < 0.02);
    }
}
