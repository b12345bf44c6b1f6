//! A square of surface, baked, with its smaller copies.

use rayon::prelude::*;

/// What a point of a texture is like, before baking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texel {
    /// Times the material's colour where `tint` is 1, a colour of its own where it is 0; up to 2.
    pub(super) rgb: [f32; 3],
    /// How much of the material's colour it takes.
    pub(super) tint: f32,
    /// Gloss of what has a colour of its own.
    pub(super) gloss: f32,
    /// Height, metres; its slope bends the normal.
    pub(super) height_m: f32,
    /// Windows: it can be lit from inside. Ground: water gathers.
    pub(super) mark: f32,
}

impl Texel {
    /// The material's colour, this bright.
    pub(super) fn tinted(brightness: f32) -> Self {
        Self { rgb: [brightness; 3], tint: 1.0, gloss: 0.0, height_m: 0.0, mark: 0.0 }
    }

    /// A colour of its own.
    pub(super) fn own(rgb: [f32; 3], gloss: f32) -> Self {
        Self { rgb, tint: 0.0, gloss, height_m: 0.0, mark: 0.0 }
    }

    pub(super) fn high(self, height_m: f32) -> Self {
        Self { height_m, ..self }
    }

    /// `self` at `share` 0, `other` at 1.
    pub(super) fn mixed(self, other: Self, share: f32) -> Self {
        let blend = |a: f32, b: f32| a + share * (b - a);
        Self {
            rgb: std::array::from_fn(|c| blend(self.rgb[c], other.rgb[c])),
            tint: blend(self.tint, other.tint),
            gloss: blend(self.gloss, other.gloss),
            height_m: blend(self.height_m, other.height_m),
            mark: blend(self.mark, other.mark),
        }
    }

    pub(super) fn times(self, by: f32) -> Self {
        Self { rgb: self.rgb.map(|c| c * by), ..self }
    }
}

/// A filtered sample of a [`Tile`]: the albedo is `times` the material's colour, plus `own`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) times: [f32; 3],
    pub(crate) own: [f32; 3],
    /// Of what has a colour of its own.
    pub(crate) gloss: f32,
    /// Rise along the tile's two axes.
    pub(crate) slope: [f32; 2],
    pub(crate) mark: f32,
}

/// Which half of the albedo keeps its hues; the other is stored as brightness. Both halves are kept apart,
/// weighted with their share of the surface, since their sum does not filter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hues {
    /// What takes the material's colour; all that has a colour of its own has this hue (green is 1).
    Tinted([f32; 3]),
    /// What has colours of its own.
    Own,
}

/// Nothing has a hue of its own.
pub(super) const NEUTRAL: Hues = Hues::Tinted([1.0; 3]);

/// Eight channels of a byte: square roots of half of three colours and of a brightness, gloss, two slopes,
/// mark.
type Packed = u64;

/// A periodic texture with mip levels, each half the size of the one before.
pub(crate) struct Tile {
    /// Side of the tile on the surface, metres.
    pub(crate) metres: f32,
    hues: Hues,
    levels: Vec<Vec<Packed>>,
    log2_size: u32,
}

/// Coordinates on a tile in units of its side over 2^32: places wrap around by themselves, and texels of
/// every level are their upper bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place(pub(crate) [i64; 2]);

impl Place {
    /// Moved by a multiple of a step.
    #[inline]
    pub(crate) fn moved(self, step: Self, times: i64) -> Self {
        Self([self.0[0] + times * step.0[0], self.0[1] + times * step.0[1]])
    }
}

/// Channels in the accumulating form: linear.
type Channels = [f32; 8];

