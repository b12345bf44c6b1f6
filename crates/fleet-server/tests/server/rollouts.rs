//! Rollouts that go through, and those that stop by themselves.

use std::sync::atomic::Ordering;

use ommatidia_fleet::filter::{Attributes, Value as Known};
use ommatidia_fleet::wire::{Document, Wanted};
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
        let plan: Value = serde_json::from_str(PLAN).unwrap();
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
            let sent = report(*sequence, running, crashes(new, i, *sequence));
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
        let mut hours = 0;
        while fleet.standing().await["phase"] == "running" {
            // Every measure must have events, or nothing can be said of it.
            fleet.hour(|_, i, hour| u32::from((i as u64 + hour).is_multiple_of(3))).await;
            second.judge().await.unwrap();
            hours += 1;
            if hours > 40 {
                break;
            }
        }
        let standing = fleet.standing().await;
        // Measures without any event stay open: a person is waited for, and the rollout is still sound.
        assert_eq!(standing["phase"], "running", "{standing}");
        let (new, old) = (&standing["new"], &standing["old"]);
        let reports = |arm: &Value| arm["reports"].as_u64().unwrap();
        assert_eq!(reports(new) + reports(old), 24 * hours, "{standing}");
        assert!(reports(new) > 0 && reports(old) > 0, "{standing}");
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
