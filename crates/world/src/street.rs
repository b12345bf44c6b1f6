//! A street: what stands on it, what moves along it, and where the road runs.

use nalgebra::{Point3, UnitQuaternion, Vector2, Vector3};
use ommatidia_geometry::{Ego, Pose, World, frames};
use ommatidia_scene::{ClassId, Taxonomy, TrackId};

use crate::material::{Material, Pattern};
use crate::noise::Stream;
use crate::shape::Shape;

/// Half the width of the carriageway, metres.
pub const ROAD_HALF_WIDTH_M: f64 = 3.6;
/// Height of the pavement over the road, metres.
pub const KERB_M: f64 = 0.12;
const PAVEMENT_WIDTH_M: f64 = 3.0;
const LANE_CENTRE_M: f64 = 1.8;

/// One solid in the world at one time.
#[derive(Debug, Clone)]
pub struct Body {
    /// Its form.
    pub shape: Shape,
    /// Where it is.
    pub world_from_body: Pose<World, frames::Object>,
    /// What it is.
    pub class: ClassId,
    /// What it looks like.
    pub material: Material,
}

/// Something with a box of its own: a car.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Identity.
    pub track: TrackId,
    /// Class of the whole.
    pub class: ClassId,
    /// Station along the road at time zero, metres.
    pub station_m: f64,
    /// Lateral position, metres to the left of the road's centre.
    pub lateral_m: f64,
    /// Speed along the road, m/s; negative against the ego's direction.
    pub speed_m_s: f64,
    /// Length, width, height of the box, metres.
    pub size_m: [f64; 3],
    paint: [f64; 3],
    seed: u64,
}

/// The classes that a street uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Classes {
    pub(crate) road: ClassId,
    pub(crate) marking: ClassId,
    pub(crate) sidewalk: ClassId,
    pub(crate) terrain: ClassId,
    building: ClassId,
    trunk: ClassId,
    vegetation: ClassId,
    pole: ClassId,
    car: ClassId,
}

impl Classes {
    fn new(taxonomy: &Taxonomy) -> Self {
        let id =
            |name: &str| taxonomy.id(name).expect("the built-in taxonomy has the street's classes");
        Self {
            road: id("road"),
            marking: id("lane_marking"),
            sidewalk: id("sidewalk"),
            terrain: id("terrain"),
            building: id("building"),
            trunk: id("trunk"),
            vegetation: id("vegetation"),
            pole: id("pole"),
            car: id("car"),
        }
    }
}

/// Everything there is.
#[derive(Debug, Clone)]
pub struct Street {
    /// What stands still.
    pub fixed: Vec<Body>,
    /// Cars, parked and moving.
    pub actors: Vec<Actor>,
    pub(crate) classes: Classes,
    pub(crate) seed: u64,
    bend_m: f64,
    bend_length_m: f64,
}

impl Street {
    /// A street of `length_m` from a seed.
    pub fn new(seed: u64, length_m: f64) -> Self {
        let mut stream = Stream::new(seed);
        let mut street = Self {
            fixed: Vec::new(),
            actors: Vec::new(),
            classes: Classes::new(&Taxonomy::driving()),
            seed: stream.seed(),
            bend_m: stream.range(1.5, 3.0),
            bend_length_m: stream.range(90.0, 130.0),
        };
        for side in [-1.0, 1.0] {
            street.pave(side, length_m, &mut stream);
            street.build(side, length_m, &mut stream);
            street.plant(side, length_m, &mut stream);
            street.park(side, length_m, &mut stream);
        }
        let paint = [0.55, 0.06, 0.05];
        street.add_car(0.62 * length_m, LANE_CENTRE_M, -9.0, paint, &mut stream);
        street
    }

    /// The road's centre and heading (rad) at a station (m): a gentle sine.
    fn centre_line(&self, station_m: f64) -> (Vector2<f64>, f64) {
        let phase = std::f64::consts::TAU * station_m / self.bend_length_m;
        let slope = self.bend_m * std::f64::consts::TAU / self.bend_length_m * phase.sin();
        (Vector2::new(station_m, self.bend_m * (1.0 - phase.cos())), slope.atan())
    }

    /// A frame on the road: x along it, y left, z up, at this station and lateral offset (m).
    pub fn world_from_road<F>(
        &self,
        station_m: f64,
        lateral_m: f64,
        height_m: f64,
    ) -> Pose<World, F> {
        let (centre, heading) = self.centre_line(station_m);
        let left = Vector2::new(-heading.sin(), heading.cos());
        let p = centre + left * lateral_m;
        Pose::new(
            UnitQuaternion::from_euler_angles(0.0, 0.0, heading),
            Vector3::new(p.x, p.y, height_m),
        )
    }

    /// Where a vehicle in the right lane is.
    pub fn world_from_ego(&self, station_m: f64) -> Pose<World, Ego> {
        self.world_from_road(station_m, -LANE_CENTRE_M, 0.0)
    }

