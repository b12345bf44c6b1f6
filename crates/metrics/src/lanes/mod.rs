//! Lanes in space and in the image: OpenLane-V2, MapTR's chamfer mAP, TuSimple, CULane.

mod assignment;
mod buffer;
mod chamfer_map;
mod culane;
pub mod curve;
mod drawing;
mod openlane;
mod openlane_topology;
mod region;
mod spline;
mod tusimple;

pub use chamfer_map::{
    ChamferMapProtocol, ChamferMapReport, MapFrame, MapLine, evaluate_chamfer_map,
};
pub use culane::{CulaneCounts, CulaneProtocol, culane_image, lane_iou};
pub use openlane::{
    Centreline, LaneFrame, OpenLaneReport, TRAFFIC_ATTRIBUTES, TrafficElement, evaluate_openlane,
};
pub use spline::{culane_spline, natural_spline};
pub use tusimple::{TusimpleImage, TusimpleReport, TusimpleScore, tusimple_image, tusimple_report};