impl Tile {
    /// Bakes `2^log2_size` texels squared; `texel` gets `[0, 1)` coordinates.
    pub(super) fn bake(
        log2_size: u32,
        metres: f32,
        hues: Hues,
        texel: impl Fn([f32; 2]) -> Texel + Sync,
    ) -> Self {
        let size = 1usize << log2_size;
        let texels: Vec<Texel> = (0..size * size)
            .into_par_iter()
            .map(|i| {
                let place = |i: usize| (i as f32 + 0.5) / size as f32;
                texel([place(i % size), place(i / size)])
            })
            .collect();
        let per_metre = size as f32 / metres;
        let height = |x: usize, y: usize| texels[(y % size) * size + x % size].height_m;
        let mut level: Vec<Channels> = (0..size * size)
            .into_par_iter()
            .map(|i| {
                let (x, y) = (i % size, i / size);
                let t = texels[i];
                let rise = |ahead: f32, behind: f32| 0.5 * (ahead - behind) * per_metre;
                let along = rise(height(x + 1, y), height(x + size - 1, y));
                let down = rise(height(x, y + 1), height(x, y + size - 1));
                let ([r, g, b], bright) = halves(&t, hues);
                [r, g, b, bright, t.gloss, along, down, t.mark]
            })
            .collect();
        let mut levels = Vec::with_capacity(log2_size as usize + 1);
        let mut side = size;
        loop {
            levels.push(level.iter().map(pack).collect());
            if side == 1 {
                break;
            }
            level = halved(&level, side);
            side /= 2;
        }
        Self { metres, hues, levels, log2_size }
    }

    /// The level whose texels are as large as this on the surface, metres; fractional, 0 the finest.
    #[inline]
    pub(crate) fn level(&self, footprint_m: f32) -> f32 {
        let texels = footprint_m * (1u32 << self.log2_size) as f32 / self.metres;
        fast_log2(texels.max(1.0)).min(self.log2_size as f32)
    }

    /// Where a point or a step in metres is on the tile.
    #[inline]
    pub(crate) fn place(&self, p_m: [f32; 2]) -> Place {
        let scale = 4_294_967_296.0 / self.metres;
        Place([(p_m[0] * scale) as i64, (p_m[1] * scale) as i64])
    }

    /// Trilinear.
    #[inline]
    pub(crate) fn sample(&self, p_m: Place, level: f32) -> Sample {
        let index = (level as usize).min(self.levels.len() - 1);
        let blend = ((level - index as f32) * 256.0) as u64;
        let fine = self.bilinear(p_m, index);
        if blend == 0 || index + 1 == self.levels.len() {
            return self.unpack(fine);
        }
        let coarse = self.bilinear(p_m, index + 1);
        self.unpack(std::array::from_fn(|half| {
            let (a, b) = ((fine[half] >> 8) & LANES, (coarse[half] >> 8) & LANES);
            a * (256 - blend) + b * blend
        }))
    }

    /// Bilinear on the level below: for several samples of one footprint, each with its own share of a
    /// level added, or for what has no fine detail.
    #[inline]
    pub(crate) fn tap(&self, p_m: Place, level: f32) -> Sample {
        self.unpack(self.bilinear(p_m, (level as usize).min(self.levels.len() - 1)))
    }

    #[inline]
    fn unpack(&self, lanes: [u64; 2]) -> Sample {
        const UNIT: f32 = 1.0 / (255.0 * 256.0);
        let at = |half: usize, lane: u32| ((lanes[half] >> (16 * lane)) & 0xffff) as f32 * UNIT;
        let colour = |root: f32| 2.0 * root * root;
        let rgb = [colour(at(0, 0)), colour(at(1, 0)), colour(at(0, 1))];
        let bright = colour(at(1, 1));
        let (times, own) = match self.hues {
            Hues::Tinted(hue) => (rgb, hue.map(|c| c * bright)),
            Hues::Own => ([bright; 3], rgb),
        };
        Sample {
            times,
            own,
            gloss: at(0, 2),
            slope: [2.0 * at(1, 2) - 1.0, 2.0 * at(0, 3) - 1.0],
            mark: at(1, 3),
        }
    }

