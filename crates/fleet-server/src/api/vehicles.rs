//! What vehicles ask: to be let in, what to run, and to be heard.

use std::io::Read;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ommatidia_fleet::wire::{Batch, MAX_BATCH_TEXT, check_attributes, check_name};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::{Refusal, header, signed_path, signed_time};
use crate::ingest::Job;
use crate::protocol::{
    CREDENTIAL, Credential, DOCUMENT_SIGNATURE, Enrolment, MAX_CREDENTIAL, SIGNATURE, verifies,
};
use crate::server::Server;

/// Largest window of zstd, as a power of two: bounds the memory of decompression. What every decoder should
/// take (RFC 8878, section 3.1.1.1.2).
const MAX_WINDOW_LOG: u32 = 23;

fn unauthorised(text: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, text)
}

/// The vehicle whose credential and signature a request carries.
fn vehicle(
    server: &Server,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    body: &[u8],
) -> Result<Arc<Credential>, Refusal> {
    let sent = header(headers, CREDENTIAL);
    if sent.is_empty() || sent.len() > MAX_CREDENTIAL {
        return Err(unauthorised("the request has no credential; enrol first"));
    }
    let time = signed_time(server, headers)?;
    let Some(vehicle) = server.credential(sent) else {
        return Err(unauthorised("the credential is not this server's or was revoked; enrol anew"));
    };
    let at = (method.as_str(), signed_path(uri));
    if !verifies(&vehicle.key, header(headers, SIGNATURE), at, time, body) {
        return Err(unauthorised("the signature is not the vehicle's, or not of this request"));
    }
    Ok(vehicle)
}

/// The group's document; 304 to who has it. Answered from memory: no statement, no row per vehicle.
pub(super) async fn poll(
    State(server): State<Arc<Server>>,
    Path(group): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if server.settings.signed_polls {
        let vehicle = vehicle(&server, (&method, &uri, &headers), b"")?;
        if vehicle.group != group {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "the vehicle is of another group"));
        }
    }
    let snapshot = server.snapshot();
    let Some(group) = snapshot.groups.get(&group) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is no such group"));
    };
    let keep = match server.settings.signed_polls {
        true => "private, no-cache".to_owned(),
        false => format!("public, max-age={}", server.settings.poll_seconds.min(60)),
    };
    let keep = HeaderValue::try_from(keep).expect("letters and digits");
    let signature = HeaderName::from_static(DOCUMENT_SIGNATURE);
    let common =
        [(ETAG, group.tag.clone()), (CACHE_CONTROL, keep), (signature, group.signature.clone())];
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| tags == group.tag);
    if known {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((common, kind, group.body.clone()).into_response())
}

/// Lets a vehicle in that has a token and signs with the key it names.
pub(super) async fn enrol(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let bad = |text: String| Refusal::new(StatusCode::BAD_REQUEST, text);
    let enrolment: Enrolment =
        serde_json::from_slice(&body).map_err(|cause| bad(format!("enrolment: {cause}")))?;
    check_name("vehicle", &enrolment.vehicle)?;
    check_attributes(&enrolment.attributes)?;
    let hexadecimal = enrolment.key.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if enrolment.key.len() != 64 || !hexadecimal {
        return Err(bad("key: must be 64 small hexadecimal digits".to_owned()));
    }
    let time = signed_time(&server, &headers)?;
    let at = (method.as_str(), signed_path(&uri));
    if !verifies(&enrolment.key, header(&headers, SIGNATURE), at, time, &body) {
        return Err(unauthorised("the signature is not that of the key, or not of this request"));
    }
    let enrolled = server.enrol(&enrolment).await?;
    Ok((StatusCode::CREATED, axum::Json(enrolled)).into_response())
}

/// Takes a batch; answers when it cannot be lost any more.
pub(super) async fn reports(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let vehicle = vehicle(&server, (&method, &uri, &headers), &body)?;
    let text = match header(&headers, CONTENT_ENCODING.as_str()) {
        "zstd" => Bytes::from(decompress(&body)?),
        "" | "identity" => body,
        _ => {
            let text = "reports are sent as they are or with Content-Encoding: zstd";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
        }
    };
    let batch: Batch = serde_json::from_slice(&text)
        .map_err(|cause| Refusal::new(StatusCode::BAD_REQUEST, format!("reports: {cause}")))?;
    batch.validate()?;
    let (answer, accepted) = oneshot::channel();
    let job = Job { vehicle, reports: batch.reports, answer };
    match server.jobs.try_send(job) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Refusal::later("too many reports wait")),
        Err(TrySendError::Closed(_)) => return Err(Refusal::later("the server stops")),
    }
    match accepted.await {
        Ok(accepted) => Ok(axum::Json(accepted).into_response()),
        Err(_) => Err(Refusal::later("the reports are not written; send them again")),
    }
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let bad = |cause: std::io::Error| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("reports: not zstd: {cause}"))
    };
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(bad)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(bad)?;
    let mut text = Vec::new();
    decoder.take(MAX_BATCH_TEXT as u64 + 1).read_to_end(&mut text).map_err(bad)?;
    if text.len() > MAX_BATCH_TEXT {
        let text = format!("reports are larger than {MAX_BATCH_TEXT} bytes when decompressed");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    Ok(text)
}
