//! One picture, before the camera's own optics and sensor, with truth for every pixel.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Camera, Pose, World};
use ommatidia_kernels::raycast::RAYS;
use ommatidia_scene::{CameraView, ClassId, DepthMap, Taxonomy};
use rayon::prelude::*;

use super::flow::{Next, NextView, world_from_camera};
use super::moment::{Met, Moment};
use super::pixels::{Caster, Eye};
use super::table::{Rays, Table};
use crate::imaging::LinearImage;
use crate::look::Shader;

/// How a picture is made.
#[derive(Clone, Copy)]
pub struct FilmOptions<'a> {
    /// Timestamp of the picture, seconds.
    pub time_s: f64,
    /// What flow leads to; `None` for the last frame.
    pub next: Option<&'a Next<'a>>,
    /// Where things meet, pixels average four rays. What a ray within a pixel meets is coloured like
    /// the neighbouring pixel that shows the same, or by itself where none does.
    pub antialias: bool,
}

/// A picture with truth; columns are row-major.
pub struct Filmed {
    /// Light that falls on each pixel.
    pub light: LinearImage,
    /// Exact along the ray through each pixel's centre; 0 for sky.
    pub depth: DepthMap,
    /// Class; sky where nothing is met, unknown where the camera has no ray.
    pub semantics: Vec<ClassId>,
    /// [`crate::site::Instance::instance`].
    pub instances: Vec<u32>,
    /// As [`CameraView::normals`].
    pub normals: Vec<[i8; 3]>,
    /// As [`CameraView::flow`].
    pub flow: Vec<[f32; 2]>,
    /// Index into the site's instances; `u32::MAX` for none.
    pub parts: Vec<u32>,
    /// `world_from_camera` of each line of the camera's table.
    pub(super) world_from_camera: Vec<Pose<World, Camera>>,
}

/// Everything about one pixel.
#[derive(Debug, Clone, Copy)]
struct Pixel {
    light: [f32; 3],
    depth_m: f32,
    flow: [f32; 2],
    part: u32,
    instance: u32,
    material: u16,
    class: ClassId,
    normal: [i8; 3],
}

/// No part.
pub(super) const NO_PART: u32 = u32::MAX;

struct Filming<'a, 's> {
    moment: &'a Moment<'s>,
    table: &'a Table,
    shader: &'a Shader,
    next: Option<NextView<'a>>,
    eyes: Vec<Eye>,
    sky: ClassId,
}

impl Moment<'_> {
    /// Films one picture: radiance at every pixel's centre with sun, shadow and air, and truth. The
    /// moment lasts as long as the table's readout.
    pub fn film(&self, table: &Table, shader: &Shader, options: &FilmOptions<'_>) -> Filmed {
        let poses: Vec<Pose<World, Camera>> = (0..table.lines)
            .map(|line| {
                let time_s = options.time_s + table.offset_s(line);
                world_from_camera(self.stage, &table.camera.ego_from_camera, time_s)
            })
            .collect();
        let eye = |(line, pose): (usize, &Pose<World, Camera>)| Eye {
            origin: Point3::from(pose.translation),
            rotation: pose.rotation_matrix(),
            time: self.share(options.time_s + table.offset_s(line)),
        };
        let empty = Pixel {
            light: [0.0; 3],
            depth_m: 0.0,
            flow: [f32::NAN; 2],
            part: NO_PART,
            instance: 0,
            material: u16::MAX,
            class: ClassId::UNKNOWN,
            normal: [0; 3],
        };
        let filming = Filming {
            moment: self,
            table,
            shader,
            next: options.next.map(|next| next.view(&table.camera, table.shutter)),
            eyes: poses.iter().enumerate().map(eye).collect(),
            sky: Taxonomy::driving().id("sky").unwrap_or(ClassId::UNKNOWN),
        };
        let mut pixels = vec![empty; table.lines * table.length];
        let caster = || Caster::new(self, shader);
        pixels
            .par_chunks_mut(table.length.max(1))
            .enumerate()
            .for_each_init(caster, |caster, (line, out)| filming.line(caster, line, out));
        if options.antialias {
            filming.smooth(&mut pixels);
        }
        filed(table, pixels, poses)
    }
}

impl Filming<'_, '_> {
    fn line(&self, caster: &mut Caster<'_, '_>, line: usize, out: &mut [Pixel]) {
        let eye = &self.eyes[line];
        for (packet, out) in out.chunks_mut(RAYS).enumerate() {
            let (rays, pixel_rad) = self.table.rays(line, packet);
            if rays.active == 0 {
                continue;
            }
            let looked = caster.look(eye, rays);
            let light = caster.light(&looked, pixel_rad, eye.time);
            for (lane, pixel) in out.iter_mut().enumerate() {
                if rays.active >> lane & 1 == 0 {
                    continue;
                }
                pixel.light = light[lane];
                pixel.class = self.sky;
                if let Some(met) = &looked.met[lane] {
                    self.record(eye, rays.directions[2][lane], met, pixel);
                    pixel.flow = self.flow(line, packet * RAYS + lane, met);
                }
            }
        }
    }

