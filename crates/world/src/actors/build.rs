//! Building meshes out of lofts, capsules and boxes.

use nalgebra::{Point3, Vector3};
use ommatidia_scene::ClassId;

use crate::look::Material;
use crate::site::{MaterialId, Mesh, Triangle};

/// Materials of a model; triangles of its meshes refer to them by position until the model enters a site.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paints(pub(crate) Vec<Material>);

impl Paints {
    /// The position of a material, added if there is no equal one yet.
    pub(crate) fn id(&mut self, material: Material) -> MaterialId {
        let found = self.0.iter().position(|known| *known == material);
        let index = found.unwrap_or_else(|| {
            self.0.push(material);
            self.0.len() - 1
        });
        MaterialId(u16::try_from(index).expect("a model has few materials"))
    }
}

/// A mesh in the making. Faces get the class and paint that are set when they are added.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    pub(crate) mesh: Mesh,
    class: ClassId,
    paint: MaterialId,
}

type P = Point3<f64>;

impl Builder {
    pub(crate) fn new(class: ClassId, paint: MaterialId) -> Self {
        Self { mesh: Mesh::default(), class, paint }
    }

    pub(crate) fn paint(&mut self, paint: MaterialId) -> &mut Self {
        self.paint = paint;
        self
    }

    pub(crate) fn done(self) -> Mesh {
        self.mesh
    }

    fn vertex(&mut self, p: &P) -> u32 {
        self.mesh.vertices_m.push([p.x as f32, p.y as f32, p.z as f32]);
        (self.mesh.vertices_m.len() - 1) as u32
    }

    fn face(&mut self, corners: [u32; 3]) {
        let at = |i: u32| Vector3::from(self.mesh.vertices_m[i as usize]);
        let (a, b, c) = (at(corners[0]), at(corners[1]), at(corners[2]));
        // Poles and collapsed rings leave faces without area.
        if (b - a).cross(&(c - a)).norm() > 1e-9 {
            self.mesh.triangles.push(Triangle { corners, material: self.paint, class: self.class });
        }
    }

    /// A flat face, corners counter-clockwise seen from outside.
    pub(crate) fn quad(&mut self, corners: [P; 4]) {
        let [a, b, c, d] = corners.map(|p| self.vertex(&p));
        self.face([a, b, c]);
        self.face([a, c, d]);
    }

    /// A box with faces along the axes.
    pub(crate) fn cuboid(&mut self, centre: P, half: Vector3<f64>) {
        self.frustum(centre, half, half.xy().into(), [0.0, 0.0]);
    }

