//! What the tests of tasks share.

use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Distribution, Tensor},
};
use ommatidia_geometry::{Intrinsics, Pose, camera::Pinhole};
use ommatidia_scene::{
    CameraSensor, ClassId, GridSpec, Occupancy, RgbImage, Rig, Shutter, VectorSpace, VoxelFlow,
};

use crate::{
    Moment, Sample,
    task::{Features, Level, Shapes, SpaceShape, Task},
};

/// A small pyramid and no space.
pub(super) fn pyramid_shapes() -> Shapes {
    let level = |stride| Level { channels: 8, stride };
    Shapes { pyramid: vec![level(4), level(8)], space: None }
}

/// A small space and the same pyramid.
pub(super) fn space_shapes(grid: GridSpec) -> Shapes {
    Shapes { space: Some(SpaceShape { channels: 12, grid }), ..pyramid_shapes() }
}

/// A sample of one moment with forward-looking pinhole cameras of `[width, height]`.
pub(super) fn sample_with(
    cameras: &[&str],
    [width, height]: [usize; 2],
    truth: VectorSpace,
) -> Sample {
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    let camera = |name: &&str| CameraSensor {
        name: (*name).to_owned(),
        width: width as u32,
        height: height as u32,
        intrinsics: Intrinsics::Pinhole(Pinhole { fx: cx, fy: cx, cx, cy }),
        ego_from_camera: Pose::identity(),
        shutter: Shutter::Global,
    };
    let moment = Moment {
        timestamp: truth.timestamp,
        rig: Rig { cameras: cameras.iter().map(camera).collect(), ..Rig::default() },
        images: vec![RgbImage::new(width, height, vec![0; 3 * width * height]); cameras.len()],
        world_from_ego: Some(Pose::identity()),
        truth,
    };
    Sample { name: "test".to_owned(), moments: vec![moment] }
}

/// Features without meaning but without repetition, so that a head can learn any sample by heart.
pub(super) fn features(shapes: &Shapes, samples: &[Sample], device: &Device) -> Features {
    device.seed(3);
    let moment = samples[0].present();
    let images = samples.len() * moment.images.len();
    let random =
        |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), device);
    let level = |level: &Level| {
        let (height, width) = moment.images.first().map_or((0, 0), |i| (i.height, i.width));
        random([images, level.channels, height / level.stride, width / level.stride])
    };
    let space = |space: SpaceShape| {
        let [x, y, _] = space.grid.size.map(|n| n as usize);
        random([samples.len(), space.channels, x, y])
    };
    Features { pyramid: shapes.pyramid.iter().map(level).collect(), space: shapes.space.map(space) }
}

/// A head with small settings learns one batch: the loss falls to less than half in a few steps, and
/// what it then says scores better than what it said before.
pub(super) fn check_overfits<T: Task>(settings: &T::Settings, shapes: &Shapes, samples: &[Sample]) {
    check_overfits_at::<T>(settings, shapes, samples, 0.02, 40);
}

/// As [`check_overfits`], with a rate and a number of steps.
pub(super) fn check_overfits_at<T: Task>(
    settings: &T::Settings,
    shapes: &Shapes,
    samples: &[Sample],
    rate: f64,
    steps: usize,
) {
    let device = Device::flex().autodiff();
    let features = features(shapes, samples, &device);
    let mut head = T::new(settings, shapes, &device).unwrap();
    let targets = head.targets(samples, &device);
    let score = |head: &T| {
        let mut decoded = vec![VectorSpace::default(); samples.len()];
        head.decode(&head.forward(&features), samples, &mut decoded);
        let truth: Vec<_> = samples.iter().map(|s| s.present().truth.clone()).collect();
        head.scores(&decoded, &truth)[0].1
    };
    let score_before = score(&head);
    let mut optimizer = AdamConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let loss = head.loss(&head.forward(&features), &targets);
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &head);
        head = optimizer.step(rate, head, gradients);
    }
    assert!(losses[steps - 1] < 0.5 * losses[0], "{losses:?}");
    let score_after = score(&head);
    assert!(score_after > score_before, "{score_before} then {score_after}");
}

/// Ground of class 1 at the second height, columns of classes 7 and 18 on it, the topmost layer of half of
/// the grid unobserved; what is of class 18 moves.
pub(super) fn column_world(grid: GridSpec, shift: usize) -> VectorSpace {
    let mut voxels = Occupancy::unobserved(grid);
    let mut flow = Vec::new();
    for index in 0..grid.len() {
        let [x, y, z] = grid.cell(index).map(|n| n as usize);
        voxels.observed.set(index, z + 1 < grid.size[2] as usize || y > 2);
        let column = (x + shift) / 2 + y / 2;
        let class = match (z, column % 3) {
            (0, _) => ClassId(1),
            (1, 0) => ClassId(7),
            (1 | 2, 1) => ClassId(18),
            _ => continue,
        };
        voxels.occupied.set(index, true);
        if class == ClassId(18) {
            let velocity_m_s = [2.0 + column as f32, -(y as f32), 0.0];
            flow.push(VoxelFlow { rank: voxels.classes.len() as u32, velocity_m_s });
        }
        voxels.classes.push(class);
    }
    voxels.flow = Some(flow);
    VectorSpace { occupancy: Some(voxels), ..VectorSpace::default() }
}
