//! Who is where when a simulation begins.

use nalgebra::{Point2, Vector3};

use super::agent::{Agent, Mind};
use super::kind::{Kind, Library};
use super::obstacles::Obstacles;
use super::path::{Path, Turn, route};
use crate::Error;
use crate::footprint::Footprint;
use crate::noise::Stream;
use crate::roads::{LaneId, LaneKind, Network, Setting, WalkId};
use crate::scenario::{Scenario, Side};

/// The simulation begins before the clip, so that traffic has settled.
pub(crate) const WARM_UP_S: f64 = 4.0;

/// Agents while they are being placed.
pub(crate) struct Cast<'a> {
    pub(crate) network: &'a Network,
    pub(crate) scenario: &'a Scenario,
    pub(crate) obstacles: &'a Obstacles,
    pub(crate) library: Library,
    /// The ego is the first.
    pub(crate) agents: Vec<Agent>,
    pub(crate) seed: u64,
    /// Stretch of the ego's path that ordinary traffic keeps free for an event, metres.
    pub(crate) reserved_m: Option<[f64; 2]>,
}

/// Habits of traffic by setting: vehicles on a kilometre of lane, heavy share, people on 100 m of
/// pavement, cyclists on a kilometre.
fn habits(setting: Setting) -> [f64; 4] {
    match setting {
        Setting::Urban => [14.0, 0.08, 2.5, 1.0],
        Setting::Suburban => [7.0, 0.05, 1.2, 0.8],
        Setting::Rural => [5.0, 0.12, 0.0, 0.3],
        Setting::Motorway => [13.0, 0.2, 0.0, 0.0],
    }
}

impl<'a> Cast<'a> {
    pub(crate) fn new(
        network: &'a Network,
        scenario: &'a Scenario,
        obstacles: &'a Obstacles,
        lamps_on: bool,
        seed: u64,
    ) -> Self {
        let library = Library::new(lamps_on);
        Self { network, scenario, obstacles, library, agents: Vec::new(), seed, reserved_m: None }
    }

    pub(crate) fn no_room(&self, event: &'static str, reason: &str) -> Error {
        Error::NoRoom { event, seed: self.seed, reason: reason.to_owned() }
    }

    /// Places the ego on the longest way through the network, at the speed of traffic.
    pub(crate) fn place_ego(&mut self, stream: &mut Stream) -> Result<(), Error> {
        let wished = self.scenario.ego.speed_m_s;
        let turn = match self.scenario.ego.turn {
            Some(Side::Left) => Turn::Left,
            Some(Side::Right) => Turn::Right,
            Some(Side::Straight) | None => Turn::Straight,
        };
        let kerb = self.scenario.events.iter().any(crate::scenario::Event::is_at_kerb);
        let needs_two = self.scenario.events.iter().any(crate::scenario::Event::needs_two_lanes);
        let left_lane = self.scenario.ego.left_lane == Some(true) && !kerb;
        let driving = |id: Option<LaneId>| {
            id.is_some_and(|id| self.network.lane(id).kind == LaneKind::Driving)
        };
        let mut best: Option<(f64, Vec<LaneId>)> = None;
        for lane in &self.network.lanes {
            let outer = if left_lane { lane.left_neighbour } else { lane.right_neighbour };
            let fits = lane.kind == LaneKind::Driving && lane.junction.is_none() && !driving(outer);
            let alone = !driving(lane.left_neighbour) && !driving(lane.right_neighbour);
            if !fits || (needs_two && alone) || !lane.predecessors.is_empty() {
                continue;
            }
            let lanes = route(self.network, lane.id, 6000.0, turn, 1.0, stream);
            let length: f64 = lanes.iter().map(|id| self.network.lane(*id).length_m()).sum();
            // Chance decides between ways of about the same length; faster roads are main roads.
            let worth = length.min(2000.0) * stream.range(0.97, 1.03) * lane.speed_limit_m_s.sqrt();
            if best.as_ref().is_none_or(|(known, _)| worth > *known) {
                best = Some((worth, lanes));
            }
        }
        let Some((_, lanes)) = best else {
            if needs_two {
                let two = self.scenario.events.iter().find(|event| event.needs_two_lanes());
                let what =
                    "no road has a second lane in the ego's direction; set `place.lanes` to 2";
                return Err(self.no_room(two.map_or("ego", crate::scenario::Event::name), what));
            }
            return Err(self.no_room("ego", "there is no lane where it could begin"));
        };
        let path = Path::along(self.network, &lanes);
        let limit = self.network.lane(lanes[0]).speed_limit_m_s;
        let speed_m_s = wished.unwrap_or(limit * stream.range(0.9, 1.0));
        let need_m = 22.0 + speed_m_s * WARM_UP_S;
        if path.length_m() < need_m + 40.0 {
            return Err(self.no_room("ego", "the longest way is too short"));
        }
        let kind = Kind::Car { style: crate::actors::CarStyle::Estate, colour: 0, door: false };
        let rig = self.library.rig(kind);
        let mut ego = Agent::new(kind, &rig, Mind::Drive, path, 22.0, 0.0);
        ego.driver.desired_m_s = speed_m_s;
        ego.state.speed_m_s = speed_m_s.min(limit);
        ego.protected = true;
        ego.free = true;
        self.agents.push(ego);
        Ok(())
    }

