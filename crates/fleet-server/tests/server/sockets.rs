//! Real connections: plain, TLS, mutual TLS.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ommatidia_fleet::wire::{Batch, Report};
use ommatidia_fleet_server::listen::{Listener, TlsSettings};
use ommatidia_fleet_server::protocol;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stand::{NOW, Vehicle, databases, open};

/// Sends and reads the answer's head; its status, or nothing if the server is gone.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
    body: &[u8],
) -> Option<u16> {
    let length = body.len();
    let head = format!("{head}host: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    stream.flush().await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8_lossy(&answer);
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

pub(crate) async fn report(address: &str, vehicle: &Vehicle, reports: &[Report]) -> Option<u16> {
    let batch = serde_json::to_vec(&Batch { reports: reports.to_vec() }).unwrap();
    let signature = protocol::sign(&vehicle.key, "POST", "/v1/reports", NOW, &batch);
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\n{}: {}\r\n{}: {NOW}\r\n{}: {signature}\r\n",
        protocol::CREDENTIAL,
        vehicle.credential,
        protocol::TIME,
        protocol::SIGNATURE
    );
    exchange(TcpStream::connect(address).await.ok()?, &head, &batch).await
}

const METRICS: &str = "GET /metrics HTTP/1.1\r\n";

fn certificate(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

async fn tls(address: std::net::SocketAddr, client: Option<&str>) -> Option<u16> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain =
                vec![CertificateDer::from_pem_file(certificate(&format!("{name}.pem"))).unwrap()];
            let key = PrivateKeyDer::from_pem_file(certificate(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from("localhost").unwrap();
    exchange(connector.connect(name, stream).await.ok()?, METRICS, b"").await
}

#[tokio::test]
async fn connections_as_configured() {
    let (database, _kept) = databases().await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicU64::new(NOW));
    for (encrypted, mutual) in [(false, false), (true, false), (true, true)] {
        let server = open(&database, folder.path(), &clock, None, |settings| {
            settings.listen = "127.0.0.1:0".to_owned();
            settings.tls = encrypted.then(|| TlsSettings {
                certificate: certificate("server.pem"),
                key: certificate("server.key"),
                client_ca: mutual.then(|| certificate("ca.pem")),
            });
        })
        .await;
        let listener = Listener::bind(&server).await.unwrap();
        let address = listener.address().unwrap();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(listener.serve(server, async {
            let _ = ended.await;
        }));
        let plain = exchange(TcpStream::connect(address).await.unwrap(), METRICS, b"").await;
        assert_eq!(plain, (!encrypted).then_some(200));
        if encrypted {
            assert_eq!(tls(address, None).await, (!mutual).then_some(200));
            assert_eq!(tls(address, Some("client")).await, Some(200));
            // Of another authority: refused where certificates count, else of no account.
            assert_eq!(tls(address, Some("stranger")).await, (!mutual).then_some(200));
        }
        end.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap();
    }
}
