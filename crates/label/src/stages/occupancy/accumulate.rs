//! Sums per voxel of one sweep: filled by several threads, merged without regard to their order.

use super::block::cell_index;
use super::window::Window;

/// Blocks that one share of a sweep's rays touched, with their sums.
pub(super) struct Accumulator<S> {
    window: Window,
    /// Position in `slots` plus one; 0 is none.
    table: Vec<u32>,
    slots: Vec<(u32, Box<S>)>,
}

impl<S: Default> Accumulator<S> {
    pub(super) fn new(window: &Window) -> Self {
        Self { window: *window, table: vec![0; window.len()], slots: Vec::new() }
    }

    /// The sums of the block at voxel coordinates relative to the window, and the voxel's index in it.
    #[inline]
    pub(super) fn at(&mut self, [x, y, z]: [i32; 3]) -> Option<(&mut S, usize)> {
        let block = self.window.block_at(x, y, z)?;
        if self.table[block] == 0 {
            self.slots.push((block as u32, Box::default()));
            self.table[block] = self.slots.len() as u32;
        }
        let slot = self.table[block] as usize - 1;
        Some((&mut self.slots[slot].1, cell_index(x, y, z)))
    }
}

/// The shares of all threads, by block.
pub(super) struct Merged<S> {
    slots: Vec<(u32, Box<S>)>,
    /// `starts[b]..starts[b + 1]` are the slots of block `b`.
    starts: Vec<u32>,
}

impl<S> Merged<S> {
    pub(super) fn new(window: &Window, shares: Vec<Accumulator<S>>) -> Self {
        let mut slots: Vec<(u32, Box<S>)> = shares.into_iter().flat_map(|s| s.slots).collect();
        slots.sort_by_key(|slot| slot.0);
        let mut starts = vec![0; window.len() + 1];
        slots.iter().for_each(|slot| starts[slot.0 as usize + 1] += 1);
        for block in 0..window.len() {
            starts[block + 1] += starts[block];
        }
        Self { slots, starts }
    }

    /// The sums of a block, one per share that touched it.
    pub(super) fn of(&self, block: usize) -> impl Iterator<Item = &S> {
        let range = self.starts[block] as usize..self.starts[block + 1] as usize;
        self.slots[range].iter().map(|slot| &*slot.1)
    }
}
