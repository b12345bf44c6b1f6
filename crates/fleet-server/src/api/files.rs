//! Bundles, deltas and metadata: signed elsewhere, put here by signers, fetched by vehicles in ranges.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tower_http::services::ServeFile;

use super::Refusal;
use super::people::person;
use crate::audit::{self, Change};
use crate::people::Role;
use crate::protocol::random_secret;
use crate::{Error, server::Server};

/// Deepest folder and longest name of a part.
const MAX_PARTS: usize = 8;
const MAX_PART: usize = 128;
/// Longest time between two pieces of a file that is put.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Where a file lies. Names of few letters only, none hidden, so that no path leads elsewhere.
fn locate(server: &Server, path: &str) -> Result<PathBuf, Refusal> {
    let good = |part: &str| {
        (1..=MAX_PART).contains(&part.len())
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let parts: Vec<_> = path.split('/').collect();
    if parts.len() > MAX_PARTS || !parts.iter().all(|part| good(part)) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no file has such a name"));
    }
    Ok(server.settings.files.join(parts.join("/")))
}

pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let file = locate(&server, &path)?;
    if !tokio::fs::metadata(&file).await.is_ok_and(|found| found.is_file()) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is no such file"));
    }
    match ServeFile::new(&file).try_call(request).await {
        Ok(response) => Ok(response.map(Body::new)),
        Err(cause) => Err(Error::io(file.display(), cause).into()),
    }
}

pub(super) async fn put(
    State(server): State<Arc<Server>>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let person = person(&server, request.headers(), Role::Signer).await?;
    let file = locate(&server, &path)?;
    let folder = file.parent().map(PathBuf::from).unwrap_or_default();
    let about = |cause| Error::io(file.display(), cause);
    let in_the_way = || {
        Refusal::new(
            StatusCode::CONFLICT,
            "a folder has this name, or a file that of a folder of it",
        )
    };
    match tokio::fs::create_dir_all(&folder).await {
        Err(cause)
            if matches!(cause.kind(), ErrorKind::NotADirectory | ErrorKind::AlreadyExists) =>
        {
            return Err(in_the_way());
        }
        made => made.map_err(about)?,
    }
    if tokio::fs::metadata(&file).await.is_ok_and(|found| found.is_dir()) {
        return Err(in_the_way());
    }
    // Hidden: nobody can fetch it before it is whole.
    let part = folder.join(format!(".{}", random_secret("part")?));
    let written = match receive(&server, &part, request.into_body()).await {
        Ok(written) => written,
        Err(refusal) => {
            // What could not be written may not be there at all.
            let _ = tokio::fs::remove_file(&part).await;
            return Err(refusal);
        }
    };
    let (bytes, hash) = written;
    let mut tx = server.db.begin().await?;
    let number = audit::lock(&mut tx).await?;
    let detail = json!({ "bytes": bytes, "blake3": hash });
    let (at, who) = (server.now(), person.name.as_str());
    let change = Change { at, who, action: "file.put", subject: &path, detail };
    audit::write(&mut tx, number, change).await?;
    // The log first: a line about a file that did not come says less wrong than a file without a line.
    tx.commit().await?;
    tokio::fs::rename(&part, &file).await.map_err(about)?;
    let folder = tokio::fs::File::open(&folder).await.map_err(about)?;
    folder.sync_all().await.map_err(about)?;
    Ok((StatusCode::CREATED, axum::Json(json!({ "bytes": bytes, "blake3": hash }))).into_response())
}

/// Writes a body to a file and to the disk; its length and BLAKE3 hash.
async fn receive(server: &Server, part: &PathBuf, body: Body) -> Result<(u64, String), Refusal> {
    let about = |cause| Error::io(part.display(), cause);
    let mut file = tokio::fs::File::create(part).await.map_err(about)?;
    let (mut bytes, mut hasher) = (0, blake3::Hasher::new());
    let mut stream = body.into_data_stream();
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the file came too slowly");
    while let Some(chunk) = tokio::time::timeout(MAX_PAUSE, stream.next()).await.map_err(late)? {
        let chunk = chunk
            .map_err(|cause| Refusal::new(StatusCode::BAD_REQUEST, format!("the file: {cause}")))?;
        bytes += chunk.len() as u64;
        if bytes > server.settings.max_file_bytes {
            let text = format!("a file has at most {} bytes", server.settings.max_file_bytes);
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(about)?;
    }
    file.sync_all().await.map_err(about)?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}
