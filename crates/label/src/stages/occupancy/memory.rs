//! What single sweeps saw occupied: kept for a while, to tell later what of it moved.

use ommatidia_geometry::Timestamp;

use super::block::{BlockKey, CELLS, Delta};

/// The occupied voxels of one sweep.
pub(super) struct SweepMemory {
    pub(super) timestamp: Timestamp,
    blocks: Vec<(BlockKey, u32)>,
    cells: Vec<u16>,
}

impl SweepMemory {
    /// The voxels that `deltas` call occupied with at least `least` evidence.
    pub(super) fn new(timestamp: Timestamp, deltas: &[Delta], least: i32) -> Self {
        let mut memory = Self { timestamp, blocks: Vec::new(), cells: Vec::new() };
        for delta in deltas.iter().filter(|delta| delta.height.is_some()) {
            let start = memory.cells.len() as u32;
            let hit = |&cell: &usize| i32::from(delta.evidence[cell]) >= least;
            memory.cells.extend((0..CELLS).filter(hit).map(|cell| cell as u16));
            if memory.cells.len() as u32 > start {
                memory.blocks.push((delta.key, start));
            }
        }
        memory.blocks.shrink_to_fit();
        memory.cells.shrink_to_fit();
        memory
    }

    /// Each block with its occupied cells.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (&BlockKey, &[u16])> {
        self.blocks.iter().enumerate().map(|(i, (key, start))| {
            let end = self.blocks.get(i + 1).map_or(self.cells.len(), |next| next.1 as usize);
            (key, &self.cells[*start as usize..end])
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<(BlockKey, u32)>() + 2 * self.cells.capacity()
    }
}
