//! Meshes from simple solids.

use crate::axes::across;
use nalgebra::{Point2, Point3, Vector3};
use ommatidia_scene::ClassId;

use crate::site::{MaterialId, Mesh, Triangle};

/// What a face is made of and what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paint {
    pub(crate) material: MaterialId,
    pub(crate) class: ClassId,
}

/// A mesh while it is being made. z is up, metres.
#[derive(Debug, Clone, Default)]
pub(crate) struct Solid {
    mesh: Mesh,
}

impl Solid {
    pub(crate) fn finish(self) -> Mesh {
        self.mesh
    }

    pub(crate) fn vertex(&mut self, p: Point3<f64>) -> u32 {
        self.mesh.vertices_m.push([p.x as f32, p.y as f32, p.z as f32]);
        self.mesh.vertices_m.len() as u32 - 1
    }

    pub(crate) fn triangle(&mut self, corners: [u32; 3], paint: Paint) {
        let Paint { material, class } = paint;
        self.mesh.triangles.push(Triangle { corners, material, class });
    }

    /// Moves everything so far upwards.
    pub(crate) fn lift(&mut self, up_m: f64) {
        self.mesh.vertices_m.iter_mut().for_each(|vertex| vertex[2] += up_m as f32);
    }

    /// A convex face, counter-clockwise seen from outside.
    pub(crate) fn face(&mut self, corners: &[Point3<f64>], paint: Paint) {
        let ids: Vec<u32> = corners.iter().map(|corner| self.vertex(*corner)).collect();
        for index in 1..ids.len() - 1 {
            self.triangle([ids[0], ids[index], ids[index + 1]], paint);
        }
    }

    /// A box along the axes.
    pub(crate) fn block(&mut self, low: [f64; 3], high: [f64; 3], paint: Paint) {
        self.block_with_top(low, high, paint, paint);
    }

    /// A box whose upper face differs.
    pub(crate) fn block_with_top(
        &mut self,
        low: [f64; 3],
        high: [f64; 3],
        side: Paint,
        top: Paint,
    ) {
        let outline = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]];
        let outline = outline.map(|[x, y]| Point2::new(x, y));
        self.prism(&outline, [low[2], high[2]], side, top);
    }

    /// A convex outline (counter-clockwise) between two heights.
    pub(crate) fn prism(&mut self, outline: &[Point2<f64>], z: [f64; 2], side: Paint, top: Paint) {
        let at = |p: &Point2<f64>, z: f64| Point3::new(p.x, p.y, z);
        for (index, p) in outline.iter().enumerate() {
            let q = &outline[(index + 1) % outline.len()];
            self.face(&[at(p, z[0]), at(q, z[0]), at(q, z[1]), at(p, z[1])], side);
        }
        let upper: Vec<Point3<f64>> = outline.iter().map(|p| at(p, z[1])).collect();
        let lower: Vec<Point3<f64>> = outline.iter().rev().map(|p| at(p, z[0])).collect();
        self.face(&upper, top);
        self.face(&lower, side);
    }

    /// A round tube along points with radii, closed at its end.
    pub(crate) fn tube(&mut self, line: &[(Point3<f64>, f64)], sides: usize, paint: Paint) {
        let mut last: Vec<u32> = Vec::new();
        for (index, (p, radius)) in line.iter().enumerate() {
            let before = line[index.saturating_sub(1)].0;
            let after = line[(index + 1).min(line.len() - 1)].0;
            let (u, v) = across(after - before);
            let ring: Vec<u32> = (0..sides)
                .map(|side| {
                    let angle = std::f64::consts::TAU * side as f64 / sides as f64;
                    self.vertex(p + (u * angle.cos() + v * angle.sin()) * *radius)
                })
                .collect();
            if index > 0 {
                for side in 0..sides {
                    let next = (side + 1) % sides;
                    self.triangle([last[side], last[next], ring[next]], paint);
                    self.triangle([last[side], ring[next], ring[side]], paint);
                }
            }
            last = ring;
        }
        for side in 1..sides - 1 {
            self.triangle([last[0], last[side], last[side + 1]], paint);
        }
    }

    /// A disc or regular board that faces along a direction.
    pub(crate) fn board(
        &mut self,
        middle: Point3<f64>,
        facing: Vector3<f64>,
        (radius, corners, turn): (f64, usize, f64),
        paint: Paint,
    ) {
        let (u, v) = upright(facing);
        let points: Vec<Point3<f64>> = (0..corners)
            .map(|i| {
                let angle = turn + std::f64::consts::TAU * i as f64 / corners as f64;
                middle + (u * angle.cos() + v * angle.sin()) * radius
            })
            .collect();
        self.face(&points, paint);
    }

    /// A flat leaf or blade: a quadrangle about its middle.
    pub(crate) fn leaf(
        &mut self,
        middle: Point3<f64>,
        u: Vector3<f64>,
        v: Vector3<f64>,
        paint: Paint,
    ) {
        self.face(&[middle - u, middle - v, middle + u, middle + v], paint);
    }
}

/// To the right and upwards for who looks at something that faces along a horizontal direction.
fn upright(facing: Vector3<f64>) -> (Vector3<f64>, Vector3<f64>) {
    let right = Vector3::z().cross(&facing).normalize();
    (right, facing.cross(&right))
}