    #[inline]
    fn record(&self, eye: &Eye, ray_z: f32, met: &Met, pixel: &mut Pixel) {
        let normal = eye.rotation.tr_mul(&met.normal_in_world);
        pixel.depth_m = (met.distance * f64::from(ray_z)) as f32;
        pixel.part = met.instance;
        pixel.instance = self.moment.stage.site.instances[met.instance as usize].instance;
        pixel.material = met.triangle.material.0;
        pixel.class = met.triangle.class;
        pixel.normal = [0, 1, 2].map(|axis| (normal[axis] * 127.0).round() as i8);
    }

    #[inline]
    fn flow(&self, line: usize, along: usize, met: &Met) -> [f32; 2] {
        let moved = self.next.as_ref().and_then(|next| next.pixel(met));
        let Some(moved) = moved else { return [f32::NAN; 2] };
        let by = moved - self.table.pixel(line, along);
        [by.x as f32, by.y as f32]
    }

    /// Averages rays within pixels at which things, materials or surfaces meet.
    fn smooth(&self, pixels: &mut [Pixel]) {
        let length = self.table.length;
        let known: &[Pixel] = pixels;
        let lines: Vec<Vec<(usize, [f32; 3])>> = (0..self.table.lines)
            .into_par_iter()
            .map_init(
                || Caster::new(self.moment, self.shader),
                |caster, line| {
                    let edges: Vec<usize> =
                        (0..length).filter(|&along| self.is_edge(known, line, along)).collect();
                    self.resample(caster, known, line, &edges)
                },
            )
            .collect();
        for (line, smoothed) in lines.into_iter().enumerate() {
            for (along, light) in smoothed {
                pixels[line * length + along].light = light;
            }
        }
    }

    fn is_edge(&self, pixels: &[Pixel], line: usize, along: usize) -> bool {
        let Some(ray) = self.table.ray(line, along) else { return false };
        let here = &pixels[line * self.table.length + along];
        let differs = |line: usize, along: usize| {
            let Some(other_ray) = self.table.ray(line, along) else { return true };
            let there = &pixels[line * self.table.length + along];
            if (here.part, here.material) != (there.part, there.material) {
                return true;
            }
            if here.part == NO_PART {
                return false;
            }
            let n = here.normal.map(|x| f32::from(x) / 127.0);
            let facing: f32 = (0..3).map(|i| n[i] * f32::from(there.normal[i]) / 127.0).sum();
            // How far the neighbour's point is off this one's plane.
            let p = |ray: [f32; 3], z: f32| ray.map(|x| x / ray[2] * z);
            let (p, q) = (p(ray, here.depth_m), p(other_ray, there.depth_m));
            let off: f32 = (0..3).map(|i| n[i] * (q[i] - p[i])).sum();
            facing < 0.9 || off.abs() > 0.02 * here.depth_m.abs()
        };
        (along > 0 && differs(line, along - 1))
            || (along + 1 < self.table.length && differs(line, along + 1))
            || (line > 0 && differs(line - 1, along))
            || (line + 1 < self.table.lines && differs(line + 1, along))
    }

    /// Light of some pixels of a line, from three more rays each.
    fn resample(
        &self,
        caster: &mut Caster<'_, '_>,
        pixels: &[Pixel],
        line: usize,
        edges: &[usize],
    ) -> Vec<(usize, [f32; 3])> {
        const WITHIN: [[f32; 2]; 3] = [[0.17, -0.37], [-0.37, 0.0], [0.2, 0.37]];
        let (eye, length) = (&self.eyes[line], self.table.length);
        let mut smoothed = Vec::with_capacity(edges.len());
        // Pixels that lie far apart do not make a narrow packet.
        const SPAN: usize = 12;
        let mut rest = edges;
        while let Some(&first) = rest.first() {
            let near = rest.iter().take(RAYS / WITHIN.len()).take_while(|&&x| x < first + SPAN);
            let (four, behind) = rest.split_at(near.count());
            rest = behind;
            let mut rays = Rays { directions: [[0.0; RAYS]; 3], active: 0 };
            for (i, &along) in four.iter().enumerate() {
                for (j, &within) in WITHIN.iter().enumerate() {
                    let Some(direction) = self.within(line, along, within) else { continue };
                    let lane = i * WITHIN.len() + j;
                    for axis in 0..3 {
                        rays.directions[axis][lane] = direction[axis];
                    }
                    rays.active |= 1 << lane;
                }
            }
            let pixel_rad = self.table.rays(line, four[0] / RAYS).1;
            let mut looked = caster.look(eye, &rays);
            let mut light = [[0.0; 3]; RAYS];
            let mut unknown = 0u16;
            for lane in (0..RAYS).filter(|lane| rays.active >> lane & 1 == 1) {
                let along = four[lane / WITHIN.len()];
                let known = self.known(pixels, (line, along), looked.met[lane].as_ref(), eye);
                light[lane] = known.unwrap_or_default();
                unknown |= u16::from(known.is_none()) << lane;
            }
            if unknown != 0 {
                looked.active = unknown;
                let fresh = caster.light(&looked, pixel_rad, eye.time);
                for lane in (0..RAYS).filter(|lane| unknown >> lane & 1 == 1) {
                    light[lane] = fresh[lane];
                }
            }
            for (i, &along) in four.iter().enumerate() {
                let (mut sum, mut count) = (pixels[line * length + along].light, 1.0);
                for lane in (i * WITHIN.len()..(i + 1) * WITHIN.len())
                    .filter(|lane| rays.active >> lane & 1 == 1)
                {
                    for c in 0..3 {
                        sum[c] += light[lane][c];
                    }
                    count += 1.0;
                }
                smoothed.push((along, sum.map(|x| x / count)));
            }
        }
        smoothed
    }

