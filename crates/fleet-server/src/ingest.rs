//! Reports into the database, each counted once.
//!
//! Requests queue; one writer takes what waits, writes it in one transaction, and answers after the
//! commit. A vehicle that got no answer sends the same sequence numbers again: those that the database has
//! already are known and not counted. Sums are taken of what was inserted, in the transaction that
//! inserted it, so that a kill at any moment leaves both or neither.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};

use ommatidia_fleet::rollout::MEASURES;
use ommatidia_fleet::wire::{Events, Report};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::db::{Arg, Tx, count, text, values};
use crate::protocol::Credential;
use crate::server::Server;
use crate::snapshot::Snapshot;
use crate::{Error, db};

/// Most batches that wait. Beyond, vehicles are told to come back.
pub(crate) const QUEUE: usize = 4096;
/// Most reports in a transaction, but for the last batch's.
const TOGETHER: usize = 8192;
/// Rows of an insert, the largest that fits first: few texts of statements, few round trips.
const ROWS: [usize; 5] = [256, 64, 16, 4, 1];

/// Where a test may cut the work off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is written.
    Begun,
    /// Reports are, sums are not.
    Inserted,
    /// Both are, not yet for good.
    Summed,
    /// All is, and nobody knows.
    Committed,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Inserted, Self::Summed, Self::Committed];
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Accepted {
    /// Reports that are counted now.
    pub(crate) counted: u64,
    /// Reports that were before.
    pub(crate) known: u64,
}

/// A batch that waits.
pub(crate) struct Job {
    pub(crate) vehicle: Arc<Credential>,
    pub(crate) reports: Vec<Report>,
    /// Nobody there: the writer gave up, and the vehicle sends it again.
    pub(crate) answer: oneshot::Sender<Accepted>,
}

/// Sums of reports.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    reports: u64,
    seconds: u64,
    events: [u64; MEASURES.len()],
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.reports += 1;
        self.seconds += u64::from(report.seconds);
        for (sum, count) in self.events.iter_mut().zip(report.events.counts()) {
            *sum += count;
        }
    }

    fn arguments(self, key: [Arg; 2]) -> Vec<Arg> {
        let sums = [self.reports, self.seconds].into_iter().chain(self.events).map(Arg::from);
        key.into_iter().chain(sums).collect()
    }
}

/// Writes what comes until the server is dropped.
pub(crate) async fn write_all(server: Weak<Server>, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.recv().await {
        let mut reports = first.reports.len();
        let mut jobs = vec![first];
        while reports < TOGETHER {
            let Ok(job) = queue.try_recv() else { break };
            reports += job.reports.len();
            jobs.push(job);
        }
        let Some(server) = server.upgrade() else { return };
        match write(&server, &jobs).await {
            Ok(accepted) => {
                for (job, accepted) in jobs.into_iter().zip(accepted) {
                    server.metrics.ingested(accepted);
                    // Who hung up sends it again, and it is known then.
                    let _ = job.answer.send(accepted);
                }
            }
            Err(error) => {
                server.metrics.failed("ingest");
                tracing::error!("{} batches are not written: {error}", jobs.len());
            }
        }
    }
}

async fn write(server: &Server, jobs: &[Job]) -> Result<Vec<Accepted>, Error> {
    let cut = |moment| match &server.fault {
        Some(fault) if fault(moment) => Err(Error::CutOff),
        _ => Ok(()),
    };
    let mut tx = server.db.begin().await?;
    cut(Moment::Begun)?;
    let mut inserted = insert(&mut tx, jobs, server.now()).await?;
    cut(Moment::Inserted)?;
    let mut accepted = Vec::with_capacity(jobs.len());
    let mut sums = Sums::default();
    let snapshot = server.snapshot();
    for job in jobs {
        let mut batch = Accepted::default();
        for report in &job.reports {
            // Twice in one transaction: the first counts.
            if inserted.remove(&(job.vehicle.vehicle.clone(), report.sequence)) {
                batch.counted += 1;
                sums.add(&snapshot, &job.vehicle, report);
            } else {
                batch.known += 1;
            }
        }
        accepted.push(batch);
    }
    sums.write(&mut tx).await?;
    cut(Moment::Summed)?;
    tx.commit().await?;
    cut(Moment::Committed)?;
    Ok(accepted)
}

/// Inserts reports; which of them the database did not have.
async fn insert(
    tx: &mut Tx<'_>,
    jobs: &[Job],
    received: u64,
) -> Result<HashSet<(String, u64)>, Error> {
    let rows: Vec<(&str, &Report)> = jobs
        .iter()
        .flat_map(|job| job.reports.iter().map(|report| (job.vehicle.vehicle.as_str(), report)))
        .collect();
    let mut inserted = HashSet::with_capacity(rows.len());
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let fitting = ROWS.into_iter().find(|rows| *rows <= rest.len()).unwrap_or(1);
        let (chunk, behind) = rest.split_at(fitting);
        rest = behind;
        let arguments = chunk.iter().flat_map(|(vehicle, report)| {
            let [crash, latency, drift, disagreement] = report.events.counts().map(Arg::from);
            [
                (*vehicle).into(),
                report.sequence.into(),
                received.into(),
                report.at.into(),
                report.release.as_str().into(),
                u64::from(report.seconds).into(),
                crash,
                latency,
                drift,
                disagreement,
            ]
        });
        let sql = format!(
            "INSERT INTO report (vehicle, sequence, received, at_vehicle, release_name, seconds, crash, latency,
                drift, disagreement) VALUES {} ON CONFLICT DO NOTHING RETURNING vehicle, sequence",
            values(chunk.len(), 10)
        );
        for row in tx.rows(&sql, arguments.collect()).await? {
            inserted.insert((text(&row, "vehicle")?, count(&row, "sequence")?));
        }
    }
    Ok(inserted)
}

