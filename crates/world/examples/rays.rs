//! Measures ray casting on a street with more than a million triangles: `rays <folder> [frames]`; with
//! 0 frames the kernel alone.
//!
//! Prints rays a second of a core for pictures with all truth and for whole frames of `surround8`,
//! writes the pictures as PPM, and writes triangles, rays and our distances for `bench/raycast`. Set
//! `RAYON_NUM_THREADS`; times are of the processor where the system tells them, else of the clock.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Pose, World, frames};
use ommatidia_kernels::raycast::{
    NOTHING, Pencil, Placement, RAYS, Ray, Rigid, Scene, Tree, Workspace,
};
use ommatidia_kernels::simd::Simd;
use ommatidia_scene::{ClassId, GridSpec, RgbImage, SurfaceSpec, Taxonomy, TrackId};
use ommatidia_world::drive::{Drive, DriveOptions};
use ommatidia_world::look::{Material, Texture};
use ommatidia_world::motion::{Keys, Motion};
use ommatidia_world::rig;
use ommatidia_world::roads::{Network, NetworkOptions};
use ommatidia_world::site::{Actor, ActorId, Instance, MaterialId, Mesh, Site, Triangle};
use ommatidia_world::trace::surface::surface;
use ommatidia_world::trace::voxels::Filled;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rest @ ..] = args.as_slice() else {
        return Err("usage: rays <folder> [frames]".into());
    };
    let folder = Path::new(folder);
    let frames = rest.first().map_or(Ok(3), |text| text.parse())?;
    std::fs::create_dir_all(folder)?;
    let site = street()?;
    coherent_rays(&site, folder)?;
    if frames == 0 {
        return Ok(());
    }
    let rig = rig::preset("surround8", Some([704, 396]))?;
    let cameras = rig.cameras.len();
    let clock = Clock::start();
    let drive = Drive::new(site, rig, DriveOptions { frames: 100, ..DriveOptions::default() })?;
    let stage = drive.stage();
    println!(
        "stage: {} triangles, {} MiB, built in {:.2} s",
        stage.triangles(),
        stage.heap_bytes() >> 20,
        clock.seconds()
    );
    let rays = (cameras * 704 * 396) as f64;
    let rough = Drive::new(
        street()?,
        drive.rig.clone(),
        DriveOptions { frames: 100, antialias: false, ..DriveOptions::default() },
    )?;
    for (what, drive) in [("pixel centres", &rough), ("antialiased", &drive)] {
        let best = best_of(frames, |index| {
            std::hint::black_box(drive.film(index));
        });
        println!("{what}: {:.2} M primary rays/s with shading, shadow, truth", rays / best / 1e6);
    }
    let best = best_of(frames, |index| {
        std::hint::black_box(drive.sweep(index));
    });
    println!("sweep: {:.0} ms", best * 1e3);
    let (grid, stage) = (GridSpec::default(), drive.stage());
    let best = best_of(frames, |index| {
        std::hint::black_box(Filled::new(stage, grid, drive.timestamp(index).as_secs_f64()));
    });
    println!("voxels: {:.0} ms", best * 1e3);
    let best = best_of(frames, |index| {
        let (roads, world_from_ego) = (&stage.site().roads, drive.site_from_ego(index));
        std::hint::black_box(surface(roads, &world_from_ego, SurfaceSpec::default()));
    });
    println!("surface: {:.0} ms", best * 1e3);
    let best = best_of(frames, |index| {
        std::hint::black_box(drive.frame(index));
    });
    println!("frame set with all truth: {:.0} ms of a core", best * 1e3);
    let frame = drive.frame(0);
    for (image, camera) in frame.images.iter().zip(&drive.rig.cameras) {
        write_ppm(&folder.join(format!("{}.ppm", camera.name)), image)?;
    }
    Ok(())
}

/// Shortest time of several frames, seconds.
fn best_of(frames: usize, mut frame: impl FnMut(usize)) -> f64 {
    let time = |index| {
        let clock = Clock::start();
        frame(index);
        clock.seconds()
    };
    (0..frames).map(time).fold(f64::INFINITY, f64::min)
}

