//! Rollouts: begun, paused and stopped by people, judged by gates.

use std::collections::HashSet;

use ommatidia_fleet::filter::Filter;
use ommatidia_fleet::rollout::{MEASURES, Phase, Plan, Reports, Rollout};
use ommatidia_fleet::wire::{check_group, check_name};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::any::AnyRow;

use crate::audit::{self, Change};
use crate::db::{Tx, count, int, json as json_of, text};
use crate::ingest::events;
use crate::snapshot::{changed, covers};
use crate::{Error, server::Server};

/// Most rollouts of a group that gates judge at a time, and most that its document lists.
const MAX_OPEN: usize = 8;
const MAX_LISTED: usize = 64;
/// Longest reason, bytes.
const MAX_REASON: usize = 500;

/// What a person asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    /// Its name, for good: vehicles' places follow from it.
    pub(crate) name: String,
    /// Whose vehicles.
    pub(crate) group: String,
    /// Which of them.
    pub(crate) filter: Filter,
    /// What they get.
    pub(crate) release: String,
    /// Stages and gates.
    #[serde(default)]
    pub(crate) plan: Plan,
}

/// What a person does to a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Pause,
    Resume,
    Stop,
}

impl Act {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "stop" => Self::Stop,
            _ => return None,
        })
    }
}

/// Cumulative sums of an arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Total {
    pub(crate) reports: u64,
    pub(crate) seconds: u64,
    pub(crate) events: [u64; MEASURES.len()],
}

impl Total {
    fn since(self, before: Self) -> Reports {
        let mut events = self.events;
        for (event, before) in events.iter_mut().zip(before.events) {
            *event -= before;
        }
        Reports { hours: (self.seconds - before.seconds) as f64 / 3600.0, events }
    }
}

/// A rollout as people see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Standing {
    #[serde(skip)]
    id: i64,
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) filter: String,
    pub(crate) release: String,
    #[serde(flatten)]
    pub(crate) shown: Value,
    #[serde(skip)]
    pub(crate) state: Rollout,
    #[serde(skip)]
    revision: u64,
    #[serde(skip)]
    judged: [Total; 2],
    #[serde(skip)]
    judged_at: u64,
    pub(crate) created: u64,
}

const COLUMNS: &str =
    "id, name, group_name, filter, release_name, state, revision, judged, judged_at, created";

fn read(row: &AnyRow) -> Result<Standing, Error> {
    let state: Rollout = json_of(row, "state")?;
    let judged: [Total; 2] = json_of(row, "judged")?;
    let shown = json!({
        "phase": state.phase(),
        "stage": state.stage() + 1,
        "stages": state.plan().stages.len(),
        "reach": state.reach(),
        "new": judged[0],
        "old": judged[1],
    });
    Ok(Standing {
        id: int(row, "id")?,
        name: text(row, "name")?,
        group: text(row, "group_name")?,
        filter: text(row, "filter")?,
        release: text(row, "release_name")?,
        shown,
        state,
        revision: count(row, "revision")?,
        judged,
        judged_at: count(row, "judged_at")?,
        created: count(row, "created")?,
    })
}

/// All rollouts, oldest first.
pub(crate) async fn list(tx: &mut Tx<'_>) -> Result<Vec<Standing>, Error> {
    let rows = tx.rows(&format!("SELECT {COLUMNS} FROM rollout ORDER BY id"), vec![]).await?;
    rows.iter().map(read).collect()
}

/// Writes a rollout's state, unless another server was quicker.
async fn update(tx: &mut Tx<'_>, rollout: &Standing) -> Result<bool, Error> {
    let sql = "UPDATE rollout SET state = $1, judged = $2, judged_at = $3, revision = revision + 1
        WHERE id = $4 AND revision = $5";
    let arguments = vec![
        json!(rollout.state).to_string().into(),
        json!(rollout.judged).to_string().into(),
        rollout.judged_at.into(),
        rollout.id.into(),
        rollout.revision.into(),
    ];
    Ok(tx.run(sql, arguments).await? > 0)
}

