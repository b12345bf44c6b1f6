//! What a release asks of the vehicle's cameras.

use ommatidia_geometry::Intrinsics;
use ommatidia_scene::Rig;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What a release asks of the vehicle's cameras; in a bundle as TOML.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationContract {
    /// In the order in which the network takes them.
    pub cameras: Vec<CameraContract>,
}

/// What is asked of one camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraContract {
    /// Its name in the rig.
    pub name: String,
    /// Camera models that are allowed; empty: any.
    #[serde(default)]
    pub models: Vec<String>,
    /// Where it sits about, metres in the ego frame.
    #[serde(default)]
    pub translation_m: Option<[f64; 3]>,
    /// How far from there at most, metres.
    #[serde(default = "CameraContract::half_a_metre")]
    pub within_m: f64,
}

impl CameraContract {
    /// Between a hatchback and a van the same camera moves by about this.
    fn half_a_metre() -> f64 {
        0.5
    }
}

impl CalibrationContract {
    /// Whether a rig is as asked.
    ///
    /// # Errors
    /// [`Error::Rig`] names the first camera that is not.
    pub fn check(&self, rig: &Rig) -> Result<(), Error> {
        let fail = |what: String| Err(Error::Rig { what });
        let names = |names: Vec<&str>| names.join(", ");
        let asked: Vec<&str> = self.cameras.iter().map(|camera| camera.name.as_str()).collect();
        let found: Vec<&str> = rig.cameras.iter().map(|camera| camera.name.as_str()).collect();
        if asked != found {
            return fail(format!(
                "it asks for the cameras {}; there are {}",
                names(asked),
                names(found)
            ));
        }
        for (asked, camera) in self.cameras.iter().zip(&rig.cameras) {
            let model = model(&camera.intrinsics);
            if !asked.models.is_empty() && !asked.models.contains(&model) {
                let models = asked.models.join(" or ");
                return fail(format!("camera {} is {model}; it asks for {models}", asked.name));
            }
            let Some(place) = asked.translation_m else { continue };
            let found = &camera.ego_from_camera.translation;
            let squared = (0..3).map(|axis| (found[axis] - place[axis]).powi(2));
            let away_m = squared.sum::<f64>().sqrt();
            if away_m.is_nan() || away_m > asked.within_m {
                return fail(format!(
                    "camera {} is {away_m:.2} m from where it is asked for, more than {} m",
                    asked.name, asked.within_m
                ));
            }
        }
        Ok(())
    }
}

/// What a camera model is called in files.
fn model(intrinsics: &Intrinsics) -> String {
    let value = serde_json::to_value(intrinsics).unwrap_or_default();
    value["model"].as_str().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn rigs_are_held_to_what_is_asked() {
        let rig = testing::rig(2);
        let place = |camera: usize| {
            let found = rig.cameras[camera].ego_from_camera.translation;
            [found.x, found.y, found.z]
        };
        let ask = |camera: usize| CameraContract {
            name: rig.cameras[camera].name.clone(),
            models: vec!["pinhole".to_owned()],
            translation_m: Some(place(camera)),
            within_m: 0.1,
        };
        let check = |change: &dyn Fn(&mut CalibrationContract), words: &[&str]| {
            let mut contract = CalibrationContract { cameras: vec![ask(0), ask(1)] };
            change(&mut contract);
            let text = toml::to_string(&contract).unwrap();
            let contract: CalibrationContract = toml::from_str(&text).unwrap();
            let told = contract.check(&rig).err().map(|error| error.to_string());
            assert_eq!(told.is_some(), !words.is_empty(), "{told:?}");
            let told = told.unwrap_or_default();
            assert!(words.iter().all(|word| told.contains(word)), "{told}");
        };
        check(&|_| {}, &[]);
        check(&|asked| asked.cameras.swap(0, 1), &["asks for the cameras camera_1, camera_0"]);
        check(&|asked| asked.cameras[1].models = vec!["mei".to_owned()], &["camera_1", "mei"]);
        check(&|asked| asked.cameras[0].translation_m = Some([9.0; 3]), &["camera_0", "0.1 m"]);
        check(&|asked| asked.cameras[0].translation_m = Some([f64::NAN; 3]), &["camera_0"]);
    }
}
