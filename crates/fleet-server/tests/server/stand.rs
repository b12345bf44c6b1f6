//! A server with a clock of its own, and vehicles that talk to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use ommatidia_fleet::filter::{Attributes, Value as Known};
use ommatidia_fleet::wire::{Batch, Events, Report};
use ommatidia_fleet_server::people::Role;
use ommatidia_fleet_server::protocol::{self, Enrolled};
use ommatidia_fleet_server::{Fault, Server, Settings, router};
use ommatidia_update::tuf::KeyPair;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};
use tower::ServiceExt;

pub(crate) const NOW: u64 = 1_900_000_000;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Databases to try: their addresses, and what keeps them.
pub(crate) async fn databases() -> Vec<(String, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.db");
    let mut all = vec![(format!("sqlite:{}?mode=rwc", path.display()), Some(folder))];
    match std::env::var("OMMATIDIA_POSTGRES") {
        Err(_) => eprintln!("skipped on PostgreSQL: OMMATIDIA_POSTGRES names no database"),
        Ok(url) => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let schema = format!("test_{}_{number}", std::process::id());
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            let create = format!("CREATE SCHEMA {schema}");
            connection.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
            connection.close().await.unwrap();
            let joint = if url.contains('?') { '&' } else { '?' };
            all.push((format!("{url}{joint}options=-csearch_path%3D{schema}"), None));
        }
    }
    all
}

pub(crate) struct Stand {
    pub(crate) server: Arc<Server>,
    pub(crate) app: Router,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) viewer: String,
    pub(crate) operator: String,
    pub(crate) signer: String,
    pub(crate) files: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|cause| panic!("{cause}: {text}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self
    }
}

pub(crate) async fn open(
    database: &str,
    files: &std::path::Path,
    clock: &Arc<AtomicU64>,
    fault: Option<Fault>,
    change: impl FnOnce(&mut Settings),
) -> Arc<Server> {
    let mut settings = Settings {
        database: database.to_owned(),
        files: files.to_owned(),
        max_file_bytes: 100_000,
        ..Settings::default()
    };
    change(&mut settings);
    let clock = clock.clone();
    let now = Arc::new(move || clock.load(Ordering::Relaxed));
    Server::open(settings, KeyPair::from_seed([7; 32]), now, fault).await.unwrap()
}

impl Stand {
    pub(crate) async fn new(database: &str) -> Self {
        Self::with(database, |_| {}).await
    }

    pub(crate) async fn with(database: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(AtomicU64::new(NOW));
        let files = tempfile::tempdir().unwrap();
        let server = open(database, files.path(), &clock, None, change).await;
        let person = async |name, role| server.add_person(name, role).await.unwrap();
        Self {
            viewer: person("vera", Role::Viewer).await,
            operator: person("otto", Role::Operator).await,
            signer: person("sina", Role::Signer).await,
            app: router(server.clone()),
            server,
            clock,
            files,
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        call(&self.app, method, path, headers, body).await
    }

    /// What a person asks; `Value::Null` sends no body.
    pub(crate) async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call(method, path, &[("authorization", &bearer)], body).await
    }

    pub(crate) async fn tokens(&self, group: &str, count: u64) -> Vec<String> {
        let attributes = Attributes::new();
        self.server.make_tokens("otto", group, &attributes, (1, count)).await.unwrap()
    }

    pub(crate) async fn vehicle(&self, name: &str, attributes: &[(&str, Known)]) -> Vehicle {
        let token = self.tokens("cars", 1).await.remove(0);
        let mut vehicle = Vehicle::new(name);
        let own = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let body = vehicle.enrolment(&token, own.collect());
        let answer = vehicle.send(&self.app, "POST", "/v1/enrol", self.now(), &body).await;
        let enrolled: Enrolled = serde_json::from_slice(&answer.expect(201).body).unwrap();
        vehicle.credential = enrolled.credential;
        self.server.refresh().await.unwrap();
        vehicle
    }

    /// Reports, seconds and crashes by release.
    pub(crate) async fn tallies(&self) -> Vec<(String, u64, u64, u64)> {
        let answer = self.ask(&self.viewer, "GET", "/v1/tallies", Value::Null).await.expect(200);
        let answer = answer.json();
        let tally = |tally: &Value| {
            let number = |value: &Value| value.as_u64().unwrap();
            (
                tally["release"].as_str().unwrap().to_owned(),
                number(&tally["reports"]),
                number(&tally["seconds"]),
                number(&tally["events"]["crash"]),
            )
        };
        answer["tallies"].as_array().unwrap().iter().map(tally).collect()
    }
}

pub(crate) async fn call(
    app: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let request = headers
        .iter()
        .fold(Request::builder().method(method).uri(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    let response = app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) struct Vehicle {
    pub(crate) name: String,
    pub(crate) key: KeyPair,
    pub(crate) credential: String,
}

impl Vehicle {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::from_seed(*blake3::hash(name.as_bytes()).as_bytes());
        Self { name: name.to_owned(), key, credential: String::new() }
    }

    pub(crate) fn enrolment(&self, token: &str, attributes: Attributes) -> Vec<u8> {
        let key = self.key.public().keyval.public;
        let enrolment =
            json!({ "vehicle": self.name, "key": key, "token": token, "attributes": attributes });
        enrolment.to_string().into_bytes()
    }

    pub(crate) async fn send(
        &self,
        app: &Router,
        method: &str,
        path: &str,
        time: u64,
        body: &[u8],
    ) -> Answer {
        let signature = protocol::sign(&self.key, method, path, time, body);
        let time = time.to_string();
        let headers = [
            (protocol::CREDENTIAL, self.credential.as_str()),
            (protocol::TIME, &time),
            (protocol::SIGNATURE, &signature),
            ("content-encoding", if path == "/v1/reports" { "zstd" } else { "identity" }),
        ];
        call(app, method, path, &headers, body.to_vec()).await
    }

    pub(crate) async fn report(&self, app: &Router, time: u64, reports: &[Report]) -> Answer {
        let batch = serde_json::to_vec(&Batch { reports: reports.to_vec() }).unwrap();
        let body = zstd::encode_all(batch.as_slice(), 3).unwrap();
        self.send(app, "POST", "/v1/reports", time, &body).await
    }
}

pub(crate) fn report(sequence: u64, release: &str, crash: u32) -> Report {
    let events = Events { crash, ..Events::default() };
    Report { sequence, release: release.to_owned(), at: NOW, seconds: 3600, events }
}
