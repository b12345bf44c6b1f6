//! Boxes as numbers in the cell of their centre, and back.

use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::Pose;
use ommatidia_scene::{ClassId, GridSpec, Object};

use super::DetectionSettings;

/// Numbers of a box: offset from the cell's centre along x and y in cells, height of the centre in metres
/// over 4, logarithms of length, width and height in metres, sine and cosine of the heading, velocity along
/// x and y in tens of metres per second.
pub(super) const CHANNELS: usize = 10;

/// Velocity from here on.
pub(super) const MOTION: usize = 8;

/// Heights leave the network divided by this, metres.
const HEIGHT_M: f64 = 4.0;

/// Velocities leave the network divided by this, m/s.
const SPEED_M_S: f64 = 10.0;

/// Standard deviation of a peak's Gaussian as a share of the box's shorter side, and its least value in
/// cells: between CenterNet's, which follows overlap, and a point.
const SPREAD: f64 = 0.25;
const MIN_SPREAD_CELLS: f64 = 0.6;

/// What there is in one moment, in the order of the maps, `[channels, x, y]`.
pub(super) struct Centres {
    pub(super) heat: Vec<f32>,
    pub(super) judged: Vec<f32>,
    pub(super) boxes: Vec<f32>,
    pub(super) weight: Vec<f32>,
}

impl Centres {
    /// Of objects; `None` where they are not known. Those outside the grid or of other classes are left out,
    /// and of two centres in one cell the second.
    pub(super) fn new(objects: Option<&[Object]>, grid: &GridSpec, classes: &[ClassId]) -> Self {
        let area = (grid.size[0] * grid.size[1]) as usize;
        let mut centres = Self {
            heat: vec![0.0; classes.len() * area],
            judged: vec![f32::from(u8::from(objects.is_some())); area],
            boxes: vec![0.0; CHANNELS * area],
            weight: vec![0.0; CHANNELS * area],
        };
        for object in objects.unwrap_or_default() {
            let Some(class) = classes.iter().position(|&class| class == object.class) else {
                continue;
            };
            let Some(cell) = cell_of(object, grid) else { continue };
            centres.add_heat(class, cell, object, grid);
            let at = (cell[0] * grid.size[1] + cell[1]) as usize;
            if centres.weight[at] == 0.0 {
                centres.add_box(at, cell, object, grid, area);
            }
        }
        centres
    }

    fn add_heat(&mut self, class: usize, cell: [u32; 2], object: &Object, grid: &GridSpec) {
        let side = object.size_m[0].min(object.size_m[1]);
        let spread = (SPREAD * side / grid.voxel_m).max(MIN_SPREAD_CELLS);
        let reach = (3.0 * spread).ceil() as i64;
        let [nx, ny] = [i64::from(grid.size[0]), i64::from(grid.size[1])];
        for x in (i64::from(cell[0]) - reach).max(0)..=(i64::from(cell[0]) + reach).min(nx - 1) {
            for y in (i64::from(cell[1]) - reach).max(0)..=(i64::from(cell[1]) + reach).min(ny - 1)
            {
                let (dx, dy) = (x - i64::from(cell[0]), y - i64::from(cell[1]));
                let heat = (-((dx * dx + dy * dy) as f64) / (2.0 * spread * spread)).exp() as f32;
                let at = &mut self.heat[((class as i64 * nx + x) * ny + y) as usize];
                *at = at.max(heat);
            }
        }
    }

    fn add_box(
        &mut self,
        at: usize,
        cell: [u32; 2],
        object: &Object,
        grid: &GridSpec,
        area: usize,
    ) {
        let p = object.ego_from_object.translation;
        let centre = grid.centre([cell[0], cell[1], 0]);
        let forward = object.ego_from_object.rotation * Vector3::x();
        let length = forward.x.hypot(forward.y).max(1e-9);
        let log = |size: f64| size.max(1e-2).ln();
        let velocity = object.velocity_m_s.unwrap_or_default();
        let numbers = [
            (p.x - centre.x) / grid.voxel_m,
            (p.y - centre.y) / grid.voxel_m,
            p.z / HEIGHT_M,
            log(object.size_m[0]),
            log(object.size_m[1]),
            log(object.size_m[2]),
            forward.y / length,
            forward.x / length,
            velocity[0] / SPEED_M_S,
            velocity[1] / SPEED_M_S,
        ];
        let moves = f32::from(u8::from(object.velocity_m_s.is_some()));
        for (channel, number) in numbers.into_iter().enumerate() {
            self.boxes[channel * area + at] = number as f32;
            self.weight[channel * area + at] = if channel < MOTION { 1.0 } else { moves };
        }
    }
}

