//! Connections: plain or TLS, bounded in number and in time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::api::router;
use crate::{Error, Server};

/// Longest time for a handshake, and for the head of a request; also until an idle connection is closed.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(30);
/// Largest head of a request, bytes: a credential and its company.
const HEAD_BYTES: usize = 16 << 10;
/// Longest time that open requests get at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Certificates of a listener, PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The server's chain.
    pub certificate: PathBuf,
    /// Its secret key.
    pub key: PathBuf,
    /// Whose certificates clients must have; none: clients need none.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

impl TlsSettings {
    fn acceptor(&self) -> Result<TlsAcceptor, Error> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|cause| pem(&self.key, cause))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let fail = |setting| {
            move |cause: &dyn std::fmt::Display| Error::Setting {
                setting,
                problem: cause.to_string(),
            }
        };
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|cause| fail("tls")(&cause))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|cause| fail("tls.client_ca")(&cause))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|cause| fail("tls.client_ca")(&cause))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder
            .with_single_cert(certificates(&self.certificate)?, key)
            .map_err(|cause| fail("tls.certificate")(&cause))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn pem(path: &Path, cause: rustls::pki_types::pem::Error) -> Error {
    Error::Setting { setting: "tls", problem: format!("{}: {cause}", path.display()) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).map_err(|cause| pem(path, cause))?;
    read.collect::<Result<_, _>>().map_err(|cause| pem(path, cause))
}

/// A socket that vehicles and people reach.
pub struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Takes the address that the settings name.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be had, [`Error::Setting`] if certificates cannot be used.
    pub async fn bind(server: &Server) -> Result<Self, Error> {
        let tls = server.settings.tls.as_ref().map(TlsSettings::acceptor).transpose()?;
        let address = &server.settings.listen;
        let socket = TcpListener::bind(address).await.map_err(|cause| Error::io(address, cause))?;
        Ok(Self { socket, tls })
    }

    /// The address it got.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn address(&self) -> Result<std::net::SocketAddr, Error> {
        self.socket.local_addr().map_err(|cause| Error::io("listener", cause))
    }

    /// Serves until `end`; then open requests are answered.
    pub async fn serve(self, server: Arc<Server>, end: impl Future<Output = ()>) {
        let app = router(server.clone());
        let places = Arc::new(Semaphore::new(server.settings.max_connections));
        let farewell = GracefulShutdown::new();
        let mut end = std::pin::pin!(end);
        loop {
            // A place first: beyond the most, connections wait in the kernel's queue.
            let next = async {
                let place = places.clone().acquire_owned().await;
                (place, self.socket.accept().await)
            };
            let (place, stream) = tokio::select! {
                () = &mut end => break,
                (place, accepted) = next => match accepted {
                    Ok((stream, _)) => (place, stream),
                    Err(cause) => {
                        // Out of files, mostly: others must close first.
                        tracing::warn!("a connection is not taken: {cause}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                }
            };
            let connection = Connection { app: app.clone(), tls: self.tls.clone() };
            let (watcher, server) = (farewell.watcher(), server.clone());
            tokio::spawn(async move {
                server.metrics.connections.fetch_add(1, Ordering::Relaxed);
                connection.run(stream, watcher).await;
                server.metrics.connections.fetch_sub(1, Ordering::Relaxed);
                drop(place);
            });
        }
        // Who does not end by then is cut off; vehicles send again.
        let _ = tokio::time::timeout(FAREWELL, farewell.shutdown()).await;
    }
}

struct Connection {
    app: Router,
    tls: Option<TlsAcceptor>,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        // Answers are small and whole.
        let _ = stream.set_nodelay(true);
        match self.tls {
            None => talk(self.app, stream, watcher).await,
            Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => talk(self.app, stream, watcher).await,
                Ok(Err(cause)) => tracing::debug!("TLS: {cause}"),
                Err(_) => tracing::debug!("TLS: the handshake took too long"),
            },
        }
    }
}

async fn talk(
    app: Router,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    if let Err(cause) = watcher.watch(connection).await {
        tracing::debug!("connection: {cause}");
    }
}
