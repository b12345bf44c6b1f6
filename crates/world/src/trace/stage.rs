//! The triangles of a site, ready for rays.

use nalgebra::{Matrix3, Point3, Vector3};
use ommatidia_geometry::{Pose, World, frames};
use ommatidia_kernels::raycast::Tree;

use crate::Error;
use crate::site::{Instance, Mesh, Site, Triangle};

/// Instances that stand still are baked into one tree, as long as it has no more triangles than this;
/// the others keep the trees of their meshes.
const MOST_BAKED: usize = 6_000_000;

/// Trees over a site's meshes. Rebuilt never: what moves only changes its place.
pub struct Stage {
    pub(super) site: Site,
    pub(super) trees: Vec<Tree>,
    /// All that stands still, in `World`; the tree of placement 0.
    pub(super) baked: Mesh,
    /// Instance of each triangle of the baked tree.
    pub(super) sources: Vec<u32>,
    /// Tree and instance of the placements after the first.
    pub(super) placed: Vec<(u32, u32)>,
    /// `part_from_world` of instances that stand still.
    still: Vec<Option<(Matrix3<f64>, Vector3<f64>)>>,
    skipped: usize,
}

/// A triangle that a ray met.
pub(super) struct Face {
    /// Index into [`Site::instances`].
    pub(super) index: u32,
    pub(super) triangle: Triangle,
    /// In `World` for the baked tree, else in the part's frame.
    pub(super) corners: [Point3<f64>; 3],
}

impl Stage {
    /// Builds the trees.
    ///
    /// # Errors
    /// A site whose instances, triangles or actors refer to what does not exist.
    pub fn new(site: Site) -> Result<Self, Error> {
        check(&site)?;
        let (baked, sources, moved) = bake(&site);
        let mut meshes: Vec<&Mesh> = vec![&baked];
        let mut tree_of_mesh = vec![u32::MAX; site.meshes.len()];
        let mut placed = Vec::new();
        for index in moved {
            let mesh = site.instances[index as usize].mesh.0 as usize;
            if tree_of_mesh[mesh] == u32::MAX {
                tree_of_mesh[mesh] = meshes.len() as u32;
                meshes.push(&site.meshes[mesh]);
            }
            placed.push((tree_of_mesh[mesh], index));
        }
        let tree = |mesh: &Mesh| {
            let corners: Vec<[u32; 3]> = mesh.triangles.iter().map(|t| t.corners).collect();
            Tree::build(&mesh.vertices_m, &corners)
                .map_err(|source| Error::Site { what: source.to_string() })
        };
        let trees = meshes.into_iter().map(tree).collect::<Result<Vec<_>, _>>()?;
        let part_from_world = |instance: &Instance| {
            instance.motion.is_still().then(|| {
                let part_from_world = instance.motion.at(0.0).inverse();
                (part_from_world.rotation_matrix(), part_from_world.translation)
            })
        };
        let still = site.instances.iter().map(part_from_world).collect();
        let skipped = trees.iter().map(Tree::skipped).sum();
        Ok(Self { site, trees, baked, sources, placed, still, skipped })
    }

    /// The site that it was made from.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Triangles that were left out because a coordinate is not finite.
    pub fn skipped_triangles(&self) -> usize {
        self.skipped
    }

    /// Triangles that rays are cast at, those of things that stand several times counted once each.
    pub fn triangles(&self) -> usize {
        let placed = self.placed.iter().map(|(tree, _)| self.trees[*tree as usize].len());
        self.trees[0].len() + placed.sum::<usize>()
    }

    /// Bytes that trees and baked triangles take.
    pub fn heap_bytes(&self) -> usize {
        let baked = self.baked.vertices_m.len() * 12
            + self.baked.triangles.len() * size_of::<Triangle>()
            + self.sources.len() * size_of::<u32>();
        self.trees.iter().map(Tree::heap_bytes).sum::<usize>() + baked
    }

