//! What people's programs ask a server.

use std::io::Read;
use std::time::Duration;

use serde_json::Value;

use crate::Error;

/// Largest answer, bytes.
const MAX_ANSWER: u64 = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server, and who asks.
pub struct Client {
    base: String,
    token: String,
    agent: ureq::Agent,
}

impl Client {
    /// `base`: `https://host:port`. `token`: a person's.
    pub fn new(base: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .build();
        let base = base.trim_end_matches('/').to_owned();
        Self { base, token: token.trim().to_owned(), agent: config.new_agent() }
    }

    /// Asks; the path is encoded already.
    ///
    /// # Errors
    /// [`Error::Io`] if the server cannot be reached, [`Error::Refused`] with what it says otherwise.
    pub fn get(&self, path: &str) -> Result<Value, Error> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(&url).header("Authorization", self.bearer());
        self.read(&url, request.call())
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.post(&url).header("Authorization", self.bearer());
        self.read(&url, request.send(body.to_string()))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn read(
        &self,
        url: &str,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, Error> {
        let response =
            response.map_err(|cause| Error::io(url, std::io::Error::other(cause.to_string())))?;
        let status = response.status();
        let mut text = String::new();
        let mut body = response.into_body().into_reader().take(MAX_ANSWER);
        body.read_to_string(&mut text).map_err(|cause| Error::io(url, cause))?;
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        match answer {
            Some(answer) if status.is_success() => Ok(answer),
            Some(answer) => {
                let why = answer["error"].as_str().unwrap_or("no reason given");
                Err(Error::Refused(format!("{url}: {status}: {why}")))
            }
            None => Err(Error::Refused(format!(
                "{url}: {status}, and no JSON: is this a fleet server?"
            ))),
        }
    }
}

/// A text as part of a query.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
