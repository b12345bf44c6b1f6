//! Vehicles: tokens that let them in, enrolment, and who matches a filter.

use ommatidia_fleet::filter::{Attributes, Filter, Term, Test, Value};
use ommatidia_fleet::wire::{check_attributes, check_group, check_name};
use serde::Serialize;
use serde_json::json;

use crate::audit::{self, Change};
use crate::db::{Arg, Tx, count, json as json_of, optional_text, text};
use crate::protocol::{Credential, Enrolled, Enrolment, issue, random_secret, secret_hash};
use crate::snapshot::changed;
use crate::{Error, server::Server};

/// Most tokens made at once.
const MAX_TOKENS: u64 = 10_000;
/// Longest time a token lets in, hours.
const MAX_TOKEN_HOURS: u64 = 24 * 365;

/// A vehicle as people see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Vehicle {
    pub(crate) vehicle: String,
    pub(crate) group: String,
    pub(crate) key: String,
    pub(crate) generation: u64,
    pub(crate) revoked: bool,
    pub(crate) enrolled: u64,
    pub(crate) attributes: Attributes,
}

impl Server {
    /// Makes tokens that let one vehicle each into a group, for some hours. Their attributes are those of
    /// the vehicles, whatever these say of themselves.
    ///
    /// # Errors
    /// [`Error::Fleet`] and [`Error::Refused`] for input out of bounds; those of the database.
    pub async fn make_tokens(
        &self,
        who: &str,
        group: &str,
        attributes: &Attributes,
        (hours, count): (u64, u64),
    ) -> Result<Vec<String>, Error> {
        check_group(group)?;
        check_attributes(attributes)?;
        if !(1..=MAX_TOKEN_HOURS).contains(&hours) || !(1..=MAX_TOKENS).contains(&count) {
            return Err(Error::Refused(format!(
                "hours must be 1 to {MAX_TOKEN_HOURS}, count 1 to {MAX_TOKENS}"
            )));
        }
        let secrets: Vec<String> =
            (0..count).map(|_| random_secret("enrol")).collect::<Result<_, _>>()?;
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        let sql = "INSERT INTO vehicle_group (name) VALUES ($1) ON CONFLICT DO NOTHING";
        if tx.run(sql, vec![group.into()]).await? > 0 {
            changed(&mut tx).await?;
        }
        let known = json!(attributes).to_string();
        let expires = self.now() + hours * 3600;
        for secret in &secrets {
            let sql =
                "INSERT INTO token (hash, group_name, attributes, expires) VALUES ($1, $2, $3, $4)";
            let hash = secret_hash(secret);
            tx.run(sql, vec![hash.into(), group.into(), known.as_str().into(), expires.into()])
                .await?;
        }
        let detail = json!({ "count": count, "expires": expires, "attributes": attributes });
        let change = Change { at: self.now(), who, action: "token.make", subject: group, detail };
        audit::write(&mut tx, number, change).await?;
        tx.commit().await?;
        Ok(secrets)
    }

    /// Lets a vehicle in whose request was signed by the key it names. The same request again gets the
    /// same answer: the first may have been lost.
    ///
    /// # Errors
    /// [`Error::Refused`] if the token does not let it in; those of the database.
    pub(crate) async fn enrol(&self, enrolment: &Enrolment) -> Result<Enrolled, Error> {
        let refused = |why: &str| Err(Error::Refused(why.to_owned()));
        let Enrolment { vehicle, key, token, .. } = enrolment;
        let hash = secret_hash(token);
        let mut tx = self.db.begin().await?;
        let sql = "SELECT group_name, attributes, expires, vehicle FROM token WHERE hash = $1";
        let Some(row) = tx.first(sql, vec![hash.as_str().into()]).await? else {
            return refused("the token is unknown");
        };
        let group = text(&row, "group_name")?;
        let mut attributes = enrolment.attributes.clone();
        attributes.extend(json_of::<Attributes>(&row, "attributes")?);
        check_attributes(&attributes)?;
        let before = vehicle_of(&mut tx, vehicle).await?;
        if optional_text(&row, "vehicle")?.is_some() {
            let again = before.filter(|(known, by)| {
                known.vehicle == *vehicle && known.key == *key && *by == hash && !known.revoked
            });
            return match again {
                Some((known, _)) => Ok(self.enrolled(&known)),
                None => refused("the token was used"),
            };
        }
        if count(&row, "expires")? < self.now() {
            return refused("the token has expired");
        }
        let generation = match &before {
            None => 1,
            Some((known, _)) if known.revoked => known.generation + 1,
            Some(_) => return refused("a vehicle of that name is enrolled; revoke it first"),
        };
        let known = Vehicle {
            vehicle: vehicle.clone(),
            group,
            key: key.clone(),
            generation,
            revoked: false,
            enrolled: self.now(),
            attributes,
        };
        // Counted and not read before: two requests with one token at a time, on two servers.
        let sql = "UPDATE token SET vehicle = $1 WHERE hash = $2 AND vehicle IS NULL";
        if tx.run(sql, vec![vehicle.as_str().into(), hash.as_str().into()]).await? == 0 {
            return refused("the token was used");
        }
        if !insert(&mut tx, &known, &hash).await? {
            return refused("a vehicle of that name was enrolled at the same time");
        }
        tx.commit().await?;
        Ok(self.enrolled(&known))
    }

