//! Enrolment, polls, reports.

use ommatidia_fleet::filter::{Attributes, Value as Known};
use ommatidia_fleet::wire::{Document, Wanted};
use ommatidia_fleet_server::protocol::{self, Enrolled};
use serde_json::{Value, json};

use crate::stand::{Stand, Vehicle, databases, report};

#[tokio::test]
async fn polls_are_answered_from_memory() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let vehicle = stand.vehicle("VIN1", &[]).await;
        let begin = json!({
            "name": "net-2-eu", "group": "cars", "filter": "TRUE", "release": "net-2",
            "plan": { "stages": [{ "reach": 1_000_000, "worse": 2.0 }] },
        });
        let first = stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
        stand.ask(&stand.operator, "POST", "/v1/rollouts", begin).await.expect(201);
        let answer = stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
        assert_ne!(first.headers["etag"], answer.headers["etag"]);

        let document: Document = serde_json::from_slice(&answer.body).unwrap();
        let wanted = document.wanted(&vehicle.name, &Attributes::new(), "net-1");
        assert!(matches!(wanted, Wanted::Run(offer) if offer.release == "net-2"), "{wanted:?}");
        let key = stand.server_key().await;
        let signature = answer.headers[protocol::DOCUMENT_SIGNATURE].to_str().unwrap();
        assert!(protocol::document_verifies(&key, &answer.body, signature));
        assert!(!protocol::document_verifies(&key, &first.body, signature));

        let tag = answer.headers["etag"].to_str().unwrap();
        let before = stand.server.statements();
        for _ in 0..1000 {
            let again = stand.call("GET", "/v1/poll/cars", &[("if-none-match", tag)], "").await;
            assert!(again.expect(304).body.is_empty());
        }
        for _ in 0..100 {
            stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
            stand.call("GET", "/v1/poll/lorries", &[], "").await.expect(404);
        }
        assert_eq!(stand.server.statements(), before, "a poll ran a statement");
        // Looking for a change is one transaction of three, whatever the number of polls.
        stand.server.refresh().await.unwrap();
        assert!(stand.server.statements() - before <= 3);
    }
}

#[tokio::test]
async fn polls_of_enrolled_vehicles_only_where_asked_for() {
    for (database, _kept) in databases().await {
        let stand = Stand::with(&database, |settings| settings.signed_polls = true).await;
        let vehicle = stand.vehicle("VIN1", &[]).await;
        stand.tokens("lorries", 1).await;
        stand.server.refresh().await.unwrap();
        let before = stand.server.statements();
        stand.call("GET", "/v1/poll/cars", &[], "").await.expect(401);
        let poll = async |path| vehicle.send(&stand.app, "GET", path, stand.now(), b"").await;
        poll("/v1/poll/cars").await.expect(200);
        poll("/v1/poll/lorries").await.expect(403);
        let other = Vehicle { credential: vehicle.credential.clone(), ..Vehicle::new("VIN2") };
        other.send(&stand.app, "GET", "/v1/poll/cars", stand.now(), b"").await.expect(401);
        assert_eq!(stand.server.statements(), before, "a signed poll ran a statement");
    }
}

#[tokio::test]
async fn a_token_lets_one_vehicle_in() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let known = Attributes::from([("region".to_owned(), Known::Text("eu".to_owned()))]);
        let tokens = stand.server.make_tokens("otto", "cars", &known, (1, 3)).await.unwrap();
        let own = Attributes::from([
            ("region".to_owned(), Known::Text("moon".to_owned())),
            ("memory_gb".to_owned(), Known::Number(8.0)),
        ]);
        let enrol = async |vehicle: &Vehicle, token: &str| {
            let body = vehicle.enrolment(token, own.clone());
            vehicle.send(&stand.app, "POST", "/v1/enrol", stand.now(), &body).await
        };
        let first = Vehicle::new("VIN1");
        let answer = enrol(&first, &tokens[0]).await.expect(201);
        // The answer was lost: the same again.
        assert_eq!(enrol(&first, &tokens[0]).await.expect(201).body, answer.body);
        enrol(&Vehicle::new("VIN2"), &tokens[0]).await.expect(409);
        // Somebody else under the same name, with a token that is good.
        let thief = Vehicle { name: "VIN1".to_owned(), ..Vehicle::new("thief") };
        enrol(&thief, &tokens[1]).await.expect(409);
        let path = "/v1/vehicles/VIN1";
        let seen = stand.ask(&stand.viewer, "GET", path, Value::Null).await.expect(200).json();
        // What the token says counts more than what the vehicle says.
        let expected = json!({ "memory_gb": 8.0, "region": "eu" });
        assert_eq!(seen["vehicle"]["attributes"], expected);
        stand.clock.fetch_add(3601, std::sync::atomic::Ordering::Relaxed);
        enrol(&Vehicle::new("VIN3"), &tokens[2]).await.expect(409);
    }
}

