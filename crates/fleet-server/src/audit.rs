//! Who changed what: lines that are only ever added, each with the hash of the one before.
//!
//! A line is written in the transaction of the change it tells of. The database refuses to change or
//! delete lines, and the chain shows where somebody went past the database.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;
use crate::db::{Tx, count, text};

/// A line.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) at: u64,
    pub(crate) who: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) detail: String,
    pub(crate) hash: String,
}

/// What is to be written.
pub(crate) struct Change<'a> {
    pub(crate) at: u64,
    pub(crate) who: &'a str,
    pub(crate) action: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) detail: Value,
}

/// Lets one transaction change things at a time, over all servers, and numbers it. First in each.
pub(crate) async fn lock(tx: &mut Tx<'_>) -> Result<u64, Error> {
    let sql = "UPDATE meta SET value = value + 1 WHERE name = 'audit' RETURNING value";
    let row = tx.first(sql, vec![]).await?;
    let missing = || Error::Corrupt { what: "meta".to_owned(), problem: "no audit".to_owned() };
    count(&row.ok_or_else(missing)?, "value")
}

/// Writes the line of that number.
pub(crate) async fn write(tx: &mut Tx<'_>, number: u64, change: Change<'_>) -> Result<(), Error> {
    let previous = tx
        .first("SELECT hash FROM audit WHERE number = $1", vec![(number - 1).into()])
        .await?
        .map(|row| text(&row, "hash"))
        .transpose()?
        .unwrap_or_default();
    let line = Line {
        number,
        at: change.at,
        who: change.who.to_owned(),
        action: change.action.to_owned(),
        subject: change.subject.to_owned(),
        detail: change.detail.to_string(),
        hash: String::new(),
    };
    let hash = hash(&line, &previous);
    let sql = "INSERT INTO audit (number, at, who, action, subject, detail, previous, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Line { at, who, action, subject, detail, .. } = line;
    let arguments = vec![
        number.into(),
        at.into(),
        who.into(),
        action.into(),
        subject.into(),
        detail.into(),
        previous.into(),
        hash.into(),
    ];
    tx.run(sql, arguments).await?;
    Ok(())
}

fn hash(line: &Line, previous: &str) -> String {
    let fields =
        json!([line.number, line.at, line.who, line.action, line.subject, line.detail, previous]);
    blake3::hash(fields.to_string().as_bytes()).to_hex().to_string()
}

/// Lines behind `after`, oldest first, and whether each follows from the one before it.
pub(crate) async fn read(
    tx: &mut Tx<'_>,
    after: u64,
    limit: u64,
) -> Result<(Vec<Line>, bool), Error> {
    let sql = "SELECT number, at, who, action, subject, detail, previous, hash FROM audit
        WHERE number >= $1 ORDER BY number LIMIT $2";
    let rows = tx.rows(sql, vec![after.into(), (limit + 1).into()]).await?;
    let (mut lines, mut chained): (Vec<Line>, bool) = (Vec::new(), true);
    for row in rows {
        let line = Line {
            number: count(&row, "number")?,
            at: count(&row, "at")?,
            who: text(&row, "who")?,
            action: text(&row, "action")?,
            subject: text(&row, "subject")?,
            detail: text(&row, "detail")?,
            hash: text(&row, "hash")?,
        };
        let previous = text(&row, "previous")?;
        let follows = match lines.last() {
            Some(last) => last.number + 1 == line.number && last.hash == previous,
            None => line.number == after || (line.number == 1 && previous.is_empty()),
        };
        chained &= follows && hash(&line, &previous) == line.hash;
        lines.push(line);
    }
    if after > 0 && lines.first().is_some_and(|line| line.number == after) {
        lines.remove(0);
    }
    lines.truncate(limit as usize);
    Ok((lines, chained))
}
