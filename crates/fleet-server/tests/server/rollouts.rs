//! Rollouts that go through, and those that stop by themselves.

use std::sync::atomic::Ordering;

use ommatidia_fleet::filter::{Attributes, Value as Known};
use ommatidia_fleet::wire::{Document, Events, Report, Wanted};
use serde_json::{Value, json};

use crate::stand::{Stand, Vehicle, databases, open, report};

/// A fleet that asks and reports once an hour; the new release crashes `ratio` times as often.
struct Fleet {
    stand: Stand,
    vehicles: Vec<(Vehicle, String, u64)>,
    attributes: Attributes,
}

const PLAN: &str = r#"{ "stages": [{ "reach": 250000, "worse": 3.0 }, { "reach": 1000000, "worse": 3.0 }],
    "least_hours": 2.0, "patience_hours": 400.0, "false_alarm": 0.01, "miss": 0.01 }"#;

impl Fleet {
    async fn new(database: &str, size: usize) -> Self {
        let stand = Stand::new(database).await;
        let eu = [("region", Known::Text("eu".to_owned()))];
        let mut vehicles = Vec::new();
        for number in 0..size {
            let vehicle = stand.vehicle(&format!("VIN{number}"), &eu).await;
            vehicles.push((vehicle, "net-1".to_owned(), 0));
        }
        let attributes = eu.map(|(name, value)| (name.to_owned(), value)).into();
        Self { stand, vehicles, attributes }
    }

    async fn begin(&self, name: &str, filter: &str) {
        self.begin_with(name, filter, serde_json::from_str(PLAN).unwrap()).await;
    }

    async fn begin_with(&self, name: &str, filter: &str, plan: Value) {
        let begin = json!({
            "name": name, "group": "cars", "filter": filter, "release": "net-2", "plan": plan,
        });
        self.stand.ask(&self.stand.operator, "POST", "/v1/rollouts", begin).await.expect(201);
    }

    async fn hour(&mut self, crashes: impl Fn(bool, usize, u64) -> u32) {
        let stand = &self.stand;
        let now = stand.clock.fetch_add(3600, Ordering::Relaxed) + 3600;
        let poll = stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
        let document: Document = serde_json::from_slice(&poll.body).unwrap();
        for (i, (vehicle, running, sequence)) in self.vehicles.iter_mut().enumerate() {
            match document.wanted(&vehicle.name, &self.attributes, running) {
                Wanted::Run(offer) => *running = offer.release.clone(),
                Wanted::Leave(_) => *running = "net-1".to_owned(),
                Wanted::Nothing => {}
            }
            *sequence += 1;
            let new = running == "net-2";
            // All measures alike: a gate waits for those of which it can say nothing.
            let count = crashes(new, i, *sequence);
            let events = Events { crash: count, latency: count, drift: count, disagreement: count };
            let sent = Report { events, ..report(*sequence, running, 0) };
            vehicle.report(&stand.app, now, &[sent]).await.expect(200);
        }
        stand.server.judge().await.unwrap();
    }

    fn running_new(&self) -> usize {
        self.vehicles.iter().filter(|(_, running, _)| running == "net-2").count()
    }

    async fn standing(&self) -> Value {
        let stand = &self.stand;
        stand.ask(&stand.viewer, "GET", "/v1/rollouts", Value::Null).await.expect(200).json()
            ["rollouts"][0]
            .clone()
    }
}

#[tokio::test]
async fn a_bad_release_stops_by_itself_in_the_first_stage() {
    for (database, _kept) in databases().await {
        let mut fleet = Fleet::new(&database, 40).await;
        fleet.begin("net-2", "region = 'eu'").await;
        let (mut most, mut hours) = (0, 0);
        while fleet.standing().await["phase"] == "running" {
            // The old release crashes in every fifth hour of a vehicle, the new one in each.
            fleet.hour(|new, i, hour| u32::from(new || (i as u64 + hour).is_multiple_of(5))).await;
            most = most.max(fleet.running_new());
            hours += 1;
            assert!(hours < 50, "{}", fleet.standing().await);
        }
        let standing = fleet.standing().await;
        let reason = standing["phase"]["rolled_back"]["reason"].as_str().unwrap();
        assert!(reason.contains("crash"), "{standing}");
        assert!((1..=20).contains(&most), "{most} of 40 ran it");
        // The next answer tells vehicles to go back.
        fleet.hour(|_, _, _| 0).await;
        assert_eq!(fleet.running_new(), 0);
        let stand = &fleet.stand;
        let log = stand.ask(&stand.viewer, "GET", "/v1/audit?limit=1000", Value::Null).await.json();
        let last = log["lines"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["who"], &last["action"]), (&json!("gate"), &json!("rollout.judged")));
        assert_eq!(log["chained"], true);
    }
}

