//! Drawing strokes on a tile that wraps around.

use super::pattern::{hash, unit};

/// One value for each texel of a tile.
pub(super) struct Sheet {
    size: usize,
    values: Vec<f32>,
}

/// Random numbers for drawing.
pub(super) struct Dice(u32);

impl Dice {
    pub(super) fn new(seed: u32) -> Self {
        Self(hash(seed, 0x7f4a, 0x1234))
    }

    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        self.0 = hash(self.0, 1, 0x2545_f491);
        low + (high - low) * unit(self.0, 3)
    }
}

impl Sheet {
    pub(super) fn new(size: usize, value: f32) -> Self {
        Self { size, values: vec![value; size * size] }
    }

    /// At `[0, 1)` coordinates.
    pub(super) fn at(&self, [u, v]: [f32; 2]) -> f32 {
        let place = |t: f32| ((t * self.size as f32) as usize).min(self.size - 1);
        self.values[place(v) * self.size + place(u)]
    }

    /// Changes every texel within `reach` of a point, all in tile units, by what `f` makes of the offset
    /// from it and the value there.
    pub(super) fn stamp(&mut self, [u, v]: [f32; 2], reach: f32, f: impl Fn([f32; 2], f32) -> f32) {
        let size = self.size as f32;
        let span = |centre: f32| {
            ((centre - reach) * size).floor() as i32..=((centre + reach) * size).ceil() as i32
        };
        for row in span(v) {
            for column in span(u) {
                let offset = [(column as f32 + 0.5) / size - u, (row as f32 + 0.5) / size - v];
                let wrap = |i: i32| i.rem_euclid(self.size as i32) as usize;
                let value = &mut self.values[wrap(row) * self.size + wrap(column)];
                *value = f(offset, *value);
            }
        }
    }

    /// A disc with a soft rim that keeps the larger value.
    pub(super) fn dab(&mut self, at: [f32; 2], radius: f32, value: f32) {
        self.stamp(at, radius, |[x, y], old| {
            let inside = ((1.0 - (x * x + y * y).sqrt() / radius) * 2.0).clamp(0.0, 1.0);
            old.max(value * inside)
        });
    }

    /// A wandering line of `length`, turning by up to `wander` radians a step.
    pub(super) fn crack(
        &mut self,
        start: [f32; 2],
        length: f32,
        width: f32,
        wander: f32,
        dice: &mut Dice,
    ) {
        let mut at = start;
        let mut heading = dice.range(0.0, std::f32::consts::TAU);
        let step = (0.7 * width).max(0.5 / self.size as f32);
        let strength = dice.range(0.6, 1.0);
        for _ in 0..(length / step) as usize {
            heading += dice.range(-wander, wander);
            at = [at[0] + step * heading.cos(), at[1] + step * heading.sin()];
            self.dab(at, width * dice.range(0.6, 1.2), strength);
        }
    }

    /// A filled rectangle: centre and half sides.
    pub(super) fn rectangle(&mut self, centre: [f32; 2], half: [f32; 2], value: f32) {
        let reach = half[0].max(half[1]);
        self.stamp(centre, reach, |[x, y], old| {
            if x.abs() <= half[0] && y.abs() <= half[1] { value } else { old }
        });
    }

    /// A leaf or blade: an ellipse with half axes `long` and `wide`, turned by `angle`; `f` makes the value from
    /// the place on it (each -1 to 1).
    pub(super) fn leaf(
        &mut self,
        centre: [f32; 2],
        [long, wide]: [f32; 2],
        angle: f32,
        f: impl Fn([f32; 2]) -> f32,
    ) {
        let (sin, cos) = angle.sin_cos();
        self.stamp(centre, long.max(wide), |[x, y], old| {
            let place = [(x * cos + y * sin) / long, (y * cos - x * sin) / wide];
            if place[0] * place[0] + place[1] * place[1] < 1.0 { f(place) } else { old }
        });
    }
}
