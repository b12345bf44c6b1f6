//! Peak signal to noise ratio.

use super::Picture;
use crate::Error;

/// Mean over samples of the squared difference.
///
/// # Errors
/// Pictures of different size.
pub fn mean_squared_error(truth: &Picture<'_>, estimate: &Picture<'_>) -> Result<f64, Error> {
    truth.check_like(estimate)?;
    let squares = truth.samples.iter().zip(estimate.samples).map(|(t, e)| (t - e).powi(2));
    Ok(squares.sum::<f64>() / truth.samples.len() as f64)
}

/// `10 log10(range² / mse)`, dB; infinite for equal pictures. `data_range` is the largest sample minus the
/// smallest that there may be: 255 for 8 bits.
///
/// # Errors
/// Pictures of different size.
pub fn psnr(truth: &Picture<'_>, estimate: &Picture<'_>, data_range: f64) -> Result<f64, Error> {
    Ok(10.0 * (data_range * data_range / mean_squared_error(truth, estimate)?).log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let picture = |samples| Picture { width: 2, height: 1, channels: 1, samples };
        let (a, b) = ([0.0, 0.0], [25.5, 25.5]);
        let found = psnr(&picture(&a), &picture(&b), 255.0).unwrap();
        assert!((found - 20.0).abs() < 1e-12);
        assert_eq!(psnr(&picture(&a), &picture(&a), 255.0).unwrap(), f64::INFINITY);
        let wide = Picture { width: 1, height: 2, channels: 1, samples: &a };
        assert!(psnr(&picture(&a), &wide, 255.0).unwrap_err().to_string().contains("[1, 2, 1]"));
    }
}
