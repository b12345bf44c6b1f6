//! Voxel masks as bytes that compress well.

use ommatidia_scene::{BitGrid, GridSpec};

/// Most voxels of a grid that is read.
const MAX_VOXELS: u64 = 1 << 31;

/// Number of voxels, if the grid is one that is read.
pub(super) fn voxel_count(grid: &GridSpec) -> Option<usize> {
    let count = grid.size.iter().try_fold(1_u64, |count, &n| count.checked_mul(u64::from(n)))?;
    (count <= MAX_VOXELS).then_some(count as usize)
}

/// One bit per voxel, layer by layer from below; in a layer y runs fastest. Least significant bit first.
///
/// Neighbours in a layer are alike, neighbours in a column are not: ground, then free space.
pub(super) fn to_layers(bits: &BitGrid, grid: &GridSpec) -> Vec<u8> {
    let (columns, layers) = shape(grid);
    let mut bytes = vec![0; bits.len().div_ceil(8)];
    for index in bits.ones() {
        let place = index % layers * columns + index / layers;
        bytes[place / 8] |= 1 << (place % 8);
    }
    bytes
}

/// The inverse of [`to_layers`]; `None` if the number of bytes does not fit or a spare bit is set.
pub(super) fn from_layers(bytes: &[u8], grid: &GridSpec) -> Option<BitGrid> {
    let count = voxel_count(grid)?;
    let spare = bytes.len().checked_mul(8)?.checked_sub(count)?;
    let clean = bytes.last().is_none_or(|last| last.leading_zeros() as usize >= spare);
    if bytes.len() != count.div_ceil(8) || !clean {
        return None;
    }
    let (columns, layers) = shape(grid);
    let mut words = vec![0_u64; count.div_ceil(64)];
    for (at, &byte) in bytes.iter().enumerate() {
        let mut rest = byte;
        while rest != 0 {
            let place = at * 8 + rest.trailing_zeros() as usize;
            let index = place % columns * layers + place / columns;
            words[index / 64] |= 1 << (index % 64);
            rest &= rest - 1;
        }
    }
    BitGrid::from_words(count, words)
}

fn shape(grid: &GridSpec) -> (usize, usize) {
    let [x, y, z] = grid.size.map(|n| n as usize);
    (x * y, z)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn layers_are_undone(size in [1_u32..9, 1_u32..9, 1_u32..20], seed in any::<u64>()) {
            let grid = GridSpec { min_corner_m: [0.0; 3], voxel_m: 1.0, size };
            let mut bits = BitGrid::new(grid.len());
            for index in 0..grid.len() {
                bits.set(index, (index as u64 + 1).wrapping_mul(seed | 1) >> 61 == 0);
            }
            prop_assert_eq!(from_layers(&to_layers(&bits, &grid), &grid), Some(bits));
        }
    }

    #[test]
    fn bytes_must_fit() {
        let grid = GridSpec { min_corner_m: [0.0; 3], voxel_m: 1.0, size: [3, 1, 3] };
        assert!(from_layers(&[0, 1], &grid).is_some());
        assert!(from_layers(&[0, 2], &grid).is_none());
        assert!(from_layers(&[0], &grid).is_none());
        let huge = GridSpec { size: [u32::MAX; 3], ..grid };
        assert!(from_layers(&[], &huge).is_none());
    }
}