/// Processor time of all threads together, or the clock's.
struct Clock(Instant, Option<f64>);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), Self::processor())
    }

    /// User and system time of the process, Linux; in steps of 10 ms.
    fn processor() -> Option<f64> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks / 100.0)
    }

    fn seconds(&self) -> f64 {
        let processor = self.1.zip(Self::processor()).map(|(start, end)| end - start);
        processor.unwrap_or_else(|| self.0.elapsed().as_secs_f64())
    }
}

/// Uniform in `[0, 1)`, splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.next()
    }
}

fn class(name: &str) -> ClassId {
    Taxonomy::driving().id(name).unwrap_or(ClassId::UNKNOWN)
}

fn material(site: &mut Site, texture: Texture, colour: [f32; 3]) -> MaterialId {
    site.add_material(Material { texture, colour, gloss: 0.2, emission: 0.0 })
}

/// An urban road of the generator with houses, trees of 2,400 leaves and moving boxes along it.
fn street() -> Result<Site, Box<dyn Error>> {
    let options = NetworkOptions { length_m: 400.0, ..NetworkOptions::default() };
    let network = Network::generate(&options, 3)?;
    let mut site = Site { roads: network.clone(), ..Site::default() };
    network.add_ground(&mut site);
    let mut random = Random(5);
    let (tree, houses) = (tree(&mut site, &mut random), houses(&mut site));
    let [x, y] = network.ground.extent_m();
    let mut standing: Vec<[f64; 2]> = Vec::new();
    for i in 0..60_000 {
        let at = [x, y].map(|[low, high]| f64::from(random.within(low as f32, high as f32)));
        let (size, mesh) = if i % 3 == 0 { (13.0, houses[i / 3 % 3]) } else { (4.5, tree) };
        let free = |d: f64| {
            [[d, 0.0], [-d, 0.0], [0.0, d], [0.0, -d]].iter().all(|by| {
                let ground = network.ground(at[0] + by[0], at[1] + by[1]);
                ground.is_some_and(|ground| !ground.drivable)
            })
        };
        let apart = |other: &[f64; 2]| (other[0] - at[0]).hypot(other[1] - at[1]) > 1.6 * size;
        let Some(ground) = network.ground(at[0], at[1]) else { continue };
        if standing.len() >= 460 || !free(0.6 * size) || !standing.iter().all(apart) {
            continue;
        }
        standing.push(at);
        let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, f64::from(random.within(0.0, 6.3)));
        let at = Vector3::new(at[0], at[1], ground.height_m);
        let instance = standing.len() as u32;
        let motion = Motion::Still(Pose::new(turn, at));
        site.add_instance(Instance { mesh, motion, actor: None, instance });
    }
    traffic(&mut site, &network);
    Ok(site)
}

fn quad(mesh: &mut Mesh, corners: [[f32; 3]; 4], material: MaterialId, class: ClassId) {
    let first = mesh.vertices_m.len() as u32;
    mesh.vertices_m.extend(corners);
    for corners in [[0, 1, 2], [0, 2, 3]] {
        let corners = corners.map(|corner: u32| corner + first);
        mesh.triangles.push(Triangle { corners, material, class });
    }
}

fn tree(site: &mut Site, random: &mut Random) -> ommatidia_world::site::MeshId {
    let leaves = material(site, Texture::Foliage, [0.13, 0.3, 0.07]);
    let bark = material(site, Texture::Bark, [0.2, 0.14, 0.09]);
    let mut mesh = Mesh::default();
    cuboid(&mut mesh, [-0.15, -0.15, 0.0], [0.15, 0.15, 2.6], bark, class("trunk"));
    while mesh.triangles.len() < 2400 {
        let mut coordinate = || random.within(-1.0, 1.0);
        let p = [coordinate(), coordinate(), coordinate()];
        if p.iter().map(|x| x * x).sum::<f32>() > 1.0 {
            continue;
        }
        let at = [2.2 * p[0], 2.2 * p[1], 4.0 + 2.0 * p[2]];
        let mut off = || [0, 1, 2].map(|i| at[i] + random.within(-0.18, 0.18));
        let corners = [off(), off(), off(), off()];
        quad(&mut mesh, corners, leaves, class("vegetation"));
    }
    site.add_mesh(mesh)
}

