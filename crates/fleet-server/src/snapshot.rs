//! What polls are answered from: made anew when the database's version changes, never changed in place.

use std::collections::HashMap;

use axum::http::HeaderValue;
use bytes::Bytes;
use ommatidia_fleet::cohort::MILLION;
use ommatidia_fleet::filter::{Filter, Term};
use ommatidia_fleet::rollout::{Phase, Rollout};
use ommatidia_fleet::wire::{Document, Offer};
use ommatidia_update::tuf::KeyPair;

use crate::Error;
use crate::db::{Tx, count, int, json, text};
use crate::protocol::sign_document;

/// All that answers need.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) groups: HashMap<String, Group>,
    /// Vehicles of which not every enrolment counts: the first that does.
    pub(crate) valid_from: HashMap<String, u64>,
}

/// A group's document, ready to be sent.
pub(crate) struct Group {
    pub(crate) body: Bytes,
    pub(crate) tag: HeaderValue,
    pub(crate) signature: HeaderValue,
    /// Rollouts that gates still judge.
    pub(crate) judged: Vec<Judged>,
}

/// What of a rollout the counting of reports needs.
pub(crate) struct Judged {
    pub(crate) id: i64,
    pub(crate) release: String,
    pub(crate) filter: Filter,
    /// Releases that later rollouts brought: not what this one is compared with.
    pub(crate) later: Vec<String>,
}

/// The version that the next snapshot must have.
pub(crate) async fn version(tx: &mut Tx<'_>) -> Result<u64, Error> {
    let row = tx.first("SELECT value FROM meta WHERE name = 'version'", vec![]).await?;
    let missing = || Error::Corrupt { what: "meta".to_owned(), problem: "no version".to_owned() };
    count(&row.ok_or_else(missing)?, "value")
}

/// Lets servers notice a change.
pub(crate) async fn changed(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.run("UPDATE meta SET value = value + 1 WHERE name = 'version'", vec![]).await?;
    Ok(())
}

/// Reads everything. The same version gives the same bytes on every server that has the key.
pub(crate) async fn read(
    tx: &mut Tx<'_>,
    key: &KeyPair,
    poll_seconds: u32,
) -> Result<Snapshot, Error> {
    let version = version(tx).await?;
    let mut rollouts: HashMap<String, (Vec<Offer>, Vec<Judged>)> = HashMap::new();
    for row in tx.rows("SELECT name FROM vehicle_group", vec![]).await? {
        rollouts.insert(text(&row, "name")?, Default::default());
    }
    let sql = "SELECT id, name, group_name, filter, release_name, state FROM rollout ORDER BY id";
    for row in tx.rows(sql, vec![]).await? {
        let state: Rollout = json(&row, "state")?;
        let filter = Filter::parse(&text(&row, "filter")?)?;
        let release = text(&row, "release_name")?;
        let (offers, judged) = rollouts.entry(text(&row, "group_name")?).or_default();
        if covers(&state, &filter) {
            offers.clear();
            judged.clear();
        }
        for before in judged.iter_mut().filter(|before| before.release != release) {
            before.later.push(release.clone());
        }
        let stopped = matches!(state.phase(), Phase::RolledBack { .. });
        if !stopped {
            judged.push(Judged {
                id: int(&row, "id")?,
                release: release.clone(),
                filter: filter.clone(),
                later: Vec::new(),
            });
        }
        let (reach, offers_more) = (state.reach(), state.offers());
        let rollout = text(&row, "name")?;
        offers.push(Offer { rollout, release, filter, reach, offers: offers_more, stopped });
    }
    let mut valid_from = HashMap::new();
    for row in tx.rows("SELECT id, valid_from FROM vehicle WHERE valid_from > 1", vec![]).await? {
        valid_from.insert(text(&row, "id")?, count(&row, "valid_from")?);
    }
    let groups = rollouts.into_iter().map(|(group, (rollouts, judged))| {
        let document =
            Document { format: 1, group: group.clone(), version, poll_seconds, rollouts };
        (group, prepare(&document, judged, key))
    });
    Ok(Snapshot { version, groups: groups.collect(), valid_from })
}

/// Whether the rollout reached every vehicle of its group: what came before says nothing more. A stop brings
/// it back.
pub(crate) fn covers(state: &Rollout, filter: &Filter) -> bool {
    *filter.root() == Term::True && *state.phase() == Phase::Done && state.reach() == MILLION
}

fn prepare(document: &Document, judged: Vec<Judged>, key: &KeyPair) -> Group {
    let body = serde_json::to_vec(document).expect("a document is plain data");
    let header = |text: String| HeaderValue::from_str(&text).expect("base64 and hexadecimal");
    let tag = header(format!("\"{}\"", &blake3::hash(&body).to_hex()[..32]));
    let signature = header(sign_document(key, &body));
    Group { body: body.into(), tag, signature, judged }
}