#[tokio::test]
async fn revoked_vehicles_are_not_heard_until_they_enrol_anew() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let vehicle = stand.vehicle("VIN1", &[("a", Known::Number(1.0))]).await;
        vehicle.report(&stand.app, stand.now(), &[report(1, "net-1", 0)]).await.expect(200);
        let path = "/v1/vehicles/VIN1/revoke";
        stand.ask(&stand.viewer, "POST", path, Value::Null).await.expect(403);
        stand.ask(&stand.operator, "POST", path, Value::Null).await.expect(200);
        vehicle.report(&stand.app, stand.now(), &[report(2, "net-1", 0)]).await.expect(401);
        let anew = stand.vehicle("VIN1", &[("b", Known::Number(1.0))]).await;
        assert_ne!(anew.credential, vehicle.credential);
        vehicle.report(&stand.app, stand.now(), &[report(2, "net-1", 0)]).await.expect(401);
        anew.report(&stand.app, stand.now(), &[report(2, "net-1", 0)]).await.expect(200);
        assert_eq!(stand.tallies().await, [("net-1".to_owned(), 2, 7200, 0)]);
    }
}

#[tokio::test]
async fn reports_count_once() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let vehicle = stand.vehicle("VIN1", &[]).await;
        let other = stand.vehicle("VIN2", &[]).await;
        let send = async |vehicle: &Vehicle, sequences: std::ops::Range<u64>| {
            let reports: Vec<_> = sequences.map(|i| report(i, "net-1", 1)).collect();
            let answer = vehicle.report(&stand.app, stand.now(), &reports).await.expect(200).json();
            (answer["counted"].as_u64().unwrap(), answer["known"].as_u64().unwrap())
        };
        assert_eq!(send(&vehicle, 1..4).await, (3, 0));
        assert_eq!(send(&vehicle, 1..4).await, (0, 3));
        // Late and out of order, partly known.
        assert_eq!(send(&vehicle, 10..110).await, (100, 0));
        assert_eq!(send(&vehicle, 3..12).await, (6, 3));
        assert_eq!(send(&other, 1..4).await, (3, 0));
        let twice = [report(200, "net-1", 1), report(200, "net-1", 1)];
        let answer = vehicle.report(&stand.app, stand.now(), &twice).await.expect(200).json();
        assert_eq!(answer, json!({ "counted": 1, "known": 1 }));
        // Many at a time, all the same.
        let sent = (0..20).map(|_| send(&other, 50..60));
        let sent = futures_util::future::join_all(sent).await;
        assert_eq!(sent.iter().map(|(counted, _)| counted).sum::<u64>(), 10);
        let count = 3 + 100 + 6 + 3 + 1 + 10;
        assert_eq!(stand.tallies().await, [("net-1".to_owned(), count, 3600 * count, count)]);
    }
}

impl Stand {
    async fn server_key(&self) -> String {
        let vehicle = Vehicle::new("VIN-key");
        let token = self.tokens("cars", 1).await.remove(0);
        let body = vehicle.enrolment(&token, Attributes::new());
        let answer = vehicle.send(&self.app, "POST", "/v1/enrol", self.now(), &body).await;
        let enrolled: Enrolled = serde_json::from_slice(&answer.expect(201).body).unwrap();
        enrolled.server_key
    }
}
