//! A drive through a site: what the rig records, and what is really there.

use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Duration, Ego, Pose, Timestamp, World};
use ommatidia_kernels::raycast::Workspace;
use ommatidia_scene::{
    CameraSensor, GridSpec, MotionReadings, PointCloud, PoseSample, PoseSource, RgbImage, Rig,
    Scale, SurfaceSpec, Trajectory, VectorSpace,
};
use rayon::prelude::*;

use crate::Error;
use crate::imaging::{CameraImaging, Imager, Shot, motion_blur};
use crate::look::Shader;
use crate::noise::mix;
use crate::sensors::{Journey, MotionSensors, SensorError};
use crate::site::Site;
use crate::trace::film::FilmOptions;
use crate::trace::flow::Next;
use crate::trace::lidar::Sweep;
use crate::trace::sight::{Seen, seen};
use crate::trace::voxels::Filled;
use crate::trace::{Filmed, LidarOptions, Moment, Observed, Stage, Table, surface};

/// How a site is filmed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriveOptions {
    /// Noise of the sensors comes from it, and what differs between equal surfaces.
    pub seed: u64,
    /// Number of frames.
    pub frames: usize,
    /// Frames a second.
    pub rate_hz: f64,
    /// Pixels at which things meet average four rays.
    pub antialias: bool,
    /// Optics and sensor of the cameras.
    pub imaging: CameraImaging,
    /// The lidars.
    pub lidar: LidarOptions,
    /// Voxels of the truth; `None` makes none.
    pub grid: Option<GridSpec>,
    /// Which voxels count as observed.
    pub observed: Observed,
    /// Cells of the ground truth; `None` makes none.
    pub surface: Option<SurfaceSpec>,
    /// Objects and lanes farther than this are not listed, metres.
    pub range_m: f64,
}

impl Default for DriveOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            frames: 40,
            rate_hz: 10.0,
            antialias: true,
            imaging: CameraImaging::default(),
            lidar: LidarOptions::default(),
            grid: Some(GridSpec::default()),
            observed: Observed::Frame,
            surface: Some(SurfaceSpec::default()),
            range_m: 80.0,
        }
    }
}

impl DriveOptions {
    fn check(&self) -> Result<(), Error> {
        let bounds = [
            ("frames", self.frames as f64, 1.0, 1e7),
            ("rate_hz", self.rate_hz, 0.01, 1000.0),
            ("range_m", self.range_m, 0.0, 1e5),
        ];
        for (name, value, low, high) in bounds {
            // Also catches NaN.
            if !(low..=high).contains(&value) {
                return Err(Error::DriveOption { name, value, low, high });
            }
        }
        self.imaging.check()?;
        self.lidar.check()
    }
}

/// A drive whose frames are rendered when asked for. A frame depends on the site, the rig, the options
/// and its index alone; memory does not grow with the number of frames.
pub struct Drive {
    /// The options it was made with.
    pub options: DriveOptions,
    /// The sensors.
    pub rig: Rig,
    stage: Stage,
    tables: Vec<Table>,
    imagers: Vec<Imager>,
}

/// One moment as recorded, with its truth.
pub struct DriveFrame {
    /// When.
    pub timestamp: Timestamp,
    /// One picture per camera.
    pub images: Vec<RgbImage>,
    /// One sweep per lidar.
    pub clouds: Vec<PointCloud>,
    /// Exact, in all parts that the options ask for.
    pub truth: VectorSpace,
}

