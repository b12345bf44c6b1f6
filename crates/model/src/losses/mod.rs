//! The losses of the field, one file each: tensors in, one number out.

pub mod affinity;
pub mod cross_entropy;
pub mod depth_distribution;
pub mod focal;
pub mod heat_map;
pub mod labels;
pub mod lovasz;
pub mod smooth_l1;
#[cfg(test)]
mod testing;
pub mod uncertainty;