/// The cell that an object's centre lies over.
fn cell_of(object: &Object, grid: &GridSpec) -> Option<[u32; 2]> {
    let p = object.ego_from_object.translation;
    let on_floor = Point3::new(p.x, p.y, grid.min_corner_m[2] + 0.5 * grid.voxel_m);
    grid.cell_at(&on_floor).map(|[x, y, _]| [x, y])
}

/// Mean heat, and boxes meaned over those that are there.
pub(super) fn mean(all: impl Iterator<Item = Centres>) -> (Vec<f32>, Vec<f32>) {
    let (mut heat, mut boxes, mut weight) = (Vec::new(), Vec::new(), Vec::<f32>::new());
    let mut count = 0.0;
    for centres in all {
        heat.resize(centres.heat.len(), 0.0f32);
        boxes.resize(centres.boxes.len(), 0.0f32);
        weight.resize(centres.weight.len(), 0.0);
        heat.iter_mut().zip(&centres.heat).for_each(|(sum, heat)| *sum += heat);
        for i in 0..boxes.len() {
            boxes[i] += centres.boxes[i] * centres.weight[i];
            weight[i] += centres.weight[i];
        }
        count += 1.0;
    }
    heat.iter_mut().for_each(|heat| *heat /= count);
    boxes.iter_mut().zip(&weight).for_each(|(sum, &weight)| *sum /= weight.max(1.0));
    (heat, boxes)
}

/// The objects at the peaks of the heat, the hottest first: cells hotter than their eight neighbours, the
/// first of equals.
pub(super) fn peaks(
    heat: &[f32],
    boxes: &[f32],
    grid: &GridSpec,
    settings: &DetectionSettings,
) -> Vec<Object> {
    let [nx, ny] = [grid.size[0] as usize, grid.size[1] as usize];
    let area = nx * ny;
    let mut found: Vec<(f32, usize, usize)> = Vec::new();
    for class in 0..settings.classes.len() {
        let map = &heat[class * area..(class + 1) * area];
        for (at, &score) in
            map.iter().enumerate().filter(|(_, score)| **score >= settings.min_score)
        {
            let (x, y) = (at / ny, at % ny);
            let near = |c: usize, n: usize| c.saturating_sub(1)..=(c + 1).min(n - 1);
            let hotter = |other: usize| map[other] > score || (map[other] == score && other < at);
            if !near(x, nx).any(|x| near(y, ny).any(|y| hotter(x * ny + y))) {
                found.push((score, class, at));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut objects: Vec<Object> = Vec::new();
    for (score, class, at) in found {
        let object = object(score, settings.classes[class], at, boxes, grid);
        let close = |other: &Object| {
            let between = other.ego_from_object.translation - object.ego_from_object.translation;
            other.class == object.class && between.xy().norm() < settings.min_distance_m
        };
        if !objects.iter().any(close) {
            objects.push(object);
        }
        if objects.len() == settings.max_objects {
            break;
        }
    }
    objects
}

/// The object that the numbers of a cell stand for.
fn object(score: f32, class: ClassId, at: usize, boxes: &[f32], grid: &GridSpec) -> Object {
    let [nx, ny] = [grid.size[0] as usize, grid.size[1] as usize];
    let number = |channel: usize| f64::from(boxes[channel * nx * ny + at]);
    let centre = grid.centre([(at / ny) as u32, (at % ny) as u32, 0]);
    let yaw_rad = number(6).atan2(number(7));
    let translation = Vector3::new(
        centre.x + number(0) * grid.voxel_m,
        centre.y + number(1) * grid.voxel_m,
        number(2) * HEIGHT_M,
    );
    // Between a centimetre and 400 m, whatever the network says.
    let size = |channel: usize| number(channel).clamp(-4.6, 6.0).exp();
    Object {
        track: None,
        class,
        ego_from_object: Pose::new(
            UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad),
            translation,
        ),
        size_m: [size(3), size(4), size(5)],
        velocity_m_s: Some([number(8) * SPEED_M_S, number(9) * SPEED_M_S, 0.0]),
        keypoints: Vec::new(),
        confidence: score.clamp(0.0, 1.0),
        lidar_points: None,
    }
}