impl Drive {
    /// A drive of the site's vehicle with this rig.
    ///
    /// # Errors
    /// Options, rig or site that cannot be; a sensor below the road or far from the vehicle; a camera inside of
    /// something solid at the start.
    pub fn new(site: Site, rig: Rig, options: DriveOptions) -> Result<Self, Error> {
        options.check()?;
        rig.check()?;
        check_mountings(&rig)?;
        let stage = Stage::new(site)?;
        for camera in &rig.cameras {
            if is_inside(&stage, camera) {
                return Err(Error::CameraInside { camera: camera.name.clone() });
            }
        }
        let tables = rig.cameras.iter().map(Table::new).collect();
        let imager = |(index, camera): (usize, &CameraSensor)| {
            let seed = mix(options.seed ^ mix(0x1_0000 + index as u64));
            Imager::new(&options.imaging, camera.width as usize, camera.height as usize, seed)
        };
        let imagers = rig.cameras.iter().enumerate().map(imager).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { options, rig, stage, tables, imagers })
    }

    /// The site and its trees.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// When frame `index` is taken, since the site's time zero.
    pub fn timestamp(&self, index: usize) -> Timestamp {
        Timestamp::default() + Duration::from_secs_f64(index as f64 / self.options.rate_hz)
    }

    /// Where the vehicle is at frame `index`, in the clip's world: it begins at the first pose's place and heading,
    /// its z points up.
    pub fn world_from_ego(&self, index: usize) -> Pose<World, Ego> {
        self.world_from_site() * self.site_from_ego(index)
    }

    /// The clip's world against the site's: place and heading of the first pose, not its tilt. On a hill the vehicle
    /// leans, and gravity does not.
    pub fn world_from_site(&self) -> Pose<World, World> {
        let first = self.site_from_ego(0);
        let ahead = first.rotate(&Vector3::x());
        let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, ahead.y.atan2(ahead.x));
        Pose::<World, World>::new(turn, first.translation).inverse()
    }

    /// The exact poses at all frames.
    pub fn trajectory(&self) -> Trajectory {
        let sample =
            |i| PoseSample { timestamp: self.timestamp(i), world_from_ego: self.world_from_ego(i) };
        let samples = (0..self.options.frames).map(sample).collect();
        Trajectory::new(PoseSource::Simulation, Scale::Metric, samples)
            .expect("frames ascend in time")
    }

    /// What the vehicle's sensors of motion read over the whole drive, positions in the clip's world.
    ///
    /// # Errors
    /// A number of the configuration is out of bounds.
    pub fn motion(&self, sensors: &MotionSensors) -> Result<MotionReadings, SensorError> {
        let moment = Moment::at(&self.stage, 0.0);
        let last = self.timestamp(self.options.frames - 1);
        let journey = Journey {
            ego: &self.stage.site().ego,
            world_from_site: self.world_from_site(),
            ego_from_imu: self.rig.imu.as_ref().map(|imu| imu.ego_from_imu),
            duration_s: last.as_secs_f64(),
            sky_blocked: &|p_in_site| sky_blocked(&moment, p_in_site),
        };
        sensors.record(&journey, mix(self.options.seed ^ mix(0x307)))
    }

    /// Where the vehicle is in the site at frame `index`.
    pub fn site_from_ego(&self, index: usize) -> Pose<World, Ego> {
        self.stage.site().ego.at(self.timestamp(index).as_secs_f64())
    }

    /// Renders frame `index`.
    pub fn frame(&self, index: usize) -> DriveFrame {
        let timestamp = self.timestamp(index);
        let time_s = timestamp.as_secs_f64();
        let filmed = self.film(index);
        let sweeps = self.sweep(index);
        let images = self.develop(index, &filmed);
        let instant = Moment::at(&self.stage, time_s);
        let options = &self.options;
        let world_from_ego = self.site_from_ego(index);
        let occupancy = options.grid.map(|grid| {
            let filled = Filled::new(&self.stage, grid, time_s);
            let observed = match options.observed {
                Observed::Complete => Seen::everything(grid),
                Observed::Frame => {
                    let cameras: Vec<(&Table, &Filmed)> = self.tables.iter().zip(&filmed).collect();
                    seen(grid, &world_from_ego, &cameras, &sweeps)
                }
            };
            filled.occupancy(&self.stage, observed)
        });
        let roads = &self.stage.site().roads;
        let truth = VectorSpace {
            timestamp,
            occupancy,
            surface: options.surface.map(|spec| surface::surface(roads, &world_from_ego, spec)),
            objects: Some(instant.objects(&self.rig.cameras, &sweeps, options.range_m)),
            lanes: Some(roads.lane_graph(&world_from_ego, options.range_m)),
            cameras: filmed
                .into_iter()
                .zip(&self.rig.cameras)
                .map(|(filmed, camera)| filmed.into_view(&camera.name))
                .collect(),
        };
        let clouds = sweeps.into_iter().map(|sweep| sweep.cloud).collect();
        DriveFrame { timestamp, images, clouds, truth }
    }

    /// Light and truth of all cameras.
    pub fn film(&self, index: usize) -> Vec<Filmed> {
        let time_s = self.timestamp(index).as_secs_f64();
        let site = self.stage.site();
        let mut shader = Shader::new(&site.materials, &site.environment, self.options.seed);
        shader.set_moment(site, time_s);
        let next = (index + 1 < self.options.frames)
            .then(|| Next::new(&self.stage, time_s, self.timestamp(index + 1).as_secs_f64()));
        let options =
            FilmOptions { time_s, next: next.as_ref(), antialias: self.options.antialias };
        // Cameras that read their lines in the same time share what moves.
        let mut moments: Vec<(f64, Moment<'_>)> = Vec::new();
        self.tables
            .iter()
            .map(|table| {
                let half_s = 0.5 * table.readout_s();
                if !moments.iter().any(|(known, _)| *known == half_s) {
                    let moment = Moment::new(&self.stage, time_s - half_s, time_s + half_s);
                    moments.push((half_s, moment));
                }
                let same = moments.iter().find(|(known, _)| *known == half_s);
                let (_, moment) = same.expect("it was just put there");
                moment.film(table, &shader, &options)
            })
            .collect()
    }

    /// Sweeps of all lidars.
    pub fn sweep(&self, index: usize) -> Vec<Sweep> {
        let time_s = self.timestamp(index).as_secs_f64();
        let half_s = 0.5 * self.options.lidar.revolution_s;
        let moment = Moment::new(&self.stage, time_s - half_s, time_s + half_s);
        let sweep = |(i, lidar): (usize, &ommatidia_scene::LidarSensor)| {
            let seed = mix(self.options.seed ^ mix((index * 64 + 32 + i) as u64));
            moment.sweep(&lidar.ego_from_lidar, &self.options.lidar, time_s, seed)
        };
        self.rig.lidars.iter().enumerate().map(sweep).collect()
    }

    /// Pictures of what was filmed.
    fn develop(&self, index: usize, filmed: &[Filmed]) -> Vec<RgbImage> {
        let time_s = self.timestamp(index).as_secs_f64();
        let site = self.stage.site();
        let speed = {
            const STEP_S: f64 = 1e-3;
            let [a, b] = [-STEP_S, STEP_S].map(|step| site.ego.at(time_s + step).translation);
            (b - a).norm() / (2.0 * STEP_S)
        };
        filmed
            .par_iter()
            .zip(&self.imagers)
            .zip(&self.rig.cameras)
            .map(|((filmed, imager), camera)| {
                let exposure = imager.meter(&filmed.light);
                let share = exposure.time_s * self.options.rate_hz as f32;
                let shot = Shot {
                    frame: index as u64,
                    time_s,
                    rain_mm_h: site.environment.rain_mm_h,
                    speed_m_s: speed,
                    focal_px: camera.intrinsics.focal_px().0,
                };
                imager.develop(&motion_blur(&filmed.light, &filmed.flow, share), &exposure, &shot)
            })
            .collect()
    }
}

