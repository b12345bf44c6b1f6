//! Values of every kind, with every optional column there or not.

use super::*;

pub(super) fn occupancy() -> impl Strategy<Value = Occupancy> {
    let size = [1_u32..7, 1_u32..7, 1_u32..7];
    (size, any::<u64>(), any::<bool>()).prop_map(|(size, seed, with_flow)| {
        let grid = GridSpec { min_corner_m: [-1.5, 0.1, -2.0], voxel_m: 0.2, size };
        let mut occupancy = Occupancy::unobserved(grid);
        let noise = |i: usize| (i as u64 + 1).wrapping_mul(seed | 1) >> 60;
        for i in 0..grid.len() {
            occupancy.observed.set(i, noise(i) < 10);
            occupancy.occupied.set(i, noise(i) < 4);
        }
        let occupied = occupancy.occupied.count();
        occupancy.classes = (0..occupied).map(|i| ClassId(noise(i) as u8)).collect();
        let moving = (0..occupied as u32).filter(|&rank| noise(rank as usize + 7) < 8);
        let flow = moving.map(|rank| VoxelFlow { rank, velocity_m_s: [0.1, rank as f32, -3.5] });
        occupancy.flow = with_flow.then(|| flow.collect());
        occupancy
    })
}

pub(super) fn surface() -> impl Strategy<Value = Surface> {
    let size = [1_u32..8, 1_u32..8];
    let cell = (prop::option::of(-90.0_f32..90.0), 0_u8..3, any::<u8>(), any::<u8>());
    (size, prop::collection::vec(cell, 64)).prop_map(|(size, cells)| {
        let spec = SurfaceSpec { min_corner_m: [-3.0, 2.0], cell_m: 0.5, size };
        let mut surface = Surface::unobserved(spec);
        for (i, &(height, drivable, class, confidence)) in cells.iter().take(spec.len()).enumerate()
        {
            surface.height_m[i] = height.unwrap_or(f32::NAN);
            surface.drivable[i] =
                [Drivable::Unknown, Drivable::No, Drivable::Yes][drivable as usize];
            surface.class[i] = ClassId(class);
            surface.confidence[i] = confidence;
        }
        surface
    })
}

fn object() -> impl Strategy<Value = Object> {
    let keypoint = ([-9.0_f32..9.0, -9.0_f32..9.0, -9.0_f32..9.0], 0.0_f32..=1.0)
        .prop_map(|(p_in_ego_m, confidence)| Keypoint { p_in_ego_m, confidence });
    (
        prop::option::of(any::<u64>()),
        any::<u8>(),
        -50.0_f64..50.0,
        prop::option::of([-9.0_f64..9.0, -9.0_f64..9.0, -9.0_f64..9.0]),
        prop::collection::vec(keypoint, 0..4),
        0.0_f32..=1.0,
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(track, class, seed, velocity_m_s, keypoints, confidence, lidar_points)| {
            Object {
                track: track.map(TrackId),
                class: ClassId(class),
                ego_from_object: testing::pose(seed),
                size_m: [4.1, seed.abs(), 1.0 / 3.0],
                velocity_m_s,
                keypoints,
                confidence,
                lidar_points,
            }
        })
}

pub(super) fn objects() -> impl Strategy<Value = Vec<Object>> {
    prop::collection::vec(object(), 0..5)
}

fn line() -> impl Strategy<Value = Vec<[f32; 3]>> {
    prop::collection::vec([-99.0_f32..99.0, -99.0_f32..99.0, -9.0_f32..9.0], 0..6)
}

fn boundary() -> impl Strategy<Value = Boundary> {
    let kind = prop::sample::select(vec![
        BoundaryKind::Unknown,
        BoundaryKind::Solid,
        BoundaryKind::Dashed,
        BoundaryKind::Double,
        BoundaryKind::Kerb,
        BoundaryKind::RoadEdge,
    ]);
    (line(), kind).prop_map(|(points_m, kind)| Boundary { points_m, kind })
}

pub(super) fn lanes() -> impl Strategy<Value = LaneGraph> {
    let lane = (
        any::<u64>(),
        (line(), boundary(), boundary()),
        any::<u8>(),
        any::<bool>(),
        prop::collection::vec(any::<u64>(), 0..3),
        (prop::option::of(any::<u64>()), prop::option::of(any::<u64>())),
    )
        .prop_map(
            |(id, (centreline_m, left, right), class, in_intersection, successors, sides)| Lane {
                id,
                centreline_m,
                left,
                right,
                class: ClassId(class),
                in_intersection,
                successors,
                left_neighbour: sides.0,
                right_neighbour: sides.1,
            },
        );
    let crossing = (any::<u64>(), line()).prop_map(|(id, polygon_m)| Crossing { id, polygon_m });
    (prop::collection::vec(lane, 0..4), prop::collection::vec(crossing, 0..3))
        .prop_map(|(lanes, crossings)| LaneGraph { lanes, crossings })
}

pub(super) fn semantics() -> impl Strategy<Value = (Option<Vec<ClassId>>, Option<Vec<u32>>)> {
    let classes = prop::collection::vec(any::<u8>().prop_map(ClassId), 0..50);
    let instances = prop::collection::vec(any::<u32>(), 0..50);
    (prop::option::of(classes), prop::option::of(instances))
}

pub(super) fn normals() -> impl Strategy<Value = Vec<[i8; 3]>> {
    prop::collection::vec(any::<[i8; 3]>(), 0..50)
}

pub(super) fn optical_flow() -> impl Strategy<Value = Vec<[f32; 2]>> {
    let one = prop_oneof![Just([f32::NAN; 2]), [-600.0_f32..600.0, -600.0_f32..600.0]];
    prop::collection::vec(one, 0..50)
}

pub(super) fn depth() -> impl Strategy<Value = DepthMap> {
    (1_usize..9, 1_usize..9).prop_flat_map(|(width, height)| {
        let pixel = (prop_oneof![Just(0.0_f32), 0.0_f32..260.0], any::<u8>());
        prop::collection::vec(pixel, width * height).prop_map(move |pixels| {
            let (depth_m, confidence) = pixels.into_iter().unzip();
            DepthMap { width, height, depth_m, confidence }
        })
    })
}
