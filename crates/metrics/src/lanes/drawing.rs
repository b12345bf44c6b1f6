//! Thick lines as OpenCV draws them, pixel for pixel: `cv::line` with the default line type.
//!
//! CULane compares lanes by the pixels that they cover, so the rounding of edges and ends is part of the metric.
//! Coordinates are fixed-point with 16 bits of fraction; a thick line is a filled quadrilateral with its outline
//! and a filled circle at each end.

const SHIFT: u32 = 16;
const ONE: i64 = 1 << SHIFT;
const HALF: i64 = ONE / 2;

/// A picture of drawn and not drawn pixels.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    width: i64,
    height: i64,
    words_per_row: usize,
    words: Vec<u64>,
}

impl Mask {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let words_per_row = width.div_ceil(64);
        let words = vec![0; words_per_row * height];
        Self { width: width as i64, height: height as i64, words_per_row, words }
    }

    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Pixels drawn in both.
    pub(super) fn common(&self, other: &Self) -> u64 {
        self.words.iter().zip(&other.words).map(|(a, b)| u64::from((a & b).count_ones())).sum()
    }

    /// Fills `first..=last` of a row, as far as it is inside.
    fn span(&mut self, row: i64, first: i64, last: i64) {
        if row < 0 || row >= self.height {
            return;
        }
        let (first, last) = (first.max(0), last.min(self.width - 1));
        if first > last {
            return;
        }
        let start = row as usize * self.words_per_row;
        let (a, b) = (first as usize, last as usize);
        for word in a / 64..=b / 64 {
            let low = if word == a / 64 { u64::MAX << (a % 64) } else { u64::MAX };
            let high = if word == b / 64 { u64::MAX >> (63 - b % 64) } else { u64::MAX };
            self.words[start + word] |= low & high;
        }
    }

    /// A line between two pixels, `thickness` above 1. As OpenCV 4 and 5: the line is first cut, in whole pixels,
    /// where it is farther than its thickness outside; older versions do not.
    pub(super) fn thick_line(&mut self, from: [i64; 2], to: [i64; 2], thickness: u32) {
        let margin = i64::from(thickness);
        let size = [self.width + 2 * margin, self.height + 2 * margin];
        let [from, to] = [from, to].map(|p| p.map(|x| x + margin));
        let Some(ends) = clip(size, from, to) else { return };
        let [from, to] = ends.map(|p| p.map(|x| x - margin));
        let (p0, p1) = (from.map(|x| x << SHIFT), to.map(|x| x << SHIFT));
        let dx = (p0[0] - p1[0]) as f64 / ONE as f64;
        let dy = (p1[1] - p0[1]) as f64 / ONE as f64;
        let squared = dx * dx + dy * dy;
        let half = i64::from(thickness) << (SHIFT - 1);
        if squared > f64::EPSILON {
            let odd = f64::from(thickness & 1) * ONE as f64 * 0.5;
            let r = (half as f64 + odd) / squared.sqrt();
            let d = [(dy * r).round_ties_even() as i64, (dx * r).round_ties_even() as i64];
            self.fill_convex([
                [p0[0] + d[0], p0[1] + d[1]],
                [p0[0] - d[0], p0[1] - d[1]],
                [p1[0] - d[0], p1[1] - d[1]],
                [p1[0] + d[0], p1[1] + d[1]],
            ]);
        }
        let radius = (half + HALF) >> SHIFT;
        self.disc(from, radius);
        self.disc(to, radius);
    }

    /// The midpoint circle, filled.
    fn disc(&mut self, [x, y]: [i64; 2], radius: i64) {
        let (mut dx, mut dy, mut error) = (radius, 0, 0);
        let (mut plus, mut minus) = (1, 2 * radius - 1);
        while dx >= dy {
            for row in [y - dy, y + dy] {
                self.span(row, x - dx, x + dx);
            }
            for row in [y - dx, y + dx] {
                self.span(row, x - dy, x + dy);
            }
            dy += 1;
            error += plus;
            plus += 2;
            if error > 0 {
                error -= minus;
                dx -= 1;
                minus -= 2;
            }
        }
    }

    /// A convex quadrilateral in fixed-point coordinates, with its outline.
    fn fill_convex(&mut self, corners: [[i64; 2]; 4]) {
        for i in 0..4 {
            self.outline(corners[(i + 3) % 4], corners[i]);
        }
        let rounded = |v: i64| (v + HALF) >> SHIFT;
        let extent = |axis: usize| {
            let values = corners.map(|c| c[axis]);
            let (low, high) =
                values.iter().fold((i64::MAX, i64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            (rounded(low), rounded(high))
        };
        let ((left, right), (top, bottom)) = (extent(0), extent(1));
        if right < 0 || bottom < 0 || left >= self.width || top >= self.height {
            return;
        }
        // The first of the topmost corners; both sides run down from there.
        let start =
            (0..4).fold(0, |best, i| if corners[i][1] < corners[best][1] { i } else { best });
        let mut sides = [Side::new(start, 1, top), Side::new(start, 3, top)];
        let mut left_over = 4;
        for y in top..=bottom.min(self.height - 1) {
            for side in &mut sides {
                if y >= side.end {
                    side.next_edge(&corners, y, &mut left_over);
                }
            }
            if left_over < 0 {
                break;
            }
            let (a, b) = (sides[0].x.min(sides[1].x), sides[0].x.max(sides[1].x));
            self.span(y, rounded(a), rounded(b));
            sides.iter_mut().for_each(|side| side.x += side.step);
        }
    }

    /// A one pixel wide line between fixed-point ends.
    fn outline(&mut self, from: [i64; 2], to: [i64; 2]) {
        let Some([from, to]) = clip([self.width << SHIFT, self.height << SHIFT], from, to) else {
            return;
        };
        let d = [to[0] - from[0], to[1] - from[1]];
        // Along the longer axis, always in its direction.
        let long = usize::from(d[0].abs() <= d[1].abs());
        let (start, end, d) = if d[long] < 0 { (to, from, d.map(|v| -v)) } else { (from, to, d) };
        let short = 1 - long;
        let step = (d[short] << SHIFT) / (d[long] | 1);
        let put = |mask: &mut Self, along: i64, across: i64| {
            let [x, y] = if long == 0 { [along, across] } else { [across, along] };
            mask.span(y, x, x);
        };
        put(self, (end[long] + HALF) >> SHIFT, (end[short] + HALF) >> SHIFT);
        let (mut along, mut across) = ((start[long] + HALF) >> SHIFT, start[short] + HALF);
        for _ in 0..=(end[long] - start[long]) >> SHIFT {
            put(self, along, across >> SHIFT);
            along += 1;
            across += step;
        }
    }
}

/// One of the two chains of edges that bound a convex polygon.
struct Side {
    corner: usize,
    /// Corners from one to the next: 1 forwards, 3 backwards.
    stride: usize,
    end: i64,
    x: i64,
    step: i64,
}

impl Side {
    fn new(corner: usize, stride: usize, top: i64) -> Self {
        Self { corner, stride, end: top, x: -ONE, step: 0 }
    }

    /// Goes on to the edge that leads below row `y`.
    fn next_edge(&mut self, corners: &[[i64; 2]; 4], y: i64, left_over: &mut i32) {
        let mut from = self.corner;
        loop {
            let any = *left_over > 0;
            *left_over -= 1;
            if !any {
                return;
            }
            let to = (from + self.stride) % 4;
            let end = (corners[to][1] + HALF) >> SHIFT;
            if end > y {
                let rows = end - y;
                self.step = ((corners[to][0] - corners[from][0]) * 2 + rows) / (2 * rows);
                self.x = corners[from][0];
                (self.end, self.corner) = (end, to);
                return;
            }
            from = to;
        }
    }
}

/// Cuts a line to a picture of `size`; `None` where nothing of it is inside. Cohen and Sutherland, the ends cut
/// in turn, with the rounding of OpenCV's `clipLine`.
fn clip(size: [i64; 2], mut from: [i64; 2], mut to: [i64; 2]) -> Option<[[i64; 2]; 2]> {
    let [right, bottom] = [size[0] - 1, size[1] - 1];
    let code = |p: [i64; 2]| {
        let bit = |set: bool, value: u8| if set { value } else { 0 };
        bit(p[0] < 0, 1) | bit(p[0] > right, 2) | bit(p[1] < 0, 4) | bit(p[1] > bottom, 8)
    };
    let (mut c0, mut c1) = (code(from), code(to));
    if c0 & c1 == 0 && c0 | c1 != 0 {
        let slide = |p: &mut [i64; 2], other: [i64; 2], axis: usize, limit: i64| {
            let share = (limit - p[axis]) as f64 * (other[1 - axis] - p[1 - axis]) as f64;
            p[1 - axis] += (share / (other[axis] - p[axis]) as f64) as i64;
            p[axis] = limit;
        };
        let horizontal = |c: u8| c & 1 | (c >> 1) & 1;
        if c0 & 12 != 0 {
            slide(&mut from, to, 1, if c0 < 8 { 0 } else { bottom });
            c0 = code(from) & 3;
        }
        if c1 & 12 != 0 {
            slide(&mut to, from, 1, if c1 < 8 { 0 } else { bottom });
            c1 = code(to) & 3;
        }
        if c0 & c1 == 0 && horizontal(c0) | horizontal(c1) != 0 {
            if c0 != 0 {
                slide(&mut from, to, 0, if c0 == 1 { 0 } else { right });
                c0 = 0;
            }
            if c1 != 0 {
                slide(&mut to, from, 0, if c1 == 1 { 0 } else { right });
                c1 = 0;
            }
        }
    }
    (c0 | c1 == 0).then_some([from, to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_counts() {
        let mut mask = Mask::new(130, 3);
        mask.span(1, -5, 200);
        assert_eq!(mask.count(), 130);
        mask.span(0, 63, 64);
        mask.span(7, 0, 5);
        assert_eq!((mask.count(), mask.common(&mask)), (132, 132));
    }

    #[test]
    fn a_disc_and_a_bar() {
        let mut disc = Mask::new(100, 100);
        disc.thick_line([50, 50], [50, 50], 30);
        // OpenCV 5.0: cv2.circle((50, 50), 15, filled).
        assert_eq!(disc.count(), 709);
        let mut bar = Mask::new(100, 200);
        bar.thick_line([50, 50], [50, 150], 30);
        assert!(
            (3000 + 709 - 31 - 31..3400 + 709).contains(&(bar.count() as i64)),
            "{}",
            bar.count()
        );
    }

    #[test]
    fn outside_draws_nothing_and_crossing_is_cut() {
        let mut mask = Mask::new(64, 64);
        mask.thick_line([-500, -500], [-400, -300], 30);
        assert_eq!(mask.count(), 0);
        mask.thick_line([-100, 32], [200, 32], 30);
        assert_eq!(mask.count(), 64 * 31);
    }
}
