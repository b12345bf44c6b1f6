//! Placed trees under a tree of their own.

use super::build::{Primitive, build};
use super::leaf::{LocalBeam, LocalPencil, Many, Nearest, meet_one, splat_vector};
use super::node::{Bounds, Node};
use super::packet::{Beam, Hits, NOTHING, Pencil, RAYS, Ray, Window};
use super::placement::{MeshFromScene, Placed, Placement, Rigid};
use super::tree::Tree;
use super::walk::{Region, Slabs, Stack, Visitor, walk};
use crate::simd::{Isa, Kernel, Simd};

/// Trees at their places.
#[derive(Debug, Clone)]
pub struct Scene<'a> {
    trees: &'a [Tree],
    placed: Vec<Option<Placed>>,
    nodes: Vec<Node>,
    order: Vec<u32>,
    reach: f32,
}

/// Memory that is used from ray to ray; one per thread.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    stack: Stack,
}

impl<'a> Scene<'a> {
    /// Places trees; see [`Placement`]. Placements of trees that do not exist are nowhere.
    pub fn new(trees: &'a [Tree], placements: &[Placement]) -> Self {
        let exists = |placement: &&Placement| {
            trees.get(placement.tree as usize).is_some_and(|tree| !tree.is_empty())
        };
        let place = |placement: &Placement| Some(placement).filter(exists).and_then(Placed::new);
        let placed: Vec<Option<Placed>> = placements.iter().map(place).collect();
        let primitive = |(index, placed): (usize, &Option<Placed>)| {
            let placed = placed.as_ref()?;
            let bounds = placed.bounds(&trees[placed.tree as usize].bounds);
            Some(Primitive { bounds, index: index as u32 })
        };
        let mut primitives: Vec<Primitive> =
            placed.iter().enumerate().filter_map(primitive).collect();
        let nodes = build(&mut primitives, 1);
        let mut bounds = Bounds::EMPTY;
        primitives.iter().for_each(|primitive| bounds.hold(&primitive.bounds));
        let order: Vec<u32> = primitives.iter().map(|primitive| primitive.index).collect();
        let reach = if order.is_empty() { 0.0 } else { bounds.reach() };
        Self { trees, placed, nodes, order, reach }
    }

    /// `scene_from_mesh` of a placement at a time of the exposure, 0 to 1, exactly as rays see it;
    /// `None` if it is nowhere.
    pub fn scene_from_mesh(&self, instance: u32, time: f32) -> Option<Rigid> {
        Some(self.placed.get(instance as usize)?.as_ref()?.rigid_at(time))
    }

    /// What each ray of a pencil meets first.
    pub fn nearest(&self, simd: Simd, pencil: &Pencil, workspace: &mut Workspace) -> Hits {
        simd.run(FindPencil { scene: self, pencil, workspace })
    }

    /// Bit per ray of a beam: set where something is in the way.
    pub fn blocked(&self, simd: Simd, beam: &Beam, workspace: &mut Workspace) -> u16 {
        simd.run(BlockBeam { scene: self, beam, workspace })
    }

    /// What one ray meets first within its reach: distance (in units of the direction), instance
    /// and triangle.
    pub fn nearest_one(
        &self,
        simd: Simd,
        ray: &Ray,
        workspace: &mut Workspace,
    ) -> Option<(f32, u32, u32)> {
        simd.run(FindRay { scene: self, ray, workspace, any: false })
    }

    /// Whether something is in the way of one ray.
    pub fn blocked_one(&self, simd: Simd, ray: &Ray, workspace: &mut Workspace) -> bool {
        simd.run(FindRay { scene: self, ray, workspace, any: true }).is_some()
    }
}

fn rounded(p: [f64; 3]) -> [f32; 3] {
    p.map(|x| x as f32)
}

fn local_window(window: &Window, mesh_from_scene: &MeshFromScene) -> Window {
    Window { axes: window.axes.map(|axis| mesh_from_scene.direction(axis)), ..*window }
}

/// The leaf of a tree: its corners from the first on, and its triangles.
#[inline(always)]
fn leaf(tree: &Tree, first: usize, count: usize) -> (&[f32], &[u32]) {
    (&tree.corners[9 * first..], &tree.triangles[first..first + count])
}

struct FindPencil<'s, 'a> {
    scene: &'s Scene<'a>,
    pencil: &'s Pencil,
    workspace: &'s mut Workspace,
}