    /// Station and lateral offset of a point, metres. The bend is gentle: one Newton step is exact to
    /// millimetres within the street.
    pub(crate) fn road_coordinates(&self, p: &Point3<f64>) -> (f64, f64) {
        let mut station = p.x;
        for _ in 0..3 {
            let (centre, heading) = self.centre_line(station);
            station += (p.coords.xy() - centre).dot(&Vector2::new(heading.cos(), heading.sin()));
        }
        let (centre, heading) = self.centre_line(station);
        (station, (p.coords.xy() - centre).dot(&Vector2::new(-heading.sin(), heading.cos())))
    }

    /// Centre of an actor's box at a time (s).
    pub fn world_from_actor(&self, actor: &Actor, time_s: f64) -> Pose<World, frames::Object> {
        let station = actor.station_m + actor.speed_m_s * time_s;
        let along = self.world_from_road(station, actor.lateral_m, 0.5 * actor.size_m[2]);
        if actor.speed_m_s >= 0.0 {
            return along;
        }
        let turned = UnitQuaternion::from_euler_angles(0.0, 0.0, std::f64::consts::PI);
        Pose::new(along.rotation * turned, along.translation)
    }

    /// All solids at a time (s).
    pub fn bodies(&self, time_s: f64) -> Vec<Body> {
        let cars = self.actors.iter().flat_map(|actor| self.car_bodies(actor, time_s));
        self.fixed.iter().cloned().chain(cars).collect()
    }

    fn pave(&mut self, side: f64, length_m: f64, stream: &mut Stream) {
        const SLAB_M: f64 = 4.0;
        let seed = stream.seed();
        let count = ((length_m + 120.0) / SLAB_M) as i32;
        for i in -5..count {
            let lateral = side * (ROAD_HALF_WIDTH_M + 0.5 * PAVEMENT_WIDTH_M);
            let pattern = Pattern::Slabs(0.5);
            let material = Material {
                rgb: [0.36, 0.35, 0.33],
                contrast: 0.35,
                coarsest_m: 1.0,
                pattern,
                seed,
            };
            // Slightly longer than the step, so that no gap opens on the outside of a bend.
            let half = Vector3::new(0.52 * SLAB_M, 0.5 * PAVEMENT_WIDTH_M, 0.5 * KERB_M);
            self.stand(
                Shape::Cuboid(half),
                (f64::from(i) * SLAB_M, lateral, 0.0),
                self.classes.sidewalk,
                material,
            );
        }
    }

    fn build(&mut self, side: f64, length_m: f64, stream: &mut Stream) {
        let mut station = -20.0;
        while station < length_m + 90.0 {
            let (front, depth) = (stream.range(9.0, 18.0), stream.range(8.0, 14.0));
            let height = stream.range(6.0, 16.0);
            let setback = stream.range(0.3, 3.0);
            let tone = stream.range(0.25, 0.6);
            let material = Material {
                rgb: [tone, tone * stream.range(0.75, 0.98), tone * stream.range(0.6, 0.95)],
                contrast: 0.4,
                coarsest_m: 1.6,
                pattern: Pattern::Windows([stream.range(1.8, 3.0), stream.range(2.6, 3.4)]),
                seed: stream.seed(),
            };
            let lateral = side * (ROAD_HALF_WIDTH_M + PAVEMENT_WIDTH_M + setback + 0.5 * depth);
            let half = Vector3::new(0.5 * front, 0.5 * depth, 0.5 * height);
            self.stand(
                Shape::Cuboid(half),
                (station + 0.5 * front, lateral, 0.0),
                self.classes.building,
                material,
            );
            station += front + stream.range(0.5, 6.0);
        }
    }

    fn plant(&mut self, side: f64, length_m: f64, stream: &mut Stream) {
        let mut station = stream.range(-8.0, 4.0);
        let mut tree = side > 0.0;
        while station < length_m + 60.0 {
            let lateral = side * (ROAD_HALF_WIDTH_M + stream.range(0.5, 0.9));
            let plain = |rgb, contrast, seed| Material {
                rgb,
                contrast,
                coarsest_m: 0.4,
                pattern: Pattern::Plain,
                seed,
            };
            if tree {
                let bark = plain([0.2, 0.14, 0.09], 0.6, stream.seed());
                let trunk = Shape::Cylinder { radius: stream.range(0.12, 0.2), half_height: 1.4 };
                self.stand(trunk, (station, lateral, KERB_M), self.classes.trunk, bark);
                let crown = Vector3::new(
                    stream.range(1.2, 1.8),
                    stream.range(1.2, 1.8),
                    stream.range(1.2, 1.9),
                );
                let mut leaves = plain([0.13, 0.3, 0.07], 0.7, stream.seed());
                leaves.pattern = Pattern::Leaves;
                let at = (station, lateral, KERB_M + 2.4);
                self.stand(Shape::Ellipsoid(crown), at, self.classes.vegetation, leaves);
            } else {
                let steel = plain([0.3, 0.31, 0.33], 0.4, stream.seed());
                let post = Shape::Cylinder { radius: 0.08, half_height: stream.range(2.2, 3.2) };
                self.stand(post, (station, lateral, KERB_M), self.classes.pole, steel);
            }
            tree = !tree;
            station += stream.range(8.0, 15.0);
        }
    }

