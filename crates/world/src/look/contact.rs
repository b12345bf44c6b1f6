//! Darkness below vehicles and people: less sky reaches the ground there than a shadow ray to the sun tells.

use super::vector::floor;
use crate::site::Site;

/// Side of a cell, metres.
const CELL_M: f32 = 6.0;
/// How far outside a box the ground is still darker, over the box's height.
const REACH: f32 = 0.45;

#[derive(Debug, Clone, Copy)]
struct Footprint {
    centre: [f32; 2],
    /// Direction of the box's length.
    along: [f32; 2],
    half: [f32; 2],
    base_m: f32,
    reach_m: f32,
}

/// Boxes of actors, seen from above, by cells.
#[derive(Default)]
pub(crate) struct Contacts {
    boxes: Vec<Footprint>,
    low: [i32; 2],
    size: [i32; 2],
    cells: Vec<Vec<u32>>,
}

impl Contacts {
    /// Of all actors at a time (s).
    pub(crate) fn new(site: &Site, time_s: f64) -> Self {
        let boxes: Vec<Footprint> = site
            .actors
            .iter()
            .map(|actor| {
                let pose = actor.motion.at(time_s);
                let along = pose.rotate(&nalgebra::Vector3::x());
                let [length, width, height] = actor.size_m.map(|side| side as f32);
                let flat = (along.x.hypot(along.y)).max(1e-6);
                Footprint {
                    centre: [pose.translation.x as f32, pose.translation.y as f32],
                    along: [(along.x / flat) as f32, (along.y / flat) as f32],
                    half: [0.5 * length, 0.5 * width],
                    base_m: pose.translation.z as f32 - 0.5 * height,
                    reach_m: (REACH * height).clamp(0.15, 0.8),
                }
            })
            .collect();
        let cell = |x: f32| (x / CELL_M).floor() as i32;
        let span = |b: &Footprint, axis: usize| {
            let reach = b.half[0].hypot(b.half[1]) + b.reach_m;
            cell(b.centre[axis] - reach)..=cell(b.centre[axis] + reach)
        };
        let bound = |axis: usize| {
            let spans =
                boxes.iter().map(|b| span(b, axis)).map(|span| (*span.start(), *span.end()));
            spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let (Some(x), Some(y)) = (bound(0), bound(1)) else { return Self::default() };
        let (low, size) = ([x.0, y.0], [x.1 - x.0 + 1, y.1 - y.0 + 1]);
        let mut cells = vec![Vec::new(); (size[0] * size[1]) as usize];
        for (index, b) in boxes.iter().enumerate() {
            for row in span(b, 1) {
                for column in span(b, 0) {
                    cells[((row - low[1]) * size[0] + column - low[0]) as usize].push(index as u32);
                }
            }
        }
        Self { boxes, low, size, cells }
    }

    /// Share of the sky that boxes leave to a point on the ground.
    #[inline]
    pub(crate) fn open_sky(&self, p_in_world: [f32; 3]) -> f32 {
        let column = floor(p_in_world[0] / CELL_M) - self.low[0];
        let row = floor(p_in_world[1] / CELL_M) - self.low[1];
        if column < 0 || row < 0 || column >= self.size[0] || row >= self.size[1] {
            return 1.0;
        }
        let mut open = 1.0;
        for &index in &self.cells[(row * self.size[0] + column) as usize] {
            let b = &self.boxes[index as usize];
            if (p_in_world[2] - b.base_m).abs() > 0.4 {
                continue;
            }
            let (dx, dy) = (p_in_world[0] - b.centre[0], p_in_world[1] - b.centre[1]);
            let x = (dx * b.along[0] + dy * b.along[1]).abs() - b.half[0];
            let y = (dy * b.along[0] - dx * b.along[1]).abs() - b.half[1];
            let outside = (x.max(0.0).powi(2) + y.max(0.0).powi(2)).sqrt() + x.max(y).min(0.0);
            // Half the sky at the edge, almost none well below.
            let inside = 0.5 - outside / (2.0 * b.reach_m);
            let closed = inside.clamp(0.0, 1.0);
            open *= 1.0 - 0.9 * closed * closed * (3.0 - 2.0 * closed);
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::motion::Motion;
    use crate::site::Actor;

    #[test]
    fn cells_cover_the_actors_and_not_the_way_to_the_origin() {
        let place = nalgebra::Vector3::new(9_000.0, -7_000.0, 0.8);
        let pose = ommatidia_geometry::Pose::new(nalgebra::UnitQuaternion::identity(), place);
        let actor = Actor {
            track: ommatidia_scene::TrackId(1),
            class: ommatidia_scene::ClassId::UNKNOWN,
            size_m: [4.5, 1.9, 1.6],
            motion: Motion::Still(pose),
            parts: Vec::new(),
            keypoints: Vec::new(),
        };
        let site = Site { actors: vec![actor], ..Site::default() };
        let contacts = Contacts::new(&site, 0.0);
        assert!(contacts.cells.len() < 20, "{} cells", contacts.cells.len());
        assert!(contacts.open_sky([9_000.0, -7_000.0, 0.0]) < 0.2);
        assert_eq!(contacts.open_sky([0.0, 0.0, 0.0]), 1.0);
        assert_eq!(Contacts::new(&Site::default(), 0.0).open_sky([0.0; 3]), 1.0);
    }
}
