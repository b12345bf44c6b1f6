//! Rays against the triangles of a leaf.
//!
//! A ray from `o` along `d` meets a triangle if it passes its three edges on the same side: the signs
//! of `d (b x c)`, `d (c x a)`, `d (a x b)` agree, with corners `a`, `b`, `c` seen from `o`. The next
//! triangle's edge runs the other way and gives exactly the negative number. The distance comes from
//! the plane of the triangle itself, `a n / d n`, which does not suffer from cancellation. Sums are not
//! fused, so that single rays, packets and the reference find the same bits.

use super::packet::{Hits, NOTHING, RAYS, Window};
use super::{Vector, placement::MeshFromScene};
use crate::simd::{FLOATS, Isa};

/// x, y, z of 16 vectors.
pub(super) type Many<I> = [<I as crate::simd::Floats>::F; 3];

#[inline(always)]
pub(super) fn dot_f<I: Isa>(isa: I, a: Many<I>, b: Many<I>) -> I::F {
    let sum = isa.add_f(isa.mul_f(a[0], b[0]), isa.mul_f(a[1], b[1]));
    isa.add_f(sum, isa.mul_f(a[2], b[2]))
}

#[inline(always)]
fn cross_f<I: Isa>(isa: I, a: Many<I>, b: Many<I>) -> Many<I> {
    [
        isa.sub_f(isa.mul_f(a[1], b[2]), isa.mul_f(a[2], b[1])),
        isa.sub_f(isa.mul_f(a[2], b[0]), isa.mul_f(a[0], b[2])),
        isa.sub_f(isa.mul_f(a[0], b[1]), isa.mul_f(a[1], b[0])),
    ]
}

#[inline(always)]
fn minus_f<I: Isa>(isa: I, a: Many<I>, b: Many<I>) -> Many<I> {
    [isa.sub_f(a[0], b[0]), isa.sub_f(a[1], b[1]), isa.sub_f(a[2], b[2])]
}

#[inline(always)]
pub(super) fn splat_vector<I: Isa>(isa: I, v: Vector) -> Many<I> {
    [isa.splat_f(v[0]), isa.splat_f(v[1]), isa.splat_f(v[2])]
}

/// Bits of the lanes that hold a triangle.
#[inline(always)]
fn held(count: usize) -> u16 {
    u16::MAX >> (FLOATS - count)
}

/// The corners of the triangles in a leaf, seen from a point.
#[inline(always)]
fn corners<I: Isa>(isa: I, leaf: &[f32], count: usize, origin: Many<I>) -> [Many<I>; 3] {
    let mut seen = [origin; 3];
    for corner in 0..3 {
        for axis in 0..3 {
            let at = (3 * corner + axis) * count;
            let lanes = leaf[at..at + FLOATS].first_chunk().expect("a slice of 16 has 16");
            seen[corner][axis] = isa.sub_f(isa.load_f(lanes), origin[axis]);
        }
    }
    seen
}

/// The three edge normals of each triangle.
#[inline(always)]
fn edges<I: Isa>(isa: I, [a, b, c]: [Many<I>; 3]) -> [Many<I>; 3] {
    [cross_f(isa, b, c), cross_f(isa, c, a), cross_f(isa, a, b)]
}

/// The normal, and how far the plane is from the origin, times twice the area.
#[inline(always)]
fn plane<I: Isa>(isa: I, [a, b, c]: [Many<I>; 3]) -> (Many<I>, I::F) {
    let normal = cross_f(isa, minus_f(isa, b, a), minus_f(isa, c, a));
    (normal, dot_f(isa, a, normal))
}

/// Edge normals, normal and distance of 16 triangles, to be looked up one by one.
struct Rows([[f32; FLOATS]; 13]);

impl Rows {
    #[inline(always)]
    fn new<I: Isa>(isa: I, edges: &[Many<I>; 3], (normal, offset): (Many<I>, I::F)) -> Self {
        let mut rows = Self([[0.0; FLOATS]; 13]);
        for axis in 0..3 {
            for edge in 0..3 {
                isa.store_f(edges[edge][axis], &mut rows.0[3 * edge + axis]);
            }
            isa.store_f(normal[axis], &mut rows.0[9 + axis]);
        }
        isa.store_f(offset, &mut rows.0[12]);
        rows
    }