    /// A box is free of everything that was placed so far.
    pub(crate) fn is_free(&self, footprint: &Footprint, margin_m: f64) -> bool {
        self.agents.iter().all(|agent| {
            let (main, towed) = agent.footprints();
            !main.touches(footprint, margin_m)
                && !towed.is_some_and(|t| t.touches(footprint, margin_m))
        })
    }

    /// Adds an agent unless it would stand in another or in a wall.
    pub(crate) fn add(&mut self, agent: Agent, margin_m: f64) -> bool {
        let (main, towed) = agent.footprints();
        let free = std::iter::once(&main)
            .chain(&towed)
            .all(|part| self.is_free(part, margin_m) && !self.obstacles.blocks(part));
        if free {
            self.agents.push(agent);
        }
        free
    }

    /// Vehicles on all driving lanes, and cyclists.
    pub(crate) fn place_vehicles(&mut self, stream: &mut Stream) {
        let [density, heavy, _, cyclists] = habits(self.network.setting);
        let traffic = &self.scenario.traffic;
        let density = traffic.vehicles_per_km.unwrap_or(density * stream.range(0.5, 1.4));
        let heavy = traffic.heavy.unwrap_or(heavy);
        let cyclists = traffic.cyclists_per_km.unwrap_or(cyclists);
        let way = self.way();
        for index in 0..self.network.lanes.len() {
            let lane = &self.network.lanes[index];
            if lane.junction.is_some() {
                continue;
            }
            let (id, length) = (lane.id, lane.length_m());
            let rate = match lane.kind {
                LaneKind::Driving => density,
                LaneKind::Bicycle => 2.0 * cyclists,
                _ => continue,
            };
            if rate <= 0.0 {
                continue;
            }
            // Traffic also comes in from beyond the edge of the network.
            let mut s = if lane.predecessors.is_empty() { -150.0 } else { 0.0 };
            loop {
                let mean = 1000.0 / rate;
                s += 9.0 + (mean - 9.0).max(1.0) * -(1.0 - stream.range(0.0, 0.999)).ln();
                if s > length - 4.0 {
                    break;
                }
                let bicycle = lane_kind(self.network, id) == LaneKind::Bicycle
                    || stream.range(0.0, 1.0) < cyclists / (cyclists + density).max(0.1);
                let kind = if bicycle {
                    Kind::Bicycle { look: stream.range(0.0, 12.0) as u8 }
                } else {
                    Kind::any_vehicle(heavy, stream)
                };
                self.place_vehicle(kind, id, s, &way, stream);
            }
        }
    }

