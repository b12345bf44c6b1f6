//! Whether what was read fits the rig: files from outside may say anything.

use ommatidia_model::Moment;
use ommatidia_scene::{CameraSensor, CameraView, Surface};

/// The first thing of a moment whose size is not what rig or grid say, in words.
pub(super) fn check(moment: &Moment) -> Result<(), String> {
    let rig = &moment.rig;
    for (camera, image) in rig.cameras.iter().zip(&moment.images) {
        if (image.width, image.height) != (camera.width as usize, camera.height as usize) {
            return Err(format!(
                "the picture of {} has {} x {} pixels, the rig says {} x {}",
                camera.name, image.width, image.height, camera.width, camera.height
            ));
        }
    }
    for view in &moment.truth.cameras {
        let Some(camera) = rig.camera_index(&view.camera) else {
            return Err(format!("labels are of camera {}, which the rig lacks", view.camera));
        };
        seen(&rig.cameras[camera], view)?;
    }
    if let Some(occupancy) = &moment.truth.occupancy {
        occupancy.check().map_err(|what| format!("occupancy: {what}"))?;
    }
    moment.truth.surface.as_ref().map_or(Ok(()), surface)
}

fn seen(camera: &CameraSensor, view: &CameraView) -> Result<(), String> {
    let name = &camera.name;
    let (width, height) = (camera.width as usize, camera.height as usize);
    if let Some(depth) = &view.depth
        && (depth.width, depth.height) != (width, height)
    {
        return Err(format!(
            "the depth map of {name} has {} x {} pixels, the rig says {width} x {height}",
            depth.width, depth.height
        ));
    }
    let depth = view.depth.as_ref();
    let lengths = [
        ("depth", depth.map(|depth| depth.depth_m.len())),
        ("confidence of depth", depth.map(|depth| depth.confidence.len())),
        ("semantics", view.semantics.as_ref().map(Vec::len)),
        ("instances", view.instances.as_ref().map(Vec::len)),
        ("normals", view.normals.as_ref().map(Vec::len)),
        ("flow", view.flow.as_ref().map(Vec::len)),
    ];
    for (what, length) in lengths {
        if length.is_some_and(|length| length != width * height) {
            return Err(format!(
                "{what} of {name} are of {} pixels, the rig says {width} x {height}",
                length.unwrap_or(0)
            ));
        }
    }
    Ok(())
}

fn surface(surface: &Surface) -> Result<(), String> {
    let cells = surface.spec.size.iter().map(|&side| side as usize).product::<usize>();
    let lengths = [
        surface.height_m.len(),
        surface.drivable.len(),
        surface.class.len(),
        surface.confidence.len(),
    ];
    match lengths.iter().find(|length| **length != cells) {
        Some(length) => Err(format!("the surface has {length} values for {cells} cells")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_geometry::{Pose, Timestamp, camera::Pinhole};
    use ommatidia_scene::{ClassId, DepthMap, RgbImage, Rig, Shutter, VectorSpace};

    use super::*;

    fn moment(view: CameraView, picture: [usize; 2]) -> Moment {
        let camera = CameraSensor {
            name: "front".to_owned(),
            width: 4,
            height: 3,
            intrinsics: Pinhole { fx: 4.0, fy: 4.0, cx: 2.0, cy: 1.5 }.into(),
            ego_from_camera: Pose::identity(),
            shutter: Shutter::Global,
        };
        let [width, height] = picture;
        Moment {
            timestamp: Timestamp(0),
            rig: Rig { cameras: vec![camera], ..Rig::default() },
            images: vec![RgbImage::new(width, height, vec![0; 3 * width * height])],
            world_from_ego: None,
            truth: VectorSpace {
                cameras: vec![CameraView { camera: "front".to_owned(), ..view }],
                ..VectorSpace::default()
            },
        }
    }

    #[test]
    fn what_is_of_another_size_is_named() {
        let check = |view: CameraView, picture: [usize; 2], words: &[&str]| {
            let told = super::check(&moment(view, picture)).err().unwrap_or_default();
            assert!(
                words.iter().all(|word| told.contains(word)),
                "{told:?} lacks one of {words:?}"
            );
            assert_eq!(told.is_empty(), words.is_empty(), "{told:?}");
        };
        let none = CameraView::default;
        let depth = |width, height, values, confidence| DepthMap {
            width,
            height,
            depth_m: vec![1.0; values],
            confidence: vec![255; confidence],
        };
        let fits = CameraView {
            depth: Some(depth(4, 3, 12, 12)),
            semantics: Some(vec![ClassId(1); 12]),
            instances: Some(vec![0; 12]),
            normals: Some(vec![[0; 3]; 12]),
            flow: Some(vec![[0.0; 2]; 12]),
            ..none()
        };
        check(fits, [4, 3], &[]);
        check(none(), [3, 4], &["picture of front", "3 x 4", "4 x 3"]);
        check(CameraView { depth: Some(depth(3, 4, 12, 12)), ..none() }, [4, 3], &["depth map"]);
        check(CameraView { depth: Some(depth(4, 3, 11, 12)), ..none() }, [4, 3], &["depth", "11"]);
        check(CameraView { depth: Some(depth(4, 3, 12, 0)), ..none() }, [4, 3], &["confidence"]);
        let semantics = Some(vec![ClassId(1); 11]);
        check(CameraView { semantics, ..none() }, [4, 3], &["semantics", "11"]);
        check(CameraView { instances: Some(vec![0; 13]), ..none() }, [4, 3], &["instances", "13"]);
        check(CameraView { normals: Some(Vec::new()), ..none() }, [4, 3], &["normals", "0"]);
        check(CameraView { flow: Some(vec![[0.0; 2]]), ..none() }, [4, 3], &["flow"]);
    }
}