impl Kernel for FindPencil<'_, '_> {
    type Output = Hits;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Hits {
        let Self { scene, pencil, workspace } = self;
        let gate = Region::pyramid(isa, &pencil.window, rounded(pencil.origin_m), scene.reach);
        let mut visitor =
            PencilInScene { scene, pencil, nearest: Nearest::none(isa), limit: f32::MAX };
        walk(isa, &scene.nodes, &gate, &mut visitor, &mut workspace.stack);
        visitor.nearest.hits(isa, pencil.active)
    }
}

struct PencilInScene<'s, 'a, I: Isa> {
    scene: &'s Scene<'a>,
    pencil: &'s Pencil,
    nearest: Nearest<I>,
    /// Along the pencil's middle.
    limit: f32,
}

impl<I: Isa> Visitor<I> for PencilInScene<'_, '_, I> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(always)]
    fn leaf(&mut self, isa: I, first: usize, _count: usize, stack: &mut Stack) {
        let instance = self.scene.order[first];
        let Some(placed) = &self.scene.placed[instance as usize] else { return };
        let tree = &self.scene.trees[placed.tree as usize];
        let mesh_from_scene = placed.at(self.pencil.time);
        let window = local_window(&self.pencil.window, &mesh_from_scene);
        let origin = mesh_from_scene.point(self.pencil.origin_m);
        let gate = Region::pyramid(isa, &window, origin, tree.bounds.reach());
        let rays =
            LocalPencil::new(isa, &mesh_from_scene, &self.pencil.directions, &window, origin);
        let along = &self.pencil.along;
        let (nearest, limit) = (self.nearest, self.limit);
        let mut visitor = PencilInTree { tree, instance, rays, along, nearest, limit };
        walk(isa, &tree.nodes, &gate, &mut visitor, stack);
        (self.nearest, self.limit) = (visitor.nearest, visitor.limit);
    }
}

struct PencilInTree<'s, I: Isa> {
    tree: &'s Tree,
    instance: u32,
    rays: LocalPencil<I>,
    along: &'s [f32; RAYS],
    nearest: Nearest<I>,
    limit: f32,
}

impl<I: Isa> Visitor<I> for PencilInTree<'_, I> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(always)]
    fn leaf(&mut self, isa: I, first: usize, count: usize, _stack: &mut Stack) {
        let leaf = leaf(self.tree, first, count);
        if self.rays.meet(isa, leaf, self.instance, &mut self.nearest) {
            let mut ends = [0.0; RAYS];
            isa.store_f(isa.mul_f(self.nearest.distance, isa.load_f(self.along)), &mut ends);
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    ends[lane] =
                        if ends[lane] > ends[lane + half] { ends[lane] } else { ends[lane + half] };
                }
            }
            self.limit = ends[0];
        }
    }
}

struct BlockBeam<'s, 'a> {
    scene: &'s Scene<'a>,
    beam: &'s Beam,
    workspace: &'s mut Workspace,
}

impl BlockBeam<'_, '_> {
    /// Where the first ray starts and the last one ends along the beam.
    #[inline(always)]
    fn span(beam: &Beam) -> (f32, f32) {
        let least = beam.starts[2].iter().fold(f32::INFINITY, |least, &x| least.min(x));
        let most = beam.starts[2].iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
        (least, most + beam.length_m)
    }
}

impl Kernel for BlockBeam<'_, '_> {
    type Output = u16;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> u16 {
        let Self { scene, beam, workspace } = self;
        let span = Self::span(beam);
        let gate = Region::prism(isa, &beam.window, rounded(beam.origin_m), span.0, scene.reach);
        let mut visitor = BeamInScene { scene, beam, span, open: beam.active };
        walk(isa, &scene.nodes, &gate, &mut visitor, &mut workspace.stack);
        beam.active & !visitor.open
    }
}

struct BeamInScene<'s, 'a> {
    scene: &'s Scene<'a>,
    beam: &'s Beam,
    span: (f32, f32),
    open: u16,
}

/// How far a walk goes that ends when no ray is open any more.
fn until_closed(open: u16, end: f32) -> f32 {
    if open == 0 { f32::NEG_INFINITY } else { end }
}

