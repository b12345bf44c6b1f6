//! Ranks as threads of one process.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::Error;
use crate::collective::Collective;

/// One of several ranks in one process, each on a thread of its own.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    /// To each rank; to itself too, unused.
    to: Vec<Sender<Vec<f32>>>,
    /// From each rank.
    from: Vec<Receiver<Vec<f32>>>,
}

impl Threads {
    /// So many ranks that reach each other.
    ///
    /// # Panics
    /// If it is no power of two.
    pub fn group(size: usize) -> Vec<Self> {
        assert!(size.is_power_of_two(), "{size} ranks; it must be a power of two");
        let mut to: Vec<Vec<Sender<_>>> = (0..size).map(|_| Vec::new()).collect();
        let mut from: Vec<Vec<Receiver<_>>> = (0..size).map(|_| Vec::new()).collect();
        for sender in &mut to {
            for receiver in &mut from {
                let (send, receive) = channel();
                sender.push(send);
                receiver.push(receive);
            }
        }
        let joined = to.into_iter().zip(from).enumerate();
        joined.map(|(rank, (to, from))| Self { rank, to, from }).collect()
    }
}

impl Collective for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn swap(&mut self, partner: usize, row: &[f32]) -> Result<Vec<f32>, Error> {
        let gone = || Error::Ranks(format!("rank {partner} ended; see why in its own messages"));
        self.to[partner].send(row.to_vec()).map_err(|_| gone())?;
        self.from[partner].recv().map_err(|_| gone())
    }
}