    /// An edge normal (0 to 2) or the normal (3) of one triangle, in all lanes.
    #[inline(always)]
    fn vector<I: Isa>(&self, isa: I, index: usize, lane: usize) -> Many<I> {
        let at = 3 * index;
        [
            isa.splat_f(self.0[at][lane]),
            isa.splat_f(self.0[at + 1][lane]),
            isa.splat_f(self.0[at + 2][lane]),
        ]
    }

    #[inline(always)]
    fn offset<I: Isa>(&self, isa: I, lane: usize) -> I::F {
        isa.splat_f(self.0[12][lane])
    }
}

/// Lanes where all three have one sign; zero has both.
#[inline(always)]
fn inside<I: Isa>(isa: I, [u, v, w]: [I::F; 3]) -> u16 {
    let zero = isa.splat_f(0.0);
    let least = isa.min_f(isa.min_f(u, v), w);
    let most = isa.max_f(isa.max_f(u, v), w);
    isa.at_most_f(zero, least) | isa.at_most_f(most, zero)
}

/// A rectangle of a packet's window in the mesh's frame: its middle ray and half its extent.
#[derive(Clone, Copy)]
struct Middle<I: Isa> {
    ray: Many<I>,
    across: [Many<I>; 2],
    half: [I::F; 2],
}

/// Triangles that some ray of the window may meet: none of their edges has all rays on one side while
/// another one has all rays on the other.
#[inline(always)]
fn may_meet<I: Isa>(isa: I, edges: &[Many<I>; 3], middle: &Middle<I>) -> u16 {
    let zero = isa.splat_f(0.0);
    let (mut positive, mut negative) = (u16::MAX, u16::MAX);
    for i in 0..3 {
        let centre = dot_f(isa, edges[i], middle.ray);
        let x = dot_f(isa, edges[i], middle.across[0]);
        let y = dot_f(isa, edges[i], middle.across[1]);
        let x = isa.mul_f(isa.max_f(x, isa.sub_f(zero, x)), middle.half[0]);
        let y = isa.max_f(y, isa.sub_f(zero, y));
        let spread = isa.mul_add_loosely(y, middle.half[1], x);
        positive &= isa.at_most_f(zero, isa.add_f(centre, spread));
        negative &= isa.at_most_f(isa.sub_f(centre, spread), zero);
    }
    positive | negative
}

/// The nearest hits of 16 rays so far. Triangle and instance are kept as the bits of numbers.
#[derive(Clone, Copy)]
pub(super) struct Nearest<I: Isa> {
    pub(super) distance: I::F,
    triangle: I::F,
    instance: I::F,
}

impl<I: Isa> Nearest<I> {
    #[inline(always)]
    pub(super) fn none(isa: I) -> Self {
        let nothing = isa.splat_f(f32::from_bits(NOTHING));
        Self { distance: isa.splat_f(f32::MAX), triangle: nothing, instance: nothing }
    }

    #[inline(always)]
    fn bits(isa: I, ids: I::F) -> [u32; RAYS] {
        let mut lanes = [0.0; RAYS];
        isa.store_f(ids, &mut lanes);
        lanes.map(f32::to_bits)
    }

    #[inline(always)]
    pub(super) fn hits(&self, isa: I, active: u16) -> Hits {
        let mut distance = [0.0; RAYS];
        isa.store_f(self.distance, &mut distance);
        let mut hits = Hits {
            distance,
            triangle: Self::bits(isa, self.triangle),
            instance: Self::bits(isa, self.instance),
        };
        for lane in 0..RAYS {
            if active >> lane & 1 == 0 || hits.triangle[lane] == NOTHING {
                hits.distance[lane] = f32::INFINITY;
                hits.triangle[lane] = NOTHING;
                hits.instance[lane] = NOTHING;
            }
        }
        hits
    }

