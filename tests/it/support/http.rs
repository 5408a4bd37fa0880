//! Asking over HTTP, as a supervisor, a script or a browser would.

use std::collections::BTreeMap;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, by their names in lowercase.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// GET unless told.
    pub method: &'static str,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Option<String>,
}

/// GET, with a bearer token where one is given.
pub async fn get(url: &str, token: Option<&str>) -> Answer {
    let headers = token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
    ask(url, Ask { headers, ..Ask::default() }).await
}

/// Any request.
pub async fn ask(url: &str, ask: Ask) -> Answer {
    asking(url, ask, 10).await
}

/// The same; where the answer sends elsewhere it is given itself.
pub async fn ask_without_following(url: &str, ask: Ask) -> Answer {
    asking(url, ask, 0).await
}

async fn asking(url: &str, ask: Ask, redirects_max: u32) -> Answer {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || blocking(&url, ask, redirects_max)).await.expect("asked")
}

fn blocking(url: &str, ask: Ask, redirects_max: u32) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(redirects_max)
        .max_redirects_will_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let method = if ask.method.is_empty() { "GET" } else { ask.method };
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let request = request.body(ask.body.unwrap_or_default()).expect("a request");
    let mut response = agent.run(request).unwrap_or_else(|error| panic!("{url}: {error}"));
    let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: response.body_mut().read_to_string().expect("text"),
    }
}
