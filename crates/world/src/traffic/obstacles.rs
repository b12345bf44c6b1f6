//! What stands along the roads, as cells of the plane in which nobody can be.

use std::collections::HashSet;

use nalgebra::{Point2, Point3};

use super::collide::Footprint;
use crate::site::{Mesh, Site};

const CELL_M: f64 = 0.2;
/// Heights over the ground at which solids are cut, metres: what a person or car would run into.
const HEIGHTS_M: [f64; 4] = [0.3, 0.7, 1.2, 1.7];

/// Cells that are taken by walls, poles, trunks, fences.
#[derive(Debug, Clone, Default)]
pub(crate) struct Obstacles {
    // Only asked for membership: the order of a hash set cannot show.
    cells: HashSet<(i32, i32)>,
}

fn cell(x_m: f64, y_m: f64) -> (i32, i32) {
    ((x_m / CELL_M).floor() as i32, (y_m / CELL_M).floor() as i32)
}

impl Obstacles {
    /// Of everything that stands still in a site and is no ground.
    pub(crate) fn of(site: &Site) -> Self {
        let taxonomy = ommatidia_scene::Taxonomy::driving();
        let ground: Vec<_> =
            ["road", "lane_marking", "parking", "sidewalk", "other_ground", "terrain"]
                .iter()
                .filter_map(|name| taxonomy.id(name))
                .collect();
        let mut found = Self::default();
        for instance in &site.instances {
            if !instance.motion.is_still() {
                continue;
            }
            let mesh = &site.meshes[instance.mesh.0 as usize];
            let pose = instance.motion.at(0.0);
            let at = |mesh: &Mesh, i: u32| {
                let [x, y, z] = mesh.vertices_m[i as usize].map(f64::from);
                pose * Point3::new(x, y, z)
            };
            for triangle in &mesh.triangles {
                if !ground.contains(&triangle.class) {
                    let corners = triangle.corners.map(|i| at(mesh, i));
                    found.cut(&corners, site);
                }
            }
        }
        found
    }

    /// Marks where a triangle crosses the heights of bodies.
    fn cut(&mut self, corners: &[Point3<f64>; 3], site: &Site) {
        let [a, b, c] = corners;
        let Some(ground) = site.roads.ground(a.x, a.y) else { return };
        let low = a.z.min(b.z).min(c.z) - ground.height_m;
        let high = a.z.max(b.z).max(c.z) - ground.height_m;
        if low > HEIGHTS_M[3] + 0.2 || high < HEIGHTS_M[0] - 0.1 {
            return;
        }
        for height in HEIGHTS_M {
            let z = ground.height_m + height;
            let mut ends = Vec::with_capacity(2);
            for (p, q) in [(a, b), (b, c), (c, a)] {
                if (p.z - z) * (q.z - z) < 0.0 {
                    let share = (z - p.z) / (q.z - p.z);
                    ends.push(p + (q - p) * share);
                }
            }
            if let [from, to] = ends[..] {
                let steps = ((to - from).norm() / (0.5 * CELL_M)).ceil() as usize;
                for i in 0..=steps {
                    let p = from + (to - from) * (i as f64 / steps.max(1) as f64);
                    self.cells.insert(cell(p.x, p.y));
                }
            }
        }
    }

    /// A box overlaps something that stands there.
    pub(crate) fn blocks(&self, footprint: &Footprint) -> bool {
        if self.cells.is_empty() {
            return false;
        }
        let radius = footprint.radius_m();
        let (low, high) = (
            cell(footprint.centre_m.x - radius, footprint.centre_m.y - radius),
            cell(footprint.centre_m.x + radius, footprint.centre_m.y + radius),
        );
        (low.0..=high.0).any(|i| {
            (low.1..=high.1).any(|j| {
                let middle =
                    Point2::new((f64::from(i) + 0.5) * CELL_M, (f64::from(j) + 0.5) * CELL_M);
                self.cells.contains(&(i, j)) && footprint.holds(&middle)
            })
        })
    }
}
