//! People and what they may do.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::{self, Change};
use crate::db::{Db, text};
use crate::protocol::{random_secret, secret_hash};
use crate::{Error, server::Server};

/// What a person may do. Everyone may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Roll out, pause and stop; enrol and revoke vehicles.
    Operator,
    /// Put signed files where vehicles fetch them.
    Signer,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Signer];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Signer => "signer",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether who has it may do what `needed` may.
    pub fn may(self, needed: Self) -> bool {
        needed == Self::Viewer || self == needed
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Server {
    /// Lets a person in; the token is told once and kept as a hash.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is one of that name, and those of the database.
    pub async fn add_person(&self, name: &str, role: Role) -> Result<String, Error> {
        ommatidia_fleet::wire::check_name("name", name)?;
        let token = random_secret("person")?;
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        let sql = "INSERT INTO person (name, role, token_hash, created) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING";
        let arguments =
            vec![name.into(), role.name().into(), secret_hash(&token).into(), self.now().into()];
        if tx.run(sql, arguments).await? == 0 {
            return Err(Error::Refused(format!("there is a person {name}; remove them first")));
        }
        let detail = json!({ "role": role });
        let change =
            Change { at: self.now(), who: "console", action: "person.add", subject: name, detail };
        audit::write(&mut tx, number, change).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Takes a person's token away.
    ///
    /// # Errors
    /// [`Error::Missing`], and those of the database.
    pub async fn remove_person(&self, name: &str) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let number = audit::lock(&mut tx).await?;
        if tx.run("DELETE FROM person WHERE name = $1", vec![name.into()]).await? == 0 {
            return Err(Error::Missing(format!("person {name}")));
        }
        let (who, action) = ("console", "person.remove");
        let change = Change { at: self.now(), who, action, subject: name, detail: json!({}) };
        audit::write(&mut tx, number, change).await?;
        tx.commit().await
    }

    /// Everyone who may call.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn people(&self) -> Result<Vec<Person>, Error> {
        let mut tx = self.db.read().await?;
        let rows = tx.rows("SELECT name, role FROM person ORDER BY name", vec![]).await?;
        rows.iter().map(|row| person(row, text(row, "name")?)).collect()
    }
}

/// Who has that token.
pub(crate) async fn by_token(db: &Db, token: &str) -> Result<Option<Person>, Error> {
    let mut tx = db.read().await?;
    let sql = "SELECT name, role FROM person WHERE token_hash = $1";
    let row = tx.first(sql, vec![secret_hash(token).into()]).await?;
    row.map(|row| person(&row, text(&row, "name")?)).transpose()
}

fn person(row: &sqlx::any::AnyRow, name: String) -> Result<Person, Error> {
    let role = text(row, "role")?;
    let corrupt = || Error::Corrupt { what: format!("person {name}"), problem: role.clone() };
    let role = Role::parse(&role).ok_or_else(corrupt)?;
    Ok(Person { name, role })
}
