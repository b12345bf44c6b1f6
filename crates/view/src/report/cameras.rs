//! Depth over the cameras' images.

use maud::{Markup, html};
use ommatidia_scene::{DepthMap, RgbImage};

use super::input::ReportFrame;
use super::{ReportInput, data_uri};
use crate::Error;
use crate::render::{DepthScale, depth_over_image, jpeg};

/// Images are shown at most this wide, pixels.
const IMAGE_WIDTH: usize = 1000;

pub(super) fn pictures(input: &ReportInput, frame: &ReportFrame) -> Result<Markup, Error> {
    let scale = DepthScale::default();
    let mut pictures = Vec::new();
    for (camera, image) in input.rig.cameras.iter().zip(&frame.images) {
        let view = frame.space.cameras.iter().find(|view| view.camera == camera.name);
        let (Some(image), Some(depth)) = (image, view.and_then(|view| view.depth.as_ref())) else {
            continue;
        };
        if (image.width, image.height) != (depth.width, depth.height) {
            let what = format!(
                "camera {}: the image is {}x{} and its depth {}x{}",
                camera.name, image.width, image.height, depth.width, depth.height
            );
            return Err(Error::Frame { frame: frame.index, what });
        }
        let step = image.width.div_ceil(IMAGE_WIDTH);
        let picture = depth_over_image(&shrink(image, step), &thin(depth, step), scale);
        let uri = data_uri("image/jpeg", &jpeg(&picture)?);
        pictures.push((&camera.name, uri, summary(depth)));
    }
    let ticks = [80.0f32, 40.0, 20.0, 10.0, 5.0, 3.0];
    let stops: Vec<String> = (0..=16)
        .map(|i| {
            let [red, green, blue] = DepthScale::colour_at(i as f32 / 16.0);
            format!("rgb({red},{green},{blue})")
        })
        .collect();
    Ok(html! {
        @if !pictures.is_empty() {
            div.cameras {
                @for (name, uri, summary) in &pictures {
                    figure { img src=(uri) alt=(format!("Depth of camera {name}"));
                        figcaption { b { (name) } " · " (summary) } }
                }
            }
            div.depth-legend {
                div.ramp style=(format!("background:linear-gradient(90deg,{})", stops.join(","))) {}
                div.ticks { @for tick in ticks {
                    span style=(format!("left:{:.1}%", 100.0 * scale.share(tick))) { (tick) " m" }
                } }
                p { "Depth along the optical axis; strength of the colour is confidence; grey has no estimate." }
            }
        }
    })
}

fn summary(depth: &DepthMap) -> String {
    let estimated = depth.depth_m.iter().filter(|&&d| d > 0.0).count();
    let confidence: u64 = (depth.depth_m.iter().zip(&depth.confidence))
        .filter(|(d, _)| **d > 0.0)
        .map(|(_, &c)| u64::from(c))
        .sum();
    let mean = confidence as f64 / 255.0 / estimated.max(1) as f64;
    format!("depth at {:.1} % of the pixels, mean confidence {mean:.2}", 100.0 * depth.density())
}

/// Means over squares of `step` pixels.
fn shrink(image: &RgbImage, step: usize) -> RgbImage {
    let (width, height) = (image.width / step, image.height / step);
    let mut data = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0usize; 3];
            for (dy, dx) in (0..step).flat_map(|dy| (0..step).map(move |dx| (dy, dx))) {
                let pixel = image.at(x * step + dx, y * step + dy);
                (0..3).for_each(|i| sum[i] += usize::from(pixel[i]));
            }
            data.extend(sum.map(|s| (s / (step * step)) as u8));
        }
    }
    RgbImage::new(width, height, data)
}

/// Every `step`th pixel: a mean over an edge would be a depth that nothing has.
fn thin(depth: &DepthMap, step: usize) -> DepthMap {
    let mut small = DepthMap::empty(depth.width / step, depth.height / step);
    for y in 0..small.height {
        for x in 0..small.width {
            let from = (y * step + step / 2) * depth.width + x * step + step / 2;
            small.depth_m[y * small.width + x] = depth.depth_m[from];
            small.confidence[y * small.width + x] = depth.confidence[from];
        }
    }
    small
}