    fn is_reserved(&self, footprint: &Footprint) -> bool {
        let Some([from, to]) = self.reserved_m else { return false };
        let (s, left) = self.agents[0].path.locate(&footprint.centre_m);
        left.abs() < 2.4 && (from..to).contains(&s)
    }

    /// The ego's way during the clip, as points some metres apart.
    fn way(&self) -> Vec<Point2<f64>> {
        let ego = &self.agents[0];
        let drive = ego.driver.desired_m_s * (self.scenario.duration_s() + WARM_UP_S) + 60.0;
        let steps = (drive / 15.0).ceil() as usize;
        (0..=steps).map(|i| ego.path.beside(ego.state.s_m + 15.0 * i as f64, 0.0)).collect()
    }

    fn place_vehicle(
        &mut self,
        kind: Kind,
        lane: LaneId,
        s_m: f64,
        way: &[Point2<f64>],
        stream: &mut Stream,
    ) {
        let begin = self.network.lane(lane).at(s_m).p_m.xy();
        if !is_near(way, &begin, VEHICLES_M) {
            return;
        }
        let bicycle = matches!(kind, Kind::Bicycle { .. });
        // Lorries take no turn that is tighter than 14 m.
        let sharpest = if kind.is_heavy() { 0.07 } else { 1.0 };
        let limit = self.network.lane(lane).speed_limit_m_s;
        let speed_m_s = match kind {
            Kind::Bicycle { .. } => stream.range(3.8, 6.5),
            _ if kind.is_heavy() => (limit * stream.range(0.85, 0.95)).min(23.5),
            _ => limit * stream.range(0.82, 1.08),
        };
        let need = s_m + speed_m_s * (self.scenario.duration_s() + WARM_UP_S) + 60.0;
        let lanes = route(self.network, lane, need, Turn::Any, sharpest, stream);
        let path = Path::along(self.network, &lanes);
        let tightest = path.sharpest(s_m.max(0.0), need.min(path.length_m()));
        if kind.is_heavy() && tightest > 0.08 {
            return;
        }
        let width = self.network.lane(lane).at(s_m.max(0.0)).width_m;
        let in_own_lane = lane_kind(self.network, lane) == LaneKind::Bicycle;
        let left_m =
            if bicycle && !in_own_lane { -(0.5 * width - 0.7) } else { stream.range(-0.15, 0.15) };
        let rig = self.library.rig(kind);
        let mut agent = Agent::new(kind, &rig, Mind::Drive, path, s_m, left_m);
        agent.driver.desired_m_s = speed_m_s;
        agent.driver.headway_s = stream.range(1.0, 1.8);
        agent.driver.accelerate_m_s2 = if kind.is_heavy() { 0.8 } else { stream.range(1.1, 1.9) };
        agent.free = !bicycle && agent.towed.is_none();
        let curve = agent.path.curvature(s_m).abs().max(1e-4);
        agent.state.speed_m_s = speed_m_s.min((2.0 / curve).sqrt());
        if bicycle {
            agent.driver.accelerate_m_s2 = 0.9;
            agent.driver.standstill_m = 1.2;
        }
        // A time gap of a second to whoever is on the same lane already.
        let margin = 2.0 + 0.5 * speed_m_s;
        let (main, _) = agent.footprints();
        let mut grown = main;
        grown.half_m[0] += margin;
        if self.is_free(&grown, 0.3) && !self.is_reserved(&main) {
            self.add(agent, 0.5);
        }
    }

