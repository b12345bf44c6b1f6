//! Load on a running server: vehicles that enrol, poll and report as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use ommatidia_fleet::wire::{Batch, Events, Report};
use ommatidia_update::tuf::KeyPair;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::protocol::{self, Enrolled};
use crate::{Clock, Error};

/// What is tried.
#[derive(Debug, Clone)]
pub struct Load {
    /// `http://host:port`; without TLS.
    pub server: String,
    /// An operator's token.
    pub token: String,
    /// Group that vehicles enrol in.
    pub group: String,
    /// Begins their names: one that was not used before.
    pub prefix: String,
    /// Vehicles that enrol.
    pub vehicles: usize,
    /// Connections at a time; each waits for its answer.
    pub connections: usize,
    /// Length of the polls, and of the reports.
    pub time: Duration,
    /// Reports in a batch.
    pub batch: usize,
}

/// Answers of a kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Answered as they should be.
    pub answered: usize,
    /// Answered otherwise, or not.
    pub failed: usize,
    /// Answers a second.
    pub per_s: f64,
    /// Median time, milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were quicker, milliseconds.
    pub p99_ms: f64,
    /// The slowest, milliseconds.
    pub max_ms: f64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Enrolments.
    pub enrolments: Figures,
    /// Polls that were told that nothing changed.
    pub polls: Figures,
    /// Batches of reports.
    pub batches: Figures,
    /// Reports a second.
    pub reports_per_s: f64,
    /// Statements that the server's database ran during the polls, those of its looking for changes
    /// included.
    pub statements_during_polls: u64,
}

#[derive(Default)]
struct Times {
    us: Vec<u32>,
    failed: usize,
}

