//! Which voxels hold geometry, and how it moves.

use nalgebra::{Matrix3, Point3, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{BitGrid, ClassId, GridSpec, Occupancy, Taxonomy, VoxelFlow};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::stage::Stage;

/// Which voxels count as observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// Those that a ray of the frame's cameras or lidars crossed or ended in.
    #[default]
    Frame,
    /// All: truth about what is hidden, too.
    Complete,
}

/// A triangle touches a voxel if it comes this close to it, voxels: more than points on it are rounded.
const TOUCH: f32 = 1e-3;

/// What fills a voxel: the largest of all triangles' claims, whatever their order. Bits from the top:
/// rank (2), class (8), placement of what moves (22).
type Claim = u32;

const CLASS_SHIFT: u32 = 22;
const PLACEMENT_MASK: u32 = (1 << CLASS_SHIFT) - 1;

/// What can move outranks what stands, which outranks the ground; nothing is 0.
struct Ranks(Vec<u32>);

impl Ranks {
    fn new() -> Self {
        let taxonomy = Taxonomy::driving();
        let ground = ["road", "lane_marking", "parking", "sidewalk", "other_ground", "terrain"];
        let rank = |class: &ommatidia_scene::Class| {
            if class.movable {
                3
            } else if ground.contains(&class.name.as_str()) {
                1
            } else {
                2
            }
        };
        Self(taxonomy.classes.iter().map(rank).collect())
    }

    fn claim(&self, class: ClassId, placement: u32) -> Claim {
        let rank = self.0.get(usize::from(class.0)).copied().unwrap_or(2);
        rank << 30 | u32::from(class.0) << CLASS_SHIFT | placement & PLACEMENT_MASK
    }
}

/// Corners in units of voxels from the grid's corner, and the claim.
struct Candidate {
    corners: [[f32; 3]; 3],
    claim: Claim,
}

/// The voxels that hold geometry at a time, in the vehicle's frame.
pub struct Filled {
    grid: GridSpec,
    claims: Vec<Claim>,
    time_s: f64,
    world_from_ego: Pose<World, Ego>,
}

impl Filled {
    /// All voxels that a triangle touches at a time (s), with the vehicle where it is then.
    pub fn new(stage: &Stage, grid: GridSpec, time_s: f64) -> Self {
        let world_from_ego = stage.site.ego.at(time_s);
        let candidates = candidates(stage, &grid, &world_from_ego, time_s);
        let [nx, ny, nz] = grid.size.map(|n| n as usize);
        let mut claims = vec![0; grid.len()];
        // Slabs across x; each one is filled by one thread.
        let thickness = nx.div_ceil(32).max(1);
        let mut slabs: Vec<Vec<u32>> = vec![Vec::new(); nx.div_ceil(thickness)];
        for (index, candidate) in (0u32..).zip(&candidates) {
            let [low, high] = range(&candidate.corners, 0, nx);
            for slab in low / thickness..high.div_ceil(thickness) {
                slabs[slab].push(index);
            }
        }
        claims.par_chunks_mut((thickness * ny * nz).max(1)).zip(&slabs).enumerate().for_each(
            |(slab, (claims, members))| {
                let rows = [slab * thickness, ((slab + 1) * thickness).min(nx)];
                for &index in members {
                    fill(&candidates[index as usize], rows, [ny, nz], claims);
                }
            },
        );
        Self { grid, claims, time_s, world_from_ego }
    }

    /// Something is in the voxel.
    pub fn is_filled(&self, index: usize) -> bool {
        self.claims[index] != 0
    }

    /// The occupancy as far as `observed` says, with the motion of each voxel's own part.
    pub fn occupancy(&self, stage: &Stage, observed: BitGrid) -> Occupancy {
        let mut occupancy = Occupancy::unobserved(self.grid);
        let mut flow = Vec::new();
        let motions = Motions::new(stage, self.time_s, &self.world_from_ego);
        for index in 0..self.claims.len() {
            let claim = self.claims[index];
            if claim == 0 || !observed.get(index) {
                continue;
            }
            let rank = occupancy.classes.len() as u32;
            occupancy.occupied.set(index, true);
            occupancy.classes.push(ClassId((claim >> CLASS_SHIFT) as u8));
            let placement = claim & PLACEMENT_MASK;
            if placement != 0 {
                let centre = self.grid.centre(self.grid.cell(index));
                let velocity = motions.velocity(placement, &centre);
                if velocity.norm() > SLOWEST_M_S {
                    let velocity_m_s = velocity.map(|x| x as f32).into();
                    flow.push(VoxelFlow { rank, velocity_m_s });
                }
            }
        }
        occupancy.observed = observed;
        occupancy.flow = Some(flow);
        occupancy
    }
}

