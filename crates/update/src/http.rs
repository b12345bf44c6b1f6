//! Files from a web server.

use std::io::Read;
use std::time::Duration;

use crate::tuf::{Transport, Unavailable};

/// Longest time a server may take for one answer's body. What came by then is kept by whoever resumes.
const BODY_TIMEOUT: Duration = Duration::from_secs(600);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Files below an address.
pub struct Http {
    base: String,
    agent: ureq::Agent,
}

impl Http {
    /// `base`: `https://host/path`; a path of a file is put behind it. Redirections are not followed.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(ANSWER_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_recv_body(Some(BODY_TIMEOUT))
            .build();
        Self { base: base.trim_end_matches('/').to_owned(), agent: config.new_agent() }
    }
}

impl Transport for Http {
    fn get(&self, path: &str, offset: u64) -> Result<Box<dyn Read + '_>, Unavailable> {
        let url = format!("{}/{path}", self.base);
        let failed = |why: String| Unavailable::Failed(format!("{url}: {why}"));
        let mut request = self.agent.get(&url);
        if offset > 0 {
            request = request.header("Range", format!("bytes={offset}-"));
        }
        let response = request.call().map_err(|cause| failed(cause.to_string()))?;
        let status = response.status().as_u16();
        let body = response.into_body().into_reader();
        match status {
            200 if offset > 0 => Err(Unavailable::NoRanges),
            200 => Ok(Box::new(body)),
            206 if offset > 0 => Ok(Box::new(body)),
            403 | 404 => Err(Unavailable::Missing),
            status => Err(failed(format!("the server answered {status}"))),
        }
    }
}
