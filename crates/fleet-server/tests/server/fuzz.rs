//! Requests that went through a grinder: each is answered, and by no failure of the server.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use ommatidia_fleet::simulate::Random;
use ommatidia_fleet::wire::Batch;
use ommatidia_fleet_server::protocol;
use serde_json::json;
use tower::ServiceExt;

use crate::stand::{NOW, Stand, Vehicle, databases, report};

const ROUNDS: usize = 3000;

/// What parsers trip over.
const SPICE: [&[u8]; 14] = [
    b"\0",
    b"'",
    b"\"",
    b"%00",
    b"%",
    b"../",
    b"-1",
    b"18446744073709551616",
    b"1e400",
    b"\xff\xfe",
    b"{}",
    b"[[[[[[[[",
    b"null",
    b"\xf0\x9f\x9a\x97",
];

fn below(random: &mut Random, end: usize) -> usize {
    ((random.unit() * end as f64) as usize).min(end.saturating_sub(1))
}

fn grind(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=below(random, 3) {
        let at = below(random, bytes.len() + 1);
        match below(random, 5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(random, 8),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
            _ => {
                let spice = SPICE[below(random, SPICE.len())];
                bytes.splice(at..at, spice.iter().copied());
            }
        }
    }
}

struct Asked {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    by: Option<Vehicle>,
}

async fn requests(stand: &Stand) -> Vec<Asked> {
    let vehicle = stand.vehicle("VIN1", &[]).await;
    let token = stand.tokens("cars", 1).await.remove(0);
    let batch = Batch { reports: vec![report(1, "net-1", 0), report(2, "net-1", 1)] };
    let batch = serde_json::to_vec(&batch).unwrap();
    let begin = json!({
        "name": "r", "group": "cars", "filter": "region = 'eu' AND NOT (memory_gb IN (1, 2.5))",
        "release": "net-2", "plan": { "stages": [{ "reach": 1000, "worse": 2.0 }] },
    });
    let again = |name: &str| {
        let credential = vehicle.credential.clone();
        Some(Vehicle { credential, ..Vehicle::new(name) })
    };
    let of = |person: &str| vec![("authorization", format!("Bearer {person}"))];
    let asked = |method, path: &str, headers, body, by| {
        let path = path.to_owned();
        Asked { method, path, headers, body, by }
    };
    let zstd = zstd::encode_all(batch.as_slice(), 3).unwrap();
    let encoded = vec![("content-encoding", "zstd".to_owned())];
    let tag = vec![("if-none-match", "\"x\"".to_owned())];
    let filter = "/v1/vehicles?group=cars&filter=region%20%3D%20%27eu%27&after=A&limit=3";
    let fresh = Vehicle::new("VIN2");
    let enrolment = fresh.enrolment(&token, Default::default());
    vec![
        asked("POST", "/v1/reports", vec![], batch, again("VIN1")),
        asked("POST", "/v1/reports", encoded, zstd, again("VIN1")),
        asked("POST", "/v1/enrol", vec![], enrolment, Some(fresh)),
        asked("GET", "/v1/poll/cars", tag, vec![], None),
        asked("POST", "/v1/rollouts", of(&stand.operator), begin.to_string().into(), None),
        asked(
            "POST",
            "/v1/rollouts/r/stop",
            of(&stand.operator),
            b"{\"reason\":\"x\"}".into(),
            None,
        ),
        asked("GET", filter, of(&stand.viewer), vec![], None),
        asked("GET", "/v1/audit?after=1&limit=2", of(&stand.viewer), vec![], None),
        asked("PUT", "/v1/files/a/b", of(&stand.signer), b"file".into(), None),
        asked("GET", "/v1/files/a/b", vec![("range", "bytes=1-2".to_owned())], vec![], None),
    ]
}

#[tokio::test]
async fn ground_requests_are_answered() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let asked = requests(&stand).await;
        let mut random = Random::new(11, 0);
        let (mut sent, mut taken) = (0, 0);
        for round in 0..ROUNDS {
            let asked = &asked[below(&mut random, asked.len())];
            let (mut path, mut body) = (asked.path.clone().into_bytes(), asked.body.clone());
            let mut headers = asked.headers.clone();
            let what = below(&mut random, 4);
            if what == 0 {
                grind(&mut random, &mut path);
            } else if what < 3 {
                grind(&mut random, &mut body);
            }
            let Ok(path) = String::from_utf8(path) else { continue };
            // Signed after grinding: what lies behind the signature is tried too.
            if let Some(vehicle) = &asked.by {
                let signature = protocol::sign(&vehicle.key, asked.method, &path, NOW, &body);
                headers.push((protocol::CREDENTIAL, vehicle.credential.clone()));
                headers.push((protocol::TIME, NOW.to_string()));
                headers.push((protocol::SIGNATURE, signature));
            }
            let mut request = Request::builder().method(asked.method).uri(&path);
            for (name, value) in headers {
                let mut value = value.into_bytes();
                if what == 3 {
                    grind(&mut random, &mut value);
                }
                request = request.header(name, value);
            }
            // What is no HTTP does not come as far as this.
            let Ok(request) = request.body(Body::from(body)) else { continue };
            let response = stand.app.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let text = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&text);
            assert!(
                status.as_u16() < 500,
                "round {round}: {} {path}: {status} {text}",
                asked.method
            );
            sent += 1;
            taken += u32::from(status.is_success());
        }
        assert!(sent > ROUNDS / 2 && taken > 100, "{sent} {taken}: the grinder tries nothing");
        // And the server is as it was.
        let log = stand.ask(&stand.viewer, "GET", "/v1/audit?limit=1000", json!(null)).await;
        assert_eq!(log.expect(200).json()["chained"], true);
        stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
    }
}
