//! Colours.

/// sRGB.
pub type Rgb = [u8; 3];

/// Google's Turbo, `share` from 0 (blue) to 1 (red); clamped.
///
/// Mikhailov 2019, the polynomial of degree 5.
pub fn turbo(share: f32) -> Rgb {
    let x = share.clamp(0.0, 1.0);
    let polynomial = |c: [f32; 6]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    let channel = |c| (polynomial(c) * 255.0).round().clamp(0.0, 255.0) as u8;
    [
        channel([0.135_721_38, 4.615_392_6, -42.660_324, 132.131_08, -152.942_4, 59.286_38]),
        channel([0.091_402_61, 2.194_188_4, 4.842_966_6, -14.185_033, 4.277_298_6, 2.829_566]),
        channel([0.106_673_3, 12.641_946, -60.582_05, 110.362_77, -89.903_11, 27.348_25]),
    ]
}

/// `a` where `share` is 0, `b` where it is 1.
pub(super) fn mix(a: Rgb, b: Rgb, share: f32) -> Rgb {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|i| {
        (f32::from(a[i]) * (1.0 - share) + f32::from(b[i]) * share).round() as u8
    })
}

/// Every channel times `factor`.
pub(super) fn scale(colour: Rgb, factor: f32) -> Rgb {
    colour.map(|c| (f32::from(c) * factor).round().clamp(0.0, 255.0) as u8)
}

/// Depth to colour: logarithmic, near is red and far is blue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthScale {
    /// Depth of the red end, metres.
    pub near_m: f32,
    /// Depth of the blue end, metres.
    pub far_m: f32,
}

impl Default for DepthScale {
    fn default() -> Self {
        Self { near_m: 3.0, far_m: 80.0 }
    }
}

impl DepthScale {
    /// Where a depth lies between far (0) and near (1).
    pub fn share(&self, depth_m: f32) -> f32 {
        let span = (self.far_m / self.near_m).ln();
        ((self.far_m / depth_m).ln() / span).clamp(0.0, 1.0)
    }

    /// The colour of a depth.
    pub fn colour(&self, depth_m: f32) -> Rgb {
        Self::colour_at(self.share(depth_m))
    }

    /// The colour between far (0) and near (1): Turbo without its nearly black ends.
    pub fn colour_at(share: f32) -> Rgb {
        turbo(0.08 + 0.86 * share.clamp(0.0, 1.0))
    }
}

/// Height over ground to colour, for what has no class: from slate through teal to straw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeightScale {
    /// Height of the dark end, metres.
    pub low_m: f32,
    /// Height of the light end, metres.
    pub high_m: f32,
}

impl Default for HeightScale {
    fn default() -> Self {
        Self { low_m: 0.0, high_m: 4.0 }
    }
}

/// Viridis at fifths, without its ends.
const HEIGHT_STOPS: [Rgb; 5] =
    [[62, 74, 137], [38, 130, 142], [53, 183, 121], [160, 218, 57], [240, 229, 60]];

impl HeightScale {
    /// The colour of a height.
    pub fn colour(&self, height_m: f32) -> Rgb {
        let share = (height_m - self.low_m) / (self.high_m - self.low_m);
        let place = share.clamp(0.0, 1.0) * (HEIGHT_STOPS.len() - 1) as f32;
        let stop = (place as usize).min(HEIGHT_STOPS.len() - 2);
        mix(HEIGHT_STOPS[stop], HEIGHT_STOPS[stop + 1], place - stop as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turbo_runs_from_blue_to_red() {
        let [blue, middle, red] = [0.1, 0.5, 0.9].map(turbo);
        assert!(
            blue[2] > blue[0] && middle[1] > 200 && red[0] > red[2],
            "{blue:?} {middle:?} {red:?}"
        );
        assert_eq!(turbo(-1.0), turbo(0.0));
        assert_eq!(turbo(f32::INFINITY), turbo(1.0));
    }

    #[test]
    fn scales_end_where_they_say() {
        let depth = DepthScale::default();
        assert_eq!((depth.share(3.0), depth.share(80.0), depth.share(1e9)), (1.0, 0.0, 0.0));
        let height = HeightScale::default();
        assert_eq!(height.colour(-3.0), HEIGHT_STOPS[0]);
        assert_eq!(height.colour(99.0), HEIGHT_STOPS[4]);
    }
}
