//! What vehicles and people may ask over HTTP.

mod files;
mod people;
mod refusal;
mod vehicles;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::metrics::ROUTES;
use crate::protocol;
use crate::server::Server;
use ommatidia_fleet::wire::MAX_BATCH_BYTES;
pub(crate) use refusal::Refusal;

/// Largest body of what people send and of an enrolment, bytes.
const MAX_BODY: usize = 64 << 10;
/// Longest time to put a file.
const MAX_FILE_TIME: Duration = Duration::from_secs(4 * 3600);

/// All of it.
pub fn router(server: Arc<Server>) -> Router {
    let bounded = Router::new()
        .route("/v1/poll/{group}", get(vehicles::poll))
        .route("/v1/enrol", post(vehicles::enrol).layer(DefaultBodyLimit::max(MAX_BODY)))
        .route("/v1/reports", post(vehicles::reports).layer(DefaultBodyLimit::max(MAX_BATCH_BYTES)))
        .route("/v1/rollouts", get(people::rollouts).post(people::begin))
        .route("/v1/rollouts/{name}/{act}", post(people::act))
        .route("/v1/vehicles", get(people::vehicles))
        .route("/v1/vehicles/{vehicle}", get(people::vehicle))
        .route("/v1/vehicles/{vehicle}/revoke", post(people::revoke))
        .route("/v1/tokens", post(people::tokens))
        .route("/v1/tallies", get(people::tallies))
        .route("/v1/audit", get(people::audit))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    let files = Router::new()
        .route("/v1/files/{*path}", get(files::get).put(files::put))
        .layer(DefaultBodyLimit::disable());
    bounded
        .merge(files)
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .layer(middleware::from_fn_with_state(server.clone(), around))
        .with_state(server)
}

/// Bounds the time of a request, and counts it.
async fn around(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = route(request.uri());
    // Large files take their time; each of their pieces has a limit of its own.
    let limit = match ROUTES[route] {
        "files" => MAX_FILE_TIME,
        _ => Duration::from_secs(server.settings.request_seconds),
    };
    let response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response()
        }
    };
    server.metrics.answered(route, response.status(), start.elapsed());
    response
}

fn route(uri: &Uri) -> usize {
    let path = uri.path();
    // In the order of [`ROUTES`], whose last is what remains.
    let begins = ["/v1/poll/", "/v1/enrol", "/v1/reports", "/v1/files/", "/metrics"];
    begins.iter().position(|begin| path.starts_with(begin)).unwrap_or(begins.len())
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let snapshot = server.snapshot();
    let gauges = [
        (
            "omma_fleet_database_statements_total",
            "Statements run by the database for this server.",
            server.statements(),
        ),
        ("omma_fleet_version", "Version of the documents that polls get.", snapshot.version),
        ("omma_fleet_groups", "Groups of vehicles.", snapshot.groups.len() as u64),
        (
            "omma_fleet_connections",
            "Open connections.",
            server.metrics.connections.load(std::sync::atomic::Ordering::Relaxed),
        ),
        (
            "omma_fleet_waiting_batches",
            "Batches of reports that wait to be written.",
            (server.jobs.max_capacity() - server.jobs.capacity()) as u64,
        ),
    ];
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    ([(CONTENT_TYPE, kind)], server.metrics.text(&gauges)).into_response()
}

/// A header's text; empty where there is none.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The request's path with its query, as it was signed.
fn signed_path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// The time of a signed request, if it is near the server's.
fn signed_time(server: &Server, headers: &HeaderMap) -> Result<u64, Refusal> {
    let time: Option<u64> = header(headers, protocol::TIME).parse().ok();
    let now = server.now();
    match time {
        Some(time) if time.abs_diff(now) <= server.settings.window_seconds => Ok(time),
        _ => {
            let text = format!(
                "the request's time must be within {} s of the server's, which is {now}",
                server.settings.window_seconds
            );
            Err(Refusal::new(StatusCode::UNAUTHORIZED, text).with(protocol::TIME, now))
        }
    }
}