    /// Takes over the lanes in which a triangle is nearer, or as near with a smaller index. Whether
    /// there are any.
    #[inline(always)]
    fn take(
        &mut self,
        isa: I,
        among: u16,
        distance: I::F,
        (instance, triangle): (u32, u32),
    ) -> bool {
        let among = among & isa.less_f(isa.splat_f(0.0), distance);
        let nearer = isa.less_f(distance, self.distance);
        let mut taken = among & nearer;
        let mut equal = among & isa.at_most_f(distance, self.distance) & !nearer;
        if equal != 0 {
            let (instances, triangles) =
                (Self::bits(isa, self.instance), Self::bits(isa, self.triangle));
            while equal != 0 {
                let lane = equal.trailing_zeros() as usize;
                equal &= equal - 1;
                if (instance, triangle) < (instances[lane], triangles[lane]) {
                    taken |= 1 << lane;
                }
            }
        }
        self.distance = isa.select_f(taken, distance, self.distance);
        self.triangle = isa.select_f(taken, isa.splat_f(f32::from_bits(triangle)), self.triangle);
        self.instance = isa.select_f(taken, isa.splat_f(f32::from_bits(instance)), self.instance);
        taken != 0
    }
}

/// A pencil in the frame of a mesh.
pub(super) struct LocalPencil<I: Isa> {
    origin: Many<I>,
    directions: Many<I>,
    middle: Middle<I>,
}

impl<I: Isa> LocalPencil<I> {
    #[inline(always)]
    pub(super) fn new(
        isa: I,
        mesh_from_scene: &MeshFromScene,
        directions: &[[f32; RAYS]; 3],
        window: &Window,
        origin: Vector,
    ) -> Self {
        let given =
            [isa.load_f(&directions[0]), isa.load_f(&directions[1]), isa.load_f(&directions[2])];
        let mut rotated = given;
        for axis in 0..3 {
            rotated[axis] = dot_f(isa, splat_vector(isa, mesh_from_scene.row(axis)), given);
        }
        let [u, v, along] = window.axes;
        let [[left, right], [top, bottom]] = window.extent;
        let (x, y) = (0.5 * (left + right), 0.5 * (top + bottom));
        let ray: Vector = std::array::from_fn(|i| along[i] + x * u[i] + y * v[i]);
        Self {
            origin: splat_vector(isa, origin),
            directions: rotated,
            middle: Middle {
                ray: splat_vector(isa, ray),
                across: [splat_vector(isa, u), splat_vector(isa, v)],
                half: [isa.splat_f(0.5 * (right - left)), isa.splat_f(0.5 * (bottom - top))],
            },
        }
    }

    /// Whether a nearer triangle was found in the leaf; `corners_m` begins with it.
    #[inline(always)]
    pub(super) fn meet(
        &self,
        isa: I,
        (corners_m, triangles): (&[f32], &[u32]),
        instance: u32,
        nearest: &mut Nearest<I>,
    ) -> bool {
        let count = triangles.len();
        let seen = corners(isa, corners_m, count, self.origin);
        let edges = edges(isa, seen);
        let mut candidates = held(count) & may_meet(isa, &edges, &self.middle);
        if candidates == 0 {
            return false;
        }
        let rows = Rows::new(isa, &edges, plane(isa, seen));
        let mut found = false;
        while candidates != 0 {
            let lane = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let mut sides = [self.origin[0]; 3];
            for i in 0..3 {
                sides[i] = dot_f(isa, self.directions, rows.vector(isa, i, lane));
            }
            let passed = inside(isa, sides);
            if passed != 0 {
                let slope = dot_f(isa, self.directions, rows.vector(isa, 3, lane));
                let distance = isa.div_f(rows.offset(isa, lane), slope);
                found |= nearest.take(isa, passed, distance, (instance, triangles[lane]));
            }
        }
        found
    }
}

/// The nearest triangle of a leaf that one ray from `origin` meets before `reach`, or as far with
/// smaller indices than those given: its distance and index.
#[inline(always)]
pub(super) fn meet_one<I: Isa>(
    isa: I,
    (corners_m, triangles): (&[f32], &[u32]),
    (origin, direction): (Many<I>, Many<I>),
    better: impl Fn(f32, u32) -> bool,
) -> Option<(f32, u32)> {
    let count = triangles.len();
    let seen = corners(isa, corners_m, count, origin);
    let [a, b, c] = edges(isa, seen);
    let sides = [dot_f(isa, direction, a), dot_f(isa, direction, b), dot_f(isa, direction, c)];
    let mut passed = held(count) & inside(isa, sides);
    if passed == 0 {
        return None;
    }
    let (normal, offset) = plane(isa, seen);
    let distance = isa.div_f(offset, dot_f(isa, direction, normal));
    passed &= isa.less_f(isa.splat_f(0.0), distance);
    let mut distances = [0.0; FLOATS];
    isa.store_f(distance, &mut distances);
    let mut best: Option<(f32, u32)> = None;
    while passed != 0 {
        let lane = passed.trailing_zeros() as usize;
        passed &= passed - 1;
        let found = (distances[lane], triangles[lane]);
        if better(found.0, found.1) && best.is_none_or(|best| found < best) {
            best = Some(found);
        }
    }
    best
}

