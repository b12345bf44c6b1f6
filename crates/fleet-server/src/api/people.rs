//! What people ask, each with a bearer token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ommatidia_fleet::filter::{Attributes, Filter};
use ommatidia_fleet::wire::check_group;
use serde::Deserialize;
use serde_json::json;

use super::{Refusal, header};
use crate::people::{self, Person, Role};
use crate::rollouts::{Act, Begin};
use crate::server::Server;
use crate::{audit as log, ingest, rollouts as standing, vehicles as fleet};

/// Most lines of an answer.
const MAX_LINES: u64 = 1000;

/// The person who calls, if they have the role.
pub(super) async fn person(
    server: &Server,
    headers: &HeaderMap,
    needed: Role,
) -> Result<Person, Refusal> {
    let token = header(headers, AUTHORIZATION.as_str()).strip_prefix("Bearer ").unwrap_or_default();
    if token.is_empty() {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "give a token: Authorization: Bearer …",
        ));
    }
    let Some(person) = people::by_token(&server.db, token).await? else {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "the token is nobody's"));
    };
    if !person.role.may(needed) {
        let text = format!("{} is {}, and this takes a {needed}", person.name, person.role);
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    Ok(person)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|cause| Refusal::new(StatusCode::BAD_REQUEST, cause.to_string()))
}

pub(super) async fn rollouts(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    person(&server, &headers, Role::Viewer).await?;
    let mut tx = server.db.read().await?;
    let rollouts = standing::list(&mut tx).await?;
    Ok(Json(json!({ "rollouts": rollouts })).into_response())
}

pub(super) async fn begin(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let person = person(&server, &headers, Role::Operator).await?;
    let begin: Begin = parse(&body)?;
    let mut tx = server.db.read().await?;
    let vehicles = fleet::matching(&mut tx, &begin.group, &begin.filter).await?;
    drop(tx);
    let name = begin.name.clone();
    server.begin(&person.name, begin).await?;
    let answer = Json(json!({ "rollout": name, "vehicles": vehicles }));
    Ok((StatusCode::CREATED, answer).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

pub(super) async fn act(
    State(server): State<Arc<Server>>,
    Path((name, act)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let person = person(&server, &headers, Role::Operator).await?;
    let nothing = || Refusal::new(StatusCode::NOT_FOUND, "a rollout takes pause, resume and stop");
    let act = Act::parse(&act).ok_or_else(nothing)?;
    let Reason { reason } = parse(&body)?;
    server.act(&person.name, &name, act, &reason).await?;
    Ok(Json(json!({ "rollout": name })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    group: String,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    after: String,
    limit: Option<u64>,
}

pub(super) async fn vehicles(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Response, Refusal> {
    person(&server, &headers, Role::Viewer).await?;
    check_group(&which.group)?;
    let filter = if which.filter.is_empty() { "TRUE" } else { &which.filter };
    let filter = Filter::parse(filter)?;
    let limit = which.limit.unwrap_or(100).clamp(1, MAX_LINES);
    let mut tx = server.db.read().await?;
    let matching = fleet::matching(&mut tx, &which.group, &filter).await?;
    let vehicles = fleet::list(&mut tx, &which.group, &filter, (&which.after, limit)).await?;
    Ok(Json(json!({ "matching": matching, "vehicles": vehicles })).into_response())
}

pub(super) async fn vehicle(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Path(vehicle): Path<String>,
) -> Result<Response, Refusal> {
    person(&server, &headers, Role::Viewer).await?;
    let mut tx = server.db.read().await?;
    let known = fleet::get(&mut tx, &vehicle).await?;
    let reports = ingest::last(&mut tx, &vehicle, 20).await?;
    Ok(Json(json!({ "vehicle": known, "last_reports": reports })).into_response())
}

pub(super) async fn revoke(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Path(vehicle): Path<String>,
) -> Result<Response, Refusal> {
    let person = person(&server, &headers, Role::Operator).await?;
    server.revoke(&person.name, &vehicle).await?;
    server.refresh().await?;
    Ok(Json(json!({ "revoked": vehicle })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    group: String,
    #[serde(default)]
    attributes: Attributes,
    hours: u64,
    count: u64,
}

pub(super) async fn tokens(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let person = person(&server, &headers, Role::Operator).await?;
    let Tokens { group, attributes, hours, count } = parse(&body)?;
    let tokens = server.make_tokens(&person.name, &group, &attributes, (hours, count)).await?;
    server.refresh().await?;
    Ok((StatusCode::CREATED, Json(json!({ "tokens": tokens }))).into_response())
}

pub(super) async fn tallies(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    person(&server, &headers, Role::Viewer).await?;
    let mut tx = server.db.read().await?;
    let tallies = ingest::tallies(&mut tx).await?;
    Ok(Json(json!({ "tallies": tallies })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    #[serde(default)]
    after: u64,
    limit: Option<u64>,
}

pub(super) async fn audit(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Query(which): Query<Lines>,
) -> Result<Response, Refusal> {
    person(&server, &headers, Role::Viewer).await?;
    if which.after > i64::MAX as u64 {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "after: there are no such lines"));
    }
    let limit = which.limit.unwrap_or(100).clamp(1, MAX_LINES);
    let mut tx = server.db.read().await?;
    let (lines, chained) = log::read(&mut tx, which.after, limit).await?;
    Ok(Json(json!({ "lines": lines, "chained": chained })).into_response())
}
