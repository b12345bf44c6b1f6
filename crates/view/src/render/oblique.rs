//! Occupancy as shaded blocks, seen from behind and above the vehicle.

use nalgebra::{Point3, Vector3};
use ommatidia_scene::{ClassId, Drivable, Occupancy, RgbImage, Surface, Taxonomy, VectorSpace};

use super::colour::{HeightScale, Rgb, mix, scale};
use super::raster::{Eye, Raster};

const SKY: [Rgb; 2] = [[205, 214, 226], [243, 245, 248]];
const HAZE: Rgb = [226, 231, 238];
const ROAD: Rgb = [150, 190, 166];
const GROUND: Rgb = [206, 192, 172];
const VEHICLE: Rgb = [240, 122, 36];

/// Where to look from and how large the picture is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObliqueView {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Eye in the ego frame, metres.
    pub eye_in_ego_m: [f64; 3],
    /// What is in the middle of the picture, ego frame, metres.
    pub target_in_ego_m: [f64; 3],
    /// Horizontal field of view, degrees.
    pub field_deg: f64,
}

impl Default for ObliqueView {
    /// Over the vehicle's left shoulder.
    fn default() -> Self {
        Self {
            width: 1200,
            height: 600,
            eye_in_ego_m: [-16.0, 6.0, 12.0],
            target_in_ego_m: [11.0, -0.5, 0.0],
            field_deg: 62.0,
        }
    }
}

/// Renders occupied voxels, the ground and the vehicle. Classes give the colours where any is known,
/// heights otherwise.
pub fn oblique(space: &VectorSpace, taxonomy: &Taxonomy, view: &ObliqueView) -> RgbImage {
    // Twice the size, halved at the end: smooth edges.
    let size = [2 * view.width, 2 * view.height];
    let focal_px = size[0] as f64 / 2.0 / (view.field_deg.to_radians() / 2.0).tan();
    let eye = Eye::looking(view.eye_in_ego_m.into(), view.target_in_ego_m.into(), focal_px, size);
    let horizon = size[1] as f32 * 0.4;
    let mut painter = Painter {
        eye,
        raster: Raster::new(size[0], size[1], |row| mix(SKY[0], SKY[1], row as f32 / horizon)),
    };
    if let Some(surface) = &space.surface {
        painter.ground(surface);
    }
    if let Some(occupancy) = &space.occupancy {
        painter.voxels(occupancy, taxonomy);
    }
    painter.vehicle();
    painter.raster.halved()
}

struct Painter {
    eye: Eye,
    raster: Raster,
}

/// The faces of a unit block: normal, light, and which way its corners lie.
const FACES: [([i32; 3], f32); 5] = [
    ([0, 0, 1], 1.06),
    ([1, 0, 0], 0.7),
    ([-1, 0, 0], 0.84),
    ([0, 1, 0], 0.95),
    ([0, -1, 0], 0.76),
];

/// Corners of the face of an axis-aligned box, in order around it.
fn face_corners(centre: &Point3<f64>, half_m: &Vector3<f64>, normal: [i32; 3]) -> [Point3<f64>; 4] {
    let axis = normal.iter().position(|&n| n != 0).unwrap_or(2);
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]].map(|[a, b]| {
        let mut corner = *centre;
        corner[axis] += half_m[axis] * f64::from(normal[axis]);
        corner[u] += half_m[u] * a;
        corner[v] += half_m[v] * b;
        corner
    })
}

impl Painter {
    fn block(
        &mut self,
        centre: &Point3<f64>,
        half_m: &Vector3<f64>,
        faces: impl Iterator<Item = ([i32; 3], Rgb)>,
    ) {
        // Far things fade into the haze, as outdoors.
        let haze = ((self.eye.distance(centre) - 25.0) / 70.0).clamp(0.0, 0.55) as f32;
        for (normal, colour) in faces {
            let corners = face_corners(centre, half_m, normal);
            if self.eye.is_in_front_of(&corners[0], &Vector3::from(normal.map(f64::from))) {
                self.raster.fill(&self.eye, &corners, mix(colour, HAZE, haze));
            }
        }
    }