/// What moves slower stands still, m/s.
const SLOWEST_M_S: f64 = 1e-2;

/// Velocities of points on moving parts.
struct Motions {
    /// `(rotation, translation)` of the velocity field in the vehicle's frame: `v = A p + b`.
    fields: Vec<Option<(Matrix3<f64>, Vector3<f64>)>>,
}

impl Motions {
    fn new(stage: &Stage, time_s: f64, world_from_ego: &Pose<World, Ego>) -> Self {
        const STEP_S: f64 = 1e-3;
        let ego_from_world = world_from_ego.inverse();
        let field = |&(_, instance): &(u32, u32)| {
            let motion = &stage.site.instances[instance as usize].motion;
            if motion.is_still() {
                return None;
            }
            let part_from_ego = (ego_from_world * motion.at(time_s)).inverse();
            let [before, after] = [-STEP_S, STEP_S]
                .map(|step| ego_from_world * motion.moved(time_s + step, time_s) * part_from_ego);
            let scale = 1.0 / (2.0 * STEP_S);
            let turn = (after.rotation_matrix() - before.rotation_matrix()) * scale;
            Some((turn, (after.translation - before.translation) * scale))
        };
        Self { fields: stage.placed.iter().map(field).collect() }
    }

    /// Over ground, along the vehicle's axes, m/s.
    fn velocity(&self, placement: u32, p_in_ego: &Point3<f64>) -> Vector3<f64> {
        match self.fields.get(placement as usize - 1) {
            Some(Some((turn, shift))) => turn * p_in_ego.coords + shift,
            _ => Vector3::zeros(),
        }
    }
}

/// Triangles whose box touches the grid.
fn candidates(
    stage: &Stage,
    grid: &GridSpec,
    world_from_ego: &Pose<World, Ego>,
    time_s: f64,
) -> Vec<Candidate> {
    let ranks = Ranks::new();
    let ego_from_world = world_from_ego.inverse();
    let size = grid.size.map(|n| n as f32);
    let to_grid = |rotation: Matrix3<f64>, translation: Vector3<f64>| {
        let scale = 1.0 / grid.voxel_m;
        let offset = (translation - Vector3::from(grid.min_corner_m)) * scale;
        ((rotation * scale).map(|x| x as f32), offset)
    };
    let near = |corners: &[[f32; 3]; 3]| {
        (0..3).all(|axis| {
            let values = corners.map(|corner| corner[axis]);
            let low = values.iter().fold(f32::INFINITY, |low, &x| low.min(x));
            let high = values.iter().fold(f32::NEG_INFINITY, |high, &x| high.max(x));
            // Written so that NaN is not near.
            high >= -TOUCH && low <= size[axis] + TOUCH
        })
    };
    let mut all = Vec::new();
    let baked = &stage.baked;
    let (rotation, _) = to_grid(ego_from_world.rotation_matrix(), ego_from_world.translation);
    let corner = Vector3::from(grid.min_corner_m.map(|x| (x / grid.voxel_m) as f32));
    // Vertices relative to the vehicle first, in 64 bits: they may be far from the origin.
    let vertices: Vec<[f32; 3]> = baked
        .vertices_m
        .par_iter()
        .map(|vertex| {
            let p = Vector3::from(vertex.map(f64::from)) - world_from_ego.translation;
            (rotation * p.map(|x| x as f32) - corner).into()
        })
        .collect();
    let still: Vec<Candidate> = baked
        .triangles
        .par_iter()
        .filter_map(|triangle| {
            let corners = triangle.corners.map(|corner| vertices[corner as usize]);
            near(&corners).then(|| Candidate { corners, claim: ranks.claim(triangle.class, 0) })
        })
        .collect();
    all.extend(still);
    for (placement, &(_, instance)) in (1u32..).zip(&stage.placed) {
        let instance = &stage.site.instances[instance as usize];
        let mesh = &stage.site.meshes[instance.mesh.0 as usize];
        let ego_from_part = ego_from_world * instance.motion.at(time_s);
        let (rotation, offset) =
            to_grid(ego_from_part.rotation_matrix(), ego_from_part.translation);
        let offset = offset.map(|x| x as f32);
        for triangle in &mesh.triangles {
            let corners = triangle.corners.map(|corner| {
                let p = rotation * Vector3::from(mesh.vertices_m[corner as usize]) + offset;
                [p.x, p.y, p.z]
            });
            if near(&corners) {
                all.push(Candidate { corners, claim: ranks.claim(triangle.class, placement) });
            }
        }
    }
    all
}

