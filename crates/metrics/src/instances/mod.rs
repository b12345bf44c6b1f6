//! Instance segmentation: COCO's mask AP and box AP.

mod mask;

pub use mask::Mask;

use crate::Error;
use crate::coco::{
    CocoAccumulator, CocoCounts, CocoDetection, CocoProtocol, CocoReport, CocoTruth,
};

/// A true instance.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueInstance {
    /// Position of its class in the protocol.
    pub class: usize,
    /// Where it is.
    pub mask: Mask,
    /// Area, pixels squared: COCO's files give that of the polygon, which may differ from the mask's.
    pub area: f64,
    /// Stands for many.
    pub crowd: bool,
}

/// A predicted instance.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictedInstance {
    /// Position of its class in the protocol.
    pub class: usize,
    /// Where it is.
    pub mask: Mask,
    /// Higher is surer.
    pub score: f64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Pixels.
    Masks,
    /// The boxes around the masks.
    Boxes,
}

/// Average precision over images, each with its true and predicted instances, in the order of the images'
/// numbers; and what each image holds and has found.
///
/// # Errors
/// [`Error::NotFinite`] for a score that is NaN; [`Error::Row`] where masks of one image differ in size;
/// [`Error::ClassOutside`] for a class past `classes`.
pub fn average_precision<'a>(
    images: impl Iterator<Item = (&'a [TrueInstance], &'a [PredictedInstance])>,
    classes: usize,
    overlap: Overlap,
    protocol: CocoProtocol,
) -> Result<(CocoReport, Vec<CocoCounts>), Error> {
    let mut sums = CocoAccumulator::new(protocol.clone(), classes)?;
    let mut shares = Vec::new();
    for (truth, predicted) in images {
        let mut image = CocoAccumulator::new(protocol.clone(), classes)?;
        add_image(&mut image, truth, predicted, classes, overlap)?;
        shares.push(image.counts());
        sums.append(image);
    }
    Ok((sums.report(), shares))
}

/// Adds one image's instances.
///
/// # Errors
/// As [`average_precision`].
pub fn add_image(
    sums: &mut CocoAccumulator,
    truth: &[TrueInstance],
    predicted: &[PredictedInstance],
    classes: usize,
    overlap: Overlap,
) -> Result<(), Error> {
    let of_truth = truth.iter().map(|t| ("truth", t.class, &t.mask));
    let of_predicted = predicted.iter().map(|p| ("prediction", p.class, &p.mask));
    let size = truth.first().map(|t| t.mask.size()).or(predicted.first().map(|p| p.mask.size()));
    for (index, (which, class, mask)) in of_truth.chain(of_predicted).enumerate() {
        if class >= classes {
            let (class, last) = (class.min(255) as u8, classes.saturating_sub(1));
            return Err(Error::ClassOutside { which, index, class, last });
        }
        if Some(mask.size()) != size {
            let (width, height) = mask.size();
            let what = format!("is {width} x {height}, unlike the image's first mask");
            return Err(Error::row("mask", index, what));
        }
    }
    for class in 0..classes {
        let of_class: Vec<&TrueInstance> = truth.iter().filter(|t| t.class == class).collect();
        let found: Vec<&PredictedInstance> =
            predicted.iter().filter(|p| p.class == class).collect();
        let objects: Vec<CocoTruth> = of_class
            .iter()
            .map(|t| CocoTruth { area: t.area, ignored: t.crowd, crowd: t.crowd })
            .collect();
        let area = |mask: &Mask| match overlap {
            Overlap::Masks => mask.area() as f64,
            Overlap::Boxes => mask.bounds().map_or(0.0, |[_, _, w, h]| w * h),
        };
        let detections: Vec<CocoDetection> =
            found.iter().map(|p| CocoDetection { score: p.score, area: area(&p.mask) }).collect();
        sums.add(class, &objects, &detections, |d, t| {
            let (found, object) = (&found[d].mask, of_class[t]);
            match overlap {
                Overlap::Masks => found.overlap(&object.mask, object.crowd),
                Overlap::Boxes => found.box_overlap(&object.mask, object.crowd),
            }
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: usize, y: usize, side: usize) -> Mask {
        let inside =
            |i: usize| (x..x + side).contains(&(i % 40)) && (y..y + side).contains(&(i / 40));
        Mask::from_pixels(40, 30, (0..1200).map(inside)).unwrap()
    }

    #[test]
    fn masks_and_boxes() {
        let instance =
            |mask: Mask| TrueInstance { class: 0, area: mask.area() as f64, mask, crowd: false };
        let truth = [instance(square(2, 3, 10)), instance(square(20, 3, 10))];
        let found = [(square(2, 3, 10), 0.9), (square(23, 3, 10), 0.8)]
            .map(|(mask, score)| PredictedInstance { class: 0, mask, score });
        for overlap in [Overlap::Masks, Overlap::Boxes] {
            let images = [(&truth[..], &found[..])];
            let (report, shares) =
                average_precision(images.into_iter(), 1, overlap, CocoProtocol::default()).unwrap();
            assert_eq!((shares[0].objects, shares[0].found_at_first), (2, 2));
            assert!((shares[0].found - 1.1).abs() < 1e-12 && shares[0].wrong_at_first == 0);
            // 70 of 130 pixels: above 0.5 alone.
            assert_eq!(report.ap_at[0].map(|ap| (ap * 1e9).round()), Some(1e9));
            assert_eq!(
                report.ap_at[1].map(|ap| (ap * 1e9).round()),
                Some((51e9f64 / 101.0).round())
            );
        }
    }

    #[test]
    fn bad_input_names_the_instance() {
        let found = |class, mask| [PredictedInstance { class, mask, score: 1.0 }];
        let check = |truth: &[TrueInstance], found: &[PredictedInstance], expected: &str| {
            let images = [(truth, found)].into_iter();
            let result = average_precision(images, 1, Overlap::Masks, CocoProtocol::default());
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[], &found(3, square(0, 0, 1)), "element 0 of the prediction is of class 3");
        let small = Mask::from_pixels(2, 2, [true; 4].into_iter()).unwrap();
        let truth = TrueInstance { class: 0, mask: square(0, 0, 2), area: 4.0, crowd: false };
        check(&[truth], &found(0, small), "mask 1: is 2 x 2, unlike");
    }
}