    /// The face that a placement's triangle is.
    #[inline]
    pub(super) fn face(&self, placement: u32, triangle: u32) -> Face {
        let point = |mesh: &Mesh, corner: u32| {
            Point3::from(mesh.vertices_m[corner as usize].map(f64::from))
        };
        if placement == 0 {
            let index = self.sources[triangle as usize];
            let triangle = self.baked.triangles[triangle as usize];
            let corners = triangle.corners.map(|corner| point(&self.baked, corner));
            return Face { index, triangle, corners };
        }
        let (_, index) = self.placed[placement as usize - 1];
        let instance = &self.site.instances[index as usize];
        let mesh = &self.site.meshes[instance.mesh.0 as usize];
        let triangle = mesh.triangles[triangle as usize];
        let corners = triangle.corners.map(|corner| point(mesh, corner));
        Face { index, triangle, corners }
    }

    /// `part_from_world` of an instance that stands still.
    #[inline]
    pub(super) fn part_from_world(&self, instance: u32) -> Option<&(Matrix3<f64>, Vector3<f64>)> {
        self.still[instance as usize].as_ref()
    }

    /// The actor that an instance belongs to, by index.
    pub(super) fn actor_of(&self, instance: u32) -> Option<u32> {
        self.site.instances[instance as usize].actor.map(|actor| actor.0)
    }
}

/// What stands still, in `World`; where its triangles come from; the instances that are not in it.
fn bake(site: &Site) -> (Mesh, Vec<u32>, Vec<u32>) {
    let (mut baked, mut sources, mut moved) = (Mesh::default(), Vec::new(), Vec::new());
    for (index, instance) in (0u32..).zip(&site.instances) {
        let mesh = &site.meshes[instance.mesh.0 as usize];
        let full = baked.triangles.len() + mesh.triangles.len() > MOST_BAKED;
        if full || !instance.motion.is_still() {
            moved.push(index);
            continue;
        }
        let world_from_part: Pose<World, frames::Part> = instance.motion.at(0.0);
        let (rotation, translation) =
            (world_from_part.rotation_matrix(), world_from_part.translation);
        let first = baked.vertices_m.len() as u32;
        baked.vertices_m.extend(mesh.vertices_m.iter().map(|vertex| {
            let p = rotation * Vector3::from(vertex.map(f64::from)) + translation;
            [p.x as f32, p.y as f32, p.z as f32]
        }));
        for given in &mesh.triangles {
            let corners = given.corners.map(|corner| corner + first);
            baked.triangles.push(Triangle { corners, ..*given });
            sources.push(index);
        }
    }
    (baked, sources, moved)
}

fn check(site: &Site) -> Result<(), Error> {
    let fail = |what: String| Err(Error::Site { what });
    for (i, mesh) in site.meshes.iter().enumerate() {
        let (vertices, materials) = (mesh.vertices_m.len(), site.materials.len());
        for triangle in &mesh.triangles {
            if triangle.corners.iter().any(|&corner| corner as usize >= vertices) {
                return fail(format!("mesh {i} has a triangle past its {vertices} vertices"));
            }
            if usize::from(triangle.material.0) >= materials {
                return fail(format!("mesh {i} has a material past the site's {materials}"));
            }
        }
    }
    for (i, instance) in site.instances.iter().enumerate() {
        if instance.mesh.0 as usize >= site.meshes.len() {
            return fail(format!(
                "instance {i} is of a mesh past the site's {}",
                site.meshes.len()
            ));
        }
        if instance.actor.is_some_and(|actor| actor.0 as usize >= site.actors.len()) {
            return fail(format!(
                "instance {i} is of an actor past the site's {}",
                site.actors.len()
            ));
        }
    }
    let parts = site.actors.iter().flat_map(|actor| {
        actor.parts.iter().copied().chain(actor.keypoints.iter().map(|point| point.part))
    });
    match parts.max().filter(|&part| part as usize >= site.instances.len()) {
        Some(part) => fail(format!(
            "an actor has the part {part}, but there are {} instances",
            site.instances.len()
        )),
        None => Ok(()),
    }
}
