//! Tables: what was measured, what each stage did, the rig, and where everything came from.

use maud::{Markup, html};
use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Pose};
use ommatidia_scene::Provenance;

use super::ReportInput;

pub(super) fn metrics(input: &ReportInput) -> Markup {
    html! {
        @if !input.metrics.is_empty() {
            section #metrics {
                h2 { "Against truth" }
                div.columns {
                    @for table in &input.metrics {
                        div {
                            h3 { (table.title) }
                            table { tbody {
                                @for row in &table.rows {
                                    tr { th title=(row.key) { (row.name) } td.number { (row.value) } td.unit { (row.unit) } }
                                }
                            } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn stages(input: &ReportInput) -> Markup {
    html! {
        section #stages {
            h2 { "Stages" }
            @if input.stages.is_empty() { p.none { "No stage has run." } } @else {
                table {
                    thead { tr { th { "stage" } th { "confidence" } th { "wrote" } th { "left out" } } }
                    tbody {
                        @for stage in &input.stages {
                            tr {
                                td { (stage.name) }
                                td { @if let Some(confidence) = stage.confidence {
                                    span.meter { span style=(format!("width:{:.0}%", 100.0 * confidence.clamp(0.0, 1.0))) {} }
                                    (format!("{confidence:.2}"))
                                } @else { "—" } }
                                td { @if stage.outputs.is_empty() { "—" } @else { (stage.outputs.join(", ")) } }
                                td { @if stage.skipped.is_empty() { "nothing" } @else { ul {
                                    @for skipped in &stage.skipped {
                                        li { (skipped.count) " × " (skipped.what) ": " (skipped.why) }
                                    }
                                } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn provenance(input: &ReportInput) -> Markup {
    html! {
        section #provenance {
            h2 { "Provenance" }
            @if !input.hashes.is_empty() {
                table { thead { tr { th { "artefact" } th { "BLAKE3" } } } tbody {
                    @for (name, hash) in &input.hashes { tr { td { (name) } td { code.hash { (hash) } } } }
                } }
            }
            @for (name, provenance) in &input.provenance { (made_from(name, provenance)) }
        }
    }
}

fn made_from(name: &str, provenance: &Provenance) -> Markup {
    let config = serde_json::to_string_pretty(&provenance.config).unwrap_or_default();
    html! {
        details {
            summary { b { (name) } " · " (provenance.code) " · " (provenance.inputs.len()) " inputs" }
            @if !provenance.inputs.is_empty() {
                table { tbody {
                    @for input in &provenance.inputs {
                        tr { td { (input.name) } td { code.hash { (input.blake3) } } }
                    }
                } }
            }
            pre { (config) }
        }
    }
}

/// The model's name as configuration files spell it.
fn model(intrinsics: &Intrinsics) -> String {
    let value = serde_json::to_value(intrinsics).unwrap_or_default();
    value["model"].as_str().unwrap_or("camera").replace('_', " ")
}

/// Mounting, field of view: a row per camera.
pub(super) fn rig(input: &ReportInput) -> Markup {
    let place = |t: &nalgebra::Vector3<f64>| format!("{:+.2}, {:+.2}, {:+.2}", t.x, t.y, t.z);
    let yaw = |p: &Pose<Ego, Camera>| {
        let axis = p.rotate(&nalgebra::Vector3::z());
        format!("{:+.0}°", axis.y.atan2(axis.x).to_degrees())
    };
    html! {
        section #rig {
            h2 { "Rig" }
            table {
                thead { tr { th { "sensor" } th { "kind" } th { "size, px" } th { "focal length, px" } th { "looks to" } th { "position in ego x, y, z, m" } } }
                tbody {
                    @for camera in &input.rig.cameras {
                        @let (fx, fy) = camera.intrinsics.focal_px();
                        tr { td { (camera.name) } td { "camera · " (model(&camera.intrinsics)) " · " (camera.intrinsics.parameters().len()) " parameters" }
                            td.number { (camera.width) " × " (camera.height) } td.number { (format!("{fx:.1}, {fy:.1}")) }
                            td.number { (yaw(&camera.ego_from_camera)) }
                            td.number { (place(&camera.ego_from_camera.translation)) } }
                    }
                    @for lidar in &input.rig.lidars {
                        tr { td { (lidar.name) } td { "lidar" } td {} td {} td {} td.number { (place(&lidar.ego_from_lidar.translation)) } }
                    }
                    @if let Some(imu) = &input.rig.imu {
                        tr { td { (imu.name) } td { "inertial unit" } td {} td {} td {} td.number { (place(&imu.ego_from_imu.translation)) } }
                    }
                }
            }
        }
    }
}