    /// Parked cars on a share of the places.
    pub(crate) fn place_parked(&mut self, stream: &mut Stream) {
        let drawn = stream.range(0.3, 0.9);
        let share = self.scenario.traffic.parked.unwrap_or(drawn);
        let way = self.way();
        for place in &self.network.parking {
            let mut kind = if stream.range(0.0, 1.0) < 0.12 {
                Kind::any_vehicle(0.0, stream)
            } else {
                Kind::any_car(stream)
            };
            let taken = stream.range(0.0, 1.0) < share;
            let jitter = [stream.range(-0.25, 0.25), stream.range(-0.08, 0.08)];
            if kind.is_two_wheeled() {
                kind = Kind::any_car(stream);
            }
            let rig = self.library.rig(kind);
            let pose = place.world_from_place;
            let far =
                !is_near(&way, &Point2::new(pose.translation.x, pose.translation.y), PARKED_M);
            if !taken || far || rig.main.size_m[0] + 0.3 > place.length_m {
                continue;
            }
            let along = pose.rotate(&Vector3::x());
            let aside = pose.rotate(&Vector3::y());
            let middle = pose.translation + along * jitter[0] + aside * jitter[1];
            self.park(kind, middle, along);
        }
    }

    /// A standing vehicle whose box has its middle at a point, directed along a vector.
    pub(crate) fn park(
        &mut self,
        kind: Kind,
        middle: Vector3<f64>,
        along: Vector3<f64>,
    ) -> Option<usize> {
        let rig = self.library.rig(kind);
        let points = [middle - along * 30.0, middle + along * 30.0].map(nalgebra::Point3::from);
        let mut path = Path::through(&points);
        // Height and place are those at the middle: what lies 30 m off may be on another slope.
        for node in &mut path.nodes {
            node.p_m.z = middle.z;
        }
        let s_m = 30.0 + rig.main.axles.front_m;
        let agent = Agent::new(kind, &rig, Mind::Stand, path, s_m, 0.0);
        self.add(agent, 0.12).then(|| self.agents.len() - 1)
    }

    /// People on pavements, who walk on from one stretch to the next.
    pub(crate) fn place_people(&mut self, stream: &mut Stream) {
        let [_, _, density, _] = habits(self.network.setting);
        let drawn = density * stream.range(0.4, 1.6);
        let density = self.scenario.traffic.people_per_100_m.unwrap_or(drawn);
        let children = self.scenario.traffic.children.unwrap_or(0.12);
        let way = self.way();
        for index in 0..self.network.walks.len() {
            let walk = &self.network.walks[index];
            let near = walk.points_m.iter().any(|p| is_near(&way, &p.xy(), PEOPLE_M));
            if walk.crossing.is_some() || !near {
                continue;
            }
            let length: f64 = walk.points_m.windows(2).map(|p| (p[1] - p[0]).norm()).sum();
            let wished = density * length / 100.0;
            let count = (wished + stream.range(0.0, 1.0)) as usize;
            for _ in 0..count.min(60) {
                let kind = Kind::any_person(children, stream);
                let forward = stream.range(0.0, 1.0) < 0.5;
                let s_m = stream.range(0.5, (length - 0.5).max(0.6));
                self.place_walker(kind, WalkId(index as u32), (forward, s_m), &way, stream);
            }
        }
    }