fn cuboid(mesh: &mut Mesh, low: [f32; 3], high: [f32; 3], material: MaterialId, class: ClassId) {
    let corner =
        |i: usize| [0, 1, 2].map(|axis| if i >> axis & 1 == 1 { high[axis] } else { low[axis] });
    for face in [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]]
    {
        quad(mesh, face.map(corner), material, class);
    }
}

fn houses(site: &mut Site) -> [ommatidia_world::site::MeshId; 3] {
    let facade = material(site, Texture::Facade, [0.5, 0.42, 0.35]);
    let brick = material(site, Texture::Brick, [0.45, 0.25, 0.18]);
    let plaster = material(site, Texture::Plaster, [0.6, 0.58, 0.5]);
    [(facade, 12.0), (brick, 6.0), (plaster, 9.0)].map(|(material, height)| {
        let mut mesh = Mesh::default();
        cuboid(&mut mesh, [-5.0, -4.0, -1.0], [5.0, 4.0, height], material, class("building"));
        // Bricks that stick out: many small faces, as detailed models have.
        for i in 0..200 {
            let (x, z) = (-5.0 + (i % 20) as f32 * 0.5, (i / 20) as f32 * 0.6);
            let (low, high) = ([x, -4.1, z], [x + 0.4, -4.0, z + 0.3]);
            cuboid(&mut mesh, low, high, material, class("building"));
        }
        site.add_mesh(mesh)
    })
}

/// The vehicle along the longest lane, and boxes along all others.
fn traffic(site: &mut Site, network: &Network) {
    let lacquer = material(site, Texture::Lacquer, [0.1, 0.2, 0.5]);
    let mut mesh = Mesh::default();
    cuboid(&mut mesh, [-2.1, -0.9, -0.5], [2.1, 0.9, 0.2], lacquer, class("car"));
    cuboid(&mut mesh, [-1.3, -0.8, 0.2], [0.7, 0.8, 0.7], lacquer, class("car"));
    let mesh = site.add_mesh(mesh);
    let mut lanes: Vec<_> = network.lanes.iter().collect();
    let length = |lane: &ommatidia_world::roads::Lane| lane.stations.last().map_or(0.0, |s| s.s_m);
    lanes.sort_by(|a, b| length(b).total_cmp(&length(a)));
    fn path<X: Copy>(
        lane: &ommatidia_world::roads::Lane,
        up_m: f64,
        from_m: f64,
    ) -> Keys<World, X> {
        let pose = |i: i32| {
            let station = lane.at(from_m + 0.8 * f64::from(i));
            let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, station.heading_rad);
            Pose::new(turn, station.p_m.coords + Vector3::z() * up_m)
        };
        Keys { start_s: 0.0, step_s: 0.1, poses: (0..120).map(pose).collect() }
    }
    for (i, lane) in lanes.iter().enumerate().take(60) {
        if i == 0 {
            site.ego = Motion::Keyed(Arc::new(path::<Ego>(lane, 0.0, 5.0)));
            continue;
        }
        let by = Arc::new(path::<frames::Object>(lane, 0.75, 2.0));
        let id = site.actors.len() as u32;
        let motion = Motion::Carried { by: by.clone(), object_from_x: Pose::identity() };
        let part = site.add_instance(Instance {
            mesh,
            motion,
            actor: Some(ActorId(id)),
            instance: 10_000 + id,
        });
        site.actors.push(Actor {
            track: TrackId(u64::from(10_000 + id)),
            class: class("car"),
            size_m: [4.2, 1.8, 1.4],
            motion: Motion::Keyed(by),
            parts: vec![part],
            keypoints: Vec::new(),
        });
    }
}

