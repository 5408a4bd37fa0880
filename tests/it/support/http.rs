//! Asking over HTTP, as a supervisor or a script would.

use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header `WWW-Authenticate`, of a refusal.
    pub challenge: Option<String>,
    /// The body.
    pub body: String,
}

/// GET, with a bearer token where one is given.
pub async fn get(url: &str, token: Option<&str>) -> Answer {
    let (url, token) = (url.to_owned(), token.map(str::to_owned));
    let asking = move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let request = agent.get(&url);
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let mut response = request.call().unwrap_or_else(|error| panic!("{url}: {error}"));
        let challenge = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
        Answer {
            status: response.status().as_u16(),
            challenge: challenge.map(str::to_owned),
            body: response.body_mut().read_to_string().expect("text"),
        }
    };
    tokio::task::spawn_blocking(asking).await.expect("asked")
}
