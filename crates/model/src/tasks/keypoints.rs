//! Keypoints of people, in space.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData, activation::sigmoid},
};
use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::Pose;
use ommatidia_metrics::keypoints::{JointErrors, JointReport, JointsInSpace, compare_people};
use ommatidia_scene::{ClassId, GridSpec, Keypoint, Object, VectorSpace};
use serde::{Deserialize, Serialize};

use super::blocks::{Block, last_layer};
use crate::{
    Sample,
    losses::{focal::sigmoid_focal, heat_map::heat_map, smooth_l1::smooth_l1},
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Keypoints of a person, in COCO's order.
const KEYPOINTS: usize = 17;

/// Positions leave the network divided by this, metres.
const REACH_M: f32 = 1.0;

/// Heat where nothing has been learned: Lin et al. 2017, section 4.1, with 1 in 100.
const PRIOR_LOGIT: f32 = -4.6;

/// What is counted of people.
#[derive(Debug, Clone, Default)]
pub struct PeopleTally {
    errors: Vec<JointErrors>,
    missed: usize,
    wrong: usize,
}

/// Settings of [`Keypoints`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeypointsSettings {
    /// The class of people.
    pub class: ClassId,
    /// Channels between space and outputs.
    pub width: usize,
    /// People fainter than this are none.
    pub min_score: f32,
    /// Most people of a moment.
    pub max_people: usize,
    /// A person belongs to a decoded object of the class at most this far away, metres.
    pub max_distance_m: f64,
    /// Weight of the positions beside heat map and visibility.
    pub positions: f32,
}

impl Default for KeypointsSettings {
    /// The driving taxonomy's pedestrians; scores as in CenterNet's pose configuration (Zhou et al. 2019).
    fn default() -> Self {
        Self {
            class: ClassId(27),
            width: 64,
            min_score: 0.3,
            max_people: 100,
            max_distance_m: 1.0,
            positions: 1.0,
        }
    }
}

/// A heat map of people, and in each centre's cell where their keypoints lie from it: the pose head of
/// Zhou, Wang & Krähenbühl 2019 (CenterNet), section 5.2, in bird's-eye space.
///
/// Decoding gives the people that the detection head found their keypoints, so that head comes first in the
/// list of tasks; people that it did not find, or all without it, become objects of their own.
#[derive(Module, Debug)]
pub struct Keypoints {
    block: Block,
    heat: Conv2d,
    regress: Conv2d,
    #[module(skip)]
    grid: GridSpec,
    #[module(skip)]
    settings: KeypointsSettings,
}

/// People on the cells, all `[batch, _, x, y]`.
#[derive(Debug, Clone)]
pub struct KeypointsTargets {
    /// 1 in the cells of people, a Gaussian around.
    heat: Tensor<4>,
    /// 1 in samples whose people are known.
    judged: Tensor<4>,
    /// From the cell's centre on the ground, x, y, z of each keypoint in [`REACH_M`].
    position: Tensor<4>,
    /// 1 for the three numbers of each seen keypoint.
    weight: Tensor<4>,
    /// 1 for each seen keypoint.
    seen: Tensor<4>,
    /// 1 in the cells of people, for each keypoint.
    person: Tensor<4>,
}

/// One moment's people in the order of the maps.
struct People {
    heat: Vec<f32>,
    judged: Vec<f32>,
    position: Vec<f32>,
    weight: Vec<f32>,
    seen: Vec<f32>,
    person: Vec<f32>,
}

impl Keypoints {
    fn cells(&self) -> [usize; 2] {
        [self.grid.size[0] as usize, self.grid.size[1] as usize]
    }

    /// Middle of a cell, ego frame, metres, on the plane of the wheels.
    fn centre_m(&self, at: usize) -> [f32; 3] {
        let ny = self.cells()[1];
        let centre = self.grid.centre([(at / ny) as u32, (at % ny) as u32, 0]);
        [centre.x as f32, centre.y as f32, 0.0]
    }

    /// Where in the maps a person stands; `None` outside the grid.
    fn cell_of(&self, object: &Object) -> Option<usize> {
        let p = object.ego_from_object.translation;
        let cell = [0, 1]
            .map(|axis| ((p[axis] - self.grid.min_corner_m[axis]) / self.grid.voxel_m).floor());
        let [nx, ny] = self.cells().map(|n| n as f64);
        let inside = (0.0..nx).contains(&cell[0]) && (0.0..ny).contains(&cell[1]);
        inside.then(|| cell[0] as usize * ny as usize + cell[1] as usize)
    }

