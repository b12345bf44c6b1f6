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

/// Bytes of every rank, in their order, on every rank.
///
/// # Errors
/// As [`Collective::swap`].
pub fn gather(ranks: &mut dyn Collective, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let length = u32::try_from(mine.len()).expect("what is gathered is small").to_le_bytes();
    let lengths: Vec<usize> = gather_padded(ranks, &length, length.len())?
        .into_iter()
        .map(|bytes| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut all = gather_padded(ranks, mine, longest)?;
    all.iter_mut().zip(lengths).for_each(|(bytes, length)| bytes.truncate(length));
    Ok(all)
}

/// The same, of bytes that are filled up with zeros to one length.
fn gather_padded(
    ranks: &mut dyn Collective,
    mine: &[u8],
    length: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut row = vec![0.0; ranks.size() * length];
    let place = &mut row[ranks.rank() * length..][..mine.len()];
    place.iter_mut().zip(mine).for_each(|(number, &byte)| *number = f32::from(byte));
    // Every number is one rank's byte and the others' zeros: the sum is exact.
    let row = sum(ranks, row)?;
    let of = |rank: usize| row[rank * length..][..length].iter().map(|&n| n as u8).collect();
    Ok((0..ranks.size()).map(of).collect())
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

    #[test]
    fn every_rank_gets_the_bytes_of_all() {
        let mine = |rank: usize| -> Vec<u8> { (0..rank * 300).map(|i| (i % 256) as u8).collect() };
        let one = |mut ranks: Threads| {
            std::thread::spawn(move || {
                let own = mine(ranks.rank());
                gather(&mut ranks, &own).unwrap()
            })
        };
        let running: Vec<_> = Threads::group(4).into_iter().map(one).collect();
        for rank in running {
            assert_eq!(rank.join().unwrap(), (0..4).map(mine).collect::<Vec<_>>());
        }
        assert_eq!(gather(&mut crate::ranks::Alone, b"").unwrap(), [Vec::<u8>::new()]);
    }
}
