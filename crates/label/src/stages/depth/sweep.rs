//! Depth of one camera from the vehicle's motion.

use nalgebra::{Matrix3, Point2, Point3, Vector3};
use ommatidia_geometry::camera::{Pinhole, SourceMap};
use ommatidia_geometry::{Camera, CameraModel, Intrinsics, Pose, World};
use ommatidia_kernels::remap::{Remap, halve};
use ommatidia_kernels::simd::Simd;
use ommatidia_kernels::stereo::{
    Planes, SweepView, Sweeper, Swept, UNITS, median_3x3, remove_speckles,
};
use ommatidia_scene::{CameraSensor, DepthMap, GrayImage};
use rayon::prelude::*;

use super::DepthConfig;
use super::confidence;

/// What the sweep needs of a camera: an image without distortion.
#[derive(Debug)]
pub(super) struct Eye {
    pinhole: Pinhole,
    undistort: Option<Undistort>,
    halvings: u32,
}

#[derive(Debug)]
struct Undistort {
    remap: Remap,
    /// Per pixel of the camera its pixel in the undistorted image. The optical axes coincide, so
    /// depths are equal.
    back: Vec<Option<u32>>,
}

/// An undistorted image with its pose.
#[derive(Debug, Clone)]
pub(super) struct Posed {
    image: GrayImage,
    pinhole: Pinhole,
    world_from_camera: Pose<World, Camera>,
}

/// Images of more pixels are halved before the sweep.
const MOST_PIXELS: usize = 700_000;

/// Least movement between infinity and a point for its depth to count, pixels: at half a pixel of
/// matching error depth is then good to a sixth.
const LEAST_PARALLAX_PX: f32 = 3.0;
/// Parallax at which the motion adds nothing to the confidence any more, pixels.
const AMPLE_PARALLAX_PX: f32 = 16.0;
/// Matches with more differing census bits are no matches: half of what unrelated pixels have.
const MOST_COST: u8 = 15;

impl Eye {
    pub(super) fn new(camera: &CameraSensor) -> Self {
        let size = [camera.width, camera.height];
        let [fx, fy, cx, cy] = {
            let ((fx, fy), (cx, cy)) =
                (camera.intrinsics.focal_px(), camera.intrinsics.principal_point_px());
            [fx, fy, cx, cy]
        };
        let own = Pinhole { fx, fy, cx, cy };
        let undistort = match camera.intrinsics {
            Intrinsics::Pinhole(_) => None,
            _ => Some(Undistort::new(camera, &own, size)),
        };
        let mut halvings = 0;
        while (size[0] as usize * size[1] as usize) >> (2 * halvings) > MOST_PIXELS {
            halvings += 1;
        }
        let scale = 1.0 / f64::from(1u32 << halvings);
        let pinhole = Pinhole { fx: fx * scale, fy: fy * scale, cx: cx * scale, cy: cy * scale };
        Self { pinhole, undistort, halvings }
    }

    /// The image as the sweep uses it.
    pub(super) fn pose(&self, image: &GrayImage, world_from_camera: Pose<World, Camera>) -> Posed {
        let mut image = match &self.undistort {
            Some(undistort) => undistort.remap.apply(image),
            None => image.clone(),
        };
        for _ in 0..self.halvings {
            image = halve(&image);
        }
        Posed { image, pinhole: self.pinhole, world_from_camera }
    }

    /// Where pixel `(x, y)` of the camera lies in the image that is swept.
    fn target(&self, (x, y): (usize, usize), width: usize) -> Option<(usize, usize)> {
        let (x, y) = match &self.undistort {
            None => (x, y),
            Some(undistort) => {
                let index = undistort.back[y * width + x]? as usize;
                (index % width, index / width)
            }
        };
        Some((x >> self.halvings, y >> self.halvings))
    }
}