/// Sums by group and release, and by rollout and arm (0: the new release, 1: those before it). In order, so that
/// two servers' transactions do not wait for each other.
#[derive(Default)]
struct Sums {
    releases: BTreeMap<(String, String), Sum>,
    arms: BTreeMap<(i64, i64), Sum>,
}

impl Sums {
    fn add(&mut self, snapshot: &Snapshot, vehicle: &Credential, report: &Report) {
        let key = (vehicle.group.clone(), report.release.clone());
        self.releases.entry(key).or_default().add(report);
        let judged = snapshot.groups.get(&vehicle.group).map_or(&[][..], |group| &group.judged);
        for rollout in judged {
            let meant = !rollout.later.contains(&report.release)
                && rollout.filter.matches(&vehicle.vehicle, &vehicle.attributes);
            if meant {
                let arm = i64::from(rollout.release != report.release);
                self.arms.entry((rollout.id, arm)).or_default().add(report);
            }
        }
    }

    async fn write(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        for ((group, release), sum) in self.releases {
            let sql = "INSERT INTO release_tally (group_name, release_name, reports, seconds, crash, latency, drift,
                    disagreement) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (group_name, release_name) DO UPDATE SET
                    reports = release_tally.reports + excluded.reports,
                    seconds = release_tally.seconds + excluded.seconds,
                    crash = release_tally.crash + excluded.crash,
                    latency = release_tally.latency + excluded.latency,
                    drift = release_tally.drift + excluded.drift,
                    disagreement = release_tally.disagreement + excluded.disagreement";
            tx.run(sql, sum.arguments([group.into(), release.into()])).await?;
        }
        for ((rollout, arm), sum) in self.arms {
            let sql = "INSERT INTO arm_tally (rollout, arm, reports, seconds, crash, latency, drift, disagreement)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (rollout, arm) DO UPDATE SET
                    reports = arm_tally.reports + excluded.reports,
                    seconds = arm_tally.seconds + excluded.seconds,
                    crash = arm_tally.crash + excluded.crash,
                    latency = arm_tally.latency + excluded.latency,
                    drift = arm_tally.drift + excluded.drift,
                    disagreement = arm_tally.disagreement + excluded.disagreement";
            tx.run(sql, sum.arguments([rollout.into(), arm.into()])).await?;
        }
        Ok(())
    }
}

/// Reports and what they sum up to, by release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) group: String,
    pub(crate) release: String,
    pub(crate) reports: u64,
    pub(crate) seconds: u64,
    pub(crate) events: BTreeMap<&'static str, u64>,
}

/// All sums by release.
pub(crate) async fn tallies(tx: &mut Tx<'_>) -> Result<Vec<Tally>, Error> {
    let sql =
        "SELECT group_name, release_name, reports, seconds, crash, latency, drift, disagreement
        FROM release_tally ORDER BY group_name, release_name";
    let rows = tx.rows(sql, vec![]).await?;
    let tally = |row| {
        Ok(Tally {
            group: text(row, "group_name")?,
            release: text(row, "release_name")?,
            reports: count(row, "reports")?,
            seconds: count(row, "seconds")?,
            events: events(row)?.into_iter().zip(MEASURES).map(|(count, of)| (of, count)).collect(),
        })
    };
    rows.iter().map(tally).collect()
}

/// Events of a row, in the order of [`MEASURES`].
pub(crate) fn events(row: &sqlx::any::AnyRow) -> Result<[u64; MEASURES.len()], Error> {
    let mut events = [0; MEASURES.len()];
    for (event, measure) in events.iter_mut().zip(MEASURES) {
        *event = db::count(row, measure)?;
    }
    Ok(events)
}

/// A vehicle's newest reports.
pub(crate) async fn last(tx: &mut Tx<'_>, vehicle: &str, limit: u64) -> Result<Vec<Report>, Error> {
    let sql =
        "SELECT sequence, at_vehicle, release_name, seconds, crash, latency, drift, disagreement
        FROM report WHERE vehicle = $1 ORDER BY sequence DESC LIMIT $2";
    let rows = tx.rows(sql, vec![vehicle.into(), limit.into()]).await?;
    let report = |row| {
        let bounded = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let [crash, latency, drift, disagreement] = events(row)?.map(bounded);
        Ok(Report {
            sequence: count(row, "sequence")?,
            release: text(row, "release_name")?,
            at: count(row, "at_vehicle")?,
            seconds: bounded(count(row, "seconds")?),
            events: Events { crash, latency, drift, disagreement },
        })
    };
    rows.iter().map(report).collect()
}
