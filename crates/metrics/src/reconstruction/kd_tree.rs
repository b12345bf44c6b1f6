//! Nearest points in space.

/// Points below which a cell is searched one by one.
const LEAF: usize = 12;

/// A balanced k-d tree over points that it copies. Bentley 1975.
#[derive(Debug, Clone)]
pub struct KdTree {
    /// Points and their original indices, arranged so that the middle of each range splits it.
    points: Vec<([f64; 3], u32)>,
}

impl KdTree {
    /// Over finite points, at most 2^32.
    pub fn new(points: &[[f64; 3]]) -> Self {
        assert!(u32::try_from(points.len()).is_ok(), "indices are of 32 bits");
        let mut points: Vec<([f64; 3], u32)> =
            points.iter().enumerate().map(|(i, &p)| (p, i as u32)).collect();
        arrange(&mut points, 0);
        Self { points }
    }

    /// Index of the nearest point and its squared distance; of equally near ones the first. `None` in an
    /// empty tree.
    pub fn nearest(&self, p: &[f64; 3]) -> Option<(usize, f64)> {
        let mut best = (f64::INFINITY, u32::MAX);
        search(&self.points, p, 0, &mut best);
        (best.1 != u32::MAX).then_some((best.1 as usize, best.0))
    }
}

fn arrange(points: &mut [([f64; 3], u32)], depth: usize) {
    if points.len() <= LEAF {
        return;
    }
    let (axis, middle) = (depth % 3, points.len() / 2);
    points.select_nth_unstable_by(middle, |a, b| a.0[axis].total_cmp(&b.0[axis]));
    let (below, above) = points.split_at_mut(middle);
    arrange(below, depth + 1);
    arrange(&mut above[1..], depth + 1);
}

fn search(points: &[([f64; 3], u32)], p: &[f64; 3], depth: usize, best: &mut (f64, u32)) {
    let look = |(q, index): &([f64; 3], u32), best: &mut (f64, u32)| {
        let squared = (0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f64>();
        if (squared, *index) < *best {
            *best = (squared, *index);
        }
    };
    if points.len() <= LEAF {
        points.iter().for_each(|point| look(point, best));
        return;
    }
    let (axis, middle) = (depth % 3, points.len() / 2);
    let off = p[axis] - points[middle].0[axis];
    let (below, above) = (&points[..middle], &points[middle + 1..]);
    let (near, far) = if off < 0.0 { (below, above) } else { (above, below) };
    search(near, p, depth + 1, best);
    look(&points[middle], best);
    if off * off <= best.0 {
        search(far, p, depth + 1, best);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;

    #[test]
    fn finds_what_trying_all_finds() {
        let mut random = Random::new(8);
        for count in [0, 1, 12, 13, 500] {
            // A coarse grid, so that many are equally near.
            let mut point = || [0; 3].map(|_| random.below(9) as f64 * 0.5);
            let points: Vec<[f64; 3]> = (0..count).map(|_| point()).collect();
            let tree = KdTree::new(&points);
            for _ in 0..200 {
                let p = point().map(|x| x + 0.1);
                let off = |q: &[f64; 3]| (0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f64>();
                let best = points.iter().map(off).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
                assert_eq!(tree.nearest(&p), best);
            }
        }
    }
}