impl Undistort {
    fn new(camera: &CameraSensor, pinhole: &Pinhole, size: [u32; 2]) -> Self {
        let [width, height] = size.map(|side| side as usize);
        let same = Pose::<Camera, Camera>::identity();
        let map = SourceMap::new(pinhole, size, &camera.intrinsics, size, &same);
        let back = |i: usize| {
            let pixel = Point2::new((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
            let ray = camera.intrinsics.unproject(&pixel)?;
            let seen = pinhole.project(&Point3::from(ray.into_inner()))?;
            let inside = (0.0..f64::from(size[0])).contains(&seen.x)
                && (0.0..f64::from(size[1])).contains(&seen.y);
            inside.then(|| seen.y as u32 * size[0] + seen.x as u32)
        };
        Self {
            remap: Remap::new(width, height, &map.source_px, [width, height]),
            back: (0..width * height).into_par_iter().map(back).collect(),
        }
    }
}

/// Where the motion places `view` relative to `target`.
fn sweep_view<'a>(target: &Posed, view: &'a Posed) -> SweepView<'a> {
    let view_from_target = view.world_from_camera.inverse() * target.world_from_camera;
    let matrix = |p: &Pinhole| Matrix3::new(p.fx, 0.0, p.cx, 0.0, p.fy, p.cy, 0.0, 0.0, 1.0);
    let p = &target.pinhole;
    let inverse =
        Matrix3::new(1.0 / p.fx, 0.0, -p.cx / p.fx, 0.0, 1.0 / p.fy, -p.cy / p.fy, 0.0, 0.0, 1.0);
    let projection = matrix(&view.pinhole);
    let at_infinity = projection * view_from_target.rotation_matrix() * inverse;
    let per_inverse_depth: Vector3<f64> = projection * view_from_target.translation;
    SweepView {
        image: &view.image,
        at_infinity: std::array::from_fn(|i| at_infinity[(i / 3, i % 3)] as f32),
        per_inverse_depth: std::array::from_fn(|i| per_inverse_depth[i] as f32),
    }
}

/// Largest movement of a point between infinity and `inverse_depth` in any view that sees it.
fn parallax_px(views: &[SweepView<'_>], pixel: [f32; 2], inverse_depth: f32) -> f32 {
    let moved = |view: &SweepView<'_>| {
        let (from, to) = (view.seen(pixel, 0.0)?, view.seen(pixel, inverse_depth)?);
        let size = [view.image.width as f32, view.image.height as f32];
        let inside = (0.0..size[0]).contains(&to[0]) && (0.0..size[1]).contains(&to[1]);
        inside.then(|| (to[0] - from[0]).hypot(to[1] - from[1]))
    };
    views.iter().filter_map(moved).fold(0.0, f32::max)
}

/// What `parallax` gives for pixels spread over the target, ascending.
fn over_image(target: &GrayImage, parallax: impl Fn([f32; 2]) -> f32) -> Vec<f32> {
    const GRID: usize = 8;
    let share = |k: usize, size: usize| (k as f32 + 0.5) / GRID as f32 * size as f32;
    let pixel = |i: usize| [share(i % GRID, target.width), share(i / GRID, target.height)];
    let mut all: Vec<f32> = (0..GRID * GRID).map(|i| parallax(pixel(i))).collect();
    all.sort_by(f32::total_cmp);
    all
}

