//! What clients over HTTP may take up, and what is told when something else is silent.

mod crowds;
mod descriptors;
mod logins;
mod roles;
mod silence;
mod tokens;
mod watchers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::http::get;
use crate::support::vmacd::Serve;

/// Half a head of a request.
const HALF: &str = "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Never-Ends: ";
/// A request whose body never comes.
const NO_BODY: &str = "POST /api/v1/vmacs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 400\r\n\r\n{";

/// Where its HTTP side listens.
fn address(serve: &Serve) -> String {
    serve.http_url().trim_start_matches("http://").to_owned()
}

/// Clients that open connections and go no further, and open them again when they are closed, for as long as the value lives.
struct Crowd {
    _clients: JoinSet<()>,
    opened: Arc<AtomicU64>,
}

impl Crowd {
    /// So many clients; each sends one of these beginnings.
    fn gather(serve: &Serve, count: usize, beginnings: &[&'static str]) -> Self {
        // Both ends of the connections, and what the test has besides.
        rlimit::increase_nofile_limit(4_096).expect("enough descriptors for the test");
        let (opened, mut clients) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        for number in 0..count {
            clients.spawn(hang_on(address(serve), beginnings[number % beginnings.len()], opened.clone()));
        }
        Self { _clients: clients, opened }
    }

    /// Connections opened so far.
    fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

async fn hang_on(address: String, beginning: &'static str, opened: Arc<AtomicU64>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            opened.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(beginning.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        // All of them together are some hundred connections a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn metrics(serve: &Serve, token: Option<&str>) -> String {
    let answer = get(&format!("{}/metrics", serve.http_url()), token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The value of a sample in the text of the metrics.
fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().expect("a number")
}
