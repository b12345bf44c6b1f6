//! Depth over the camera's image.

use ommatidia_scene::{DepthMap, RgbImage};

use super::colour::{DepthScale, mix};

/// The image in grey where nothing is estimated, tinted by depth where something is: the more
/// confident, the stronger. Both have the same size.
pub fn depth_over_image(image: &RgbImage, depth: &DepthMap, scale: DepthScale) -> RgbImage {
    assert_eq!((image.width, image.height), (depth.width, depth.height), "depth fits its image");
    let gray = image.to_gray();
    let mut data = Vec::with_capacity(image.data.len());
    for (index, &luma) in gray.data.iter().enumerate() {
        let depth_m = depth.depth_m[index];
        // Darker without a tint, so that gaps read as gaps.
        let base = [(f32::from(luma) * 0.55) as u8; 3];
        if depth_m > 0.0 {
            let [r, g, b] = scale.colour(depth_m);
            // The image's own light and shade stay visible in the colour.
            let shade = 0.45 + 0.75 * f32::from(luma) / 255.0;
            let lit = [r, g, b].map(|c| (f32::from(c) * shade).min(255.0) as u8);
            let confidence = f32::from(depth.confidence[index]) / 255.0;
            data.extend(mix(base, lit, 0.35 + 0.6 * confidence));
        } else {
            data.extend(base);
        }
    }
    RgbImage::new(image.width, image.height, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_estimated_pixels_are_tinted() {
        let image = RgbImage::new(3, 1, vec![200; 9]);
        let depth = DepthMap {
            width: 3,
            height: 1,
            depth_m: vec![0.0, 3.0, 3.0],
            confidence: vec![255, 255, 0],
        };
        let picture = depth_over_image(&image, &depth, DepthScale::default());
        let saturation = |x: usize| {
            let [r, g, b] = picture.at(x, 0);
            r.max(g).max(b) - r.min(g).min(b)
        };
        assert_eq!(saturation(0), 0);
        assert!(saturation(1) > saturation(2) && saturation(2) > 10);
    }
}