    /// Four texels blended with weights of 8 bits, in 16-bit lanes: even and odd channels.
    #[inline]
    fn bilinear(&self, p_m: Place, index: usize) -> [u64; 2] {
        let level = &self.levels[index][..];
        let log2 = self.log2_size - index as u32;
        if log2 == 0 {
            return [(level[0] & LANES) << 8, ((level[0] >> 8) & LANES) << 8];
        }
        let shift = 32 - log2;
        let split = |fixed: i64| {
            let from_centre = (fixed as u32).wrapping_sub(1 << (shift - 1));
            (from_centre >> shift, (from_centre >> (shift - 8)) & 255)
        };
        let ((x, fx), (y, fy)) = (split(p_m.0[0]), split(p_m.0[1]));
        let mask = (1u32 << log2) - 1;
        let right = (x + 1) & mask;
        let (top, bottom) = (y << log2, ((y + 1) & mask) << log2);
        let corners = [top | x, top | right, bottom | x, bottom | right];
        let both = (fx * fy) >> 8;
        let weights = [256 + both - fx - fy, fx - both, fy - both, both];
        let mut sum = [0u64; 2];
        for (corner, weight) in corners.into_iter().zip(weights) {
            let texel = level[corner as usize];
            sum[0] += (texel & LANES) * u64::from(weight);
            sum[1] += ((texel >> 8) & LANES) * u64::from(weight);
        }
        sum
    }
}

/// Three colours, and the brightness of the other half.
fn halves(texel: &Texel, hues: Hues) -> ([f32; 3], f32) {
    let own = 1.0 - texel.tint;
    match hues {
        Hues::Tinted(hue) => {
            let grey =
                (texel.rgb[0] / hue[0] + texel.rgb[1] / hue[1] + texel.rgb[2] / hue[2]) / 3.0;
            (texel.rgb.map(|c| c * texel.tint), own * grey)
        }
        Hues::Own => {
            let grey = texel.rgb.iter().sum::<f32>() / 3.0;
            (texel.rgb.map(|c| c * own), texel.tint * grey)
        }
    }
}

/// The sum of two or four bilinear samples, still packed.
#[derive(Default)]
pub(crate) struct Taps([u64; 2]);

impl Taps {
    /// Adds a sample on the level below.
    #[inline]
    pub(crate) fn add(&mut self, tile: &Tile, p_m: Place, level: f32) {
        let lanes = tile.bilinear(p_m, (level as usize).min(tile.levels.len() - 1));
        // A quarter each: four fit into 16 bits.
        self.0[0] += (lanes[0] >> 2) & QUARTERS;
        self.0[1] += (lanes[1] >> 2) & QUARTERS;
    }

    /// Of two or four.
    #[inline]
    pub(crate) fn mean(&self, tile: &Tile, taps: usize) -> Sample {
        tile.unpack(if taps == 2 { self.0.map(|lanes| lanes << 1) } else { self.0 })
    }
}

/// Four lanes of 16 bits that hold 14.
const QUARTERS: u64 = 0x3fff_3fff_3fff_3fff;

/// Four lanes of 16 bits that hold 8.
const LANES: u64 = 0x00ff_00ff_00ff_00ff;

fn pack(channels: &Channels) -> Packed {
    let colour = |c: f32| (255.0 * (0.5 * c).clamp(0.0, 1.0).sqrt()).round() as u8;
    let plain = |c: f32| (255.0 * c.clamp(0.0, 1.0)).round() as u8;
    let slope = |c: f32| (127.5 + 127.5 * c.clamp(-1.0, 1.0)).round() as u8;
    let [r, g, b, bright, gloss, along, down, mark] = *channels;
    u64::from_le_bytes([
        colour(r),
        colour(g),
        colour(b),
        colour(bright),
        plain(gloss),
        slope(along),
        slope(down),
        plain(mark),
    ])
}

