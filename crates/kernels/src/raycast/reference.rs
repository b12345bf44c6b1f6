//! Every ray against every triangle, and the fast versions held against it.

use super::packet::NOTHING;
use super::tree::area_normal;
use super::*;
use crate::simd::Simd;
use crate::stereo::test_images::random;

/// One ray against one triangle, by the definition in `leaf`.
fn meet(origin: Vector, direction: Vector, corners: [Vector; 3]) -> Option<f32> {
    let [a, b, c] = corners.map(|corner| minus(corner, origin));
    let sides = [cross(b, c), cross(c, a), cross(a, b)].map(|edge| dot(direction, edge));
    let one_sided = sides.iter().all(|&side| side >= 0.0) || sides.iter().all(|&side| side <= 0.0);
    let normal = area_normal([a, b, c]);
    let distance = dot(a, normal) / dot(direction, normal);
    (one_sided && distance > 0.0 && distance < f32::MAX).then_some(distance)
}

struct Model {
    vertices: Vec<[f32; 3]>,
    triangles: Vec<[u32; 3]>,
}

impl Model {
    fn corners(&self, index: usize) -> [Vector; 3] {
        self.triangles[index].map(|i| self.vertices[i as usize])
    }

    fn tree(&self) -> Tree {
        Tree::build(&self.vertices, &self.triangles).unwrap()
    }
}

fn unit(next: &mut impl FnMut() -> u64) -> f32 {
    (next() >> 40) as f32 / (1u64 << 24) as f32
}

fn vector(next: &mut impl FnMut() -> u64, size: f32) -> Vector {
    std::array::from_fn(|_| (2.0 * unit(next) - 1.0) * size)
}

/// Triangles of all sizes anywhere, some of them flat, with two that coincide.
fn soup(count: usize, seed: u64) -> Model {
    let mut next = random(seed);
    let mut vertices = Vec::new();
    for i in 0..count {
        let at = vector(&mut next, 20.0);
        let size = if i % 10 == 0 { 8.0 } else { 0.8 };
        for _ in 0..3 {
            let mut p = plus(at, vector(&mut next, size));
            p[2] = if i % 7 == 0 { at[2] } else { p[2] };
            vertices.push(p);
        }
    }
    let mut triangles: Vec<[u32; 3]> =
        (0..count as u32).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect();
    triangles.push(triangles[0]);
    Model { vertices, triangles }
}

/// A quarter turn about z and a shift: exact in floating point.
fn quarter_turn(shift: [f64; 3]) -> Rigid {
    let half = 0.5f64.sqrt();
    Rigid { wxyz: [half, 0.0, 0.0, half], translation_m: shift }
}

fn brute(
    models: &[Model],
    placed: &Scene<'_>,
    placements: &[Placement],
    ray: &Ray,
) -> (f32, u32, u32) {
    let mut best = (ray.reach, NOTHING, NOTHING);
    for (instance, placement) in placements.iter().enumerate() {
        let local = placed.local(instance, ray.time);
        let (origin, direction) = (local.point(ray.origin_m), local.direction(ray.direction));
        let model = &models[placement.tree as usize];
        for index in 0..model.triangles.len() {
            if let Some(distance) = meet(origin, direction, model.corners(index)) {
                let found = (distance, instance as u32, index as u32);
                best = if found < best { found } else { best };
            }
        }
    }
    best
}

fn world() -> (Vec<Model>, Vec<Placement>) {
    let models = vec![soup(700, 3), soup(40, 4)];
    let still = |tree: u32, rigid: Rigid| Placement { tree, keys: vec![rigid] };
    let moving = Placement {
        tree: 1,
        keys: vec![quarter_turn([0.0, 5.0, 0.0]), Rigid::IDENTITY, quarter_turn([8.0, 0.0, 1.0])],
    };
    let placements = vec![
        still(0, Rigid::IDENTITY),
        still(1, quarter_turn([10.0, -3.0, 2.0])),
        moving,
        still(1, Rigid { translation_m: [1000.0, 1000.0, 0.0], ..Rigid::IDENTITY }),
    ];
    (models, placements)
}

/// A fan of rays around a direction, some of them not active.
fn fan(next: &mut impl FnMut() -> u64, spread: f32) -> ([[f32; RAYS]; 3], u16) {
    let middle = vector(next, 1.0);
    let rays: Vec<Vector> = (0..RAYS).map(|_| plus(middle, vector(next, spread))).collect();
    let directions = [0, 1, 2].map(|axis| std::array::from_fn(|lane| rays[lane][axis]));
    (directions, next() as u16 | 1)
}