    fn enrolled(&self, known: &Vehicle) -> Enrolled {
        let credential = Credential {
            vehicle: known.vehicle.clone(),
            group: known.group.clone(),
            key: known.key.clone(),
            generation: known.generation,
            attributes: known.attributes.clone(),
        };
        Enrolled {
            credential: issue(&self.key, &credential),
            server_key: self.public.keyval.public.clone(),
            group: known.group.clone(),
        }
    }

    /// Stops believing a vehicle, on every server within the time of a refresh.
    ///
    /// # Errors
    /// [`Error::Missing`], and those of the database.
    pub(crate) async fn revoke(&self, who: &str, vehicle: &str) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        let sql = "UPDATE vehicle SET valid_from = generation + 1 WHERE id = $1";
        if tx.run(sql, vec![vehicle.into()]).await? == 0 {
            return Err(Error::Missing(format!("vehicle {vehicle}")));
        }
        changed(&mut tx).await?;
        let detail = json!({});
        let change =
            Change { at: self.now(), who, action: "vehicle.revoke", subject: vehicle, detail };
        audit::write(&mut tx, number, change).await?;
        tx.commit().await
    }
}

/// Writes a vehicle and its attributes; whether nobody else did.
async fn insert(tx: &mut Tx<'_>, known: &Vehicle, token: &str) -> Result<bool, Error> {
    let sql = "INSERT INTO vehicle (id, group_name, public_key, generation, valid_from, enrolled, token, attributes)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (id) DO UPDATE SET group_name = excluded.group_name, public_key = excluded.public_key,
            generation = excluded.generation, valid_from = excluded.valid_from, enrolled = excluded.enrolled,
            token = excluded.token, attributes = excluded.attributes
        WHERE vehicle.generation < excluded.generation";
    let arguments = vec![
        known.vehicle.as_str().into(),
        known.group.as_str().into(),
        known.key.as_str().into(),
        known.generation.into(),
        known.generation.into(),
        known.enrolled.into(),
        token.into(),
        json!(known.attributes).to_string().into(),
    ];
    if tx.run(sql, arguments).await? == 0 {
        return Ok(false);
    }
    if known.generation > 1 {
        tx.run("DELETE FROM attribute WHERE vehicle = $1", vec![known.vehicle.as_str().into()])
            .await?;
        changed(tx).await?;
    }
    for (name, value) in &known.attributes {
        // Two statements and no missing values: PostgreSQL fixes the types of parameters at the first use.
        let (sql, value) = match value {
            Value::Text(text) => (
                "INSERT INTO attribute (vehicle, name, word) VALUES ($1, $2, $3)",
                Arg::from(text.as_str()),
            ),
            Value::Number(number) => (
                "INSERT INTO attribute (vehicle, name, number) VALUES ($1, $2, $3)",
                Arg::Number(*number),
            ),
        };
        let arguments = vec![known.vehicle.as_str().into(), name.as_str().into(), value];
        tx.run(sql, arguments).await?;
    }
    Ok(true)
}

const COLUMNS: &str =
    "id, group_name, public_key, generation, valid_from, enrolled, token, attributes";

fn read(row: &sqlx::any::AnyRow) -> Result<Vehicle, Error> {
    let generation = count(row, "generation")?;
    Ok(Vehicle {
        vehicle: text(row, "id")?,
        group: text(row, "group_name")?,
        key: text(row, "public_key")?,
        generation,
        revoked: count(row, "valid_from")? > generation,
        enrolled: count(row, "enrolled")?,
        attributes: json_of(row, "attributes")?,
    })
}

/// The vehicle, and the hash of the token that let it in.
async fn vehicle_of(tx: &mut Tx<'_>, vehicle: &str) -> Result<Option<(Vehicle, String)>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM vehicle WHERE id = $1");
    let row = tx.first(&sql, vec![vehicle.into()]).await?;
    row.map(|row| Ok((read(&row)?, text(&row, "token")?))).transpose()
}