/// Factors of x and y and the constant of the function that tells on which side of an edge a point is.
#[inline(always)]
fn flat_edge<I: Isa>(isa: I, p: Many<I>, q: Many<I>) -> Many<I> {
    let (x, y) = (isa.sub_f(p[1], q[1]), isa.sub_f(q[0], p[0]));
    let offset = isa.add_f(isa.mul_f(x, p[0]), isa.mul_f(y, p[1]));
    [x, y, isa.sub_f(isa.splat_f(0.0), offset)]
}

/// A beam in the frame of a mesh.
pub(super) struct LocalBeam<I: Isa> {
    origin: Many<I>,
    axes: [Many<I>; 3],
    starts: Many<I>,
    ends: I::F,
    middle: [I::F; 2],
    half: [I::F; 2],
}

impl<I: Isa> LocalBeam<I> {
    #[inline(always)]
    pub(super) fn new(
        isa: I,
        starts: &[[f32; RAYS]; 3],
        length_m: f32,
        window: &Window,
        origin: Vector,
    ) -> Self {
        let starts = [isa.load_f(&starts[0]), isa.load_f(&starts[1]), isa.load_f(&starts[2])];
        let [[left, right], [low, high]] = window.extent;
        let [u, v, along] = window.axes;
        Self {
            origin: splat_vector(isa, origin),
            axes: [splat_vector(isa, u), splat_vector(isa, v), splat_vector(isa, along)],
            starts,
            ends: isa.add_f(starts[2], isa.splat_f(length_m)),
            middle: [isa.splat_f(0.5 * (left + right)), isa.splat_f(0.5 * (low + high))],
            half: [isa.splat_f(0.5 * (right - left)), isa.splat_f(0.5 * (high - low))],
        }
    }

    /// Rays that a triangle of the leaf blocks.
    #[inline(always)]
    pub(super) fn blocked(
        &self,
        isa: I,
        (corners_m, triangles): (&[f32], &[u32]),
        open: u16,
    ) -> u16 {
        let count = triangles.len();
        let seen = corners(isa, corners_m, count, self.origin);
        // In the window's frame the rays are points, and triangles flat but for how far they are.
        let mut flat = seen;
        for corner in 0..3 {
            for axis in 0..3 {
                flat[corner][axis] = dot_f(isa, seen[corner], self.axes[axis]);
            }
        }
        let [a, b, c] = flat;
        let (zero, one) = (isa.splat_f(0.0), isa.splat_f(1.0));
        let edges = [flat_edge(isa, b, c), flat_edge(isa, c, a), flat_edge(isa, a, b)];
        let middle = Middle {
            ray: [self.middle[0], self.middle[1], one],
            across: [[one, zero, zero], [zero, one, zero]],
            half: self.half,
        };
        let mut candidates = held(count) & may_meet(isa, &edges, &middle);
        if candidates == 0 {
            return 0;
        }
        let rows = Rows::new(isa, &edges, plane(isa, [a, b, c]));
        let mut blocked = 0;
        while candidates != 0 && open & !blocked != 0 {
            let lane = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let [x, y, z] = self.starts;
            let mut sides = [z; 3];
            for i in 0..3 {
                let edge = rows.vector(isa, i, lane);
                let across = isa.add_f(isa.mul_f(x, edge[0]), isa.mul_f(y, edge[1]));
                sides[i] = isa.add_f(across, edge[2]);
            }
            let passed = inside(isa, sides);
            if passed & open != 0 {
                let normal = rows.vector(isa, 3, lane);
                let across = isa.add_f(isa.mul_f(x, normal[0]), isa.mul_f(y, normal[1]));
                let height = isa.div_f(isa.sub_f(rows.offset(isa, lane), across), normal[2]);
                blocked |= passed & isa.less_f(z, height) & isa.less_f(height, self.ends);
            }
        }
        blocked & open
    }
}