#[test]
fn pencils_and_single_rays_find_what_brute_force_finds() {
    let (models, placements) = world();
    let trees: Vec<Tree> = models.iter().map(Model::tree).collect();
    let scene = Scene::new(&trees, &placements);
    let mut next = random(1);
    let mut workspace = Workspace::default();
    let (mut met, mut packets) = (0, 0);
    for round in 0..300 {
        let (directions, active) = fan(&mut next, if round % 2 == 0 { 0.02 } else { 0.3 });
        let origin_m = vector(&mut next, 25.0).map(f64::from);
        let time = unit(&mut next);
        let ray = |lane: usize| {
            let direction = [0, 1, 2].map(|axis| directions[axis][lane]);
            Ray { origin_m, direction, reach: f32::INFINITY, time }
        };
        let expected: Vec<_> =
            (0..RAYS).map(|lane| brute(&models, &scene, &placements, &ray(lane))).collect();
        for simd in Simd::available() {
            for lane in 0..RAYS {
                let found = scene.nearest_one(simd, &ray(lane), &mut workspace);
                let wanted = (expected[lane].1 != NOTHING).then_some(expected[lane]);
                assert_eq!(found, wanted, "{simd:?} round {round} lane {lane}");
                assert_eq!(scene.blocked_one(simd, &ray(lane), &mut workspace), wanted.is_some());
            }
            let Some(pencil) = Pencil::new(origin_m, directions, active, time) else { continue };
            packets += 1;
            let hits = scene.nearest(simd, &pencil, &mut workspace);
            for lane in 0..RAYS {
                let nothing = (f32::INFINITY, NOTHING, NOTHING);
                let wanted = if active >> lane & 1 == 1 { expected[lane] } else { nothing };
                let found = (hits.distance[lane], hits.instance[lane], hits.triangle[lane]);
                assert_eq!(found, wanted, "{simd:?} round {round} lane {lane}");
                met += usize::from(found.1 != NOTHING);
            }
        }
    }
    assert!(met > 1000 && packets > 300, "{met} hits of {packets} packets");
}

#[test]
fn beams_are_blocked_where_single_rays_are() {
    let (models, placements) = world();
    let trees: Vec<Tree> = models.iter().map(Model::tree).collect();
    let scene = Scene::new(&trees, &placements);
    let mut next = random(2);
    let mut workspace = Workspace::default();
    let (mut differing, mut blocked_rays, mut open_rays) = (0, 0, 0);
    for round in 0..300 {
        let direction = vector(&mut next, 1.0);
        let origin_m = vector(&mut next, 25.0).map(f64::from);
        let size = if round % 2 == 0 { 0.2 } else { 5.0 };
        let starts: Vec<Vector> = (0..RAYS).map(|_| vector(&mut next, size)).collect();
        let from_origin = [0, 1, 2].map(|axis| std::array::from_fn(|lane| starts[lane][axis]));
        let (active, length_m, time) =
            (next() as u16 | 2, 4.0 + 30.0 * unit(&mut next), unit(&mut next));
        let Some(beam) = Beam::new(direction, origin_m, &from_origin, active, (length_m, time))
        else {
            panic!("a beam of finite numbers");
        };
        let masks: Vec<u16> = Simd::available()
            .into_iter()
            .map(|simd| scene.blocked(simd, &beam, &mut workspace))
            .collect();
        assert!(masks.iter().all(|mask| *mask == masks[0]), "round {round}: {masks:x?}");
        assert_eq!(masks[0] & !active, 0);
        let direction = normalised(direction).unwrap();
        for lane in (0..RAYS).filter(|lane| active >> lane & 1 == 1) {
            let origin_m = std::array::from_fn(|i| origin_m[i] + f64::from(starts[lane][i]));
            let ray = Ray { origin_m, direction, reach: length_m, time };
            let wanted = brute(&models, &scene, &placements, &ray).1 != NOTHING;
            let found = masks[0] >> lane & 1 == 1;
            differing += usize::from(found != wanted);
            blocked_rays += usize::from(found);
            open_rays += usize::from(!found);
        }
    }
    // A ray through an edge may round to either side.
    assert!(differing <= 1, "{differing} differ");
    assert!(blocked_rays > 200 && open_rays > 200, "{blocked_rays} and {open_rays}");
}

