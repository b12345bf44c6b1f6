//! Where trees are in a scene, and how they move while a picture is exposed.

use super::Vector;
use super::node::Bounds;

/// A rigid transform: `p_in_scene = rotate(p_in_mesh) + translation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rigid {
    /// Unit quaternion, `(w, x, y, z)`.
    pub wxyz: [f64; 4],
    /// Metres.
    pub translation_m: [f64; 3],
}

impl Rigid {
    /// Both frames coincide.
    pub const IDENTITY: Self = Self { wxyz: [1.0, 0.0, 0.0, 0.0], translation_m: [0.0; 3] };

    /// Between two transforms: linear in position, normalised linear in rotation along the shorter way.
    fn between(&self, next: &Self, share: f64) -> Self {
        let (p, q) = (&self.wxyz, &next.wxyz);
        let towards = if (0..4).map(|i| p[i] * q[i]).sum::<f64>() < 0.0 { -share } else { share };
        let mixed: [f64; 4] = std::array::from_fn(|i| p[i] * (1.0 - share) + q[i] * towards);
        let norm = mixed.iter().map(|x| x * x).sum::<f64>().sqrt();
        let (a, b) = (&self.translation_m, &next.translation_m);
        Self {
            wxyz: mixed.map(|x| x / norm),
            translation_m: std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share),
        }
    }

    /// Rows of the rotation matrix `scene_from_mesh`.
    fn matrix(&self) -> [[f64; 3]; 3] {
        let [w, x, y, z] = self.wxyz;
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ]
    }

    fn is_finite(&self) -> bool {
        self.wxyz.iter().chain(&self.translation_m).all(|x| x.is_finite())
    }
}

/// One tree in a scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// Index of the tree.
    pub tree: u32,
    /// Where it is at equal steps of the exposure, from its begin (time 0) to its end (time 1); one
    /// for what does not move. Between two steps it moves straight and turns evenly. None, or one
    /// that is not finite: the tree is nowhere.
    pub keys: Vec<Rigid>,
}

/// `mesh_from_scene` at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeshFromScene {
    /// Rows of `scene_from_mesh`.
    rows: [Vector; 3],
    precise: [[f64; 3]; 3],
    translation: [f64; 3],
}

impl MeshFromScene {
    fn new(scene_from_mesh: &Rigid) -> Self {
        let precise = scene_from_mesh.matrix();
        let rows = precise.map(|row| row.map(|x| x as f32));
        Self { rows, precise, translation: scene_from_mesh.translation_m }
    }

    /// A point, rounded only after it is in the mesh's frame.
    #[inline(always)]
    pub(super) fn point(&self, p: [f64; 3]) -> Vector {
        let d: [f64; 3] = std::array::from_fn(|i| p[i] - self.translation[i]);
        std::array::from_fn(|axis| {
            let m = &self.precise;
            (m[0][axis] * d[0] + m[1][axis] * d[1] + m[2][axis] * d[2]) as f32
        })
    }

    #[inline(always)]
    pub(super) fn direction(&self, d: Vector) -> Vector {
        std::array::from_fn(|axis| {
            self.rows[0][axis] * d[0] + self.rows[1][axis] * d[1] + self.rows[2][axis] * d[2]
        })
    }

    /// The row of `mesh_from_scene` that makes the mesh's component `axis`.
    #[inline(always)]
    pub(super) fn row(&self, axis: usize) -> Vector {
        [self.rows[0][axis], self.rows[1][axis], self.rows[2][axis]]
    }
}

/// A placement that is somewhere.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) tree: u32,
    keys: Vec<Rigid>,
    first: MeshFromScene,
}

impl Placed {
    pub(super) fn new(placement: &Placement) -> Option<Self> {
        let keys = placement.keys.clone();
        let first = keys.first().map(MeshFromScene::new)?;
        keys.iter().all(Rigid::is_finite).then_some(Self { tree: placement.tree, keys, first })
    }

    #[inline(always)]
    pub(super) fn at(&self, time: f32) -> MeshFromScene {
        if self.keys.len() == 1 { self.first } else { MeshFromScene::new(&self.rigid_at(time)) }
    }

    pub(super) fn rigid_at(&self, time: f32) -> Rigid {
        let steps = self.keys.len() - 1;
        if steps == 0 {
            return self.keys[0];
        }
        let along = f64::from(time.clamp(0.0, 1.0)) * steps as f64;
        let index = (along as usize).min(steps - 1);
        self.keys[index].between(&self.keys[index + 1], along - index as f64)
    }

    /// What it may touch during the exposure.
    pub(super) fn bounds(&self, mesh: &Bounds) -> Bounds {
        let mut all = Bounds::EMPTY;
        let centre: [f64; 3] =
            std::array::from_fn(|i| 0.5 * (f64::from(mesh.low[i]) + f64::from(mesh.high[i])));
        let half: [f64; 3] =
            std::array::from_fn(|i| 0.5 * (f64::from(mesh.high[i]) - f64::from(mesh.low[i])));
        let radius = mesh.reach() as f64 * 3f64.sqrt();
        // Between keys a point leaves the straight line by at most its radius times 1 - cos of half
        // the turn.
        let bulge = self.keys.windows(2).map(|pair| {
            let cosine: f64 = (0..4).map(|i| pair[0].wxyz[i] * pair[1].wxyz[i]).sum();
            radius * (1.0 - cosine.abs().min(1.0))
        });
        let bulge = bulge.fold(0.0, f64::max);
        for key in &self.keys {
            let m = key.matrix();
            for axis in 0..3 {
                let row = m[axis];
                let at: f64 =
                    (0..3).map(|i| row[i] * centre[i]).sum::<f64>() + key.translation_m[axis];
                let spread: f64 = (0..3).map(|i| row[i].abs() * half[i]).sum::<f64>() + bulge;
                let slack = 1e-6 * (at.abs() + spread + radius);
                all.low[axis] = all.low[axis].min((at - spread - slack) as f32);
                all.high[axis] = all.high[axis].max((at + spread + slack) as f32);
            }
        }
        all
    }
}
