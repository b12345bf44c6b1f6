//! How sure each kind of depth is, 0 to 255. Consumers may cut at these bounds.

/// Least confidence of a match that both views of a pair agree on.
pub const MATCHED: u8 = 150;
/// Confidence of a pixel that was not measured itself but lies next to a lidar return.
pub const BESIDE_LIDAR: u8 = 140;
/// Most confidence of a pixel that was filled from its surroundings.
pub const FILLED: u8 = 90;

/// Most confidence of a pixel measured by motion alone: what moves by itself deceives it.
pub const SWEPT: u8 = 149;

/// Over this many pixels the confidence of a filled pixel falls to a half.
const FILL_HALF_PX: f32 = 12.0;
/// A match this far ahead of its best rival is as sure as it gets.
const SURE_LEAD: u16 = 128;

/// Of a stereo match by its lead.
pub(super) fn matched(lead: u8) -> u8 {
    let share = u16::from(lead).min(SURE_LEAD);
    MATCHED + (u16::from(u8::MAX - MATCHED) * share / SURE_LEAD) as u8
}

/// Of a pixel measured by motion, by its lead and its share of ample parallax.
pub(super) fn swept(lead: u8, parallax: f32) -> u8 {
    let share = f32::from(u16::from(lead).min(SURE_LEAD)) / f32::from(SURE_LEAD);
    let above = f32::from(SWEPT - FILLED) * parallax.clamp(0.0, 1.0) * (0.5 + 0.5 * share);
    FILLED + above as u8
}

/// Of a filled pixel by the distance to its support.
pub(super) fn filled(distance_px: u8) -> u8 {
    (f32::from(FILLED) * 0.5f32.powf(f32::from(distance_px) / FILL_HALF_PX)).max(1.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_do_not_overlap_and_order_is_kept() {
        assert_eq!((matched(0), matched(255)), (MATCHED, 255));
        assert!((1..=255).all(|lead| matched(lead) >= matched(lead - 1)));
        assert_eq!((swept(255, 1.0), swept(0, 0.0)), (SWEPT, FILLED));
        assert!((1..=255).all(|d| filled(d) <= FILLED && filled(d) >= 1));
        assert!((2..=255).all(|d| filled(d) <= filled(d - 1)));
    }
}