    /// A box whose top has another half extent and is moved by `lean_m` (x, y).
    pub(crate) fn frustum(
        &mut self,
        centre: P,
        half: Vector3<f64>,
        top: [f64; 2],
        lean_m: [f64; 2],
    ) {
        let corner = |sx: f64, sy: f64, sz: f64| {
            let (hx, hy) = if sz > 0.0 { (top[0], top[1]) } else { (half.x, half.y) };
            let lean = if sz > 0.0 { lean_m } else { [0.0, 0.0] };
            centre + Vector3::new(sx * hx + lean[0], sy * hy + lean[1], sz * half.z)
        };
        let ring = |sz: f64| {
            [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)].map(|(x, y)| corner(x, y, sz))
        };
        let (low, high) = (ring(-1.0), ring(1.0));
        self.quad(high);
        self.quad([low[3], low[2], low[1], low[0]]);
        for i in 0..4 {
            let j = (i + 1) % 4;
            self.quad([low[i], low[j], high[j], high[i]]);
        }
    }

    /// Skin over rings of equal length; `paint` picks the material of the face between ring `i` and
    /// `i + 1` at ring position `j`. Rings run counter-clockwise seen against the direction of the
    /// loft, which is from the last to the first for a body whose first ring is the nose.
    pub(crate) fn loft(&mut self, rings: &[Vec<P>], paint: impl Fn(usize, usize) -> MaterialId) {
        let ids: Vec<Vec<u32>> =
            rings.iter().map(|ring| ring.iter().map(|p| self.vertex(p)).collect()).collect();
        for (i, pair) in ids.windows(2).enumerate() {
            let count = pair[0].len();
            for j in 0..count {
                let k = (j + 1) % count;
                self.paint = paint(i, j);
                self.face([pair[0][j], pair[1][j], pair[1][k]]);
                self.face([pair[0][j], pair[1][k], pair[0][k]]);
            }
        }
    }

    /// Closes a ring with a fan around its centre; counter-clockwise seen from outside.
    pub(crate) fn cap(&mut self, ring: &[P]) {
        let sum: Vector3<f64> = ring.iter().map(|p| p.coords).sum();
        let centre = self.vertex(&P::from(sum / ring.len() as f64));
        let ids: Vec<u32> = ring.iter().map(|p| self.vertex(p)).collect();
        for (i, id) in ids.iter().enumerate() {
            self.face([centre, *id, ids[(i + 1) % ids.len()]]);
        }
    }

    /// A limb from `a` to `b` with round ends; radii at both ends, `sides` around.
    pub(crate) fn capsule(&mut self, a: P, b: P, radii: [f64; 2], sides: usize) {
        self.limb(&[(a, radii[0]), (b, radii[1])], [1.0, 1.0], sides);
    }

    /// A round limb through several joints with a radius each; `flatten` scales it along its two
    /// cross axes (for limbs along z: x and y). Ends are rounded.
    pub(crate) fn limb(&mut self, spine: &[(P, f64)], flatten: [f64; 2], sides: usize) {
        let (first, last) = (spine[0], spine[spine.len() - 1]);
        let axis = (last.0 - first.0).try_normalize(1e-12).unwrap_or_else(Vector3::z);
        let (u, v) = crate::axes::across(axis);
        let mut rings = Vec::new();
        let mut ring = |centre: P, radius: f64| {
            rings.push(
                (0..sides)
                    .map(|i| {
                        // Clockwise around the axis: the loft is then seen from outside.
                        let angle = -std::f64::consts::TAU * i as f64 / sides as f64;
                        let across =
                            u * (angle.cos() * flatten[0]) + v * (angle.sin() * flatten[1]);
                        centre + across * radius
                    })
                    .collect::<Vec<P>>(),
            );
        };
        const DOME: [(f64, f64); 3] = [(1.0, 0.02), (0.8, 0.6), (0.45, 0.9)];
        for (along, share) in DOME {
            ring(first.0 - axis * (first.1 * along), first.1 * share);
        }
        for (centre, radius) in spine {
            ring(*centre, *radius);
        }
        for (along, share) in DOME.iter().rev() {
            ring(last.0 + axis * (last.1 * along), last.1 * share);
        }
        let paint = self.paint;
        self.loft(&rings, |_, _| paint);
    }

    /// An ellipsoid.
    pub(crate) fn ellipsoid(&mut self, centre: P, radii: Vector3<f64>, sides: usize) {
        let rows = sides / 2 + 1;
        let rings: Vec<Vec<P>> = (0..=rows)
            .map(|row| {
                let polar = std::f64::consts::PI * row as f64 / rows as f64;
                let ring = polar.sin().max(1e-3);
                (0..sides)
                    .map(|i| {
                        let angle = std::f64::consts::TAU * i as f64 / sides as f64;
                        let unit =
                            Vector3::new(ring * angle.cos(), ring * angle.sin(), polar.cos());
                        centre + unit.component_mul(&radii)
                    })
                    .collect()
            })
            .collect();
        let paint = self.paint;
        self.loft(&rings, |_, _| paint);
    }

    /// A wheel around the y axis at the origin: tyre, rim and spokes.
    pub(crate) fn wheel(&mut self, radius: f64, width: f64, tyre: MaterialId, rim: MaterialId) {
        const SIDES: usize = 24;
        let h = 0.5 * width;
        // Profile from the middle of the left face over the tread to the right one.
        let dish = 0.3 * h;
        let profile = [
            (0.02, h - dish),
            (0.24 * radius, h - dish * 0.6),
            (0.6 * radius, h - dish),
            (0.66 * radius, h * 0.95),
            (0.92 * radius, h),
            (radius, h * 0.72),
            (radius, -h * 0.72),
            (0.92 * radius, -h),
            (0.66 * radius, -h * 0.95),
            (0.6 * radius, -h + dish),
            (0.24 * radius, -h + dish * 0.6),
            (0.02, -h + dish),
        ];
        let rings: Vec<Vec<P>> = profile
            .iter()
            .map(|&(r, y)| {
                (0..SIDES)
                    .map(|i| {
                        let angle = std::f64::consts::TAU * i as f64 / SIDES as f64;
                        P::new(r * angle.sin(), y, r * angle.cos())
                    })
                    .collect()
            })
            .collect();
        // Ten sectors of the rim's outer band alternate between spoke and gap, so that turning shows.
        self.loft(&rings, |i, j| match i {
            0 | 2 | 8 | 10 => rim,
            1 | 9 if (j / 2) % 2 == 0 => rim,
            _ => tyre,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Volume by the divergence theorem: positive only if faces look outwards.
    fn volume(mesh: &Mesh) -> f64 {
        let at = |i: u32| Vector3::from(mesh.vertices_m[i as usize]).cast::<f64>();
        let six: f64 = mesh
            .triangles
            .iter()
            .map(|t| at(t.corners[0]).dot(&at(t.corners[1]).cross(&at(t.corners[2]))))
            .sum();
        six / 6.0
    }

    fn check(build: impl Fn(&mut Builder), expected_m3: f64, tolerance: f64) {
        let mut builder = Builder::new(ClassId::UNKNOWN, MaterialId(0));
        build(&mut builder);
        let found = volume(&builder.mesh);
        assert!(
            (found / expected_m3 - 1.0).abs() < tolerance,
            "{found} m3, expected {expected_m3}"
        );
    }

    #[test]
    fn solids_are_closed_and_look_outwards() {
        let o = P::new(0.3, -0.2, 0.5);
        check(|b| b.cuboid(o, Vector3::new(0.5, 1.0, 0.25)), 1.0, 1e-6);
        let sphere = 4.0 / 3.0 * std::f64::consts::PI;
        check(|b| b.ellipsoid(o, Vector3::new(1.0, 1.0, 1.0), 40), sphere, 0.03);
        let pill = std::f64::consts::PI * 0.01 * 1.0 + sphere * 0.001;
        check(|b| b.capsule(o, o + Vector3::z(), [0.1, 0.1], 32), pill, 0.05);
        check(|b| b.capsule(o, o + Vector3::x(), [0.1, 0.1], 32), pill, 0.05);
        let disc = std::f64::consts::PI * 0.3 * 0.3 * 0.2;
        check(|b| b.wheel(0.3, 0.2, MaterialId(0), MaterialId(0)), disc, 0.2);
    }
}
