//! What is answered when something is not done.

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Error;

/// A status and why, as JSON.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), header: None }
    }

    /// Not now: come back.
    pub(crate) fn later(text: &str) -> Self {
        let mut refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
        refusal.header = Some((RETRY_AFTER, HeaderValue::from_static("30")));
        refusal
    }

    /// With a number in a header.
    pub(crate) fn with(mut self, name: &'static str, value: u64) -> Self {
        self.header = Some((HeaderName::from_static(name), HeaderValue::from(value)));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.text }).to_string();
        let kind = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(CONTENT_TYPE, kind)], body).into_response();
        response.headers_mut().extend(self.header);
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Fleet(_) => Self::new(StatusCode::BAD_REQUEST, error.to_string()),
            Error::Refused(text) => Self::new(StatusCode::CONFLICT, text),
            Error::Missing(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            // What a database says may tell too much.
            other => {
                tracing::error!("{other}");
                Self::later("the server cannot do this now; try again")
            }
        }
    }
}

impl From<ommatidia_fleet::Error> for Refusal {
    fn from(error: ommatidia_fleet::Error) -> Self {
        Error::from(error).into()
    }
}