/// A vehicle by name.
pub(crate) async fn get(tx: &mut Tx<'_>, vehicle: &str) -> Result<Vehicle, Error> {
    check_name("vehicle", vehicle)?;
    let found = vehicle_of(tx, vehicle).await?;
    found.map(|(known, _)| known).ok_or_else(|| Error::Missing(format!("vehicle {vehicle}")))
}

/// Vehicles of a group that a filter matches, by name, behind `after`.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    group: &str,
    filter: &Filter,
    (after, limit): (&str, u64),
) -> Result<Vec<Vehicle>, Error> {
    let mut arguments = vec![group.into(), after.into()];
    let condition = condition(filter.root(), &mut arguments);
    arguments.push(limit.into());
    let sql = format!(
        "SELECT {COLUMNS} FROM vehicle v WHERE group_name = $1 AND id > $2 AND {condition}
            ORDER BY id LIMIT ${}",
        arguments.len()
    );
    tx.rows(&sql, arguments).await?.iter().map(read).collect()
}

/// How many vehicles of a group a filter matches.
pub(crate) async fn matching(tx: &mut Tx<'_>, group: &str, filter: &Filter) -> Result<u64, Error> {
    let mut arguments = vec![group.into()];
    let condition = condition(filter.root(), &mut arguments);
    let sql =
        format!("SELECT COUNT(*) AS found FROM vehicle v WHERE group_name = $1 AND {condition}");
    let row = tx.first(&sql, arguments).await?;
    row.map_or(Ok(0), |row| count(&row, "found"))
}

/// The filter as SQL. Only numbers of parameters are spliced; everything that was written in the filter
/// travels in `arguments`.
fn condition(term: &Term, arguments: &mut Vec<Arg>) -> String {
    let joined = |parts: &[Term], word: &str, arguments: &mut Vec<Arg>| {
        let parts: Vec<_> = parts.iter().map(|part| condition(part, arguments)).collect();
        format!("({})", parts.join(word))
    };
    match term {
        Term::True => "1 = 1".to_owned(),
        Term::Not(inner) => format!("NOT ({})", condition(inner, arguments)),
        Term::And(parts) => joined(parts, " AND ", arguments),
        Term::Or(parts) => joined(parts, " OR ", arguments),
        Term::Attribute(name, test) if name == "id" => {
            match compared(test, "v.id", None, arguments) {
                Some(compared) => compared,
                None => "1 = 0".to_owned(),
            }
        }
        Term::Attribute(name, test) => {
            let named = next(arguments, name.as_str().into());
            match compared(test, "a.word", Some("a.number"), arguments) {
                Some(compared) => format!(
                    "EXISTS (SELECT 1 FROM attribute a WHERE a.vehicle = v.id AND a.name = {named} AND {compared})"
                ),
                None => format!("{named} = ''"),
            }
        }
    }
}

/// The test of a column with a text, or of one with a number; `None` if it never holds.
fn compared(
    test: &Test,
    word: &str,
    number: Option<&str>,
    arguments: &mut Vec<Arg>,
) -> Option<String> {
    Some(match test {
        Test::Known => "1 = 1".to_owned(),
        Test::Number(compare, than) => {
            let number = number?;
            let than = next(arguments, Arg::Number(*than));
            format!("{number} {} {than}", compare.sql())
        }
        Test::Text(text) => format!("{word} = {}", next(arguments, text.as_str().into())),
        Test::OtherText(text) => format!("{word} <> {}", next(arguments, text.as_str().into())),
        Test::Prefix(prefix) => {
            let length = next(arguments, (prefix.chars().count() as u64).into());
            // PostgreSQL's second and third inputs are 32 bits wide.
            format!(
                "substr({word}, 1, CAST({length} AS INTEGER)) = {}",
                next(arguments, prefix.as_str().into())
            )
        }
        Test::In(values) => {
            let mut parts = Vec::new();
            for value in values {
                match (value, number) {
                    (Value::Text(text), _) => {
                        parts.push(format!("{word} = {}", next(arguments, text.as_str().into())));
                    }
                    (Value::Number(value), Some(number)) => {
                        let value = next(arguments, Arg::Number(*value));
                        parts.push(format!("{number} = {value}"));
                    }
                    (Value::Number(_), None) => {}
                }
            }
            if parts.is_empty() {
                return None;
            }
            format!("({})", parts.join(" OR "))
        }
    })
}

fn next(arguments: &mut Vec<Arg>, argument: Arg) -> String {
    arguments.push(argument);
    format!("${}", arguments.len())
}