    fn people(&self, space: &VectorSpace) -> People {
        let [nx, ny] = self.cells();
        let area = nx * ny;
        let of = |channels: usize| vec![0.0; channels * area];
        let known = f32::from(u8::from(space.objects.is_some()));
        let mut people = People {
            heat: of(1),
            judged: vec![known; area],
            position: of(3 * KEYPOINTS),
            weight: of(3 * KEYPOINTS),
            seen: of(KEYPOINTS),
            person: of(KEYPOINTS),
        };
        for object in space.objects.iter().flatten().filter(|o| o.keypoints.len() == KEYPOINTS) {
            let Some(at) = self.cell_of(object) else { continue };
            let (x, y) = (at / ny, at % ny);
            for nx in x.saturating_sub(1)..(x + 2).min(nx) {
                for ny_ in y.saturating_sub(1)..(y + 2).min(ny) {
                    let squared = nx.abs_diff(x).pow(2) + ny_.abs_diff(y).pow(2);
                    let cell = &mut people.heat[nx * ny + ny_];
                    *cell = cell.max((-(squared as f32)).exp());
                }
            }
            let centre_m = self.centre_m(at);
            for (k, keypoint) in object.keypoints.iter().enumerate() {
                let seen = f32::from(u8::from(keypoint.confidence > 0.0));
                people.person[k * area + at] = 1.0;
                people.seen[k * area + at] = seen;
                for axis in 0..3 {
                    let channel = (3 * k + axis) * area + at;
                    people.weight[channel] = seen;
                    let from_centre = keypoint.p_in_ego_m[axis] - centre_m[axis];
                    people.position[channel] = seen * from_centre / REACH_M;
                }
            }
        }
        people
    }

    /// The person of a cell.
    fn person(&self, at: usize, numbers: &[f32]) -> Vec<Keypoint> {
        let area = self.cells().iter().product::<usize>();
        let centre_m = self.centre_m(at);
        let keypoint = |k: usize| Keypoint {
            p_in_ego_m: [0, 1, 2]
                .map(|axis| centre_m[axis] + REACH_M * numbers[(3 * k + axis) * area + at]),
            confidence: 1.0 / (1.0 + (-numbers[(3 * KEYPOINTS + k) * area + at]).exp()),
        };
        (0..KEYPOINTS).map(keypoint).collect()
    }

