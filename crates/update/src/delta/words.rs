//! Differences of 32-bit words, in planes of bytes.
//!
//! A weight that moved a little has nearly the same bits: the difference of the two words as integers is
//! small. Folding the sign into the lowest bit makes the upper bytes zero, and putting equal bytes of all
//! words side by side makes them long runs. What is left behind the last whole word stays as it is.

/// Differences of `new` from `old`, in four planes, then the rest. Both have the same length.
pub(crate) fn difference(old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len(), "a segment is compared with one of its size");
    let ((old, _), (new, rest)) = (old.as_chunks::<4>(), new.as_chunks::<4>());
    let words = new.len();
    let mut planes = vec![0; 4 * words];
    for (i, (old, new)) in old.iter().zip(new).enumerate() {
        let difference = u32::from_le_bytes(*new).wrapping_sub(u32::from_le_bytes(*old)) as i32;
        let folded = ((difference << 1) ^ (difference >> 31)) as u32;
        for (plane, byte) in folded.to_le_bytes().into_iter().enumerate() {
            planes[plane * words + i] = byte;
        }
    }
    planes.extend(rest);
    planes
}

/// The inverse of [`difference`].
pub(crate) fn restore(old: &[u8], planes: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), planes.len(), "a segment is compared with one of its size");
    let (old, _) = old.as_chunks::<4>();
    let words = old.len();
    let mut new = Vec::with_capacity(planes.len());
    for (i, old) in old.iter().enumerate() {
        let folded = u32::from_le_bytes(std::array::from_fn(|plane| planes[plane * words + i]));
        let difference = (folded >> 1) ^ (folded & 1).wrapping_neg();
        new.extend(u32::from_le_bytes(*old).wrapping_add(difference).to_le_bytes());
    }
    new.extend(&planes[4 * words..]);
    new
}
