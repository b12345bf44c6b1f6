//! What the server counts of itself, in Prometheus' text format (version 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;

use crate::ingest::Accepted;

/// Parts of the interface, in the order of [`Metrics::requests`].
pub(crate) const ROUTES: [&str; 6] = ["poll", "enrol", "reports", "files", "metrics", "people"];
/// Statuses that are told apart; the last stands for others.
const STATUSES: [u16; 16] =
    [200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 413, 416, 503, 0];
/// Upper ends of times, microseconds.
const TIMES_US: [u64; 11] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 250_000, 1_000_000];
/// Work beside requests that may fail.
const WORK: [&str; 3] = ["ingest", "refresh", "judge"];

#[derive(Default)]
struct Route {
    statuses: [AtomicU64; STATUSES.len()],
    times: [AtomicU64; TIMES_US.len()],
    sum_us: AtomicU64,
    count: AtomicU64,
}

/// Counters since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: [Route; ROUTES.len()],
    failures: [AtomicU64; WORK.len()],
    counted: AtomicU64,
    known: AtomicU64,
    pub(crate) connections: AtomicU64,
}

impl Metrics {
    pub(crate) fn answered(&self, route: usize, status: StatusCode, time: Duration) {
        let route = &self.requests[route];
        let other = STATUSES.len() - 1;
        let at = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(other);
        route.statuses[at].fetch_add(1, Relaxed);
        let us = time.as_micros() as u64;
        if let Some(at) = TIMES_US.iter().position(|end| us <= *end) {
            route.times[at].fetch_add(1, Relaxed);
        }
        route.sum_us.fetch_add(us, Relaxed);
        route.count.fetch_add(1, Relaxed);
    }

    pub(crate) fn ingested(&self, accepted: Accepted) {
        self.counted.fetch_add(accepted.counted, Relaxed);
        self.known.fetch_add(accepted.known, Relaxed);
    }

    pub(crate) fn failed(&self, work: &str) {
        if let Some(at) = WORK.iter().position(|known| *known == work) {
            self.failures[at].fetch_add(1, Relaxed);
        }
    }

    /// `gauges`: name, help and value of what others know.
    pub(crate) fn text(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        let name = "omma_fleet_requests_total";
        head(&mut text, name, "counter", "Requests answered, by part and status; 0: others.");
        for (route, part) in self.requests.iter().zip(ROUTES) {
            for (count, status) in route.statuses.iter().zip(STATUSES) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let _ = writeln!(text, "{name}{{part=\"{part}\",status=\"{status}\"}} {count}");
                }
            }
        }
        let name = "omma_fleet_request_seconds";
        head(&mut text, name, "histogram", "Time from a request's head to its answer.");
        for (route, part) in self.requests.iter().zip(ROUTES) {
            let mut below = 0;
            for (count, end) in route.times.iter().zip(TIMES_US) {
                below += count.load(Relaxed);
                let end = end as f64 / 1e6;
                let _ = writeln!(text, "{name}_bucket{{part=\"{part}\",le=\"{end}\"}} {below}");
            }
            let count = route.count.load(Relaxed).max(below);
            let sum = route.sum_us.load(Relaxed) as f64 / 1e6;
            let _ = writeln!(text, "{name}_bucket{{part=\"{part}\",le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "{name}_sum{{part=\"{part}\"}} {sum}");
            let _ = writeln!(text, "{name}_count{{part=\"{part}\"}} {count}");
        }
        let name = "omma_fleet_reports_total";
        head(&mut text, name, "counter", "Reports of vehicles: counted, or known from before.");
        for (what, count) in [("counted", &self.counted), ("known", &self.known)] {
            let _ = writeln!(text, "{name}{{what=\"{what}\"}} {}", count.load(Relaxed));
        }
        let name = "omma_fleet_failures_total";
        head(&mut text, name, "counter", "Work that failed and is done again.");
        for (count, work) in self.failures.iter().zip(WORK) {
            let _ = writeln!(text, "{name}{{work=\"{work}\"}} {}", count.load(Relaxed));
        }
        for (name, help, value) in gauges {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }
}