    fn voxels(&mut self, occupancy: &Occupancy, taxonomy: &Taxonomy) {
        let half_m = Vector3::repeat(occupancy.grid.voxel_m / 2.0);
        let by_class = occupancy.classes.iter().any(|&class| class != ClassId::UNKNOWN);
        let heights = HeightScale::default();
        for (index, class) in occupancy.occupied.ones().zip(&occupancy.classes) {
            let cell = occupancy.grid.cell(index);
            let centre = occupancy.grid.centre(cell);
            let class = taxonomy.classes.get(usize::from(class.0)).filter(|_| by_class);
            let colour = class.map_or_else(|| heights.colour(centre.z as f32), |c| c.rgb);
            let faces = FACES.iter().filter_map(|&(normal, light)| {
                let covered = neighbour(occupancy, cell, normal);
                (!covered)
                    .then(|| (normal, scale(colour, light * openness(occupancy, cell, normal))))
            });
            self.block(&centre, &half_m, faces);
        }
    }

    fn ground(&mut self, surface: &Surface) {
        let rows = surface.spec.size[1] as usize;
        let half = surface.spec.cell_m / 2.0;
        for (index, &height_m) in surface.height_m.iter().enumerate() {
            let colour = match surface.drivable[index] {
                _ if !height_m.is_finite() => continue,
                Drivable::Yes => ROAD,
                Drivable::No => GROUND,
                Drivable::Unknown => continue,
            };
            let [x, y] = surface.spec.centre([(index / rows) as u32, (index % rows) as u32]);
            let centre = Point3::new(x, y, f64::from(height_m));
            let faces = std::iter::once(([0, 0, 1], colour));
            self.block(&centre, &Vector3::new(half, half, 0.0), faces);
        }
    }

    fn vehicle(&mut self) {
        // A body and a cabin of a mid-size car; the ego frame's origin is below the rear axle.
        for (centre, half_m) in [
            (Point3::new(1.35, 0.0, 0.55), Vector3::new(2.2, 0.9, 0.38)),
            (Point3::new(0.95, 0.0, 1.2), Vector3::new(1.2, 0.78, 0.28)),
        ] {
            let faces = FACES.iter().map(|&(normal, light)| (normal, scale(VEHICLE, light)));
            self.block(&centre, &half_m, faces);
        }
    }
}

fn neighbour(occupancy: &Occupancy, cell: [u32; 3], step: [i32; 3]) -> bool {
    let mut next = [0; 3];
    for axis in 0..3 {
        match cell[axis].checked_add_signed(step[axis]) {
            Some(value) if value < occupancy.grid.size[axis] => next[axis] = value,
            _ => return false,
        }
    }
    occupancy.occupied.get(occupancy.grid.index(next))
}

/// How much of the sky before a face is open: blocks around the one in front of it take light away.
fn openness(occupancy: &Occupancy, cell: [u32; 3], normal: [i32; 3]) -> f32 {
    let axis = normal.iter().position(|&n| n != 0).unwrap_or(2);
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let mut closed = 0;
    for a in -1..=1 {
        for b in -1..=1 {
            let mut step = normal;
            step[u] += a;
            step[v] += b;
            closed += i32::from(neighbour(occupancy, cell, step));
        }
    }
    1.0 - 0.045 * closed as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_scene::GridSpec;

    #[test]
    fn a_block_ahead_is_drawn_and_the_picture_repeats() {
        let grid = GridSpec { min_corner_m: [10.0, -1.0, 0.0], voxel_m: 1.0, size: [2, 2, 2] };
        let mut occupancy = Occupancy::unobserved(grid);
        for index in 0..grid.len() {
            occupancy.observed.set(index, true);
            occupancy.occupied.set(index, true);
        }
        let taxonomy = Taxonomy::driving();
        let car = taxonomy.id("car").unwrap();
        occupancy.classes = vec![car; grid.len()];
        let space = VectorSpace { occupancy: Some(occupancy), ..VectorSpace::default() };
        let view = ObliqueView { width: 120, height: 60, ..ObliqueView::default() };
        let picture = oblique(&space, &taxonomy, &view);
        let blue = |image: &RgbImage| {
            image.data.chunks_exact(3).filter(|c| c[2] > 150 && c[0] < 90).count()
        };
        assert!(blue(&picture) > 20, "{}", blue(&picture));
        assert_eq!(picture, oblique(&space, &taxonomy, &view));
        assert_eq!(blue(&oblique(&VectorSpace::default(), &taxonomy, &view)), 0);
    }
}
