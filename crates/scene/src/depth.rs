//! Dense depth of one image.

/// Depth along the optical axis per pixel, row-major, at the image's resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthMap {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// z in the camera frame, metres; 0 where there is no estimate.
    pub depth_m: Vec<f32>,
    /// Confidence per pixel, 0 none to 255 certain.
    pub confidence: Vec<u8>,
}

impl DepthMap {
    /// No estimate anywhere.
    pub fn empty(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            depth_m: vec![0.0; width * height],
            confidence: vec![0; width * height],
        }
    }

    /// Depth at column `x`, row `y`, metres.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> Option<f32> {
        let depth = self.depth_m[y * self.width + x];
        (depth > 0.0).then_some(depth)
    }

    /// Share of pixels that have an estimate.
    pub fn density(&self) -> f64 {
        let estimated = self.depth_m.iter().filter(|&&depth| depth > 0.0).count();
        estimated as f64 / self.depth_m.len().max(1) as f64
    }
}
