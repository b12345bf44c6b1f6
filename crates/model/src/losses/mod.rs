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

use burn::tensor::Tensor;

/// Sums that do not depend on the number of threads.
pub(crate) trait Total {
    /// The sum of all numbers, row by row: Burn adds large tensors in whichever order threads finish.
    fn total(self) -> Tensor<1>;
}

impl<const D: usize> Total for Tensor<D> {
    fn total(self) -> Tensor<1> {
        let columns = self.dims()[D - 1].max(1);
        let rows = self.shape().num_elements() / columns;
        self.reshape([rows, columns]).sum_dim(1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn threads_do_not_change_a_sum() {
        // More numbers than Burn adds in order.
        let numbers = Tensor::<2>::random([2100, 2100], Distribution::Default, &Device::flex());
        let sum = |threads: usize| -> f32 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| numbers.clone().total().into_scalar())
        };
        let alone = sum(1);
        assert!((alone / (2100.0 * 2100.0) - 0.5).abs() < 1e-2, "{alone}");
        for _ in 0..5 {
            assert_eq!(sum(3).to_bits(), alone.to_bits());
        }
    }
}
