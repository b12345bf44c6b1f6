//! Decoded images.

/// 8-bit luminance, row-major, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrayImage {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// `width * height` values.
    pub data: Vec<u8>,
}

/// 8-bit sRGB, row-major, interleaved, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// `3 * width * height` values.
    pub data: Vec<u8>,
}

impl GrayImage {
    /// An image from its pixels, row-major.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), width * height, "pixels of a {width}x{height} grey image");
        Self { width, height, data }
    }

    /// The value at column `x`, row `y`.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.data[y * self.width + x]
    }

    /// Row `y`.
    #[inline]
    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width..(y + 1) * self.width]
    }
}

impl RgbImage {
    /// An image from its pixels, row-major, interleaved.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), 3 * width * height, "pixels of a {width}x{height} colour image");
        Self { width, height, data }
    }

    /// The colour at column `x`, row `y`.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let start = 3 * (y * self.width + x);
        [self.data[start], self.data[start + 1], self.data[start + 2]]
    }

    /// Luma of ITU-R BT.601 in 8-bit fixed point: `(77 R + 150 G + 29 B + 128) / 256`.
    pub fn to_gray(&self) -> GrayImage {
        let luma = |rgb: &[u8]| {
            ((77 * u32::from(rgb[0]) + 150 * u32::from(rgb[1]) + 29 * u32::from(rgb[2]) + 128) >> 8)
                as u8
        };
        GrayImage::new(self.width, self.height, self.data.chunks_exact(3).map(luma).collect())
    }
}
