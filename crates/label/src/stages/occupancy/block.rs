//! Voxels in blocks of 8 x 8 x 8, found through a hash of the block's place.

use hashbrown::HashMap;

/// Voxels along a block's edge.
pub(super) const SIDE: i32 = 8;
/// Voxels in a block.
pub(super) const CELLS: usize = 512;
/// Steps into which a voxel's height is divided.
pub(super) const HEIGHT_STEPS: i32 = 64;
/// Evidence of a voxel that no ray reached.
pub(super) const UNOBSERVED: i16 = i16::MIN;

/// A block's place: its voxels' integer world coordinates divided by [`SIDE`].
pub(super) type BlockKey = [i32; 3];

/// Index of a voxel in its block: C order of `[x, y, z]`.
#[inline]
pub(super) fn cell_index(x: i32, y: i32, z: i32) -> usize {
    (((x & 7) << 6) | ((y & 7) << 3) | (z & 7)) as usize
}

/// Offset of a voxel in its block from its index.
#[inline]
pub(super) fn cell_offset(index: usize) -> [i32; 3] {
    [(index >> 6) as i32, (index >> 3 & 7) as i32, (index & 7) as i32]
}

/// Where in its voxels a surface lies.
#[derive(Clone)]
pub(super) struct Heights {
    /// Evidence that was averaged.
    pub(super) weight: [u32; CELLS],
    /// Sum of evidence times height above the voxel's lower face in 1/[`HEIGHT_STEPS`] voxel.
    pub(super) sum: [i32; CELLS],
}

impl Default for Heights {
    fn default() -> Self {
        Self { weight: [0; CELLS], sum: [0; CELLS] }
    }
}

/// The map's memory of 512 voxels.
pub(super) struct Block {
    /// Sum of evidence; [`UNOBSERVED`] where there is none.
    pub(super) log_odds: [i16; CELLS],
    /// Only for blocks that hold a surface.
    pub(super) heights: Option<Box<Heights>>,
}

impl Block {
    fn new() -> Self {
        Self { log_odds: [UNOBSERVED; CELLS], heights: None }
    }

    /// Mean height above the voxel's lower face, in voxels, and the evidence behind it.
    pub(super) fn height(&self, cell: usize) -> Option<(f32, u32)> {
        let heights = self.heights.as_ref()?;
        let weight = heights.weight[cell];
        let mean = heights.sum[cell] as f32 / (weight.max(1) as f32 * HEIGHT_STEPS as f32);
        (weight > 0).then_some((mean, weight))
    }
}

/// What one sweep says about a block.
pub(super) struct Delta {
    pub(super) key: BlockKey,
    /// Evidence per voxel; 0 where the sweep says nothing.
    pub(super) evidence: [i16; CELLS],
    /// Height above the lower face of voxels with positive evidence, in 1/[`HEIGHT_STEPS`] voxel.
    pub(super) height: Option<Box<[i8; CELLS]>>,
}

/// All blocks.
#[derive(Default)]
pub(super) struct BlockStore {
    index: HashMap<BlockKey, u32>,
    keys: Vec<BlockKey>,
    blocks: Vec<Block>,
}

impl BlockStore {
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn get(&self, key: &BlockKey) -> Option<&Block> {
        self.index.get(key).map(|&slot| &self.blocks[slot as usize])
    }

    pub(super) fn slot(&self, key: &BlockKey) -> Option<u32> {
        self.index.get(key).copied()
    }

    pub(super) fn at(&self, slot: u32) -> &Block {
        &self.blocks[slot as usize]
    }

    /// Adds a sweep's evidence. The sum saturates far beyond any decision threshold.
    pub(super) fn apply(&mut self, delta: &Delta) {
        let fresh = self.blocks.len() as u32;
        let slot = *self.index.entry(delta.key).or_insert(fresh);
        if slot == fresh {
            self.keys.push(delta.key);
            self.blocks.push(Block::new());
        }
        let block = &mut self.blocks[slot as usize];
        for (sum, &evidence) in block.log_odds.iter_mut().zip(&delta.evidence) {
            let seen = if *sum == UNOBSERVED { 0 } else { *sum };
            let added = seen.saturating_add(evidence).max(UNOBSERVED + 1);
            *sum = if evidence == 0 { *sum } else { added };
        }
        let Some(height) = &delta.height else { return };
        let heights = block.heights.get_or_insert_default();
        for cell in 0..CELLS {
            let weight = i32::from(delta.evidence[cell].max(0));
            heights.weight[cell] += weight as u32;
            heights.sum[cell] += weight * i32::from(height[cell]);
        }
    }

    /// Drops the blocks that `keep` rejects.
    pub(super) fn retain(&mut self, keep: impl Fn(&BlockKey) -> bool) {
        let keys = std::mem::take(&mut self.keys);
        let blocks = std::mem::take(&mut self.blocks);
        for (key, block) in keys.into_iter().zip(blocks) {
            if keep(&key) {
                self.keys.push(key);
                self.blocks.push(block);
            }
        }
        self.index = self.keys.iter().zip(0..).map(|(&key, slot)| (key, slot)).collect();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let heights = self.blocks.iter().filter(|block| block.heights.is_some()).count();
        self.blocks.capacity() * size_of::<Block>()
            + heights * size_of::<Heights>()
            + self.keys.capacity() * size_of::<BlockKey>()
            + self.index.capacity() * (size_of::<(BlockKey, u32)>() + 1)
    }
}