/// First and one past the last cell that the corners' box touches along an axis of `n` cells.
fn range(corners: &[[f32; 3]; 3], axis: usize, n: usize) -> [usize; 2] {
    let values = corners.map(|corner| corner[axis]);
    let low = values.iter().fold(f32::INFINITY, |low, &x| low.min(x)) - TOUCH;
    let high = values.iter().fold(f32::NEG_INFINITY, |high, &x| high.max(x)) + TOUCH;
    [(low.floor().max(0.0) as usize).min(n), ((high.floor() + 1.0).max(0.0) as usize).min(n)]
}

/// The side of an edge in one projection that is inside: `x a + y b + c >= 0` for cells that touch it,
/// at the cell's lower corner. Schwarz and Seidel 2010, Eq. (12).
#[derive(Clone, Copy)]
struct Side {
    a: f32,
    b: f32,
    c: f32,
}

/// The three edges of a triangle projected along an axis.
fn sides(corners: &[[f32; 3]; 3], [x, y]: [usize; 2], turn: f32) -> [Side; 3] {
    [0, 1, 2].map(|i| {
        let (p, q) = (corners[i], corners[(i + 1) % 3]);
        let (a, b) = (-(q[y] - p[y]) * turn, (q[x] - p[x]) * turn);
        let reach = a.max(0.0) + b.max(0.0) + TOUCH * (a.abs() + b.abs());
        Side { a, b, c: reach - a * p[x] - b * p[y] }
    })
}

fn within(sides: &[Side; 3], x: f32, y: f32) -> bool {
    sides.iter().all(|side| side.a * x + side.b * y + side.c >= 0.0)
}

/// Claims the voxels of a slab (from row `rows[0]`) that a triangle touches. Schwarz and Seidel 2010:
/// the plane and the three projections.
fn fill(
    Candidate { corners, claim }: &Candidate,
    rows: [usize; 2],
    [ny, nz]: [usize; 2],
    claims: &mut [Claim],
) {
    let edge = |i: usize| Vector3::from(corners[i]) - Vector3::from(corners[0]);
    let n = edge(1).cross(&edge(2));
    if n == Vector3::zeros() {
        return;
    }
    let sign = |x: f32| if x < 0.0 { -1.0 } else { 1.0 };
    let flat = sides(corners, [0, 1], sign(n.z));
    let along_x = sides(corners, [1, 2], sign(n.x));
    let along_y = sides(corners, [2, 0], sign(n.y));
    let [x0, x1] = range(corners, 0, rows[1]);
    let [y0, y1] = range(corners, 1, ny);
    let [z0, z1] = range(corners, 2, nz);
    let at = n.dot(&Vector3::from(corners[0]));
    let slack = TOUCH * (n.x.abs() + n.y.abs() + n.z.abs());
    let steep = n.z.abs() <= 1e-6 * (n.x.abs() + n.y.abs());
    for x in x0.max(rows[0])..x1 {
        let fx = x as f32;
        for y in y0..y1 {
            let fy = y as f32;
            if !within(&flat, fx, fy) {
                continue;
            }
            // Where the plane passes the column of voxels.
            let (low, high) = (
                n.x * fx + n.y * fy + n.x.min(0.0) + n.y.min(0.0) - at - slack,
                n.x * fx + n.y * fy + n.x.max(0.0) + n.y.max(0.0) - at + slack,
            );
            let (mut first, mut last) = (z0, z1);
            if steep {
                if low > 0.0 || high < 0.0 {
                    continue;
                }
            } else {
                let (p, q) = (-low / n.z, -high / n.z);
                first = first.max(p.min(q).floor().max(0.0) as usize);
                last = last.min((p.max(q).floor() + 1.0).max(0.0) as usize);
            }
            let column = ((x - rows[0]) * ny + y) * nz;
            for z in first..last {
                let fz = z as f32;
                if within(&along_x, fy, fz) && within(&along_y, fz, fx) {
                    let known = &mut claims[column + z];
                    *known = (*known).max(*claim);
                }
            }
        }
    }
}