fn halved(level: &[Channels], side: usize) -> Vec<Channels> {
    let half = side / 2;
    let at = |x: usize, y: usize| level[y * side + x];
    let mut smaller = Vec::with_capacity(half * half);
    for y in 0..half {
        for x in 0..half {
            let four = [
                at(2 * x, 2 * y),
                at(2 * x + 1, 2 * y),
                at(2 * x, 2 * y + 1),
                at(2 * x + 1, 2 * y + 1),
            ];
            smaller.push(std::array::from_fn(|c| 0.25 * four.iter().map(|t| t[c]).sum::<f32>()));
        }
    }
    smaller
}

/// Within 0.09 of the logarithm to base 2 for positive numbers: the exponent, and the mantissa linearly.
#[inline]
fn fast_log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    exponent as f32 + mantissa - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Tile {
        Tile::bake(6, 2.0, Hues::Own, |[u, v]| Texel {
            rgb: [0.2 + 0.5 * (std::f32::consts::TAU * u).sin().abs(), 1.0, v],
            tint: 0.0,
            gloss: 0.25,
            height_m: 0.01 * (std::f32::consts::TAU * u).sin(),
            mark: u,
        })
    }

    #[test]
    fn a_texel_comes_back_as_it_was_painted() {
        let tile = ramp();
        let place = (20.5 / 64.0) * 2.0;
        let sample = tile.sample(tile.place([place, 10.5 / 64.0 * 2.0]), 0.0);
        let expected = 0.2 + 0.5 * (std::f32::consts::TAU * 20.5f32 / 64.0).sin().abs();
        assert!((sample.own[0] - expected).abs() < 0.02, "{sample:?}");
        assert!((sample.own[1] - 1.0).abs() < 0.01 && sample.times == [0.0; 3]);
        // d/dx of 0.01 sin(pi x) on a tile of 2 m.
        let slope = 0.01 * std::f32::consts::PI * (std::f32::consts::PI * place).cos();
        assert!((sample.slope[0] - slope).abs() < 0.01, "{sample:?} {slope}");
    }

    #[test]
    fn tiles_repeat_and_levels_agree_on_the_mean() {
        let tile = ramp();
        for level in [0.0, 0.4, 2.7, 6.0] {
            let (a, b) = (
                tile.sample(tile.place([0.37, 1.2]), level),
                tile.sample(tile.place([0.37 - 6.0, 1.2 + 4.0]), level),
            );
            assert!((a.own[0] - b.own[0]).abs() < 0.02 && (a.mark - b.mark).abs() < 0.02);
        }
        let mean: f32 = (0..64)
            .map(|i| tile.sample(tile.place([(i as f32 + 0.5) / 32.0, 0.3]), 0.0).own[0])
            .sum::<f32>()
            / 64.0;
        assert!((tile.sample(tile.place([0.0, 0.0]), 6.0).own[0] - mean).abs() < 0.02);
    }

    #[test]
    fn a_joint_does_not_brighten_from_afar() {
        for hues in [Hues::Own, Hues::Tinted([1.2, 1.0, 0.8])] {
            // Half of the tile takes the colour, half is dark by itself.
            let tile = Tile::bake(5, 1.0, hues, |[u, _]| {
                if u < 0.5 { Texel::tinted(1.0) } else { Texel::own([0.12, 0.1, 0.08], 0.0) }
            });
            let albedo = |p_m, level| {
                let sample = tile.sample(tile.place(p_m), level);
                0.3 * sample.times[1] + sample.own[1]
            };
            assert!((albedo([0.25, 0.2], 0.0) - 0.3).abs() < 0.01);
            assert!((albedo([0.75, 0.2], 0.0) - 0.1).abs() < 0.01);
            assert!((albedo([0.25, 0.2], 5.0) - 0.2).abs() < 0.01);
        }
    }

    #[test]
    fn levels_follow_the_footprint() {
        let tile = ramp();
        for (footprint, expected) in
            [(0.001, 0.0), (2.0 / 64.0, 0.0), (0.125, 2.0), (2.0, 6.0), (90.0, 6.0)]
        {
            assert!((tile.level(footprint) - expected).abs() < 0.01, "{footprint}");
        }
    }
}
