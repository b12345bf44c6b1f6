//! Damped Gauss–Newton for problems of a handful of unknowns.

use nalgebra::{SMatrix, SVector};

/// The problem linearised at a model.
pub(crate) struct Normal<const P: usize> {
    /// Half the sum of losses.
    pub(crate) cost: f64,
    /// Weighted `J^T J`.
    pub(crate) hessian: SMatrix<f64, P, P>,
    /// Weighted `J^T r`.
    pub(crate) gradient: SVector<f64, P>,
}

impl<const P: usize> Normal<P> {
    pub(crate) fn zero() -> Self {
        Self { cost: 0.0, hessian: SMatrix::zeros(), gradient: SVector::zeros() }
    }

    /// Adds a residual of `D` numbers with its Jacobian.
    pub(crate) fn add<const D: usize>(
        &mut self,
        residual: &SVector<f64, D>,
        jacobian: &SMatrix<f64, D, P>,
        loss: crate::Loss,
        weight: f64,
    ) {
        let squared = residual.norm_squared();
        self.cost += 0.5 * weight * loss.rho(squared);
        let w = weight * loss.weight(squared);
        let weighted = jacobian.transpose() * w;
        self.hessian += weighted * jacobian;
        self.gradient += weighted * residual;
    }
}

/// Where the descent ended.
pub(crate) struct Minimum<M, const P: usize> {
    pub(crate) model: M,
    pub(crate) normal: Normal<P>,
    pub(crate) steps: usize,
    pub(crate) converged: bool,
}

/// Minimises from `start`. `None` if the cost there is not finite.
///
/// Damping after Nielsen 1999; it scales with the diagonal, so units do not matter.
pub(crate) fn minimise<M, const P: usize>(
    start: M,
    max_steps: usize,
    step_tolerance: f64,
    linearise: impl Fn(&M) -> Normal<P>,
    retract: impl Fn(&M, &SVector<f64, P>) -> M,
) -> Option<Minimum<M, P>>
where
    nalgebra::Const<P>: nalgebra::DimMin<nalgebra::Const<P>, Output = nalgebra::Const<P>>,
{
    let mut model = start;
    let mut normal = linearise(&model);
    if !normal.cost.is_finite() || normal.hessian.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let (mut damping, mut growth) = (1e-6, 2.0);
    for steps in 0..max_steps {
        let mut damped = normal.hessian;
        for i in 0..P {
            damped[(i, i)] += damping * normal.hessian[(i, i)] + f64::MIN_POSITIVE;
        }
        let step = damped.cholesky().map(|c| -c.solve(&normal.gradient));
        let Some(step) = step.filter(|s| s.iter().all(|x| x.is_finite())) else {
            damping = f64::max(damping, 1e-12) * 10.0;
            if damping > 1e12 {
                return Some(Minimum { model, normal, steps, converged: false });
            }
            continue;
        };
        let candidate = retract(&model, &step);
        let next = linearise(&candidate);
        if next.cost <= normal.cost {
            (model, normal) = (candidate, next);
            (damping, growth) = (damping / 3.0, 2.0);
        } else {
            damping *= growth;
            growth *= 2.0;
        }
        if step.norm() < step_tolerance {
            return Some(Minimum { model, normal, steps: steps + 1, converged: true });
        }
        if damping > 1e12 {
            return Some(Minimum { model, normal, steps: steps + 1, converged: false });
        }
    }
    Some(Minimum { model, normal, steps: max_steps, converged: false })
}
