//! The database: one dialect for SQLite and PostgreSQL, every statement counted.
//!
//! Statements are texts of this program; values travel as parameters.

mod schema;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, Row, Transaction};

use crate::Error;

/// Longest time to wait for a connection: a vehicle tries again, so a queue helps nobody.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Int(i64),
    Text(String),
    Number(f64),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Arg {
    /// Counts and times; what comes from outside is bounded to 63 bits before.
    fn from(value: u64) -> Self {
        Self::Int(value as i64)
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A pool of connections.
pub(crate) struct Db {
    pool: AnyPool,
    backend: Backend,
    statements: AtomicU64,
}

impl Db {
    /// Opens the database and makes its tables.
    pub(crate) async fn open(url: &str, connections: u32) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let backend = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Backend::Sqlite,
            Some("postgres" | "postgresql") => Backend::Postgres,
            _ => {
                let problem = "must begin with sqlite: or postgres:".to_owned();
                return Err(Error::Setting { setting: "database", problem });
            }
        };
        // SQLite has one writer at a time; a queue in the pool is fair, its own waiting is not.
        let connections = if backend == Backend::Sqlite { 1 } else { connections };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if backend == Backend::Sqlite {
                        // An answered report must survive a power cut.
                        connection.execute("PRAGMA journal_mode = WAL").await?;
                        connection.execute("PRAGMA synchronous = FULL").await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await
            .map_err(|cause| Error::Open { url: without_password(url), cause: Box::new(cause) })?;
        let db = Self { pool, backend, statements: AtomicU64::new(0) };
        db.create().await?;
        Ok(db)
    }

    /// Statements run so far.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// A transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Tx<'_>, Error> {
        self.begin_as(match self.backend {
            Backend::Sqlite => "BEGIN IMMEDIATE",
            Backend::Postgres => "BEGIN",
        })
        .await
    }

    /// A transaction that sees one moment.
    pub(crate) async fn read(&self) -> Result<Tx<'_>, Error> {
        self.begin_as(match self.backend {
            Backend::Sqlite => "BEGIN",
            Backend::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
        .await
    }

    async fn begin_as(&self, statement: &'static str) -> Result<Tx<'_>, Error> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let inner = self.pool.begin_with(statement).await.map_err(at(statement))?;
        Ok(Tx { db: self, inner })
    }
}

/// A transaction. Dropped without [`Self::commit`] it never was.
pub(crate) struct Tx<'d> {
    db: &'d Db,
    inner: Transaction<'static, Any>,
}

impl Tx<'_> {
    /// Runs a statement; how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str, arguments: Vec<Arg>) -> Result<u64, Error> {
        self.db.statements.fetch_add(1, Ordering::Relaxed);
        let done = query(sql, arguments).execute(&mut *self.inner).await.map_err(at(sql))?;
        Ok(done.rows_affected())
    }

    /// Rows that a statement yields.
    pub(crate) async fn rows(
        &mut self,
        sql: &str,
        arguments: Vec<Arg>,
    ) -> Result<Vec<AnyRow>, Error> {
        self.db.statements.fetch_add(1, Ordering::Relaxed);
        query(sql, arguments).fetch_all(&mut *self.inner).await.map_err(at(sql))
    }

    /// The first row, if there is one.
    pub(crate) async fn first(
        &mut self,
        sql: &str,
        arguments: Vec<Arg>,
    ) -> Result<Option<AnyRow>, Error> {
        Ok(self.rows(sql, arguments).await?.into_iter().next())
    }

    /// Makes it so.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.db.statements.fetch_add(1, Ordering::Relaxed);
        self.inner.commit().await.map_err(at("COMMIT"))
    }
}

/// All statements are texts of this program or made of them by [`values`] and `vehicles::condition`, which
/// splice numbers of parameters only.
fn query(sql: &str, arguments: Vec<Arg>) -> Query<'_, Any, AnyArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    arguments.into_iter().fold(query, |query, argument| match argument {
        Arg::Int(value) => query.bind(value),
        Arg::Text(value) => query.bind(value),
        Arg::Number(value) => query.bind(value),
    })
}

fn at(sql: &str) -> impl FnOnce(sqlx::Error) -> Error + '_ {
    move |cause| Error::Database {
        statement: sql.split_whitespace().take(6).collect::<Vec<_>>().join(" "),
        cause: Box::new(cause),
    }
}

/// `($1, $2), ($3, $4)` for two rows of two.
pub(crate) fn values(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let columns: Vec<_> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", columns.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A whole number of a row.
pub(crate) fn int(row: &AnyRow, column: &str) -> Result<i64, Error> {
    row.try_get(column).map_err(at(column))
}

/// A count or time of a row, never negative.
pub(crate) fn count(row: &AnyRow, column: &str) -> Result<u64, Error> {
    let value = int(row, column)?;
    let problem = || format!("{value} is negative");
    u64::try_from(value).map_err(|_| Error::Corrupt { what: column.to_owned(), problem: problem() })
}

/// A text of a row.
pub(crate) fn text(row: &AnyRow, column: &str) -> Result<String, Error> {
    row.try_get(column).map_err(at(column))
}

/// A text of a row that may be missing.
pub(crate) fn optional_text(row: &AnyRow, column: &str) -> Result<Option<String>, Error> {
    row.try_get(column).map_err(at(column))
}

/// JSON of a row.
pub(crate) fn json<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, Error> {
    let problem = |cause: serde_json::Error| Error::Corrupt {
        what: column.to_owned(),
        problem: cause.to_string(),
    };
    serde_json::from_str(&text(row, column)?).map_err(problem)
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on() {
        assert_eq!(values(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(without_password("postgres://me:secret@db/fleet"), "postgres://…@db/fleet");
        assert_eq!(without_password("sqlite:///x"), "sqlite:///x");
    }
}