    /// `begin`: walks forward along the first stretch, and how far along it this begins, metres.
    fn place_walker(
        &mut self,
        kind: Kind,
        first: WalkId,
        begin: (bool, f64),
        way: &[Point2<f64>],
        stream: &mut Stream,
    ) {
        let (forward, s_m) = begin;
        let need = s_m + 2.2 * (self.scenario.duration_s() + WARM_UP_S) + 5.0;
        let (points, crossings, width) = stroll(self.network, first, forward, need, stream);
        if points.len() < 2 {
            return;
        }
        let path = Path::through(&points);
        if path.nodes.len() < 4 || s_m > path.length_m() - 0.5 {
            return;
        }
        // People keep to the right.
        let room = (0.5 * width - 0.45).clamp(0.0, 1.2);
        let wished_m = -room * stream.range(0.25, 1.0);
        // Around poles and bins; whoever finds no way is not sent on it.
        let clear = |left_m: &f64| {
            let body = |s: f64| Footprint {
                centre_m: path.beside(s, *left_m),
                heading_rad: path.at(s).heading_rad,
                half_m: [0.36, 0.36],
            };
            let steps = ((need.min(path.length_m()) - s_m) / 0.4).max(0.0) as usize;
            (0..=steps).all(|i| !self.obstacles.blocks(&body(s_m + 0.4 * i as f64)))
        };
        let choice = [1.0, 0.5, 0.0, -0.5, -1.0].map(|share| wished_m * share);
        let Some(left_m) = choice.into_iter().find(clear) else { return };
        if !is_near(way, &path.beside(s_m, left_m), PEOPLE_M) {
            return;
        }
        let rig = self.library.rig(kind);
        let mut agent = Agent::new(kind, &rig, Mind::Walk, path, s_m, left_m);
        agent.driver.desired_m_s = if stream.range(0.0, 1.0) < 0.06 {
            stream.range(2.4, 3.0)
        } else {
            stream.range(1.0, 1.6)
        };
        if stream.range(0.0, 1.0) < 0.12 {
            agent.driver.desired_m_s = 0.0;
        }
        agent.state.speed_m_s = agent.driver.desired_m_s;
        agent.crossings = crossings;
        // Nobody begins in the middle of a crossing.
        let on = agent.crossings.iter().any(|(_, r)| s_m > r[0] - 1.0 && s_m < r[1]);
        if !on {
            self.add(agent, 0.15);
        }
    }
}

/// Who begins farther from the ego's way than this is left out, metres: it would not be seen.
const VEHICLES_M: f64 = 220.0;
const PARKED_M: f64 = 110.0;
const PEOPLE_M: f64 = 70.0;

fn is_near(way: &[Point2<f64>], p: &Point2<f64>, reach_m: f64) -> bool {
    way.iter().any(|q| (q - p).norm_squared() < reach_m * reach_m)
}

fn lane_kind(network: &Network, id: LaneId) -> LaneKind {
    network.lane(id).kind
}

/// The crossings of a stroll: index, from and to, metres along it.
type Crossed = Vec<(usize, [f64; 2])>;

/// A random way over pavements and crossings: its points, the crossings on it, its least width.
fn stroll(
    network: &Network,
    first: WalkId,
    forward: bool,
    need_m: f64,
    stream: &mut Stream,
) -> (Vec<nalgebra::Point3<f64>>, Crossed, f64) {
    let (mut points, mut crossings, mut width) = (Vec::new(), Vec::new(), f64::INFINITY);
    let (mut id, mut forward, mut s_m) = (first, forward, 0.0);
    for _ in 0..40 {
        let walk = &network.walks[id.0 as usize];
        let mut stretch = walk.points_m.clone();
        if !forward {
            stretch.reverse();
        }
        let length: f64 = stretch.windows(2).map(|p| (p[1].xy() - p[0].xy()).norm()).sum();
        let gap = points
            .last()
            .map_or(0.0, |last: &nalgebra::Point3<f64>| (stretch[0].xy() - last.xy()).norm());
        if gap > 3.0 {
            break;
        }
        s_m += gap;
        if let Some(crossing) = walk.crossing {
            crossings.push((crossing as usize, [s_m, s_m + length]));
        }
        points.extend(stretch);
        s_m += length;
        width = width.min(walk.width_m);
        if s_m > need_m {
            break;
        }
        let ends = if forward { &walk.at_end } else { &walk.at_start };
        let choice: Vec<WalkId> = ends.iter().copied().filter(|next| *next != id).collect();
        let index = stream.range(0.0, choice.len() as f64) as usize;
        let Some(next) = choice.get(index) else { break };
        let here = points[points.len() - 1];
        let candidate = &network.walks[next.0 as usize].points_m;
        let (a, b) = (candidate[0], candidate[candidate.len() - 1]);
        forward = (a.xy() - here.xy()).norm() <= (b.xy() - here.xy()).norm();
        id = *next;
    }
    (points, crossings, width)
}
