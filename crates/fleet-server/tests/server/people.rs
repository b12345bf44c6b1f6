//! Roles, the log, files.

use std::sync::atomic::Ordering;

use ommatidia_fleet_server::people::Role;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::stand::{Stand, databases};

#[tokio::test]
async fn everyone_may_do_what_their_role_may() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        stand.vehicle("VIN1", &[]).await;
        let reason = json!({ "reason": "because" });
        let begin = json!({ "name": "r", "group": "cars", "filter": "TRUE", "release": "net-2" });
        let tokens = json!({ "group": "cars", "hours": 1, "count": 1 });
        // Status for viewer, operator and signer.
        let cases = [
            ("GET", "/v1/rollouts", Value::Null, [200, 200, 200]),
            ("GET", "/v1/vehicles?group=cars", Value::Null, [200, 200, 200]),
            ("GET", "/v1/vehicles/VIN1", Value::Null, [200, 200, 200]),
            ("GET", "/v1/tallies", Value::Null, [200, 200, 200]),
            ("GET", "/v1/audit", Value::Null, [200, 200, 200]),
            ("POST", "/v1/tokens", tokens, [403, 201, 403]),
            ("POST", "/v1/rollouts", begin, [403, 201, 403]),
            ("POST", "/v1/rollouts/r/pause", reason.clone(), [403, 200, 403]),
            ("POST", "/v1/rollouts/r/resume", reason.clone(), [403, 200, 403]),
            ("POST", "/v1/rollouts/r/stop", reason, [403, 200, 403]),
            ("POST", "/v1/vehicles/VIN1/revoke", Value::Null, [403, 200, 403]),
            ("PUT", "/v1/files/targets/a.omma", json!({}), [403, 403, 201]),
        ];
        for (method, path, body, expected) in cases {
            for (token, status) in
                [&stand.viewer, &stand.operator, &stand.signer].into_iter().zip(expected)
            {
                let answer = stand.ask(token, method, path, body.clone()).await;
                assert_eq!(answer.status.as_u16(), status, "{method} {path}");
            }
            for token in ["", "omma-person-x", "' OR 1=1 --"] {
                stand.ask(token, method, path, body.clone()).await.expect(401);
            }
        }
        stand.server.remove_person("vera").await.unwrap();
        stand.ask(&stand.viewer, "GET", "/v1/audit", Value::Null).await.expect(401);
        assert!(stand.server.add_person("otto", Role::Viewer).await.is_err());
        assert_eq!(stand.server.people().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn every_change_is_in_the_log_and_stays_there() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        stand.vehicle("VIN1", &[]).await;
        let begin = json!({ "name": "r", "group": "cars", "filter": "TRUE", "release": "net-2" });
        stand.ask(&stand.operator, "POST", "/v1/rollouts", begin.clone()).await.expect(201);
        // What is refused changes nothing and leaves no line.
        stand.ask(&stand.operator, "POST", "/v1/rollouts", begin).await.expect(409);
        stand.clock.fetch_add(60, Ordering::Relaxed);
        let stop = json!({ "reason": "smoke" });
        stand.ask(&stand.operator, "POST", "/v1/rollouts/r/stop", stop).await.expect(200);
        let log = async |path: &str| {
            stand.ask(&stand.viewer, "GET", path, Value::Null).await.expect(200).json()
        };
        let all = log("/v1/audit").await;
        let line = |line: &Value| {
            format!("{} {} {}", line["who"], line["action"], line["subject"]).replace('"', "")
        };
        let lines: Vec<_> = all["lines"].as_array().unwrap().iter().map(line).collect();
        let expected = [
            "console person.add otto",
            "console person.add sina",
            "console person.add vera",
            "otto rollout.begin r",
            "otto rollout.stop r",
            "otto token.make cars",
        ];
        let mut sorted = lines.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
        assert_eq!(all["chained"], true);
        assert!(all["lines"][5]["detail"].as_str().unwrap().contains("smoke"));
        let rest = log("/v1/audit?after=3&limit=2").await;
        assert_eq!(rest["lines"][0], all["lines"][3]);
        assert_eq!((rest["lines"].as_array().unwrap().len(), &rest["chained"]), (2, &json!(true)));

        // Past the server: the database refuses, and where it is made not to, the chain shows it.
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&database).await.unwrap();
        assert!(pool.execute("UPDATE audit SET who = 'nobody' WHERE number = 4").await.is_err());
        assert!(pool.execute("DELETE FROM audit WHERE number = 6").await.is_err());
        assert_eq!(log("/v1/audit").await, all);
        if database.starts_with("sqlite:") {
            pool.execute("DROP TRIGGER audit_no_update").await.unwrap();
            pool.execute("UPDATE audit SET who = 'nobody' WHERE number = 4").await.unwrap();
            assert_eq!(log("/v1/audit").await["chained"], false);
            assert_eq!(log("/v1/audit?after=4").await["chained"], false);
            assert_eq!(log("/v1/audit?after=5").await["chained"], true);
        }
        pool.close().await;
    }
}