impl Server {
    /// Begins a rollout.
    ///
    /// # Errors
    /// [`Error::Fleet`] and [`Error::Refused`] for what cannot be begun; those of the database.
    pub(crate) async fn begin(&self, who: &str, begin: Begin) -> Result<(), Error> {
        let refused = |why: String| Err(Error::Refused(why));
        check_name("name", &begin.name)?;
        check_group(&begin.group)?;
        check_name("release", &begin.release)?;
        let state = Rollout::new(begin.plan.clone())?;
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        let rollouts = list(&mut tx).await?;
        let group = || rollouts.iter().filter(|rollout| rollout.group == begin.group);
        if rollouts.iter().any(|rollout| rollout.name == begin.name) {
            return refused(format!("there is a rollout {}; names are used once", begin.name));
        }
        let open = group()
            .filter(|one| matches!(one.state.phase(), Phase::Running | Phase::Paused { .. }));
        if open.count() >= MAX_OPEN {
            return refused(format!("the group has {MAX_OPEN} open rollouts; end one first"));
        }
        // As the document lists them: those before one that reached everybody are gone.
        let mut listed = 0;
        for rollout in group() {
            let covers = covers(&rollout.state, &Filter::parse(&rollout.filter)?);
            listed = if covers { 1 } else { listed + 1 };
        }
        if listed >= MAX_LISTED {
            return refused(format!(
                "the group's document lists {MAX_LISTED} rollouts; take one for TRUE through all stages first"
            ));
        }
        let sql = "SELECT name FROM vehicle_group WHERE name = $1";
        if tx.first(sql, vec![begin.group.as_str().into()]).await?.is_none() {
            return Err(Error::Missing(format!("group {}; tokens make it", begin.group)));
        }
        let id = 1 + rollouts.iter().map(|rollout| rollout.id).max().unwrap_or(0);
        let sql = "INSERT INTO rollout
            (id, name, group_name, filter, release_name, state, revision, judged, judged_at, created)
            VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9)";
        let now = self.now();
        let arguments = vec![
            id.into(),
            begin.name.as_str().into(),
            begin.group.as_str().into(),
            begin.filter.text().into(),
            begin.release.as_str().into(),
            json!(state).to_string().into(),
            json!(<[Total; 2]>::default()).to_string().into(),
            now.into(),
            now.into(),
        ];
        tx.run(sql, arguments).await?;
        changed(&mut tx).await?;
        let (subject, detail) = (begin.name.as_str(), json!(begin));
        let change = Change { at: now, who, action: "rollout.begin", subject, detail };
        audit::write(&mut tx, number, change).await?;
        tx.commit().await?;
        self.refresh().await
    }

    /// Pauses, resumes or stops a rollout.
    ///
    /// # Errors
    /// [`Error::Refused`] where it does not stand so; those of the database.
    pub(crate) async fn act(
        &self,
        who: &str,
        name: &str,
        act: Act,
        reason: &str,
    ) -> Result<(), Error> {
        if reason.trim().is_empty() || reason.len() > MAX_REASON {
            return Err(Error::Refused(format!("give a reason of 1 to {MAX_REASON} bytes")));
        }
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        let sql = format!("SELECT {COLUMNS} FROM rollout WHERE name = $1");
        let row = tx.first(&sql, vec![name.into()]).await?;
        let row = row.ok_or_else(|| Error::Missing(format!("rollout {name}")))?;
        let mut rollout = read(&row)?;
        let (action, done) = match act {
            Act::Pause => ("rollout.pause", rollout.state.pause(reason)),
            Act::Resume => ("rollout.resume", rollout.state.resume()),
            Act::Stop => {
                let stopped = matches!(rollout.state.phase(), Phase::RolledBack { .. });
                rollout.state.emergency_stop(reason);
                ("rollout.stop", !stopped)
            }
        };
        if !done {
            let phase = json!(rollout.state.phase());
            return Err(Error::Refused(format!("the rollout stands at {phase}")));
        }
        if act == Act::Resume {
            // A stage that begins anew is judged by what comes from now on.
            rollout.judged = totals(&mut tx, rollout.id).await?;
            rollout.judged_at = self.now();
        }
        if !update(&mut tx, &rollout).await? {
            return Err(Error::Refused("the gate changed it just now; try again".to_owned()));
        }
        changed(&mut tx).await?;
        let detail = json!({ "reason": reason });
        let change = Change { at: self.now(), who, action, subject: name, detail };
        audit::write(&mut tx, number, change).await?;
        tx.commit().await?;
        self.refresh().await
    }

    /// Lets the gates judge what was reported since they last did. Servers that do so together count
    /// nothing twice: who comes second finds the revision changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn judge(&self) -> Result<(), Error> {
        self.refresh().await?;
        let snapshot = self.snapshot();
        let judged = snapshot.groups.values().flat_map(|group| &group.judged);
        let judged: HashSet<i64> = judged.map(|rollout| rollout.id).collect();
        let mut tx = self.db.read().await?;
        let rollouts = list(&mut tx).await?;
        drop(tx);
        for rollout in rollouts.into_iter().filter(|rollout| judged.contains(&rollout.id)) {
            self.judge_one(rollout).await?;
        }
        self.refresh().await
    }

    async fn judge_one(&self, mut rollout: Standing) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let totals = totals(&mut tx, rollout.id).await?;
        if totals == rollout.judged && *rollout.state.phase() == Phase::Done {
            return Ok(());
        }
        let (before, now) = (rollout.state.clone(), self.now());
        let hours = now.saturating_sub(rollout.judged_at) as f64 / 3600.0;
        let [new, old] = [0, 1].map(|arm| totals[arm].since(rollout.judged[arm]));
        rollout.state.report(hours, &new, &old);
        (rollout.judged, rollout.judged_at) = (totals, now);
        let stands = |state: &Rollout| (state.phase().clone(), state.stage());
        if stands(&before) == stands(&rollout.state) {
            update(&mut tx, &rollout).await?;
            return tx.commit().await;
        }
        // In the order of every change: the log's lock first.
        drop(tx);
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        if !update(&mut tx, &rollout).await? {
            return Ok(());
        }
        changed(&mut tx).await?;
        let detail = json!({
            "phase": rollout.state.phase(),
            "stage": rollout.state.stage() + 1,
            "reach": rollout.state.reach(),
            "new": totals[0],
            "old": totals[1],
        });
        let (action, subject) = ("rollout.judged", rollout.name.as_str());
        audit::write(&mut tx, number, Change { at: now, who: "gate", action, subject, detail })
            .await?;
        tx.commit().await
    }
}

/// Sums of both arms so far; they only grow.
async fn totals(tx: &mut Tx<'_>, rollout: i64) -> Result<[Total; 2], Error> {
    let sql = "SELECT arm, reports, seconds, crash, latency, drift, disagreement FROM arm_tally
        WHERE rollout = $1";
    let mut totals = [Total::default(); 2];
    for row in tx.rows(sql, vec![rollout.into()]).await? {
        let total = Total {
            reports: count(&row, "reports")?,
            seconds: count(&row, "seconds")?,
            events: events(&row)?,
        };
        totals[usize::from(count(&row, "arm")? != 0)] = total;
    }
    Ok(totals)
}
