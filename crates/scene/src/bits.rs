//! A packed set of voxels.

/// One bit per cell, least significant bit first within 64-bit words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BitGrid {
    len: usize,
    words: Vec<u64>,
}

impl BitGrid {
    /// `len` cells, all clear.
    pub fn new(len: usize) -> Self {
        Self { len, words: vec![0; len.div_ceil(64)] }
    }

    /// From packed words; `None` if their number does not fit `len` or a bit past `len` is set.
    pub fn from_words(len: usize, words: Vec<u64>) -> Option<Self> {
        let spare = words.len().checked_mul(64)?.checked_sub(len)?;
        let clean =
            spare == 0 || words.last().is_some_and(|last| last.leading_zeros() as usize >= spare);
        (words.len() == len.div_ceil(64) && clean).then_some(Self { len, words })
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There are no cells.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The packed words.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether cell `index` is set.
    #[inline]
    pub fn get(&self, index: usize) -> bool {
        assert!(index < self.len, "cell {index} of a grid of {}", self.len);
        self.words[index / 64] >> (index % 64) & 1 == 1
    }

    /// Sets or clears cell `index`.
    #[inline]
    pub fn set(&mut self, index: usize, value: bool) {
        assert!(index < self.len, "cell {index} of a grid of {}", self.len);
        let mask = 1 << (index % 64);
        if value {
            self.words[index / 64] |= mask;
        } else {
            self.words[index / 64] &= !mask;
        }
    }

    /// How many cells are set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The indices of set cells, ascending.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            std::iter::successors((word != 0).then_some(word), |rest| {
                let rest = rest & (rest - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |rest| w * 64 + rest.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_are_what_was_set() {
        let mut bits = BitGrid::new(200);
        let expected = [0, 1, 63, 64, 127, 128, 199];
        expected.iter().for_each(|&i| bits.set(i, true));
        bits.set(100, true);
        bits.set(100, false);
        assert_eq!(bits.ones().collect::<Vec<_>>(), expected);
        assert_eq!(bits.count(), expected.len());
    }

    #[test]
    fn words_must_fit() {
        assert!(BitGrid::from_words(65, vec![0]).is_none());
        assert!(BitGrid::from_words(65, vec![0, 0b10]).is_none());
        assert!(BitGrid::from_words(65, vec![0, 1]).is_some_and(|bits| bits.get(64)));
        assert!(BitGrid::from_words(0, vec![]).is_some());
    }
}
