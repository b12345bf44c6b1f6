//! Changes of colour and sharpness that leave every pixel where it is.

use ommatidia_scene::RgbImage;

/// ITU-R BT.601.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Factors around 1, as torchvision's `ColorJitter` defines them: brightness, then contrast, then saturation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Colour {
    pub(crate) brightness: f32,
    /// Distance from the picture's mean luma.
    pub(crate) contrast: f32,
    /// Distance from the pixel's own luma.
    pub(crate) saturation: f32,
}

impl Colour {
    /// Applies all three.
    pub(crate) fn apply(&self, image: &mut RgbImage) {
        let luma = |rgb: &[u8; 3]| {
            LUMA[0] * f32::from(rgb[0]) + LUMA[1] * f32::from(rgb[1]) + LUMA[2] * f32::from(rgb[2])
        };
        let pixels = image.data.as_chunks_mut::<3>().0;
        let sum: f64 = pixels.iter().map(|rgb| f64::from(luma(rgb))).sum();
        let mean = (sum / pixels.len().max(1) as f64) as f32 * self.brightness;
        // All three are affine in the colour: one factor for it, one for its luma, one constant.
        let scale = self.brightness * self.contrast;
        let constant = mean * (1.0 - self.contrast);
        for rgb in pixels {
            let grey = luma(rgb);
            let shared = scale * grey * (1.0 - self.saturation) + constant;
            for value in rgb.iter_mut() {
                *value = (scale * self.saturation * f32::from(*value) + shared).round() as u8;
            }
        }
    }
}

/// Blurs by the binomial filter `1 2 1` along x and y.
pub(crate) fn blur(image: &mut RgbImage) {
    let (width, height) = (image.width, image.height);
    let mix =
        |a: u8, b: u8, c: u8| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) >> 2) as u8;
    let mut rows = image.data.clone();
    for y in 0..height {
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            for c in 0..3 {
                let at = |x: usize| image.data[3 * (y * width + x) + c];
                rows[3 * (y * width + x) + c] = mix(at(left), at(x), at(right));
            }
        }
    }
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for i in 0..3 * width {
            let at = |y: usize| rows[3 * y * width + i];
            image.data[3 * y * width + i] = mix(at(above), at(y), at(below));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::new(4, 2, (0..24).map(|i| (i * 9 + 20) as u8).collect())
    }

    #[test]
    fn factors_of_one_change_nothing() {
        let mut image = picture();
        Colour { brightness: 1.0, contrast: 1.0, saturation: 1.0 }.apply(&mut image);
        assert_eq!(image, picture());
    }

    #[test]
    fn each_factor_does_its_own() {
        let applied = |brightness, contrast, saturation| {
            let mut image = picture();
            Colour { brightness, contrast, saturation }.apply(&mut image);
            image
        };
        assert!(
            applied(0.5, 1.0, 1.0)
                .data
                .iter()
                .zip(&picture().data)
                .all(|(a, b)| a.abs_diff(b / 2) <= 1)
        );
        let flat = applied(1.0, 0.0, 1.0);
        assert!(flat.data.iter().all(|value| value.abs_diff(flat.data[0]) <= 1));
        let grey = applied(1.0, 1.0, 0.0);
        assert!(
            grey.data.as_chunks::<3>().0.iter().all(|rgb| rgb[0] == rgb[1] && rgb[1] == rgb[2])
        );
    }

    #[test]
    fn blur_spreads_a_dot_and_keeps_what_is_flat() {
        let mut flat = RgbImage::new(3, 3, vec![77; 27]);
        blur(&mut flat);
        assert_eq!(flat.data, vec![77; 27]);
        let mut dot = RgbImage::new(3, 3, vec![0; 27]);
        dot.data[12] = 160;
        blur(&mut dot);
        assert_eq!([dot.at(0, 0)[0], dot.at(1, 0)[0], dot.at(1, 1)[0]], [10, 20, 40]);
    }
}
