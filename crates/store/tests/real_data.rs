//! The readers on real recordings, against facts that do not come from the readers.

#[path = "real_data/kitti.rs"]
mod kitti;
#[path = "real_data/shared.rs"]
mod shared;
