//! Cameras and the lidar.

use std::path::Path;

use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Camera, Intrinsics, Pose};
use ommatidia_scene::{CameraSensor, LidarSensor, Rig, Shutter};

use super::{AxleFrame, POSE_COLUMNS, PoseColumns, ego_from_axle};
use crate::Error;
use crate::formats::common::feather::Table;
use crate::formats::common::inputs::Inputs;
use crate::formats::common::{PIXEL_CENTRE_PX, sanity};

/// The name of the two lidars' joint sweeps, which come in the vehicle frame.
const LIDAR: &str = "lidar";

/// All cameras that have intrinsics, and the lidar.
pub(super) fn read(dir: &Path, inputs: &mut Inputs) -> Result<Rig, Error> {
    let dir = dir.join("calibration");
    let mount_path = dir.join("egovehicle_SE3_sensor.feather");
    let mut wanted = vec!["sensor_name"];
    wanted.extend(POSE_COLUMNS);
    let mounts = Table::read(&mount_path, &wanted, inputs, "it holds the sensors' mounting")?;
    let mounted = mounts.texts("sensor_name")?;
    let poses = PoseColumns::of(&mounts)?;

    let path = dir.join("intrinsics.feather");
    let wanted = ["sensor_name", "fx_px", "fy_px", "cx_px", "cy_px", "width_px", "height_px"];
    let table = Table::read(&path, &wanted, inputs, "it holds the cameras' intrinsics")?;
    let [fx, fy, cx, cy] = [
        table.floats("fx_px")?,
        table.floats("fy_px")?,
        table.floats("cx_px")?,
        table.floats("cy_px")?,
    ];
    let sizes = table.integers("width_px")?.iter().zip(table.integers("height_px")?);
    let mut rig = Rig::default();
    for ((row, name), (&width, &height)) in
        table.texts("sensor_name")?.iter().enumerate().zip(sizes)
    {
        let Some(mount) = mounted.iter().position(|sensor| sensor == name) else {
            return Err(Error::MissingCalibration { path: mount_path, sensor: name.clone() });
        };
        sanity::intrinsics([fx[row], fy[row], cx[row], cy[row]], &path, name)?;
        let axle_from_camera: Pose<AxleFrame, Camera> = poses.row(mount, sanity::mount)?;
        let side = |side: i64| u32::try_from(side).unwrap_or(0);
        rig.cameras.push(CameraSensor {
            name: name.clone(),
            width: side(width),
            height: side(height),
            intrinsics: Intrinsics::Pinhole(Pinhole {
                fx: fx[row],
                fy: fy[row],
                cx: cx[row] + PIXEL_CENTRE_PX,
                cy: cy[row] + PIXEL_CENTRE_PX,
            }),
            ego_from_camera: ego_from_axle() * axle_from_camera,
            shutter: Shutter::Global,
        });
    }
    // Sweeps are published in the vehicle frame, so that is the lidar's.
    let ego_from_lidar = ego_from_axle().cast();
    rig.lidars.push(LidarSensor { name: LIDAR.to_owned(), ego_from_lidar });
    rig.check().map_err(|cause| Error::Rig { path, cause })?;
    Ok(rig)
}