/// Sensors farther than this from the ego frame's origin are on no vehicle, metres.
const FARTHEST_M: f64 = 30.0;

/// Cameras and lidars are on the vehicle and above the road.
fn check_mountings(rig: &Rig) -> Result<(), Error> {
    let cameras = rig.cameras.iter().map(|c| (&c.name, c.ego_from_camera.translation));
    let lidars = rig.lidars.iter().map(|l| (&l.name, l.ego_from_lidar.translation));
    for (sensor, place) in cameras.chain(lidars) {
        let far_m = place.norm();
        let what = if far_m > FARTHEST_M {
            format!("is {far_m:.1} m from the vehicle's origin; mount it within {FARTHEST_M} m")
        } else if place.z <= 0.0 {
            format!("is mounted at z = {} m, not above the road; z is up from the ground", place.z)
        } else {
            continue;
        };
        return Err(Error::Mounting { sensor: sensor.clone(), what });
    }
    Ok(())
}

/// A camera whose surroundings all show their back sits in something.
fn is_inside(stage: &Stage, camera: &CameraSensor) -> bool {
    let moment = Moment::at(stage, 0.0);
    let origin = Point3::from((stage.site().ego.at(0.0) * camera.ego_from_camera).translation);
    let axes = [Vector3::x(), Vector3::y(), Vector3::z()];
    let mut workspace = Workspace::default();
    let backs = axes.iter().flat_map(|axis| [*axis, -axis]).filter(|direction| {
        let met = moment.cast((&origin, direction), REACH_INSIDE_M, 0.0, &mut workspace);
        met.is_some_and(|met| met.shows_back)
    });
    // One side may be open: meshes that stand on the ground have no floor.
    backs.count() >= 5
}

