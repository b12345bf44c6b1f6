//! How well keypoints of people are found, in the image and in space.

mod mpjpe;
mod oks;
mod oks_matching;
mod pck;
mod people;

pub use mpjpe::{JointErrors, JointReport, joint_errors};
pub use oks::{
    COCO_SIGMAS, ImageShare, OksProtocol, OksReport, PredictedPerson, TruePerson, evaluate_oks, oks,
};
pub use pck::{PckPerson, PckReport, evaluate_pck};
pub use people::{JointsInSpace, PeopleComparison, compare_people};
