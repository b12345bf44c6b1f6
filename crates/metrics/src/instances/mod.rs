//! Instance segmentation: COCO's mask AP and box AP.

mod mask;
mod polygon;

pub use mask::Mask;

use crate::Error;
use crate::coco::{
    CocoAccumulator, CocoCounts, CocoDetection, CocoProtocol, CocoReport, CocoTruth,
};

/// Where an instance is.
#[derive(Debug, Clone, PartialEq)]
pub enum Region {
    /// Its pixels.
    Mask(Mask),
    /// Left, top, width, height, pixels; its pixels are not known.
    Box([f64; 4]),
}

impl Region {
    fn bounds(&self) -> Option<[f64; 4]> {
        match self {
            Self::Mask(mask) => mask.bounds(),
            Self::Box(bounds) => Some(*bounds),
        }
    }

    fn area(&self, overlap: Overlap) -> f64 {
        match (self, overlap) {
            (Self::Mask(mask), Overlap::Masks) => mask.area() as f64,
            _ => self.bounds().map_or(0.0, |[_, _, w, h]| w * h),
        }
    }

    fn overlap(&self, truth: &Self, crowd: bool, overlap: Overlap) -> f64 {
        match (self, truth, overlap) {
            (Self::Mask(mask), Self::Mask(truth), Overlap::Masks) => mask.overlap(truth, crowd),
            _ => match (self.bounds(), truth.bounds()) {
                (Some(bounds), Some(truth)) => box_overlap(bounds, truth, crowd),
                _ => 0.0,
            },
        }
    }
}

/// Intersection over union of boxes; over the first box's own area against a crowd.
fn box_overlap([x, y, w, h]: [f64; 4], [u, v, s, t]: [f64; 4], crowd: bool) -> f64 {
    let width = (x + w).min(u + s) - x.max(u);
    let height = (y + h).min(v + t) - y.max(v);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    both / if crowd { w * h } else { w * h + s * t - both }
}

/// A true instance.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueInstance {
    /// Position of its class in the protocol.
    pub class: usize,
    /// Where it is.
    pub region: Region,
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
    pub region: Region,
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
/// [`Error::NotFinite`] for a score that is NaN; [`Error::Row`] where masks of one image differ in size, a box is not
/// finite or has a negative size, or masks are compared and there is none;
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
    let of_truth = truth.iter().map(|t| ("truth", t.class, &t.region));
    let of_predicted = predicted.iter().map(|p| ("prediction", p.class, &p.region));
    let mut size = None;
    for (index, (which, class, region)) in of_truth.chain(of_predicted).enumerate() {
        if class >= classes {
            let (class, last) = (class.min(255) as u8, classes.saturating_sub(1));
            return Err(Error::ClassOutside { which, index, class, last });
        }
        check_region(region, index, overlap, &mut size)?;
    }
    for class in 0..classes {
        let of_class: Vec<&TrueInstance> = truth.iter().filter(|t| t.class == class).collect();
        let found: Vec<&PredictedInstance> =
            predicted.iter().filter(|p| p.class == class).collect();
        let objects: Vec<CocoTruth> = of_class
            .iter()
            .map(|t| CocoTruth { area: t.area, ignored: t.crowd, crowd: t.crowd })
            .collect();
        let detections: Vec<CocoDetection> = found
            .iter()
            .map(|p| CocoDetection { score: p.score, area: p.region.area(overlap) })
            .collect();
        sums.add(class, &objects, &detections, |d, t| {
            found[d].region.overlap(&of_class[t].region, of_class[t].crowd, overlap)
        })?;
    }
    Ok(())
}

/// `size`: of the image's masks, where one was seen.
fn check_region(
    region: &Region,
    index: usize,
    overlap: Overlap,
    size: &mut Option<(u32, u32)>,
) -> Result<(), Error> {
    let fail = |side: &'static str, what: &str| Err(Error::row(side, index, what));
    match region {
        Region::Mask(mask) => {
            if *size.get_or_insert(mask.size()) != mask.size() {
                let (width, height) = mask.size();
                let what = format!("is {width} x {height}, unlike the image's first mask");
                return fail("mask", &what);
            }
        }
        Region::Box(_) if overlap == Overlap::Masks => {
            return fail("instance", "has a box alone; compare boxes");
        }
        Region::Box([x, y, w, h]) => {
            if !([x, y, w, h].iter().all(|n| n.is_finite()) && *w >= 0.0 && *h >= 0.0) {
                return fail("instance", "has a box that is not finite or has a negative size");
            }
        }
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
        let instance = |mask: Mask| {
            let area = mask.area() as f64;
            TrueInstance { class: 0, area, region: Region::Mask(mask), crowd: false }
        };
        let truth = [instance(square(2, 3, 10)), instance(square(20, 3, 10))];
        let found = [(square(2, 3, 10), 0.9), (square(23, 3, 10), 0.8)]
            .map(|(mask, score)| PredictedInstance { class: 0, region: Region::Mask(mask), score });
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
        let found =
            |class, mask| [PredictedInstance { class, region: Region::Mask(mask), score: 1.0 }];
        let check = |truth: &[TrueInstance], found: &[PredictedInstance], expected: &str| {
            let images = [(truth, found)].into_iter();
            let result = average_precision(images, 1, Overlap::Masks, CocoProtocol::default());
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[], &found(3, square(0, 0, 1)), "element 0 of the prediction is of class 3");
        let small = Mask::from_pixels(2, 2, [true; 4].into_iter()).unwrap();
        let region = Region::Mask(square(0, 0, 2));
        let truth = [TrueInstance { class: 0, region, area: 4.0, crowd: false }];
        check(&truth, &found(0, small), "mask 1: is 2 x 2, unlike");
        let alone = PredictedInstance { class: 0, region: Region::Box([0.0; 4]), score: 1.0 };
        check(&truth, &[alone], "instance 1: has a box alone");
    }

    #[test]
    fn boxes_alone_are_as_good_as_masks() {
        let (box_px, mask) = (Region::Box([2.0, 3.0, 10.0, 10.0]), Region::Mask(square(2, 3, 10)));
        let truth = [TrueInstance { class: 0, region: mask, area: 100.0, crowd: false }];
        let found = [PredictedInstance { class: 0, region: box_px, score: 0.5 }];
        let images = [(&truth[..], &found[..])].into_iter();
        let (report, _) =
            average_precision(images, 1, Overlap::Boxes, CocoProtocol::default()).unwrap();
        assert!((report.ap.unwrap() - 1.0).abs() < 1e-12);
        let bad =
            PredictedInstance { region: Region::Box([0.0, 0.0, -1.0, 1.0]), ..found[0].clone() };
        let images = [(&truth[..], std::slice::from_ref(&bad))].into_iter();
        let error = average_precision(images, 1, Overlap::Boxes, CocoProtocol::default());
        assert!(error.unwrap_err().to_string().contains("negative size"));
    }
}
