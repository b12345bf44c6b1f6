//! What requests share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ommatidia_update::tuf::{KeyPair, PublicKey};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::db::Db;
use crate::ingest::{self, Job, Moment};
use crate::metrics::Metrics;
use crate::protocol::{Credential, believe};
use crate::snapshot::{self, Snapshot};
use crate::{Error, listen};

/// Seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Whether work is to be cut off there, as by a kill. For tests.
pub type Fault = Arc<dyn Fn(Moment) -> bool + Send + Sync>;

/// Credentials whose signature is remembered; a hundred bytes and the attributes each.
const REMEMBERED: usize = 20_000;

/// How a server runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen at.
    pub listen: String,
    /// `sqlite:FILE?mode=rwc` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub database: String,
    /// Most connections to PostgreSQL.
    pub database_connections: u32,
    /// Folder with the files that vehicles fetch.
    pub files: PathBuf,
    /// Largest file, bytes.
    pub max_file_bytes: u64,
    /// File with the server's secret key; servers behind one balancer share it. Made if missing.
    pub key: PathBuf,
    /// Seconds that vehicles are told to wait between polls, and caches may keep an answer.
    pub poll_seconds: u32,
    /// Whether polls must be signed by an enrolled vehicle. Then no cache can answer them.
    pub signed_polls: bool,
    /// How far the time of a signed request may be from the server's, seconds.
    pub window_seconds: u64,
    /// How often the database is asked for changes, seconds.
    pub refresh_seconds: f64,
    /// How often gates judge, seconds.
    pub judge_seconds: f64,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Longest time of a request, seconds.
    pub request_seconds: u64,
    /// TLS. Without it a proxy must bring it.
    pub tls: Option<listen::TlsSettings>,
}

impl Default for Settings {
    /// One process with its files in `fleet/`.
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8460".to_owned(),
            database: "sqlite:fleet/fleet.db?mode=rwc".to_owned(),
            database_connections: 8,
            files: "fleet/files".into(),
            max_file_bytes: 4 << 30,
            key: "fleet/server.key".into(),
            poll_seconds: 300,
            signed_polls: false,
            window_seconds: 300,
            refresh_seconds: 1.0,
            judge_seconds: 60.0,
            max_connections: 10_000,
            request_seconds: 60,
            tls: None,
        }
    }
}

impl Settings {
    /// Checks what can be checked without a database.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let fail =
            |setting, problem: &str| Err(Error::Setting { setting, problem: problem.to_owned() });
        let period = |seconds: f64| (0.01..=86_400.0).contains(&seconds);
        if !period(self.refresh_seconds) || !period(self.judge_seconds) {
            return fail(
                "refresh_seconds and judge_seconds",
                "must lie between 0.01 and 86400 seconds",
            );
        }
        if self.database_connections == 0 || self.max_connections == 0 || self.request_seconds == 0
        {
            return fail(
                "database_connections, max_connections and request_seconds",
                "must be 1 or more",
            );
        }
        if !(1..=86_400).contains(&self.poll_seconds) || self.window_seconds > 86_400 {
            return fail("poll_seconds and window_seconds", "must be at most a day");
        }
        Ok(())
    }
}

/// A server; several may share a database.
pub struct Server {
    pub(crate) settings: Settings,
    pub(crate) db: Db,
    pub(crate) key: KeyPair,
    pub(crate) public: PublicKey,
    pub(crate) metrics: Metrics,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) fault: Option<Fault>,
    clock: Clock,
    snapshot: RwLock<Arc<Snapshot>>,
    credentials: Mutex<HashMap<[u8; 32], Arc<Credential>>>,
}

impl Server {
    /// Opens the database and reads what polls need. `key`: what signs documents and credentials.
    ///
    /// # Errors
    /// [`Error::Setting`], and those of the database.
    pub async fn open(
        settings: Settings,
        key: KeyPair,
        clock: Clock,
        fault: Option<Fault>,
    ) -> Result<Arc<Self>, Error> {
        settings.validate()?;
        let db = Db::open(&settings.database, settings.database_connections).await?;
        let (jobs, queue) = mpsc::channel(ingest::QUEUE);
        let server = Arc::new(Self {
            settings,
            db,
            public: key.public(),
            key,
            metrics: Metrics::default(),
            jobs,
            fault,
            clock,
            snapshot: RwLock::default(),
            credentials: Mutex::default(),
        });
        server.refresh().await?;
        tokio::spawn(ingest::write_all(Arc::downgrade(&server), queue));
        Ok(server)
    }

    /// Statements that the database ran for this server.
    pub fn statements(&self) -> u64 {
        self.db.statements()
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads what polls are answered from, if it changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refresh(&self) -> Result<(), Error> {
        let mut tx = self.db.read().await?;
        if snapshot::version(&mut tx).await? == self.snapshot().version {
            return Ok(());
        }
        let read = snapshot::read(&mut tx, &self.key, self.settings.poll_seconds).await?;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(())
    }

    /// Refreshes and judges until the server is dropped. A database that is away is asked again; polls
    /// are answered from what is known.
    pub fn keep_current(self: &Arc<Self>) {
        let (refresh, judge) = (self.settings.refresh_seconds, self.settings.judge_seconds);
        let server = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs_f64(refresh)).await;
                let Some(server) = server.upgrade() else { return };
                if let Err(error) = server.refresh().await {
                    server.metrics.failed("refresh");
                    tracing::error!("polls are answered from older knowledge: {error}");
                }
            }
        });
        let server = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs_f64(judge)).await;
                let Some(server) = server.upgrade() else { return };
                if let Err(error) = server.judge().await {
                    server.metrics.failed("judge");
                    tracing::error!("gates did not judge: {error}");
                }
            }
        });
    }

    /// The credential, if this server's key signed it and the enrolment still counts.
    pub(crate) fn credential(&self, sent: &str) -> Option<Arc<Credential>> {
        let hash = *blake3::hash(sent.as_bytes()).as_bytes();
        let remembered = || self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().get(&hash).cloned();
        let credential = match known {
            Some(credential) => credential,
            None => {
                let credential = Arc::new(believe(&self.public, sent)?);
                let mut remembered = remembered();
                if remembered.len() >= REMEMBERED {
                    remembered.clear();
                }
                remembered.insert(hash, credential.clone());
                credential
            }
        };
        let valid_from = self.snapshot().valid_from.get(&credential.vehicle).copied();
        (credential.generation >= valid_from.unwrap_or(1)).then_some(credential)
    }
}