/// Some pixel of the target moves enough, if its point is near, for its depth to show.
fn has_parallax(target: &GrayImage, views: &[SweepView<'_>], nearest_m: f64) -> bool {
    // Near points often leave the other image; farther ones still have to move.
    let shares = [1.0, 0.5, 0.25];
    let most = |pixel| {
        let moved = |share: f32| parallax_px(views, pixel, share / nearest_m as f32);
        shares.map(moved).into_iter().fold(0.0, f32::max)
    };
    over_image(target, most).last().is_some_and(|&most| most >= LEAST_PARALLAX_PX)
}

/// Over how many planes a typical pixel moves by one pixel.
fn planes_per_pixel(target: &GrayImage, views: &[SweepView<'_>], planes: &Planes) -> usize {
    // Half way to the nearest plane most points are still in view.
    let middle = planes.count / 2;
    let inverse_depth = planes.first + planes.step * middle as f32;
    let moved = over_image(target, |pixel| parallax_px(views, pixel, inverse_depth));
    let median = moved[moved.len() / 2].max(1.0);
    (middle as f32 / median).ceil().clamp(1.0, MOST_RIVAL_GAP) as usize
}

/// Beyond this a rival would have to lie in another part of the scene.
const MOST_RIVAL_GAP: f32 = 16.0;

/// Sweeps one camera's image through others and fills in depth where `map` has none, left of column
/// `until` of the camera. `false`: the views do not move enough against the target anywhere, or what
/// they show contradicts the matches in `map`, so that the poses cannot be trusted.
pub(super) fn sweep(
    simd: Simd,
    sweeper: &mut Sweeper,
    eye: &Eye,
    (target, views): (&Posed, &[Posed]),
    (map, until): (&mut DepthMap, usize),
    config: &DepthConfig,
) -> bool {
    let views: Vec<_> = views.iter().map(|view| sweep_view(target, view)).collect();
    if !has_parallax(&target.image, &views, config.nearest_m) {
        return false;
    }
    let width = (until >> eye.halvings).min(target.image.width);
    let cropped = crop(&target.image, width);
    let first = (1.0 / config.farthest_m) as f32;
    let count = config.sweep_planes;
    let step = ((1.0 / config.nearest_m) as f32 - first) / (count - 1) as f32;
    let mut planes = Planes { first, step, count, rival_gap: 1 };
    planes.rival_gap = planes_per_pixel(&target.image, &views, &planes);
    let swept = sweeper.compute(simd, &cropped, &views, planes);
    let places = accepted(simd, &cropped, &swept, &views, (&planes, config));
    if !agrees(&places, &matched_places(&cropped, eye, map, &planes)) {
        return false;
    }
    let map_width = map.width;
    let rows = map.depth_m.par_chunks_exact_mut(map_width.max(1));
    let rows = rows.zip(map.confidence.par_chunks_exact_mut(map_width.max(1))).enumerate();
    rows.for_each(|(y, (depth_m, confidence))| {
        for x in 0..until.min(map_width) {
            if depth_m[x] > 0.0 && confidence[x] > confidence::FILLED {
                continue;
            }
            let Some((u, v)) = eye.target((x, y), map_width) else { continue };
            if u >= width || v >= cropped.height {
                continue;
            }
            let (place, sure) = places[v * width + u];
            if place > 0 && sure > confidence[x] {
                depth_m[x] = 1.0 / planes.inverse_depth(place);
                confidence[x] = sure;
            }
        }
    });
    true
}

fn crop(image: &GrayImage, width: usize) -> GrayImage {
    let rows = image.data.chunks_exact(image.width.max(1));
    let data = rows.flat_map(|row| &row[..width]).copied().collect();
    GrayImage::new(width, image.height, data)
}

/// Places of the depths that a pair has measured, 0 elsewhere.
fn matched_places(target: &GrayImage, eye: &Eye, map: &DepthMap, planes: &Planes) -> Vec<u16> {
    let mut matched = vec![0; target.data.len()];
    for y in 0..map.height {
        for x in 0..map.width.min(target.width << eye.halvings) {
            let at = y * map.width + x;
            if map.confidence[at] >= confidence::MATCHED
                && let Some((u, v)) = eye.target((x, y), map.width)
                && u < target.width
                && v < target.height
                && let Some(place) = planes.place(1.0 / map.depth_m[at])
            {
                matched[v * target.width + u] = place;
            }
        }
    }
    matched
}

/// Inverse depths agree to within this share, or to within one plane.
const AGREEMENT: f32 = 0.05;

/// Most of the pixels that both the pair and the motion measured agree. One wrong pose shifts them all.
fn agrees(swept: &[(u16, u8)], matched: &[u16]) -> bool {
    let both = swept.iter().zip(matched).filter(|((place, _), known)| *place > 0 && **known > 0);
    let (mut close, mut all) = (0usize, 0usize);
    for (&(place, _), &known) in both {
        let tolerance = (AGREEMENT * f32::from(known)).max(f32::from(UNITS)) as u16;
        close += usize::from(place.abs_diff(known) <= tolerance);
        all += 1;
    }
    all == 0 || 10 * close >= 7 * all
}

/// Grey levels that a neighbourhood must span for its match to mean anything.
const LEAST_SPAN: u8 = 10;

/// The census window of a pixel spans enough grey levels; overexposed sky, which matches everywhere
/// and takes on the depth of what stands before it, does not.
fn has_texture(image: &GrayImage, x: usize, y: usize) -> bool {
    let (mut low, mut high) = (u8::MAX, u8::MIN);
    for dy in [-3, 0, 3] {
        for dx in [-4, -2, 0, 2, 4] {
            let u = x.saturating_add_signed(dx).min(image.width - 1);
            let v = y.saturating_add_signed(dy).min(image.height - 1);
            let value = image.at(u, v);
            (low, high) = (low.min(value), high.max(value));
        }
    }
    high - low >= LEAST_SPAN
}

/// Places that may be believed, with their confidence; place 0 elsewhere.
fn accepted(
    simd: Simd,
    target: &GrayImage,
    swept: &Swept,
    views: &[SweepView<'_>],
    (planes, config): (&Planes, &DepthConfig),
) -> Vec<(u16, u8)> {
    let width = target.width;
    let mut places = Vec::new();
    median_3x3(simd, &swept.places, width, &mut places);
    let nearest = planes.first + planes.step * (planes.count - 1) as f32;
    let parallax: Vec<f32> = (0..places.len())
        .into_par_iter()
        .map(|i| {
            let pixel = [(i % width) as f32 + 0.5, (i / width) as f32 + 0.5];
            // A point that would leave every view if it were near may be near and unseen: what was
            // found farther away is no evidence then.
            let is_decided = parallax_px(views, pixel, nearest) > 0.0;
            if is_decided {
                parallax_px(views, pixel, planes.inverse_depth(places[i]))
            } else {
                0.0
            }
        })
        .collect();
    for i in 0..places.len() {
        let believed = parallax[i] >= LEAST_PARALLAX_PX
            && swept.cost[i] <= MOST_COST
            && swept.lead[i] >= config.least_lead
            && has_texture(target, i % width, i / width)
            // The first plane takes whatever is at infinity, and what matches nowhere.
            && places[i] > UNITS;
        if !believed {
            places[i] = 0;
        }
    }
    let smallest = (config.smallest_patch * places.len() as f64) as usize;
    remove_speckles(&mut places, width, UNITS, smallest.max(1));
    let sure = |i: usize| {
        let share = (parallax[i] / AMPLE_PARALLAX_PX).min(1.0);
        confidence::swept(swept.lead[i], share)
    };
    places.iter().enumerate().map(|(i, &place)| (place, sure(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::UnitQuaternion;
    use ommatidia_scene::Shutter;

    const SIZE: (u32, u32) = (160, 90);

    fn camera() -> CameraSensor {
        CameraSensor {
            name: "side".to_owned(),
            width: SIZE.0,
            height: SIZE.1,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 150.0, fy: 150.0, cx: 80.0, cy: 45.0 }),
            ego_from_camera: Pose::identity(),
            shutter: Shutter::Global,
        }
    }

    /// A wall across the view at `depth_m`, with a pattern that does not repeat, seen from `x_m`.
    fn wall(depth_m: f64, position: Vector3<f64>) -> GrayImage {
        let intrinsics = camera().intrinsics;
        let mut data = Vec::new();
        for y in 0..SIZE.1 {
            for x in 0..SIZE.0 {
                let pixel = Point2::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
                let ray = intrinsics.unproject(&pixel).expect("a pinhole sees everything");
                let point = position + ray.into_inner() * ((depth_m - position.z) / ray.z);
                // Waves of 0.4 to 2 m (a pixel covers 0.05 m) whose lengths have no common multiple.
                let waves =
                    [(3.1, 1.7), (-5.3, 4.4), (9.7, -7.1), (13.1, 6.3), (-2.9, 14.9), (8.3, 11.9)];
                let wave = |(a, b): (f64, f64)| (a * point.x + b * point.y).sin();
                data.push((128.0 + 20.0 * waves.into_iter().map(wave).sum::<f64>()) as u8);
            }
        }
        GrayImage::new(SIZE.0 as usize, SIZE.1 as usize, data)
    }

    fn run(motion: Vector3<f64>) -> (bool, DepthMap) {
        let eye = Eye::new(&camera());
        let at = |position: Vector3<f64>| {
            let pose = Pose::new(UnitQuaternion::identity(), position);
            eye.pose(&wall(8.0, position), pose)
        };
        let views = [at(motion), at(-motion)];
        let mut map = DepthMap::empty(SIZE.0 as usize, SIZE.1 as usize);
        let until = map.width;
        let moved = sweep(
            Simd::detect(),
            &mut Sweeper::default(),
            &eye,
            (&at(Vector3::zeros()), &views),
            (&mut map, until),
            &DepthConfig::default(),
        );
        (moved, map)
    }

    #[test]
    fn sideways_motion_shows_the_depth_of_a_wall() {
        let (moved, map) = run(Vector3::new(0.5, 0.0, 0.0));
        assert!(moved && map.density() > 0.7, "density {}", map.density());
        // The wall moves by 9.4 pixels; places are whole pixels, so half a pixel is 5 percent.
        let right = map.depth_m.iter().filter(|&&z| (z - 8.0).abs() < 0.07 * 8.0).count();
        assert!(right as f64 > 0.97 * map.density() * map.depth_m.len() as f64, "{right}");
    }

    #[test]
    fn flat_surroundings_have_no_texture() {
        let mut image = GrayImage::new(30, 20, vec![250; 600]);
        assert!(!has_texture(&image, 0, 0) && !has_texture(&image, 29, 19));
        image.data[10 * 30 + 15] = 100;
        assert!(has_texture(&image, 15, 10) && !has_texture(&image, 3, 10));
    }

    #[test]
    fn wrong_poses_are_noticed() {
        let swept = [(1000, 140), (2000, 140), (3000, 140), (0, 0)];
        assert!(agrees(&swept, &[1010, 2050, 3100, 9000]));
        assert!(!agrees(&swept, &[1400, 2800, 4200, 0]));
        assert!(agrees(&swept, &[0; 4]), "nothing to compare with");
    }

    #[test]
    fn no_motion_no_depth() {
        let (moved, map) = run(Vector3::zeros());
        assert!(!moved && map.density() == 0.0);
    }

    #[test]
    fn nothing_is_claimed_around_the_direction_of_motion() {
        let (_, map) = run(Vector3::new(0.0, 0.0, 0.5));
        for y in 40..50 {
            for x in 75..85 {
                assert_eq!(map.at(x, y), None, "pixel {x}, {y} is next to the epipole");
            }
        }
    }
}
