//! The readers on real recordings, against facts that do not come from the readers.

#[path = "real_data/argoverse2.rs"]
mod argoverse2;
#[path = "real_data/dgp.rs"]
mod dgp;
#[path = "real_data/images.rs"]
mod images;
#[path = "real_data/imports.rs"]
mod imports;
#[path = "real_data/kitti.rs"]
mod kitti;
#[path = "real_data/nuscenes.rs"]
mod nuscenes;
#[path = "real_data/shared.rs"]
mod shared;