    fn park(&mut self, side: f64, length_m: f64, stream: &mut Stream) {
        let mut station = stream.range(14.0, 22.0);
        while station < length_m + 40.0 {
            let paint = [stream.range(0.05, 0.6), stream.range(0.05, 0.6), stream.range(0.05, 0.6)];
            // Half on the pavement, as parked cars are.
            self.add_car(station, side * (ROAD_HALF_WIDTH_M + 0.2), 0.0, paint, stream);
            station += stream.range(7.0, 26.0);
        }
    }

    fn add_car(
        &mut self,
        station_m: f64,
        lateral_m: f64,
        speed_m_s: f64,
        paint: [f64; 3],
        stream: &mut Stream,
    ) {
        let size_m = [stream.range(3.9, 4.7), stream.range(1.7, 1.85), stream.range(1.42, 1.6)];
        let track = TrackId(self.actors.len() as u64 + 1);
        let (class, seed) = (self.classes.car, stream.seed());
        self.actors.push(Actor {
            track,
            class,
            station_m,
            lateral_m,
            speed_m_s,
            size_m,
            paint,
            seed,
        });
    }

    /// Puts a solid with its foot at (station, lateral, height).
    fn stand(&mut self, shape: Shape, at: (f64, f64, f64), class: ClassId, material: Material) {
        let world_from_body = self.world_from_road(at.0, at.1, at.2 + shape.half_extent().z);
        self.fixed.push(Body { shape, world_from_body, class, material });
    }

    /// Hull, cabin and wheels of a car within its box.
    fn car_bodies(&self, actor: &Actor, time_s: f64) -> Vec<Body> {
        let [length, width, height] = actor.size_m;
        let world_from_actor = self.world_from_actor(actor, time_s);
        let part = |shape: Shape,
                    offset: Vector3<f64>,
                    rgb: [f64; 3],
                    pattern: Pattern,
                    salt: u64| {
            let material =
                Material { rgb, contrast: 0.45, coarsest_m: 0.5, pattern, seed: actor.seed ^ salt };
            let world_from_body = world_from_actor * Pose::new(UnitQuaternion::identity(), offset);
            Body { shape, world_from_body, class: actor.class, material }
        };
        let hull = Shape::Cuboid(Vector3::new(0.5 * length, 0.5 * width, 0.22 * height));
        let cabin = Shape::Cuboid(Vector3::new(0.28 * length, 0.44 * width, 0.2 * height));
        let rises = |share: f64| Vector3::new(0.0, 0.0, (share - 0.5) * height);
        let mut bodies = vec![
            part(hull, rises(0.39), actor.paint, Pattern::Plain, 1),
            part(
                cabin,
                rises(0.8) - Vector3::x() * 0.06 * length,
                [0.08, 0.09, 0.1],
                Pattern::Plain,
                2,
            ),
        ];
        for (x, y) in [(0.3, 0.44), (0.3, -0.44), (-0.3, 0.44), (-0.3, -0.44)] {
            let wheel = Shape::Ellipsoid(Vector3::new(0.21 * height, 0.06 * width, 0.21 * height));
            let offset = Vector3::new(x * length, y * width, -0.29 * height);
            bodies.push(part(wheel, offset, [0.03, 0.03, 0.03], Pattern::Plain, 3));
        }
        bodies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn road_coordinates_invert_the_road_frame() {
        let street = Street::new(3, 100.0);
        for (station, lateral) in [(0.0, 0.0), (12.5, -1.8), (61.0, 3.3), (99.0, -6.0)] {
            let pose: Pose<World, Ego> = street.world_from_road(station, lateral, 0.0);
            let (s, l) = street.road_coordinates(&Point3::from(pose.translation));
            assert!((s - station).abs() < 1e-3 && (l - lateral).abs() < 1e-3, "{s} {l}");
        }
    }

    #[test]
    fn the_oncoming_car_drives_where_it_looks() {
        let street = Street::new(5, 100.0);
        let car = street.actors.iter().find(|actor| actor.speed_m_s != 0.0).unwrap();
        let (now, later) = (street.world_from_actor(car, 1.0), street.world_from_actor(car, 1.1));
        let forward = now.rotate(&Vector3::x());
        let moved = later.translation - now.translation;
        assert!((moved.norm() - 0.9).abs() < 0.05);
        assert!(forward.dot(&moved.normalize()) > 0.999);
    }
}