    /// The light of the neighbour that shows the same surface as a ray within a pixel: of those of the
    /// same part and material the one whose normal is most alike. `None` if there is none.
    fn known(
        &self,
        pixels: &[Pixel],
        (line, along): (usize, usize),
        met: Option<&Met>,
        eye: &Eye,
    ) -> Option<[f32; 3]> {
        let (part, material) =
            met.map_or((NO_PART, u16::MAX), |met| (met.instance, met.triangle.material.0));
        let normal =
            met.map_or_else(Vector3::zeros, |met| eye.rotation.tr_mul(&met.normal_in_world));
        let mut best: Option<(f64, [f32; 3])> = None;
        // Itself first, then up, left, right, down: the first of equals is taken.
        for (lines, alongs) in [(1, 1), (0, 1), (1, 0), (1, 2), (2, 1)] {
            let (Some(line), Some(along)) =
                ((line + lines).checked_sub(1), (along + alongs).checked_sub(1))
            else {
                continue;
            };
            if line >= self.table.lines || along >= self.table.length {
                continue;
            }
            let pixel = &pixels[line * self.table.length + along];
            if (pixel.part, pixel.material) != (part, material) {
                continue;
            }
            let alike: f64 = (0..3).map(|i| normal[i] * f64::from(pixel.normal[i])).sum();
            if best.is_none_or(|(known, _)| alike > known) {
                best = Some((alike, pixel.light));
            }
        }
        best.map(|(_, light)| light)
    }

    /// Direction at a place within a pixel, straight between neighbouring pixels' rays.
    fn within(&self, line: usize, along: usize, [x, y]: [f32; 2]) -> Option<[f32; 3]> {
        let here = self.table.ray(line, along)?;
        let step = |next: Option<[f32; 3]>, previous: Option<[f32; 3]>| -> Vector3<f32> {
            match (next, previous) {
                (Some(next), _) => Vector3::from(next) - Vector3::from(here),
                (None, Some(previous)) => Vector3::from(here) - Vector3::from(previous),
                (None, None) => Vector3::zeros(),
            }
        };
        let at = |line: Option<usize>, along: Option<usize>| {
            let (line, along) = (line?, along?);
            let inside = line < self.table.lines && along < self.table.length;
            if inside { self.table.ray(line, along) } else { None }
        };
        let sideways = step(at(Some(line), Some(along + 1)), at(Some(line), along.checked_sub(1)));
        let onwards = step(at(Some(line + 1), Some(along)), at(line.checked_sub(1), Some(along)));
        Some((Vector3::from(here) + sideways * x + onwards * y).into())
    }
}

/// Columns, row-major.
fn filed(table: &Table, pixels: Vec<Pixel>, world_from_camera: Vec<Pose<World, Camera>>) -> Filmed {
    let (width, height) = (table.camera.width as usize, table.camera.height as usize);
    let pixels = if table.by_columns {
        (0..width * height).map(|i| pixels[i % width * height + i / width]).collect()
    } else {
        pixels
    };
    let depth_m: Vec<f32> = pixels.iter().map(|pixel| pixel.depth_m.max(0.0)).collect();
    let confidence = depth_m.iter().map(|&depth| if depth > 0.0 { 255 } else { 0 }).collect();
    Filmed {
        light: LinearImage::new(width, height, pixels.iter().map(|pixel| pixel.light).collect()),
        depth: DepthMap { width, height, depth_m, confidence },
        semantics: pixels.iter().map(|pixel| pixel.class).collect(),
        instances: pixels.iter().map(|pixel| pixel.instance).collect(),
        normals: pixels.iter().map(|pixel| pixel.normal).collect(),
        flow: pixels.iter().map(|pixel| pixel.flow).collect(),
        parts: pixels.iter().map(|pixel| pixel.part).collect(),
        world_from_camera,
    }
}

impl Filmed {
    /// The truth as a view of the camera of that name.
    pub fn into_view(self, camera: &str) -> CameraView {
        CameraView {
            camera: camera.to_owned(),
            depth: Some(self.depth),
            semantics: Some(self.semantics),
            instances: Some(self.instances),
            normals: Some(self.normals),
            flow: Some(self.flow),
        }
    }
}
