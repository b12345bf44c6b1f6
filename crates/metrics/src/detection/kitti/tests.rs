//! Laws that the figures keep, and input that they refuse.

use proptest::prelude::*;

use super::*;
use crate::Protocol;

fn protocol() -> KittiProtocol {
    KittiProtocol::named("kitti_object").unwrap()
}

fn car(x: f64, z: f64, score: f64) -> KittiObject {
    KittiObject {
        class: "Car".to_owned(),
        truncation: 0.0,
        occlusion: 0,
        alpha_rad: 0.3,
        bounds_px: [10.0 * x, 100.0 + z, 10.0 * x + 60.0, 160.0 + z],
        size_m: [1.5, 1.6, 4.0],
        location_m: [x, 1.5, z],
        rotation_y_rad: 0.2,
        score,
    }
}

fn any_objects() -> impl Strategy<Value = Vec<KittiObject>> {
    let object = (0u8..8, 0u8..4, 1u8..10).prop_map(|(x, z, score)| {
        car(8.0 * f64::from(x), 10.0 + 10.0 * f64::from(z), f64::from(score) / 10.0)
    });
    proptest::collection::vec(object, 1..20)
}

fn image(truth: Vec<KittiObject>, predicted: Vec<KittiObject>) -> [KittiImage; 1] {
    [KittiImage { name: "0".to_owned(), truth, predicted }]
}

fn easy_cars(images: &[KittiImage]) -> [KittiFigures; 3] {
    let report = evaluate(images, &protocol()).unwrap();
    ["2d", "bev", "3d"].map(|overlap| report["Car"][overlap]["easy"])
}

proptest! {
    #[test]
    fn all_found_leaves_no_gap(objects in any_objects()) {
        for figures in easy_cars(&image(objects.clone(), objects)) {
            // Recalls that fewer boxes than steps cannot reach count as 0 in the development kit too.
            prop_assert!(figures.ap11 > 0.0 && figures.ap11 <= 1.0 + 1e-12);
            if let Some(aos) = figures.aos40 {
                prop_assert!((aos - figures.ap40).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_false_positive_never_helps(
        truth in any_objects(), mut predicted in any_objects(), score in 0.0f64..1.0,
    ) {
        let before = easy_cars(&image(truth.clone(), predicted.clone()));
        predicted.push(car(-60.0, 200.0, score));
        let after = easy_cars(&image(truth, predicted));
        for (before, after) in before.iter().zip(after) {
            prop_assert!(after.ap40 <= before.ap40 + 1e-12);
        }
    }
}

#[test]
fn regions_and_neighbours_are_neither_right_nor_wrong() {
    let van = KittiObject { class: "Van".to_owned(), ..car(20.0, 20.0, 0.0) };
    let region = KittiObject { class: "DontCare".to_owned(), ..car(40.0, 20.0, 0.0) };
    let truth: Vec<KittiObject> =
        (0..40).map(|i| car(100.0 + 8.0 * f64::from(i), 10.0, 0.0)).chain([van, region]).collect();
    let mut predicted: Vec<KittiObject> =
        (0..40).map(|i| car(100.0 + 8.0 * f64::from(i), 10.0, 0.5)).collect();
    predicted.extend([car(20.0, 20.0, 0.9), car(40.0, 20.0, 0.9)]);
    let [in_image, ..] = easy_cars(&image(truth, predicted));
    // Forty boxes give forty scores; the 41st recall stays at 0, as in the development kit.
    assert_eq!(in_image.ap11, 10.0 / 11.0);
}

#[test]
fn bad_rows_are_named() {
    let mut images = image(vec![car(0.0, 1.0, 0.0)], vec![car(0.0, 1.0, f64::NAN)]);
    let why = evaluate(&images, &protocol()).unwrap_err().to_string();
    assert!(why.contains("prediction 0 of image 0"), "{why}");
    images[0].predicted.clear();
    let twice = [images[0].clone(), images[0].clone()];
    assert!(evaluate(&twice, &protocol()).unwrap_err().to_string().contains("occurs twice"));
}
