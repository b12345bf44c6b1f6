//! What starts a server, and what is done beside it on its machine: for programs without a runtime.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ommatidia_update::tuf::KeyPair;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

use crate::listen::Listener;
use crate::{Clock, Error, Server, Settings};

/// How often a serving process looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// What a server says of itself when it listens.
#[derive(Debug, Clone, Serialize)]
pub struct Started {
    /// Where.
    pub address: String,
    /// The key that signs documents and credentials, hexadecimal: vehicles learn it at enrolment.
    pub server_key: String,
}

/// The server's secret key, 64 hexadecimal digits in a file that only its owner reads; made if missing.
///
/// # Errors
/// [`Error::Io`], and [`Error::Setting`] if the file holds something else.
pub fn server_key(path: &Path) -> Result<KeyPair, Error> {
    let about = |cause| Error::io(path.display(), cause);
    match fs::read_to_string(path) {
        Ok(text) => {
            let digit =
                |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
            let seed: Option<Vec<u8>> = (0..32).map(|i| digit(2 * i)).collect();
            let seed = seed.filter(|_| text.trim_end().len() == 64);
            let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok());
            let problem = || format!("{}: must hold 64 hexadecimal digits", path.display());
            let bad = || Error::Setting { setting: "key", problem: problem() };
            Ok(KeyPair::from_seed(seed.ok_or_else(bad)?))
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            let none = |_| about(std::io::Error::other("the system has no random numbers"));
            SystemRandom::new().fill(&mut seed).map_err(none)?;
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(about)?;
            }
            let text: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create_new(true).mode(0o600).open(path).map_err(about)?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(about)?;
            Ok(KeyPair::from_seed(seed))
        }
        Err(cause) => Err(about(cause)),
    }
}

/// The system's clock. A machine whose clock stands before 1970 has none.
pub fn system_clock() -> Clock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

async fn open(settings: Settings) -> Result<Arc<Server>, Error> {
    let make = |folder: &Path| {
        fs::create_dir_all(folder).map_err(|cause| Error::io(folder.display(), cause))
    };
    make(&settings.files)?;
    if let Some(path) = settings.database.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//").split('?').next().unwrap_or_default();
        Path::new(path).parent().map(make).transpose()?;
    }
    let key = server_key(&settings.key)?;
    Server::open(settings, key, system_clock(), None).await
}

pub(crate) fn runtime(threads: Option<usize>) -> Result<tokio::runtime::Runtime, Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().map_err(|cause| Error::io("threads", cause))
}

/// Serves until `ended` says so.
///
/// # Errors
/// Those of opening and listening; once it serves, it goes on.
pub fn serve(
    settings: Settings,
    threads: Option<usize>,
    started: impl FnOnce(&Started),
    ended: impl Fn() -> bool,
) -> Result<(), Error> {
    runtime(threads)?.block_on(async {
        let server = open(settings).await?;
        server.keep_current();
        let listener = Listener::bind(&server).await?;
        let address = listener.address()?.to_string();
        started(&Started { address, server_key: server.public.keyval.public.clone() });
        let end = async {
            while !ended() {
                tokio::time::sleep(LOOK).await;
            }
        };
        listener.serve(server, end).await;
        Ok(())
    })
}

/// Does something with a server that does not listen.
///
/// # Errors
/// Those of opening, and of `work`.
pub fn with_server<T>(
    settings: Settings,
    work: impl AsyncFnOnce(&Server) -> Result<T, Error>,
) -> Result<T, Error> {
    runtime(Some(1))?.block_on(async {
        let server = open(settings).await?;
        work(&server).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_for_their_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/server.key");
        let made = server_key(&path).unwrap();
        assert_eq!(server_key(&path).unwrap().id(), made.id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for bad in ["", "00", &"x".repeat(64), &"0".repeat(66), &"é".repeat(32)] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(server_key(&path), Err(Error::Setting { .. })), "{bad}");
        }
    }
}
