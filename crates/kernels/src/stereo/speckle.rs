//! Removes small patches of disparity that agree with nothing around them.

/// Sets patches of fewer than `smallest` pixels to 0. Neighbours (left, right, up, down) belong to
/// one patch if they differ by at most `step`.
pub fn remove_speckles(values: &mut [u16], width: usize, step: u16, smallest: usize) {
    if width == 0 {
        return;
    }
    let mut patches = Patches::default();
    let mut above = Vec::new();
    let mut here = Vec::new();
    let mut runs = Vec::new();
    let mut row_above: &[u16] = &[];
    for row in values.chunks_exact(width) {
        split(row, step, &mut patches, &mut here);
        for pair in overlaps(&above, &here) {
            let (upper, lower) = (&above[pair.0], &here[pair.1]);
            let columns = upper.start.max(lower.start)..upper.end.min(lower.end);
            if columns.clone().any(|x| row_above[x].abs_diff(row[x]) <= step) {
                patches.join(upper.patch, lower.patch);
            }
        }
        runs.push(here.clone());
        std::mem::swap(&mut above, &mut here);
        row_above = row;
    }
    for (row, runs) in values.chunks_exact_mut(width).zip(runs) {
        for run in runs {
            if patches.size(run.patch) < smallest {
                row[run.start..run.end].fill(0);
            }
        }
    }
}

/// Pixels of one row, each near its predecessor.
#[derive(Debug, Clone)]
struct Run {
    start: usize,
    end: usize,
    patch: usize,
}

fn split(row: &[u16], step: u16, patches: &mut Patches, runs: &mut Vec<Run>) {
    runs.clear();
    let mut x = 0;
    while x < row.len() {
        if row[x] == 0 {
            x += 1;
            continue;
        }
        let start = x;
        x += 1;
        while x < row.len() && row[x] != 0 && row[x].abs_diff(row[x - 1]) <= step {
            x += 1;
        }
        runs.push(Run { start, end: x, patch: patches.add(x - start) });
    }
}

/// Indices of runs that share a column, both lists in ascending order.
fn overlaps<'a>(above: &'a [Run], here: &'a [Run]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        while i < above.len() && j < here.len() {
            let pair = (i, j);
            let shared = above[i].start.max(here[j].start) < above[i].end.min(here[j].end);
            if above[i].end <= here[j].end {
                i += 1;
            } else {
                j += 1;
            }
            if shared {
                return Some(pair);
            }
        }
        None
    })
}

/// Disjoint sets with their sizes. Tarjan 1975.
#[derive(Debug, Default)]
struct Patches {
    parent: Vec<usize>,
    size: Vec<usize>,
}

impl Patches {
    fn add(&mut self, size: usize) -> usize {
        self.parent.push(self.parent.len());
        self.size.push(size);
        self.parent.len() - 1
    }

    fn root(&mut self, mut patch: usize) -> usize {
        while self.parent[patch] != patch {
            self.parent[patch] = self.parent[self.parent[patch]];
            patch = self.parent[patch];
        }
        patch
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            let (small, large) = if self.size[a] < self.size[b] { (a, b) } else { (b, a) };
            self.parent[small] = large;
            self.size[large] += self.size[small];
        }
    }

    fn size(&mut self, patch: usize) -> usize {
        let root = self.root(patch);
        self.size[root]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stereo::test_images::random;

    /// Flood fill, pixel by pixel.
    fn reference(values: &[u16], width: usize, step: u16, smallest: usize) -> Vec<u16> {
        let mut out = values.to_vec();
        let mut seen = vec![false; values.len()];
        for seed in 0..values.len() {
            if seen[seed] || values[seed] == 0 {
                continue;
            }
            seen[seed] = true;
            let mut patch = vec![seed];
            let mut next = 0;
            while next < patch.len() {
                let i = patch[next];
                next += 1;
                let x = i % width;
                let neighbours = [
                    (x > 0).then(|| i - 1),
                    (x + 1 < width).then_some(i + 1),
                    i.checked_sub(width),
                    Some(i + width).filter(|&j| j < values.len()),
                ];
                for j in neighbours.into_iter().flatten() {
                    let near = values[j] != 0 && values[j].abs_diff(values[i]) <= step;
                    if near && !seen[j] {
                        seen[j] = true;
                        patch.push(j);
                    }
                }
            }
            if patch.len() < smallest {
                patch.iter().for_each(|&i| out[i] = 0);
            }
        }
        out
    }

    #[test]
    fn equals_a_flood_fill() {
        let mut next = random(4);
        for (width, height) in [(0, 0), (1, 1), (1, 9), (13, 1), (31, 17), (64, 33)] {
            for levels in [2, 3, 6] {
                let values: Vec<u16> =
                    (0..width * height).map(|_| ((next() >> 33) % levels) as u16 * 10).collect();
                for smallest in [1, 2, 5, 40] {
                    let expected = reference(&values, width, 10, smallest);
                    let mut found = values.clone();
                    remove_speckles(&mut found, width, 10, smallest);
                    assert_eq!(found, expected, "{width}x{height}, {levels}, {smallest}");
                }
            }
        }
    }
}