/// Times the kernel alone on one picture's rays, and leaves everything for a peer to do the same.
fn coherent_rays(site: &Site, folder: &Path) -> Result<(), Box<dyn Error>> {
    const SIZE: [usize; 2] = [704, 396];
    let mut corners: Vec<[f32; 3]> = Vec::new();
    for instance in site.instances.iter().filter(|instance| instance.motion.is_still()) {
        let (mesh, pose) = (&site.meshes[instance.mesh.0 as usize], instance.motion.at(0.0));
        for corner in mesh.triangles.iter().flat_map(|triangle| triangle.corners) {
            let p = pose * Point3::from(mesh.vertices_m[corner as usize].map(f64::from));
            corners.push(p.coords.map(|x| x as f32).into());
        }
    }
    let triangles: Vec<[u32; 3]> =
        (0..corners.len() as u32 / 3).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect();
    let clock = Clock::start();
    let trees = [Tree::build(&corners, &triangles)?];
    println!("kernel: {} triangles, built in {:.2} s", triangles.len(), clock.seconds());
    let scene = Scene::new(&trees, &[Placement { tree: 0, keys: vec![Rigid::IDENTITY] }]);
    let world_from_camera =
        site.ego.at(0.0) * rig::ego_from_forward_camera(Vector3::new(1.9, 0.0, 1.5));
    let origin: [f64; 3] = world_from_camera.translation.map(|x| f64::from(x as f32)).into();
    let direction = |x: usize, y: usize| -> [f32; 3] {
        let ray =
            Vector3::new((x as f64 + 0.5 - 352.0) / 380.0, (y as f64 + 0.5 - 198.0) / 380.0, 1.0);
        world_from_camera.rotate(&ray.normalize()).map(|x| x as f32).into()
    };
    let mut pencils = Vec::new();
    for y in 0..SIZE[1] {
        for first in (0..SIZE[0]).step_by(RAYS) {
            let mut directions = [[0.0; RAYS]; 3];
            for lane in 0..RAYS {
                let d = direction(first + lane, y);
                (0..3).for_each(|axis| directions[axis][lane] = d[axis]);
            }
            pencils.extend(Pencil::new(origin, directions, u16::MAX, 0.0));
        }
    }
    let rays = (SIZE[0] * SIZE[1]) as f64;
    let mut distances: Vec<f32> = Vec::new();
    for simd in Simd::available() {
        let mut workspace = Workspace::default();
        let mut best = f64::INFINITY;
        // Ten pictures at a time, for the processor's clock ticks slowly.
        for _ in 0..5 {
            let clock = Clock::start();
            for _ in 0..10 {
                let hits = pencils.iter().map(|pencil| scene.nearest(simd, pencil, &mut workspace));
                distances = hits.flat_map(|hits| hits.distance).collect();
            }
            best = best.min(clock.seconds() / 10.0);
        }
        println!("kernel, packets, {simd:?}: {:.2} M rays/s", rays / best / 1e6);
    }
    let simd = Simd::detect();
    let mut workspace = Workspace::default();
    let clock = Clock::start();
    let mut met = 0;
    for y in 0..SIZE[1] {
        for x in 0..SIZE[0] {
            let ray =
                Ray { origin_m: origin, direction: direction(x, y), reach: f32::MAX, time: 0.0 };
            let hit = scene.nearest_one(simd, &ray, &mut workspace);
            met += usize::from(hit.is_some_and(|hit| hit.2 != NOTHING));
        }
    }
    println!("kernel, single rays: {:.2} M rays/s, {met} met", rays / clock.seconds() / 1e6);
    let floats = |name: &str, values: &mut dyn Iterator<Item = f32>| {
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        std::fs::write(folder.join(name), bytes)
    };
    floats("triangles.f32", &mut corners.iter().flatten().copied())?;
    let all = (0..SIZE[1]).flat_map(|y| (0..SIZE[0]).map(move |x| (x, y)));
    floats("directions.f32", &mut all.flat_map(|(x, y)| direction(x, y)))?;
    floats("origin.f32", &mut origin.iter().map(|&x| x as f32))?;
    floats("distances.f32", &mut distances.iter().copied())?;
    Ok(())
}

fn write_ppm(path: &Path, image: &RgbImage) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    writeln!(file, "P6 {} {} 255", image.width, image.height)?;
    file.write_all(&image.data)
}
