//! Labels as Rerun's archetypes. Coordinates are those of the entity they are logged at.

use nalgebra::Vector3;
use ommatidia_geometry::Pose;
use ommatidia_scene::{
    CameraSensor, ClassId, DepthMap, Drivable, LaneGraph, Object, Occupancy, PointCloud,
    PoseSample, Surface, Taxonomy,
};
use ommatidia_view::render::{HeightScale, Rgb};
use re_sdk_types::archetypes::{
    Boxes3D, DepthImage, LineStrips3D, Mesh3D, Pinhole, Points3D, Transform3D,
};
use re_sdk_types::components::{Color, PinholeProjection};
use re_sdk_types::datatypes::{Mat3x3, Quaternion};

/// Stored depth per metre, as in KITTI's depth images: 4 mm steps up to 256 m.
const DEPTH_UNITS_PER_M: f32 = 256.0;

const DRIVABLE: Rgb = [112, 190, 140];
const NOT_DRIVABLE: Rgb = [200, 168, 130];
const UNKNOWN_GROUND: Rgb = [150, 155, 165];

fn colour([r, g, b]: Rgb) -> Color {
    Color::from_rgb(r, g, b)
}

fn xyz(v: &Vector3<f64>) -> [f32; 3] {
    v.cast::<f32>().into()
}

fn quaternion<A, B>(pose: &Pose<A, B>) -> Quaternion {
    let q = pose.rotation;
    Quaternion::from_wxyz([q.w, q.i, q.j, q.k].map(|c| c as f32))
}

/// The parent entity from the child: `a_from_b` logged at `b` below `a`.
pub(crate) fn transform<A, B>(a_from_b: &Pose<A, B>) -> Transform3D {
    Transform3D::new()
        .with_translation(xyz(&a_from_b.translation))
        .with_quaternion(quaternion(a_from_b))
}

/// Focal lengths and principal point. Rerun knows no distortion: of a distorted camera the image is
/// shown as recorded, and what is projected into it is only near.
pub(crate) fn pinhole(camera: &CameraSensor) -> Pinhole {
    let (fx, fy) = camera.intrinsics.focal_px();
    let (cx, cy) = camera.intrinsics.principal_point_px();
    // Column by column.
    let columns = [fx, 0.0, 0.0, 0.0, fy, 0.0, cx, cy, 1.0].map(|value| value as f32);
    Pinhole::new(PinholeProjection(Mat3x3(columns)))
        .with_resolution([camera.width as f32, camera.height as f32])
}

pub(crate) fn depth(map: &DepthMap) -> DepthImage {
    DepthImage::from_gray16(depth_bytes(map), [map.width as u32, map.height as u32])
        .with_meter(DEPTH_UNITS_PER_M)
}

/// Little-endian 16-bit numbers, 0 where nothing is estimated.
fn depth_bytes(map: &DepthMap) -> Vec<u8> {
    let stored = |&depth_m: &f32| (depth_m * DEPTH_UNITS_PER_M).round().clamp(0.0, 65_535.0) as u16;
    map.depth_m.iter().flat_map(|depth_m| stored(depth_m).to_le_bytes()).collect()
}

/// Returns, coloured by height over the lidar.
pub(crate) fn cloud(cloud: &PointCloud) -> Points3D {
    let heights = HeightScale { low_m: -2.0, high_m: 3.0 };
    let finite: Vec<[f32; 3]> =
        cloud.xyz_m.iter().copied().filter(|p| p.iter().all(|c| c.is_finite())).collect();
    let colours: Vec<Color> = finite.iter().map(|p| colour(heights.colour(p[2]))).collect();
    Points3D::new(finite).with_colors(colours).with_radii([0.03])
}

pub(crate) fn path(samples: &[PoseSample], rgb: Rgb) -> LineStrips3D {
    let points: Vec<[f32; 3]> =
        samples.iter().map(|sample| xyz(&sample.world_from_ego.translation)).collect();
    LineStrips3D::new([points]).with_colors([colour(rgb)]).with_radii([0.06])
}

