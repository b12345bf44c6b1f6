//! What is refused, and how.

use std::sync::atomic::Ordering;

use ommatidia_fleet::wire::{Batch, MAX_REPORTS};
use ommatidia_fleet_server::protocol;
use serde_json::json;

use crate::stand::{NOW, Stand, Vehicle, databases, report};

fn pack(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

#[tokio::test]
async fn bad_reports() {
    let (database, _kept) = databases().await.remove(0);
    let stand = Stand::new(&database).await;
    let vehicle = stand.vehicle("VIN1", &[]).await;
    let good = Batch { reports: vec![report(1, "net-1", 0)] };
    let good = serde_json::to_vec(&good).unwrap();
    let edited = |from: &str, to: &str| {
        let text = String::from_utf8(good.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        pack(text.replace(from, to).as_bytes())
    };
    let many = Batch { reports: vec![report(1, "net-1", 0); MAX_REPORTS + 1] };
    let noise: Vec<u8> =
        (0..80_000u32).map(|i| blake3::hash(&i.to_le_bytes()).as_bytes()[0]).collect();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("not zstd", good.clone(), 400),
        ("cut short", pack(&good)[..20].to_vec(), 400),
        ("empty", vec![], 400),
        ("not JSON", pack(b"{"), 400),
        ("deep", pack("[".repeat(100_000).as_bytes()), 400),
        ("grows to 100 MB", pack(&vec![b' '; 100 << 20]), 413),
        ("too large as sent", noise, 413),
        ("no reports", pack(br#"{"reports":[]}"#), 400),
        ("too many reports", pack(&serde_json::to_vec(&many).unwrap()), 400),
        ("unknown field", edited("\"at\"", "\"extra\":1,\"at\""), 400),
        ("sequence 0", edited("\"sequence\":1", "\"sequence\":0"), 400),
        ("sequence -1", edited("\"sequence\":1", "\"sequence\":-1"), 400),
        ("sequence of 64 bits", edited("\"sequence\":1", "\"sequence\":18446744073709551615"), 400),
        ("release with a quote", edited("net-1", "net'; DROP TABLE report; --"), 400),
        ("release too long", edited("net-1", &"n".repeat(65)), 400),
        ("a year at once", edited("3600", "31536000"), 400),
        ("fractions", edited("3600", "0.5"), 400),
        ("events beyond reason", edited("\"crash\":0", "\"crash\":4294967295"), 400),
        ("unknown event", edited("\"crash\"", "\"smash\""), 400),
        ("not UTF-8", pack(b"{\"reports\":\"\xff\"}"), 400),
    ];
    for (what, body, status) in cases {
        let answer = vehicle.send(&stand.app, "POST", "/v1/reports", NOW, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{what}");
        if status == 400 {
            assert!(answer.json()["error"].is_string(), "{what}");
        }
    }
    assert!(stand.tallies().await.is_empty());
    vehicle.send(&stand.app, "POST", "/v1/reports", NOW, &pack(&good)).await.expect(200);
}

#[tokio::test]
async fn bad_signatures() {
    let (database, _kept) = databases().await.remove(0);
    let stand = Stand::new(&database).await;
    let vehicle = stand.vehicle("VIN1", &[]).await;
    let other = stand.vehicle("VIN2", &[]).await;
    let body = serde_json::to_vec(&Batch { reports: vec![report(1, "net-1", 0)] }).unwrap();
    let sign = |vehicle: &Vehicle, path: &str, time: u64, body: &[u8]| {
        protocol::sign(&vehicle.key, "POST", path, time, body)
    };
    let good = sign(&vehicle, "/v1/reports", NOW, &body);
    let own = vehicle.credential.clone();
    let (json, signature) = own.split_once('.').unwrap();
    let grown = format!("{json}{}.{signature}", "A".repeat(10_000));
    let cases = [
        ("no credential", String::new(), NOW, good.clone()),
        ("a word", "x".to_owned(), NOW, good.clone()),
        ("unsigned credential", format!("{json}."), NOW, good.clone()),
        ("another's credential", other.credential.clone(), NOW, good.clone()),
        ("credential too long", grown, NOW, good.clone()),
        ("no signature", own.clone(), NOW, String::new()),
        ("not base64", own.clone(), NOW, "%%%".to_owned()),
        ("another's signature", own.clone(), NOW, sign(&other, "/v1/reports", NOW, &body)),
        ("of another body", own.clone(), NOW, sign(&vehicle, "/v1/reports", NOW, b"x")),
        ("of another path", own.clone(), NOW, sign(&vehicle, "/v1/enrol", NOW, &body)),
        ("of another time", own.clone(), NOW + 1, good.clone()),
        ("old", own.clone(), NOW - 301, sign(&vehicle, "/v1/reports", NOW - 301, &body)),
        (
            "from the future",
            own.clone(),
            NOW + 301,
            sign(&vehicle, "/v1/reports", NOW + 301, &body),
        ),
    ];
    for (what, credential, time, signature) in cases {
        let time = time.to_string();
        let headers = [
            (protocol::CREDENTIAL, credential.as_str()),
            (protocol::TIME, &time),
            (protocol::SIGNATURE, &signature),
        ];
        let answer = stand.call("POST", "/v1/reports", &headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), 401, "{what}");
    }
    assert!(stand.tallies().await.is_empty());
    // A good one that somebody overheard: counts once now, and is nothing later.
    let replay = async || {
        let time = NOW.to_string();
        let headers = [
            (protocol::CREDENTIAL, own.as_str()),
            (protocol::TIME, &time),
            (protocol::SIGNATURE, &good),
        ];
        stand.call("POST", "/v1/reports", &headers, body.clone()).await
    };
    assert_eq!(replay().await.expect(200).json()["counted"], 1);
    assert_eq!(replay().await.expect(200).json()["counted"], 0);
    stand.clock.fetch_add(301, Ordering::Relaxed);
    let late = replay().await.expect(401);
    assert_eq!(late.headers[protocol::TIME], (NOW + 301).to_string(), "says what time it is");
}

#[tokio::test]
async fn bad_enrolments() {
    let (database, _kept) = databases().await.remove(0);
    let stand = Stand::new(&database).await;
    let token = stand.tokens("cars", 1).await.remove(0);
    let vehicle = Vehicle::new("VIN1");
    let good = String::from_utf8(vehicle.enrolment(&token, Default::default())).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        good.replace(from, to)
    };
    let deep = format!("{{\"vehicle\":{}", "[".repeat(60_000));
    let cases = [
        ("not JSON", "{".to_owned(), 400),
        ("deep", deep, 400),
        ("too large", " ".repeat(70_000), 413),
        ("unknown token", edited(&token, "omma-enrol-x"), 409),
        ("name that is a path", edited("VIN1", "../VIN1"), 400),
        ("name too long", edited("VIN1", &"V".repeat(65)), 400),
        ("name with SQL", edited("VIN1", "x'); DELETE FROM vehicle; --"), 400),
        ("attribute list", edited("\"attributes\":{}", "\"attributes\":{\"a\":[1]}"), 400),
        ("attribute id", edited("\"attributes\":{}", "\"attributes\":{\"id\":\"VIN2\"}"), 400),
        ("attribute with space", edited("\"attributes\":{}", "\"attributes\":{\"a b\":1}"), 400),
        ("key too short", edited(&vehicle.key.public().keyval.public, "00"), 400),
        ("key of letters", edited(&vehicle.key.public().keyval.public, &"x".repeat(64)), 400),
        ("another's key", edited(&vehicle.key.public().keyval.public, &"0".repeat(64)), 401),
    ];
    for (what, body, status) in cases {
        let answer = vehicle.send(&stand.app, "POST", "/v1/enrol", NOW, body.as_bytes()).await;
        assert_eq!(answer.status.as_u16(), status, "{what}");
    }
    let old = vehicle.send(&stand.app, "POST", "/v1/enrol", NOW - 400, good.as_bytes()).await;
    old.expect(401);
    // The token is still good.
    vehicle.send(&stand.app, "POST", "/v1/enrol", NOW, good.as_bytes()).await.expect(201);
}

#[tokio::test]
async fn bad_requests_of_people() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        stand.vehicle("VIN1", &[]).await;
        let good = json!({ "name": "r", "group": "cars", "filter": "TRUE", "release": "net-2" });
        let check = async |field: &str, value: serde_json::Value, status: u16| {
            let mut begin = good.clone();
            begin[field] = value;
            let text = begin.to_string();
            let answer = stand.ask(&stand.operator, "POST", "/v1/rollouts", begin).await;
            assert_eq!(answer.status.as_u16(), status, "{text}");
        };
        for filter in [
            "",
            "1=1",
            "TRUE; DROP TABLE vehicle",
            "region = 'x' UNION SELECT token_hash FROM person",
            "region = 'x' OR 1=1 --",
            "id = (SELECT token_hash FROM person)",
            "region = \"x\"",
            "id LIKE '%'' OR 1=1 --%'",
            "region = 'x\u{0}'",
        ] {
            check("filter", json!(filter), 400).await;
        }
        check("name", json!("a b"), 400).await;
        check("group", json!("lorries"), 404).await;
        check("group", json!("Cars"), 400).await;
        check("release", json!("../net"), 400).await;
        check("plan", json!({ "stages": [] }), 400).await;
        check("plan", json!({ "stages": [{ "reach": 5, "worse": 0.5 }] }), 400).await;
        check("plan", json!({ "patience": 1 }), 400).await;
        check("extra", json!(1), 400).await;
        // Quotes in a value are values: they match nobody, and nothing breaks.
        check(
            "filter",
            json!("id = 'x'' OR ''1''=''1' OR id LIKE '''; DROP TABLE vehicle; --%'"),
            201,
        )
        .await;
        check("name", json!("r"), 409).await;
        let ask = async |path: &str| {
            stand.ask(&stand.viewer, "GET", path, serde_json::Value::Null).await.status.as_u16()
        };
        assert_eq!(ask("/v1/vehicles?group=cars&after=%27%20OR%201=1").await, 200);
        assert_eq!(ask("/v1/vehicles?group=%27").await, 400);
        assert_eq!(ask("/v1/vehicles").await, 400);
        assert_eq!(ask("/v1/vehicles/%27%20OR%201=1").await, 400);
        assert_eq!(ask("/v1/vehicles/VIN7").await, 404);
        assert_eq!(ask("/v1/audit?after=99999999999999999999").await, 400);
        assert_eq!(ask("/v1/nothing").await, 404);
        let act = async |path: &str, body: serde_json::Value| {
            stand.ask(&stand.operator, "POST", path, body).await.status.as_u16()
        };
        assert_eq!(act("/v1/rollouts/r/pause", json!({ "reason": "" })).await, 409);
        assert_eq!(act("/v1/rollouts/r/explode", json!({ "reason": "x" })).await, 404);
        assert_eq!(act("/v1/rollouts/q/stop", json!({ "reason": "x" })).await, 404);
        assert_eq!(act("/v1/rollouts/r/resume", json!({ "reason": "x" })).await, 409);
        assert_eq!(
            act("/v1/tokens", json!({ "group": "cars", "hours": 1, "count": 0 })).await,
            409
        );
    }
}
