//! Ranks that train one network together, and sums that do not depend on how many there are.

use crate::Error;

/// What ranks must be able to do: swap rows in pairs.
pub trait Collective {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are: a power of two.
    fn size(&self) -> usize;

    /// Sends `row` to a partner that calls this too, and returns the partner's.
    ///
    /// # Errors
    /// [`Error::Ranks`] if the partner is gone.
    fn swap(&mut self, partner: usize, row: &[f32]) -> Result<Vec<f32>, Error>;
}

/// The only rank.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Collective for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn swap(&mut self, partner: usize, _row: &[f32]) -> Result<Vec<f32>, Error> {
        Err(Error::Ranks(format!("rank {partner} was asked for, and there is one rank only")))
    }
}

/// Adds `other` to `sum`.
pub fn add(sum: &mut [f32], other: &[f32]) {
    assert_eq!(sum.len(), other.len(), "rows of one network");
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
}

/// Sums rows along a binary tree as they come: row `i` is joined with its neighbour as soon as both are
/// there, then pairs with pairs. Holds as many rows as the tree is high.
#[derive(Debug, Default)]
pub struct Tree {
    /// Sums of 1, 2, 4, … rows; the largest first.
    open: Vec<(u32, Vec<f32>)>,
}

impl Tree {
    /// Takes the next row.
    pub fn push(&mut self, row: Vec<f32>) {
        let mut level = 0;
        let mut sum = row;
        while let Some((_, earlier)) = self.open.pop_if(|(open, _)| *open == level) {
            let later = std::mem::replace(&mut sum, earlier);
            add(&mut sum, &later);
            level += 1;
        }
        self.open.push((level, sum));
    }

    /// The sum, of a power of two of rows.
    pub fn finish(mut self) -> Vec<f32> {
        assert_eq!(self.open.len(), 1, "a power of two of rows was pushed");
        self.open.pop().expect("there is one").1
    }
}

/// Sums a row over all ranks, the same bits on each: the upper levels of the tree whose lower levels the
/// ranks have summed by themselves.
///
/// # Errors
/// As [`Collective::swap`].
pub fn sum(ranks: &mut dyn Collective, mut row: Vec<f32>) -> Result<Vec<f32>, Error> {
    let mut distance = 1;
    while distance < ranks.size() {
        let partner = ranks.rank() ^ distance;
        let mut other = ranks.swap(partner, &row)?;
        if partner < ranks.rank() {
            std::mem::swap(&mut row, &mut other);
        }
        add(&mut row, &other);
        distance *= 2;
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranks::Threads;

    fn row(seed: u64) -> Vec<f32> {
        let mut random = crate::random::Random::of(&[seed]);
        (0..1000).map(|_| random.between(-1.0, 1.0) as f32).collect()
    }

    /// The sum of 8 rows shared out over ranks, as each rank gets it.
    fn summed(size: usize) -> Vec<Vec<f32>> {
        let ranks = Threads::group(size);
        let one = |mut ranks: Threads| {
            std::thread::spawn(move || {
                let mut tree = Tree::default();
                let share = 8 / ranks.size();
                (0..share).for_each(|i| tree.push(row((ranks.rank() * share + i) as u64)));
                sum(&mut ranks, tree.finish()).unwrap()
            })
        };
        let running: Vec<_> = ranks.into_iter().map(one).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    }

    #[test]
    fn sums_have_the_same_bits_on_any_number_of_ranks() {
        let alone = summed(1).remove(0);
        for size in [2, 4, 8] {
            assert!(summed(size).iter().all(|sum| *sum == alone), "{size} ranks");
        }
        let in_line = (0..8).map(row).reduce(|mut a, b| {
            add(&mut a, &b);
            a
        });
        assert_ne!(in_line.unwrap(), alone, "another order gives other bits, so the order matters");
    }
}
