//! Which sample comes when: a function of seed and position, whoever asks.

use crate::random::Random;

/// Purposes that draw from streams of their own.
pub(crate) const SHUFFLE: u64 = 1;
pub(crate) const AUGMENT: u64 = 2;
pub(crate) const REPLACE: u64 = 3;

/// Orders `count` samples anew each epoch.
#[derive(Debug, Clone)]
pub struct Order {
    seed: u64,
    count: usize,
    /// The epoch that `places` is of.
    epoch: Option<u64>,
    places: Vec<u32>,
}

impl Order {
    /// Of so many samples, at least one.
    pub fn new(seed: u64, count: usize) -> Self {
        assert!(count > 0, "an order is of at least one sample");
        assert!(u32::try_from(count).is_ok(), "samples are numbered in 32 bits");
        Self { seed, count, epoch: None, places: Vec::new() }
    }

    /// Epoch of the sample at a position of the whole training, counted from 0.
    pub fn epoch(&self, position: u64) -> u64 {
        position / self.count as u64
    }

    /// The sample at a position of the whole training. Every sample comes once an epoch.
    pub fn at(&mut self, position: u64) -> usize {
        let epoch = self.epoch(position);
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        self.places[(position % self.count as u64) as usize] as usize
    }

    /// Fisher and Yates' shuffle.
    fn shuffle(&mut self, epoch: u64) {
        let mut random = Random::of(&[self.seed, SHUFFLE, epoch]);
        self.places = (0..self.count as u32).collect();
        for last in (1..self.count).rev() {
            self.places.swap(last, random.below(last as u64 + 1) as usize);
        }
        self.epoch = Some(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_once_an_epoch_in_an_order_of_its_own() {
        let mut order = Order::new(7, 100);
        let epochs: Vec<Vec<usize>> =
            (0..3).map(|epoch| (0..100).map(|i| order.at(100 * epoch + i)).collect()).collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        }
        assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
        assert_ne!(epochs[0], (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_position_has_its_sample_however_it_is_reached() {
        let (mut ahead, mut jumping) = (Order::new(3, 11), Order::new(3, 11));
        let all: Vec<usize> = (0..55).map(|position| ahead.at(position)).collect();
        for position in [54, 3, 33, 32, 0, 12] {
            assert_eq!(jumping.at(position), all[position as usize]);
        }
        let other: Vec<usize> = (0..55).map(|position| Order::new(4, 11).at(position)).collect();
        assert_ne!(all, other);
    }
}