impl<I: Isa> Visitor<I> for BeamInScene<'_, '_> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        until_closed(self.open, self.span.1)
    }

    #[inline(always)]
    fn leaf(&mut self, isa: I, first: usize, _count: usize, stack: &mut Stack) {
        let instance = self.scene.order[first];
        let Some(placed) = &self.scene.placed[instance as usize] else { return };
        let tree = &self.scene.trees[placed.tree as usize];
        let mesh_from_scene = placed.at(self.beam.time);
        let window = local_window(&self.beam.window, &mesh_from_scene);
        let origin = mesh_from_scene.point(self.beam.origin_m);
        let gate = Region::prism(isa, &window, origin, self.span.0, tree.bounds.reach());
        let rays = LocalBeam::new(isa, &self.beam.starts, self.beam.length_m, &window, origin);
        let mut visitor = BeamInTree { tree, rays, end: self.span.1, open: self.open };
        walk(isa, &tree.nodes, &gate, &mut visitor, stack);
        self.open = visitor.open;
    }
}

struct BeamInTree<'s, I: Isa> {
    tree: &'s Tree,
    rays: LocalBeam<I>,
    end: f32,
    open: u16,
}

impl<I: Isa> Visitor<I> for BeamInTree<'_, I> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        until_closed(self.open, self.end)
    }

    #[inline(always)]
    fn leaf(&mut self, isa: I, first: usize, count: usize, _stack: &mut Stack) {
        self.open &= !self.rays.blocked(isa, leaf(self.tree, first, count), self.open);
    }
}

struct FindRay<'s, 'a> {
    scene: &'s Scene<'a>,
    ray: &'s Ray,
    workspace: &'s mut Workspace,
    any: bool,
}

impl Kernel for FindRay<'_, '_> {
    type Output = Option<(f32, u32, u32)>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let Self { scene, ray, workspace, any } = self;
        let finite = ray.origin_m.iter().all(|x| x.is_finite())
            && ray.direction.iter().all(|x| x.is_finite())
            && ray.direction.iter().any(|&x| x != 0.0);
        if !finite || ray.reach.is_nan() {
            return None;
        }
        let gate = Slabs::new(isa, rounded(ray.origin_m), ray.direction, scene.reach);
        let best = (ray.reach.min(f32::MAX), NOTHING, NOTHING);
        let mut visitor = RayInScene { scene, ray, any, best };
        walk(isa, &scene.nodes, &gate, &mut visitor, &mut workspace.stack);
        (visitor.best.1 != NOTHING).then_some(visitor.best)
    }
}

struct RayInScene<'s, 'a> {
    scene: &'s Scene<'a>,
    ray: &'s Ray,
    any: bool,
    best: (f32, u32, u32),
}

/// How far a single ray still looks.
fn until_found(best: (f32, u32, u32), any: bool) -> f32 {
    if any && best.1 != NOTHING { f32::NEG_INFINITY } else { best.0 }
}

impl<I: Isa> Visitor<I> for RayInScene<'_, '_> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        until_found(self.best, self.any)
    }

    #[inline(always)]
    fn leaf(&mut self, isa: I, first: usize, _count: usize, stack: &mut Stack) {
        let instance = self.scene.order[first];
        let Some(placed) = &self.scene.placed[instance as usize] else { return };
        let tree = &self.scene.trees[placed.tree as usize];
        let mesh_from_scene = placed.at(self.ray.time);
        let origin = mesh_from_scene.point(self.ray.origin_m);
        let direction = mesh_from_scene.direction(self.ray.direction);
        let gate = Slabs::new(isa, origin, direction, tree.bounds.reach());
        let rays = (splat_vector(isa, origin), splat_vector(isa, direction));
        let (best, any) = (self.best, self.any);
        let mut visitor = RayInTree { tree, instance, rays, any, best };
        walk(isa, &tree.nodes, &gate, &mut visitor, stack);
        self.best = visitor.best;
    }
}

struct RayInTree<'s, I: Isa> {
    tree: &'s Tree,
    instance: u32,
    rays: (Many<I>, Many<I>),
    any: bool,
    best: (f32, u32, u32),
}

impl<I: Isa> Visitor<I> for RayInTree<'_, I> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        until_found(self.best, self.any)
    }

    #[inline(always)]
    fn leaf(&mut self, isa: I, first: usize, count: usize, _stack: &mut Stack) {
        let better = |distance: f32, triangle: u32| (distance, self.instance, triangle) < self.best;
        let found = meet_one(isa, leaf(self.tree, first, count), self.rays, better);
        if let Some((distance, triangle)) = found {
            self.best = (distance, self.instance, triangle);
        }
    }
}

#[cfg(test)]
impl Scene<'_> {
    /// `mesh_from_scene` of a placement that is somewhere.
    pub(super) fn local(&self, instance: usize, time: f32) -> MeshFromScene {
        self.placed[instance].as_ref().expect("it is somewhere").at(time)
    }
}
