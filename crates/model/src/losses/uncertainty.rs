//! Weighting of tasks by their learned uncertainty.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor},
};

/// One log variance per task: Kendall, Gal & Cipolla 2018, equation (10).
#[derive(Module, Debug)]
pub struct Uncertainty {
    /// `ln sigma^2` of each task, in the order of the losses.
    pub log_variance: Param<Tensor<1>>,
}

impl Uncertainty {
    /// All tasks alike.
    pub fn new(tasks: usize, device: &Device) -> Self {
        Self { log_variance: Param::from_tensor(Tensor::zeros([tasks], device)) }
    }

    /// `sum L / sigma^2 + ln sigma` over the losses; a loss of 0, whose task has no truth in the batch,
    /// leaves its uncertainty as it is.
    pub fn total(&self, losses: Vec<Tensor<1>>) -> Tensor<1> {
        let losses: Tensor<1> = Tensor::cat(losses, 0);
        let log_variance = self.log_variance.val();
        assert_eq!(losses.dims(), log_variance.dims(), "a loss per task");
        let judged = losses.clone().detach().greater_elem(0.0).float();
        (losses * log_variance.clone().neg().exp() + log_variance * judged * 0.5).sum()
    }

    /// What each loss is multiplied with.
    pub fn weights(&self) -> Tensor<1> {
        self.log_variance.val().without_autodiff().neg().exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::testing::{check_gradient, number, tensor};

    fn with(log_variance: Tensor<1>) -> Uncertainty {
        Uncertainty { log_variance: Param::from_tensor(log_variance) }
    }

    #[test]
    fn by_hand() {
        let uncertainty = with(tensor([3], &[0.0, 4f32.ln(), 1.0]));
        let losses = [2.0, 8.0, 0.0].map(|loss| tensor([1], &[loss])).to_vec();
        let total = number(uncertainty.total(losses));
        assert!((total - (2.0 + 2.0 + 0.5 * 4f32.ln())).abs() < 1e-6, "{total}");
    }

    #[test]
    fn gradient() {
        check_gradient([1, 1, 1, 2], |losses| {
            let squares = losses.powi_scalar(2).reshape([2]);
            with(tensor([2], &[0.5, -0.5]))
                .total(vec![squares.clone().narrow(0, 0, 1), squares.narrow(0, 1, 1)])
        });
    }
}