    /// Cells of people, the hottest first.
    fn peaks(&self, heat: &[f32]) -> Vec<(f32, usize)> {
        let [nx, ny] = self.cells();
        let near = |c: usize, n: usize| c.saturating_sub(1)..(c + 2).min(n);
        let mut found: Vec<(f32, usize)> = Vec::new();
        for (at, &score) in heat.iter().enumerate().filter(|(_, h)| **h >= self.settings.min_score)
        {
            let hotter = |other: usize| heat[other] > score || (heat[other] == score && other < at);
            let mut around =
                near(at / ny, nx).flat_map(|x| near(at % ny, ny).map(move |y| x * ny + y));
            if !around.any(hotter) {
                found.push((score, at));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.truncate(self.settings.max_people);
        found
    }

    /// Gives people to the objects that they are, or adds them.
    fn write(&self, heat: &[f32], numbers: &[f32], space: &mut VectorSpace) {
        let objects = space.objects.get_or_insert_default();
        for (score, at) in self.peaks(heat) {
            let keypoints = self.person(at, numbers);
            let alone = object(self.settings.class, score, keypoints);
            let p = alone.ego_from_object.translation;
            let away = |o: &Object| (o.ego_from_object.translation - p).xy().norm();
            let free =
                objects.iter_mut().filter(|o| o.class == alone.class && o.keypoints.is_empty());
            let nearest = free.min_by(|a, b| away(a).total_cmp(&away(b)));
            match nearest.filter(|o| away(o) <= self.settings.max_distance_m) {
                Some(found) => found.keypoints = alone.keypoints,
                None => objects.push(alone),
            }
        }
    }
}

/// An upright box around keypoints.
fn object(class: ClassId, confidence: f32, keypoints: Vec<Keypoint>) -> Object {
    let bound = |axis: usize, pick: fn(f32, f32) -> f32, start: f32| {
        f64::from(keypoints.iter().map(|k| k.p_in_ego_m[axis]).fold(start, pick))
    };
    let low = [0, 1, 2].map(|axis| bound(axis, f32::min, f32::INFINITY));
    let high = [0, 1, 2].map(|axis| bound(axis, f32::max, f32::NEG_INFINITY));
    let middle = Vector3::from([0, 1, 2].map(|axis| 0.5 * (low[axis] + high[axis])));
    Object {
        track: None,
        class,
        ego_from_object: Pose::new(UnitQuaternion::identity(), middle),
        size_m: [0, 1, 2].map(|axis| high[axis] - low[axis]),
        velocity_m_s: None,
        keypoints,
        confidence,
        lidar_points: None,
    }
}

impl Task for Keypoints {
    type Settings = KeypointsSettings;
    type Targets = KeypointsTargets;
    const NAME: &'static str = "keypoints";
    const READS: Reads = Reads::Space;
    type Tally = PeopleTally;

    fn new(
        settings: &KeypointsSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let space = shapes.space_for(Self::NAME)?;
        if settings.width == 0 || !(settings.min_score > 0.0 && settings.min_score < 1.0) {
            let what = "width must be at least 1 and min_score between 0 and 1".to_owned();
            return Err(TaskError::Setting { task: Self::NAME, what });
        }
        Ok(Self {
            block: Block::new([space.channels, settings.width], 3, device),
            heat: last_layer([settings.width, 1], PRIOR_LOGIT, device),
            regress: last_layer([settings.width, 4 * KEYPOINTS], 0.0, device),
            grid: space.grid,
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        let own = self.block.forward(space);
        vec![("people", self.heat.forward(own.clone())), ("keypoints", self.regress.forward(own))]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> KeypointsTargets {
        let people: Vec<_> = samples.iter().map(|s| self.people(&s.present().truth)).collect();
        let [x, y] = self.cells();
        let map = |channels: usize, values: fn(&People) -> &[f32]| {
            let all: Vec<f32> = people.iter().flat_map(|p| values(p).iter().copied()).collect();
            Tensor::from_data(TensorData::new(all, [samples.len(), channels, x, y]), device)
        };
        KeypointsTargets {
            heat: map(1, |people| &people.heat),
            judged: map(1, |people| &people.judged),
            position: map(3 * KEYPOINTS, |people| &people.position),
            weight: map(3 * KEYPOINTS, |people| &people.weight),
            seen: map(KEYPOINTS, |people| &people.seen),
            person: map(KEYPOINTS, |people| &people.person),
        }
    }

    fn loss(&self, output: &Output, targets: &KeypointsTargets) -> Tensor<1> {
        let numbers = named(output, "keypoints");
        let heat = heat_map(named(output, "people"), targets.heat.clone(), targets.judged.clone());
        let position = smooth_l1(
            numbers.clone().narrow(1, 0, 3 * KEYPOINTS),
            targets.position.clone(),
            targets.weight.clone(),
            0.1,
        );
        let seen = sigmoid_focal(
            numbers.narrow(1, 3 * KEYPOINTS, KEYPOINTS),
            targets.seen.clone(),
            targets.person.clone(),
            0.5,
            0.0,
        );
        heat + position * (3.0 * self.settings.positions) + seen
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let heat = sigmoid(named(output, "people").without_autodiff());
        let heat = heat.into_data().convert::<f32>();
        let numbers = named(output, "keypoints").into_data().convert::<f32>();
        let area = self.cells().iter().product::<usize>();
        let heat = heat.as_slice::<f32>().expect("converted to f32").chunks_exact(area);
        let numbers = numbers.as_slice::<f32>().expect("converted to f32");
        assert_eq!(heat.len(), samples.len(), "an output per sample");
        for ((heat, numbers), space) in
            heat.zip(numbers.chunks_exact(4 * KEYPOINTS * area)).zip(into)
        {
            self.write(heat, numbers, space);
        }
    }

    fn tally(&self) -> PeopleTally {
        PeopleTally::default()
    }

    /// People are found whose seen keypoints are at most half a metre off in the mean.
    fn count(&self, tally: &mut PeopleTally, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        const MAX_MEAN_M: f64 = 0.5;
        let joints = |space: &VectorSpace| -> Vec<JointsInSpace> {
            let joint = |k: &Keypoint| (k.confidence > 0.5).then(|| k.p_in_ego_m.map(f64::from));
            let people = space.objects.iter().flatten().filter(|o| o.keypoints.len() == KEYPOINTS);
            let inside = people.filter(|object| self.cell_of(object).is_some());
            inside.map(|object| object.keypoints.iter().map(joint).collect()).collect()
        };
        for (predicted, truth) in predicted.iter().zip(truth).filter(|(_, t)| t.objects.is_some()) {
            let found = compare_people(&joints(truth), &joints(predicted), MAX_MEAN_M);
            let found = found.expect("17 finite keypoints a person");
            tally.errors.extend(found.found);
            tally.missed += found.missed;
            tally.wrong += found.false_people;
        }
    }

    fn figures(&self, tally: &PeopleTally) -> Vec<(String, f64)> {
        let PeopleTally { errors, missed, wrong } = tally;
        if errors.len() + missed == 0 {
            return Vec::new();
        }
        let found = errors.len() as f64;
        let mut scores =
            vec![("people_f".to_owned(), found / (found + 0.5 * (missed + wrong) as f64))];
        scores.extend(JointReport::of(errors).map(|r| ("mpjpe_m".to_owned(), r.mpjpe_m)));
        scores
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        into.objects = truth.objects.clone();
    }

    /// Nobody anywhere: people are too few and too mobile for a map of them to say more.
    fn baselines(&self, _training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        vec![("always_empty", VectorSpace { objects: Some(Vec::new()), ..VectorSpace::default() })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::testing::{check_overfits, sample_with, space_shapes};

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-4.0, -3.0, -1.0], voxel_m: 0.5, size: [16, 12, 4] };

    fn settings() -> KeypointsSettings {
        KeypointsSettings { width: 16, ..KeypointsSettings::default() }
    }

    fn head() -> Keypoints {
        Keypoints::new(&settings(), &space_shapes(GRID), &Device::flex()).unwrap()
    }

    fn person(x: f32, y: f32) -> Object {
        let keypoint = |k: usize| Keypoint {
            p_in_ego_m: [x + 0.02 * k as f32, y - 0.3 + 0.04 * k as f32, 1.7 - 0.1 * k as f32],
            confidence: if k == 3 { 0.0 } else { 1.0 },
        };
        let mut person = object(ClassId(27), 1.0, (0..KEYPOINTS).map(keypoint).collect());
        person.ego_from_object.translation.x = f64::from(x);
        person.ego_from_object.translation.y = f64::from(y);
        person
    }

    fn samples() -> Vec<Sample> {
        let space = |shift: f32| {
            let car = Object { keypoints: Vec::new(), class: ClassId(18), ..person(1.0, 1.0) };
            let objects =
                vec![person(1.3 + shift, 0.4), car, person(-2.2, 2.1 - shift), person(50.0, 0.0)];
            VectorSpace { objects: Some(objects), ..VectorSpace::default() }
        };
        [0.0, 1.1].map(|shift| sample_with(&[], [0, 0], space(shift))).to_vec()
    }

    #[test]
    fn perfect_outputs_find_everyone() {
        let (head, samples) = (head(), samples());
        let targets = head.targets(&samples, &Device::flex());
        let p = targets.heat.clone().clamp(1e-6, 1.0 - 1e-6);
        let heat = (p.clone() / (p.neg() + 1.0)).log();
        let seen = targets.seen.clone() * 40.0 - 20.0;
        let output = vec![
            ("people", heat),
            ("keypoints", Tensor::cat(vec![targets.position.clone(), seen], 1)),
        ];
        let truth: Vec<_> = samples.iter().map(|s| s.present().truth.clone()).collect();
        let boxes = |space: &VectorSpace| {
            let objects = space.objects.iter().flatten().cloned();
            let bare = objects.map(|object| Object { keypoints: Vec::new(), ..object });
            VectorSpace { objects: Some(bare.collect()), ..VectorSpace::default() }
        };
        for (mut decoded, objects) in
            [(vec![VectorSpace::default(); 2], 2), (truth.iter().map(boxes).collect(), 4)]
        {
            head.decode(&output, &samples, &mut decoded);
            let scores = head.scores(&decoded, &truth);
            assert_eq!(scores[0], ("people_f".to_owned(), 1.0));
            assert!(scores[1].1 < 1e-5, "{scores:?}");
            assert_eq!(decoded[0].objects.as_ref().unwrap().len(), objects);
        }
    }

    #[test]
    fn unknown_people_cost_nothing() {
        let head = head();
        let targets =
            head.targets(&[sample_with(&[], [0, 0], VectorSpace::default())], &Device::flex());
        let ones = |channels: usize| Tensor::ones([1, channels, 16, 12], &Device::flex());
        let output = vec![("people", ones(1)), ("keypoints", ones(4 * KEYPOINTS))];
        assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
        let nothing = [VectorSpace::default()];
        assert!(head.scores(&nothing, &nothing).is_empty());
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Keypoints>(&settings(), &space_shapes(GRID), &samples()[..1]);
    }
}