/// A point of a voxel's size at each occupied voxel: by class where any is known, else by height.
pub(crate) fn occupancy(occupancy: &Occupancy, taxonomy: &Taxonomy) -> Points3D {
    let by_class = occupancy.classes.iter().any(|&class| class != ClassId::UNKNOWN);
    let heights = HeightScale::default();
    let mut centres = Vec::with_capacity(occupancy.classes.len());
    let mut colours = Vec::with_capacity(occupancy.classes.len());
    for (index, class) in occupancy.occupied.ones().zip(&occupancy.classes) {
        let centre = occupancy.grid.centre(occupancy.grid.cell(index));
        let class = taxonomy.classes.get(usize::from(class.0)).filter(|_| by_class);
        centres.push(xyz(&centre.coords));
        colours.push(colour(class.map_or_else(|| heights.colour(centre.z as f32), |c| c.rgb)));
    }
    let radius_m = occupancy.grid.voxel_m as f32 / 2.0;
    Points3D::new(centres).with_colors(colours).with_radii([radius_m])
}

/// Two triangles between each four neighbouring cells whose heights are known.
pub(crate) fn surface(surface: &Surface) -> Mesh3D {
    let [nx, ny] = surface.spec.size;
    let mut vertex_of = vec![u32::MAX; surface.spec.len()];
    let (mut positions, mut colours) = (Vec::new(), Vec::new());
    for cell in (0..nx).flat_map(|x| (0..ny).map(move |y| [x, y])) {
        let index = surface.spec.index(cell);
        let height_m = surface.height_m[index];
        if height_m.is_finite() {
            let [x, y] = surface.spec.centre(cell);
            vertex_of[index] = positions.len() as u32;
            positions.push([x as f32, y as f32, height_m]);
            colours.push(colour(match surface.drivable[index] {
                Drivable::Yes => DRIVABLE,
                Drivable::No => NOT_DRIVABLE,
                Drivable::Unknown => UNKNOWN_GROUND,
            }));
        }
    }
    let mut triangles: Vec<[u32; 3]> = Vec::new();
    for x in 1..nx {
        for y in 1..ny {
            let corner = |x, y| vertex_of[surface.spec.index([x, y])];
            let quad = [corner(x - 1, y - 1), corner(x, y - 1), corner(x, y), corner(x - 1, y)];
            if quad.iter().all(|&vertex| vertex != u32::MAX) {
                triangles.extend([[quad[0], quad[1], quad[2]], [quad[0], quad[2], quad[3]]]);
            }
        }
    }
    let normals = vec![[0.0f32, 0.0, 1.0]; positions.len()];
    Mesh3D::new(positions)
        .with_triangle_indices(triangles)
        .with_vertex_colors(colours)
        .with_vertex_normals(normals)
}

pub(crate) fn objects(objects: &[Object], taxonomy: &Taxonomy) -> Boxes3D {
    let class = |object: &Object| taxonomy.classes.get(usize::from(object.class.0));
    let label = |object: &Object| {
        let name = class(object).map_or("unknown", |class| class.name.as_str());
        object.track.map_or_else(|| name.to_owned(), |track| format!("{name} {}", track.0))
    };
    let centres: Vec<[f32; 3]> =
        objects.iter().map(|object| xyz(&object.ego_from_object.translation)).collect();
    let sizes: Vec<[f32; 3]> = objects.iter().map(|o| o.size_m.map(|side| side as f32)).collect();
    Boxes3D::from_centers_and_sizes(centres, sizes)
        .with_quaternions(objects.iter().map(|object| quaternion(&object.ego_from_object)))
        .with_colors(objects.iter().map(|o| colour(class(o).map_or([200; 3], |class| class.rgb))))
        .with_labels(objects.iter().map(label))
        .with_show_labels(false)
}

pub(crate) fn lanes(graph: &LaneGraph) -> LineStrips3D {
    let strips: Vec<Vec<[f32; 3]>> =
        graph.lanes.iter().map(|lane| lane.centreline_m.clone()).collect();
    LineStrips3D::new(strips).with_colors([colour([235, 200, 60])]).with_radii([0.05])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_scene::SurfaceSpec;

    #[test]
    fn the_mesh_spans_only_known_cells() {
        let spec = SurfaceSpec { min_corner_m: [0.0, 0.0], cell_m: 1.0, size: [3, 2] };
        let mut ground = Surface::unobserved(spec);
        ground.height_m[..4].fill(0.5);
        let mesh = surface(&ground);
        assert_eq!((mesh.num_vertices(), mesh.num_triangles()), (4, 2));
        assert_eq!(surface(&Surface::unobserved(spec)).num_vertices(), 0);
    }

    #[test]
    fn depth_saturates_and_keeps_gaps() {
        let map =
            DepthMap { width: 3, height: 1, depth_m: vec![0.0, 1.0, 1e6], confidence: vec![0; 3] };
        assert_eq!(depth_bytes(&map), [0, 0, 0, 1, 255, 255]);
    }
}
