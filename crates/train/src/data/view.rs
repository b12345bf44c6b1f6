//! From a camera's picture to the network's: scale, crop, mirror, with the calibration changed to fit.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ommatidia_geometry::{CameraModel, Intrinsics};
use ommatidia_scene::{CameraSensor, CameraView, ClassId, DepthMap, RgbImage};

/// Where a picture's pixels go: `out = scale * in + offset` along x and y, then mirrored if asked for.
/// Coordinates as everywhere: pixel centres at integer + 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Output pixels per input pixel along x, y.
    pub scale: [f64; 2],
    /// Where the input's corner goes, output pixels.
    pub offset_px: [f64; 2],
    /// Left and right are swapped, last.
    pub mirror: bool,
    /// Output width and height, pixels.
    pub size: [usize; 2],
}

/// What stands where a picture does not reach: the mean of ImageNet, which networks subtract.
const PADDING: [u8; 3] = [124, 116, 104];

/// One axis of what a view covers: output pixels from `start`, `length` of them, filled with the input
/// from `from` on, `extent` pixels of it.
struct Span {
    start: usize,
    length: usize,
    from: f64,
    extent: f64,
}

impl View {
    /// The whole picture, stretched to the size.
    pub fn stretch(width: usize, height: usize, size: [usize; 2]) -> Self {
        let scale = [size[0] as f64 / width as f64, size[1] as f64 / height as f64];
        Self { scale, offset_px: [0.0; 2], mirror: false, size }
    }

    fn span(&self, axis: usize, input: usize) -> Span {
        let (scale, offset) = (self.scale[axis], self.offset_px[axis]);
        let most = self.size[axis] as f64;
        let start = offset.round().clamp(0.0, most);
        let end = (offset + scale * input as f64).round().clamp(start, most);
        let from = ((start - offset) / scale).clamp(0.0, input as f64);
        let to = ((end - offset) / scale).clamp(from, input as f64);
        Span { start: start as usize, length: (end - start) as usize, from, extent: to - from }
    }

    /// The picture as the view shows it, filtered against aliasing.
    pub fn picture(&self, image: &RgbImage) -> RgbImage {
        let [width, height] = self.size;
        let (x, y) = (self.span(0, image.width), self.span(1, image.height));
        let mut out = RgbImage::new(width, height, PADDING.repeat(width * height));
        if x.length > 0 && y.length > 0 && x.extent > 0.0 && y.extent > 0.0 {
            let part = resized(image, &x, &y);
            for (row, line) in part.chunks_exact(3 * x.length).enumerate() {
                let start = 3 * ((y.start + row) * width + x.start);
                out.data[start..start + line.len()].copy_from_slice(line);
            }
        }
        if self.mirror {
            out.data.chunks_exact_mut(3 * width).for_each(|row| {
                row.as_chunks_mut::<3>().0.reverse();
            });
        }
        out
    }

    /// Values of pixels, taken from the nearest input pixel; `outside` where there is none.
    pub fn nearest<T: Copy>(&self, input: &[T], [width, height]: [usize; 2], outside: T) -> Vec<T> {
        assert_eq!(input.len(), width * height, "a value per pixel");
        let source = |axis: usize, out: usize, most: usize| {
            let from = (out as f64 + 0.5 - self.offset_px[axis]) / self.scale[axis];
            (from >= 0.0 && from < most as f64).then_some(from as usize)
        };
        let column = |x: usize| if self.mirror { self.size[0] - 1 - x } else { x };
        let columns: Vec<Option<usize>> =
            (0..self.size[0]).map(|x| source(0, column(x), width)).collect();
        let mut out = Vec::with_capacity(self.size[0] * self.size[1]);
        for y in 0..self.size[1] {
            let row = source(1, y, height).map(|row| &input[row * width..(row + 1) * width]);
            out.extend(columns.iter().map(|x| match (row, x) {
                (Some(row), &Some(x)) => row[x],
                _ => outside,
            }));
        }
        out
    }

    /// The camera that sees what the view shows. Mirrored, it is the camera of the mirrored vehicle in a
    /// mirrored world: its mounting has to be mirrored with it ([`super::space::Turn`]).
    pub fn camera(&self, camera: &CameraSensor) -> CameraSensor {
        let mut p = camera.intrinsics.parameters();
        p[0] *= self.scale[0];
        p[1] *= self.scale[1];
        p[2] = p[2] * self.scale[0] + self.offset_px[0];
        p[3] = p[3] * self.scale[1] + self.offset_px[1];
        if self.mirror {
            p[2] = self.size[0] as f64 - p[2];
            if let Some(tangential) = sideways(&camera.intrinsics) {
                p[tangential] = -p[tangential];
            }
        }
        let [width, height] = self.size.map(|side| side as u32);
        let intrinsics = camera.intrinsics.with_parameters(&p);
        CameraSensor { width, height, intrinsics, ..camera.clone() }
    }

    /// What a camera sees, as the view shows it.
    pub fn truth(&self, view: &CameraView, input: [usize; 2]) -> CameraView {
        let depth = view.depth.as_ref().map(|depth| DepthMap {
            width: self.size[0],
            height: self.size[1],
            depth_m: self.nearest(&depth.depth_m, [depth.width, depth.height], 0.0),
            confidence: self.nearest(&depth.confidence, [depth.width, depth.height], 0),
        });
        let classes = |classes: &Vec<ClassId>| self.nearest(classes, input, ClassId::UNKNOWN);
        let sign = if self.mirror { -1 } else { 1 };
        let normals = |normals: &Vec<[i8; 3]>| -> Vec<[i8; 3]> {
            let shown = self.nearest(normals, input, [0; 3]);
            shown.into_iter().map(|[x, y, z]| [x.saturating_mul(sign), y, z]).collect()
        };
        let flow = |flow: &Vec<[f32; 2]>| -> Vec<[f32; 2]> {
            let [sx, sy] = self.scale.map(|scale| scale as f32);
            let shown = self.nearest(flow, input, [f32::NAN; 2]);
            shown.into_iter().map(|[u, v]| [u * sx * f32::from(sign), v * sy]).collect()
        };
        CameraView {
            camera: view.camera.clone(),
            depth,
            semantics: view.semantics.as_ref().map(classes),
            instances: view.instances.as_ref().map(|ids| self.nearest(ids, input, 0)),
            normals: view.normals.as_ref().map(normals),
            flow: view.flow.as_ref().map(flow),
        }
    }
}

/// The tangential coefficient whose sign mirroring x changes: OpenCV's `p2`.
fn sideways(intrinsics: &Intrinsics) -> Option<usize> {
    match intrinsics {
        Intrinsics::BrownConrady(_) | Intrinsics::Rational(_) => Some(7),
        Intrinsics::Mei(_) => Some(8),
        _ => None,
    }
}

/// The part of a picture that two spans name, at their length.
fn resized(image: &RgbImage, x: &Span, y: &Span) -> Vec<u8> {
    let side = |pixels: usize| u32::try_from(pixels).expect("sides of pictures are bounded");
    let source = ImageRef::new(side(image.width), side(image.height), &image.data, PixelType::U8x3)
        .expect("a picture has three bytes a pixel");
    let mut target = Image::new(side(x.length), side(y.length), PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(x.from, y.from, x.extent, y.extent);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("the part lies within the picture, and both have three bytes a pixel");
    target.into_vec()
}