#[tokio::test]
async fn a_sound_release_goes_through_and_two_servers_count_nothing_twice() {
    for (database, _kept) in databases().await {
        let mut fleet = Fleet::new(&database, 24).await;
        let folder = fleet.stand.files.path().to_owned();
        let second = open(&database, &folder, &fleet.stand.clock, None, |_| {}).await;
        fleet.begin("net-2", "region = 'eu' AND id LIKE 'VIN%'").await;
        let (mut hours, mut stages) = (0, vec![]);
        while fleet.standing().await["phase"] == "running" {
            fleet.hour(|_, i, hour| u32::from((i as u64 + hour).is_multiple_of(3))).await;
            second.judge().await.unwrap();
            stages.push(fleet.standing().await["stage"].as_u64().unwrap());
            hours += 1;
            assert!(hours < 60, "{}", fleet.standing().await);
        }
        let standing = fleet.standing().await;
        assert_eq!(standing["phase"], "done", "{standing}");
        assert!(stages.is_sorted() && stages.first() < stages.last(), "{stages:?}");
        assert_eq!(fleet.running_new(), 24);
        let reports = |arm: &str| standing[arm]["reports"].as_u64().unwrap();
        assert_eq!(reports("new") + reports("old"), 24 * hours, "{standing}");
        // One that reaches everybody makes the document forget what came before; a stop brings it back.
        let at_once =
            json!({ "stages": [{ "reach": 1_000_000, "worse": 3.0 }], "least_hours": 2.0 });
        fleet.begin_with("everybody", "TRUE", at_once).await;
        let listed = async |fleet: &Fleet| {
            let poll = fleet.stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
            serde_json::from_slice::<Document>(&poll.body).unwrap().rollouts.len()
        };
        assert_eq!(listed(&fleet).await, 2);
        for _ in 0..3 {
            fleet.hour(|_, _, _| 0).await;
        }
        assert_eq!(listed(&fleet).await, 1);
        let (stand, body) = (&fleet.stand, json!({ "reason": "enough" }));
        stand.ask(&stand.operator, "POST", "/v1/rollouts/everybody/stop", body).await.expect(200);
        assert_eq!(listed(&fleet).await, 2);
    }
}

#[tokio::test]
async fn people_pause_resume_and_stop() {
    for (database, _kept) in databases().await {
        let mut fleet = Fleet::new(&database, 12).await;
        fleet.begin("net-2", "TRUE").await;
        let act = async |stand: &Stand, act: &str, status: u16| {
            let path = format!("/v1/rollouts/net-2/{act}");
            let body = json!({ "reason": "look" });
            stand.ask(&stand.operator, "POST", &path, body).await.expect(status);
        };
        act(&fleet.stand, "pause", 200).await;
        act(&fleet.stand, "pause", 409).await;
        fleet.hour(|_, _, _| 0).await;
        assert_eq!(fleet.running_new(), 0, "a paused rollout reaches nobody");
        act(&fleet.stand, "resume", 200).await;
        fleet.hour(|_, _, _| 0).await;
        let reached = fleet.running_new();
        assert!(reached > 0);
        act(&fleet.stand, "pause", 200).await;
        fleet.hour(|_, _, _| 0).await;
        assert_eq!(fleet.running_new(), reached, "who has it keeps it");
        act(&fleet.stand, "stop", 200).await;
        act(&fleet.stand, "stop", 409).await;
        act(&fleet.stand, "resume", 409).await;
        fleet.hour(|_, _, _| 0).await;
        assert_eq!(fleet.running_new(), 0);
    }
}