impl Times {
    fn figures(mut all: Vec<Self>, time: Duration) -> Figures {
        let failed = all.iter().map(|times| times.failed).sum();
        let mut us: Vec<u32> =
            all.iter_mut().flat_map(|times| std::mem::take(&mut times.us)).collect();
        us.sort_unstable();
        let at = |share: f64| {
            let index = ((us.len() as f64 * share) as usize).min(us.len().saturating_sub(1));
            us.get(index).map_or(0.0, |us| f64::from(*us) / 1e3)
        };
        Figures {
            answered: us.len(),
            failed,
            per_s: us.len() as f64 / time.as_secs_f64(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

struct Vehicle {
    name: String,
    key: KeyPair,
    credential: String,
}

/// A connection that is made anew when it broke.
struct Connection {
    host: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Option<(StatusCode, Bytes)> {
        let answer = self.attempt(request).await;
        if answer.is_none() {
            self.sender = None;
        }
        answer
    }

    async fn attempt(&mut self, request: Request<Full<Bytes>>) -> Option<(StatusCode, Bytes)> {
        if self.sender.is_none() {
            let stream = TcpStream::connect(&self.host).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        let sender = self.sender.as_mut()?;
        sender.ready().await.ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        Some((status, response.into_body().collect().await.ok()?.to_bytes()))
    }
}

/// Runs it: first enrolments, then polls, then reports.
///
/// # Errors
/// [`Error::Setting`] for what cannot be tried, [`Error::Io`] and [`Error::Refused`] if the server does not
/// let vehicles in.
pub fn run(load: &Load, clock: &Clock) -> Result<Outcome, Error> {
    let setting = |setting, problem: &str| Error::Setting { setting, problem: problem.to_owned() };
    let host = load.server.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
    let host = host.ok_or_else(|| setting("server", "must begin with http://"))?;
    if load.vehicles == 0 || load.vehicles > 10_000 || load.connections == 0 {
        return Err(setting("vehicles and connections", "must be 1 or more, vehicles up to 10000"));
    }
    if !(1..=ommatidia_fleet::wire::MAX_REPORTS).contains(&load.batch) {
        return Err(setting("batch", "must be 1 to 256"));
    }
    let client = Client::new(&load.server, &load.token);
    let tokens = json!({ "group": load.group, "hours": 24, "count": load.vehicles });
    let tokens = client.post("/v1/tokens", &tokens)?;
    let tokens: Vec<String> = serde_json::from_value(tokens["tokens"].clone())
        .map_err(|cause| Error::Refused(format!("{}: tokens: {cause}", load.server)))?;
    let runtime = crate::console::runtime(None)?;
    runtime.block_on(async {
        // Servers read the new group within the time of a refresh; the enrolments take longer.
        let (enrolments, vehicles) = enrol(load, host, tokens, clock).await;
        if vehicles.is_empty() {
            return Err(Error::Refused(format!("{}: no vehicle could enrol", load.server)));
        }
        let before = statements(host).await;
        let polls = poll(load, host).await;
        let statements_during_polls = statements(host).await.saturating_sub(before);
        let batches = report(load, host, vehicles, clock).await;
        let reports_per_s = batches.per_s * load.batch as f64;
        Ok(Outcome { enrolments, polls, batches, reports_per_s, statements_during_polls })
    })
}

fn get(path: &str, host: &str) -> axum::http::request::Builder {
    Request::get(path).header("host", host)
}

/// The server's own count.
async fn statements(host: &str) -> u64 {
    let mut connection = Connection { host: host.to_owned(), sender: None };
    let Ok(request) = get("/metrics", host).body(Full::default()) else { return 0 };
    let Some((_, body)) = connection.send(request).await else { return 0 };
    let text = String::from_utf8_lossy(&body).into_owned();
    let line =
        text.lines().find_map(|line| line.strip_prefix("omma_fleet_database_statements_total "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn signed(
    vehicle: &Vehicle,
    (path, host): (&str, &str),
    time: u64,
    body: Vec<u8>,
) -> Option<Request<Full<Bytes>>> {
    let signature = protocol::sign(&vehicle.key, "POST", path, time, &body);
    let request = Request::post(path)
        .header("host", host)
        .header(protocol::CREDENTIAL, &vehicle.credential)
        .header(protocol::TIME, time)
        .header(protocol::SIGNATURE, signature);
    let zstd = path == "/v1/reports";
    let request = if zstd { request.header("content-encoding", "zstd") } else { request };
    request.body(Full::from(body)).ok()
}

async fn enrol(
    load: &Load,
    host: &str,
    tokens: Vec<String>,
    clock: &Clock,
) -> (Figures, Vec<Vehicle>) {
    let (tokens, next) = (Arc::new(tokens), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..load.connections {
        let (tokens, next, clock) = (tokens.clone(), next.clone(), clock.clone());
        let (host, prefix) = (host.to_owned(), load.prefix.clone());
        tasks.spawn(async move {
            let mut connection = Connection { host: host.clone(), sender: None };
            let (mut times, mut vehicles) = (Times::default(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(token) = tokens.get(number) else { return (times, vehicles) };
                let name = format!("{prefix}{number}");
                let key = KeyPair::from_seed(*blake3::hash(name.as_bytes()).as_bytes());
                let public = key.public().keyval.public;
                let body = json!({ "vehicle": name, "key": public, "token": token }).to_string();
                let mut vehicle = Vehicle { name, key, credential: String::new() };
                let at = ("/v1/enrol", host.as_str());
                let request = signed(&vehicle, at, clock(), body.into_bytes());
                let begin = Instant::now();
                let answer = match request {
                    Some(request) => connection.send(request).await,
                    None => None,
                };
                match answer {
                    Some((StatusCode::CREATED, body)) => {
                        times.us.push(begin.elapsed().as_micros() as u32);
                        let enrolled = serde_json::from_slice::<Enrolled>(&body);
                        vehicle.credential =
                            enrolled.map(|enrolled| enrolled.credential).unwrap_or_default();
                        vehicles.push(vehicle);
                    }
                    _ => times.failed += 1,
                }
            }
        });
    }
    let all = tasks.join_all().await;
    let time = start.elapsed();
    let (times, vehicles): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    (Times::figures(times, time), vehicles.into_iter().flatten().collect())
}

/// Runs `one` on every connection until the time is over.
async fn until<F>(load: &Load, mut make: impl FnMut(usize) -> F) -> Figures
where
    F: Future<Output = Times> + Send + 'static,
{
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    (0..load.connections).for_each(|number| {
        tasks.spawn(make(number));
    });
    let all = tasks.join_all().await;
    Times::figures(all, start.elapsed())
}

async fn poll(load: &Load, host: &str) -> Figures {
    let path = format!("/v1/poll/{}", load.group);
    let end = Instant::now() + load.time;
    until(load, |_| {
        let (host, path) = (host.to_owned(), path.clone());
        async move {
            let mut connection = Connection { host: host.clone(), sender: None };
            let (mut times, mut tag) = (Times::default(), String::new());
            while Instant::now() < end {
                let request = get(&path, &host).header("if-none-match", &tag);
                let Ok(request) = request.body(Full::default()) else { break };
                let begin = Instant::now();
                match connection.send(request).await {
                    Some((StatusCode::NOT_MODIFIED, _)) => {
                        times.us.push(begin.elapsed().as_micros() as u32);
                    }
                    // Told once what to say next time.
                    Some((StatusCode::OK, body)) => {
                        tag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..32]);
                    }
                    _ => times.failed += 1,
                }
            }
            times
        }
    })
    .await
}

async fn report(load: &Load, host: &str, vehicles: Vec<Vehicle>, clock: &Clock) -> Figures {
    let end = Instant::now() + load.time;
    let mut shares: Vec<Vec<Vehicle>> = (0..load.connections).map(|_| Vec::new()).collect();
    for (number, vehicle) in vehicles.into_iter().enumerate() {
        shares[number % load.connections].push(vehicle);
    }
    let size = load.batch as u64;
    until(load, |number| {
        let (host, clock) = (host.to_owned(), clock.clone());
        let vehicles = std::mem::take(&mut shares[number]);
        async move {
            let mut connection = Connection { host: host.clone(), sender: None };
            let (mut times, mut round) = (Times::default(), 0);
            while Instant::now() < end && !vehicles.is_empty() {
                for vehicle in &vehicles {
                    let time = clock();
                    let Some(body) = batch(&vehicle.name, size * round, size, time) else {
                        continue;
                    };
                    let at = ("/v1/reports", host.as_str());
                    let Some(request) = signed(vehicle, at, time, body) else { continue };
                    let begin = Instant::now();
                    match connection.send(request).await {
                        Some((StatusCode::OK, _)) => {
                            times.us.push(begin.elapsed().as_micros() as u32);
                        }
                        _ => times.failed += 1,
                    }
                    if Instant::now() >= end {
                        break;
                    }
                }
                round += 1;
            }
            times
        }
    })
    .await
}

fn batch(vehicle: &str, after: u64, size: u64, time: u64) -> Option<Vec<u8>> {
    let report = |i: u64| {
        let luck = blake3::hash(format!("{vehicle} {i}").as_bytes()).as_bytes()[0];
        let events = Events { crash: u32::from(luck == 0), ..Events::default() };
        Report { sequence: i, release: "load-1".to_owned(), at: time, seconds: 600, events }
    };
    let batch = Batch { reports: (after + 1..=after + size).map(report).collect() };
    zstd::encode_all(serde_json::to_vec(&batch).ok()?.as_slice(), 1).ok()
}