#[tokio::test]
async fn files_are_put_by_signers_and_fetched_in_ranges() {
    let (database, _kept) = databases().await.remove(0);
    let stand = Stand::new(&database).await;
    let bearer = format!("Bearer {}", stand.signer);
    let put = async |path: &str, body: Vec<u8>| {
        stand.call("PUT", path, &[("authorization", &bearer)], body).await.status.as_u16()
    };
    let bundle: Vec<u8> = (0..50_000u32).map(|i| ((i * i) >> 7) as u8).collect();
    assert_eq!(put("/v1/files/targets/net-1.omma", bundle.clone()).await, 201);
    let get = async |path: &str, range: &str| {
        let headers: &[_] = if range.is_empty() { &[] } else { &[("range", range)] };
        stand.call("GET", path, headers, "").await
    };
    let path = "/v1/files/targets/net-1.omma";
    assert_eq!(get(path, "").await.expect(200).body, bundle);
    assert_eq!(get(path, "bytes=40000-").await.expect(206).body, bundle[40_000..]);
    get(path, "bytes=60000-").await.expect(416);
    // Replaced as a whole.
    assert_eq!(put(path, b"new".to_vec()).await, 201);
    assert_eq!(get(path, "").await.expect(200).body, b"new");
    assert_eq!(put(path, vec![0; 100_001]).await, 413);
    assert_eq!(get(path, "").await.expect(200).body, b"new");
    let left: Vec<_> = std::fs::read_dir(stand.files.path().join("targets")).unwrap().collect();
    assert_eq!(left.len(), 1, "parts are left behind");
    std::fs::write(stand.files.path().join(".secret"), "x").unwrap();
    for path in [
        "/v1/files/../fleet.db",
        "/v1/files/targets/..%2f..%2ffleet.db",
        "/v1/files/%2e%2e/fleet.db",
        "/v1/files/.secret",
        "/v1/files//etc/passwd",
        "/v1/files/targets",
        "/v1/files/missing",
        "/v1/files/a/b/c/d/e/f/g/h/i",
    ] {
        assert_eq!(get(path, "").await.status.as_u16(), 404, "{path}");
    }
    // A folder and a file of one name.
    assert_eq!(put("/v1/files/targets", b"x".to_vec()).await, 409);
    assert_eq!(put("/v1/files/targets/net-1.omma/x", b"x".to_vec()).await, 409);
    assert_eq!(put("/v1/files/..%2fescaped", b"x".to_vec()).await, 404);
}

#[tokio::test]
async fn the_server_counts_what_it_does() {
    let (database, _kept) = databases().await.remove(0);
    let stand = Stand::new(&database).await;
    let vehicle = stand.vehicle("VIN1", &[]).await;
    for _ in 0..2 {
        vehicle
            .report(&stand.app, stand.now(), &[crate::stand::report(1, "net-1", 0)])
            .await
            .expect(200);
    }
    stand.call("GET", "/v1/poll/cars", &[], "").await.expect(200);
    let text = stand.call("GET", "/metrics", &[], "").await.expect(200).body;
    let text = String::from_utf8(text).unwrap();
    for line in [
        "omma_fleet_requests_total{part=\"poll\",status=\"200\"} 1",
        "omma_fleet_requests_total{part=\"reports\",status=\"200\"} 2",
        "omma_fleet_request_seconds_count{part=\"reports\"} 2",
        "omma_fleet_reports_total{what=\"counted\"} 1",
        "omma_fleet_reports_total{what=\"known\"} 1",
        "omma_fleet_groups 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    // The format: comments, or a name with labels and a number.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("omma_fleet_") && value.parse::<f64>().is_ok(), "{line}");
    }
}