/// Share of the sky above 15 degrees that what stands around a point hides. Traffic drives on: it does not count.
fn sky_blocked(moment: &Moment<'_>, p_in_site: &Point3<f64>) -> f64 {
    const AROUND: usize = 12;
    const ELEVATIONS_DEG: [f64; 4] = [20.0, 35.0, 50.0, 70.0];
    const REACH_M: f64 = 200.0;
    const MOST_SIDES: usize = 64;
    // The antenna sits on the roof.
    let antenna = p_in_site + Vector3::new(0.0, 0.0, 1.8);
    let mut workspace = Workspace::default();
    let blocked = |(around, elevation_deg): (usize, f64)| {
        let azimuth = std::f64::consts::TAU * around as f64 / AROUND as f64;
        let (rise, flat) = elevation_deg.to_radians().sin_cos();
        let direction = Vector3::new(flat * azimuth.cos(), flat * azimuth.sin(), rise);
        let mut gone_m = 0.0;
        // Through the sides of vehicles, of which a ray meets a few.
        for _ in 0..MOST_SIDES {
            let from = antenna + direction * gone_m;
            let left_m = REACH_M - gone_m;
            match moment.cast((&from, &direction), left_m, 0.0, &mut workspace) {
                Some(met) if moment.is_of_actor(&met) => gone_m += met.distance + 1e-3,
                met => return met.is_some(),
            }
            if gone_m >= REACH_M {
                break;
            }
        }
        false
    };
    let rays = (0..AROUND).flat_map(|around| ELEVATIONS_DEG.map(|elevation| (around, elevation)));
    rays.map(blocked).filter(|blocked| *blocked).count() as f64
        / (AROUND * ELEVATIONS_DEG.len()) as f64
}

/// Solids are no larger than this, metres.
const REACH_INSIDE_M: f64 = 100.0;

#[cfg(test)]
mod tests {
    use ommatidia_geometry::camera::{Pinhole, ReadoutDirection};
    use ommatidia_geometry::{Duration, Intrinsics};
    use ommatidia_scene::Shutter;

    use super::*;
    use crate::motion::Motion;
    use crate::rig::ego_from_forward_camera;
    use crate::trace::testing;

    fn camera(name: &str, place_m: [f64; 3]) -> CameraSensor {
        CameraSensor {
            name: name.to_owned(),
            width: 64,
            height: 48,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 50.0, fy: 50.0, cx: 32.0, cy: 24.0 }),
            ego_from_camera: ego_from_forward_camera(place_m.into()),
            shutter: Shutter::Global,
        }
    }

    fn drive(site: Site, cameras: Vec<CameraSensor>) -> Result<Drive, Error> {
        let rig = Rig { cameras, ..Rig::default() };
        Drive::new(site, rig, DriveOptions { frames: 3, grid: None, ..DriveOptions::default() })
    }

    #[test]
    fn rigs_that_no_vehicle_has_are_refused() {
        let good = camera("front", [1.5, 0.0, 1.4]);
        assert!(drive(testing::site(), vec![good.clone()]).is_ok());
        let check = |camera: CameraSensor, expected: &str| {
            let error = drive(testing::site(), vec![camera]).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|e| e.contains(expected)), "{error:?} {expected}");
        };
        check(camera("low", [1.5, 0.0, -0.4]), "low is mounted at z = -0.4 m, not above the road");
        check(camera("far", [1500.0, 0.0, 1.4]), "is 1500.0 m from the vehicle's origin");
        check(camera("", [1.5, 0.0, 1.4]), "named \"\"");
        check(camera("../x", [1.5, 0.0, 1.4]), "named \"../x\"");
        let direction = ReadoutDirection::TopToBottom;
        let backwards = Shutter::Rolling { readout_ns: Duration(-5), direction };
        check(CameraSensor { shutter: backwards, ..good }, "read out in -5 ns");
    }

    #[test]
    fn the_clips_world_stays_upright_on_a_hill() {
        let turn = UnitQuaternion::from_euler_angles(0.03, -0.08, 0.7);
        let site = Site {
            ego: Motion::Still(Pose::new(turn, Vector3::new(5.0, -3.0, 2.0))),
            ..testing::site()
        };
        let drive = drive(site, vec![]).unwrap();
        let up = drive.world_from_site().rotate(&Vector3::z());
        assert!((up - Vector3::z()).norm() < 1e-12, "{up}");
        let first = drive.world_from_ego(0);
        assert!(first.translation.norm() < 1e-12);
        let ahead = first.rotate(&Vector3::x());
        assert!(ahead.y.abs() < 1e-12 && ahead.x > 0.9, "{ahead}");
        assert!((ahead.z - 0.08f64.sin()).abs() < 1e-12, "the nose is up: {ahead}");
    }

    #[test]
    fn traffic_hides_no_sky_and_houses_do() {
        // The antenna, 1.8 m above, is inside of the car, beside a house.
        let inside = Point3::new(11.0, 3.0, -1.0);
        let blocked = |site: Site, p: Point3<f64>| {
            let stage = Stage::new(site).unwrap();
            sky_blocked(&Moment::at(&stage, 0.0), &p)
        };
        let mut empty = testing::site();
        empty.instances.retain(|instance| instance.actor.is_none());
        empty.actors.clear();
        let expected = blocked(empty, inside);
        assert!(expected < 0.5, "{expected}");
        assert_eq!(blocked(testing::site(), inside), expected);
        assert!(blocked(testing::site(), Point3::new(14.0, 9.0, -0.5)) > 0.9);
    }
}