/// A closed, finely bent surface has no holes for rays through its edges.
#[test]
fn a_closed_surface_leaks_nowhere() {
    const SIDE: u32 = 24;
    let at = |i: u32, j: u32| {
        let [theta, turn] = [i, j].map(|at| at as f32 / SIDE as f32 * std::f32::consts::PI);
        let phi = 2.0 * turn;
        let ring = if i == 0 || i == SIDE { 0.0 } else { theta.sin() };
        [300.0 + 3.0 * ring * phi.cos(), 3.0 * ring * phi.sin(), 3.0 * theta.cos()]
    };
    let mut vertices = Vec::new();
    let mut triangles = Vec::new();
    for i in 0..=SIDE {
        vertices.extend((0..SIDE).map(|j| at(i, j)));
    }
    for i in 0..SIDE {
        for j in 0..SIDE {
            let index = |i: u32, j: u32| i * SIDE + j % SIDE;
            triangles.push([index(i, j), index(i + 1, j), index(i + 1, j + 1)]);
            triangles.push([index(i, j), index(i + 1, j + 1), index(i, j + 1)]);
        }
    }
    let tree = [Tree::build(&vertices, &triangles).unwrap()];
    let scene = Scene::new(&tree, &[Placement { tree: 0, keys: vec![Rigid::IDENTITY] }]);
    let mut workspace = Workspace::default();
    let origin = [300.3f32, 0.2, -0.4];
    let mut next = random(5);
    // Towards points on edges.
    let targets: Vec<Vector> = triangles
        .iter()
        .flat_map(|corners| {
            let [a, b, c] = corners.map(|i| vertices[i as usize]);
            let share = unit(&mut next);
            [
                plus(scaled(a, share), scaled(b, 1.0 - share)),
                plus(scaled(c, share), scaled(b, 1.0 - share)),
            ]
        })
        .collect();
    for target in &targets {
        let direction = minus(*target, origin);
        let ray =
            Ray { origin_m: origin.map(f64::from), direction, reach: f32::INFINITY, time: 0.0 };
        for simd in Simd::available() {
            assert!(scene.nearest_one(simd, &ray, &mut workspace).is_some(), "{target:?}");
        }
    }
}

#[test]
fn nothing_and_no_numbers_meet_nothing() {
    let model = soup(30, 8);
    let mut broken = soup(30, 8);
    broken.vertices[4][1] = f32::NAN;
    broken.vertices[10][2] = f32::INFINITY;
    let trees = [model.tree(), broken.tree(), Tree::build(&[], &[]).unwrap()];
    // The first triangle's copy shares its corners: vertex 4 is the second triangle's, 10 the fourth's.
    assert_eq!((trees[1].skipped(), trees[1].len(), trees[2].len()), (2, 29, 0));
    let nowhere = Rigid { translation_m: [f64::NAN, 0.0, 0.0], ..Rigid::IDENTITY };
    let place = |tree: u32, keys: Vec<Rigid>| Placement { tree, keys };
    let placements = [
        place(0, vec![nowhere]),
        place(0, vec![]),
        place(2, vec![Rigid::IDENTITY]),
        place(9, vec![Rigid::IDENTITY]),
    ];
    let mut workspace = Workspace::default();
    let ray =
        Ray { origin_m: [0.0; 3], direction: [1.0, 0.0, 0.0], reach: f32::INFINITY, time: 0.0 };
    for scene in [Scene::new(&trees, &placements), Scene::new(&trees, &[])] {
        assert_eq!(scene.nearest_one(Simd::detect(), &ray, &mut workspace), None);
        let pencil = Pencil::new([0.0; 3], [[1.0; RAYS]; 3], u16::MAX, 0.0).unwrap();
        assert_eq!(
            scene.nearest(Simd::detect(), &pencil, &mut workspace).triangle,
            [NOTHING; RAYS]
        );
        assert_eq!(scene.scene_from_mesh(0, 0.0), None);
    }
    let scene = Scene::new(&trees, &[place(1, vec![Rigid::IDENTITY])]);
    for (origin, direction) in
        [([f64::NAN; 3], [1.0; 3]), ([0.0; 3], [f32::NAN; 3]), ([0.0; 3], [0.0; 3])]
    {
        let ray = Ray { origin_m: origin, direction, reach: f32::INFINITY, time: 0.0 };
        assert_eq!(scene.nearest_one(Simd::detect(), &ray, &mut workspace), None);
        assert_eq!(Pencil::new(origin, direction.map(|x| [x; RAYS]), 1, 0.0), None);
    }
    assert_eq!(Pencil::new([0.0; 3], [[1.0; RAYS]; 3], 0, 0.0), None);
    assert_eq!(Beam::new([0.0; 3], [0.0; 3], &[[0.0; RAYS]; 3], 1, (1.0, 0.0)), None);
    let wrong = Tree::build(&[[0.0; 3]], &[[0, 1, 0]]);
    assert_eq!(wrong.err(), Some(TreeError::Corner { triangle: 0, corner: 1, vertices: 1 }));
}
