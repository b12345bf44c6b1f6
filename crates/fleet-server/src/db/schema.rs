//! Tables.

use super::{Backend, Db};
use crate::Error;

/// Version of the tables. A later program that changes them brings what leads there from each earlier one.
const SCHEMA: i64 = 1;

/// In both dialects but for `INT`, which stands for 64 bits.
const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS vehicle_group (name TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS token (
        hash TEXT PRIMARY KEY, group_name TEXT NOT NULL, attributes TEXT NOT NULL, expires INT NOT NULL,
        vehicle TEXT)",
    "CREATE TABLE IF NOT EXISTS vehicle (
        id TEXT PRIMARY KEY, group_name TEXT NOT NULL, public_key TEXT NOT NULL, generation INT NOT NULL,
        valid_from INT NOT NULL, enrolled INT NOT NULL, token TEXT NOT NULL, attributes TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS vehicle_by_group ON vehicle (group_name, id)",
    "CREATE INDEX IF NOT EXISTS vehicle_by_valid_from ON vehicle (valid_from)",
    "CREATE TABLE IF NOT EXISTS attribute (
        vehicle TEXT NOT NULL, name TEXT NOT NULL, word TEXT, number DOUBLE PRECISION,
        PRIMARY KEY (vehicle, name))",
    "CREATE TABLE IF NOT EXISTS report (
        vehicle TEXT NOT NULL, sequence INT NOT NULL, received INT NOT NULL, at_vehicle INT NOT NULL,
        release_name TEXT NOT NULL, seconds INT NOT NULL, crash INT NOT NULL, latency INT NOT NULL,
        drift INT NOT NULL, disagreement INT NOT NULL, PRIMARY KEY (vehicle, sequence))",
    "CREATE TABLE IF NOT EXISTS release_tally (
        group_name TEXT NOT NULL, release_name TEXT NOT NULL, reports INT NOT NULL, seconds INT NOT NULL,
        crash INT NOT NULL, latency INT NOT NULL, drift INT NOT NULL, disagreement INT NOT NULL,
        PRIMARY KEY (group_name, release_name))",
    "CREATE TABLE IF NOT EXISTS rollout (
        id INT PRIMARY KEY, name TEXT NOT NULL UNIQUE, group_name TEXT NOT NULL, filter TEXT NOT NULL,
        release_name TEXT NOT NULL, state TEXT NOT NULL, revision INT NOT NULL, judged TEXT NOT NULL,
        judged_at INT NOT NULL, created INT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS arm_tally (
        rollout INT NOT NULL, arm INT NOT NULL, reports INT NOT NULL, seconds INT NOT NULL,
        crash INT NOT NULL, latency INT NOT NULL, drift INT NOT NULL, disagreement INT NOT NULL,
        PRIMARY KEY (rollout, arm))",
    "CREATE TABLE IF NOT EXISTS person (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, token_hash TEXT NOT NULL UNIQUE, created INT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS audit (
        number INT PRIMARY KEY, at INT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
        subject TEXT NOT NULL, detail TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)",
];

/// The audit log takes lines and gives none up.
const APPEND_ONLY_SQLITE: &[&str] = &[
    "CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
];
const APPEND_ONLY_POSTGRES: &[&str] = &[
    "CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE OR REPLACE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
];

impl Db {
    pub(super) async fn create(&self) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let postgres = self.backend == Backend::Postgres;
        if postgres {
            // Servers that start together must not make tables together. Any number of our own.
            tx.run("SELECT pg_advisory_xact_lock(7150918362)", vec![]).await?;
        }
        for table in TABLES {
            let int = if postgres { " BIGINT" } else { " INTEGER" };
            tx.run(&table.replace(" INT", int), vec![]).await?;
        }
        let triggers = if postgres { APPEND_ONLY_POSTGRES } else { APPEND_ONLY_SQLITE };
        for trigger in triggers {
            tx.run(trigger, vec![]).await?;
        }
        for (name, value) in [("schema", SCHEMA), ("version", 1), ("audit", 0)] {
            let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            tx.run(sql, vec![name.into(), value.into()]).await?;
        }
        let row = tx.first("SELECT value FROM meta WHERE name = 'schema'", vec![]).await?;
        let found = row.map(|row| super::int(&row, "value")).transpose()?;
        if found != Some(SCHEMA) {
            let problem = format!(
                "tables have version {found:?}, and this program knows {SCHEMA}; use the program that made them"
            );
            return Err(Error::Corrupt { what: "meta".to_owned(), problem });
        }
        tx.commit().await
    }
}
