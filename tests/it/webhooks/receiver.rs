//! A receiver of webhooks on a port of its own, which answers as the test says: it speaks just enough HTTP for that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// This status, these further lines of the head, and this body.
    Status(u16, &'static str, &'static str),
    /// Nothing, ever.
    Silence,
    /// The connection is closed before an answer.
    Close,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The headers, by their names in lowercase.
    pub headers: BTreeMap<String, String>,
    /// The body as it came.
    pub body: String,
    /// When it was whole.
    pub at: SystemTime,
    /// What it was answered with.
    pub reply: Reply,
}

impl Received {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The address that its event is about.
    pub fn ip(&self) -> String {
        self.json()["data"]["ip_address"].as_str().expect("an address").to_owned()
    }

    /// Whether it was answered with success.
    pub fn is_taken(&self) -> bool {
        matches!(self.reply, Reply::Status(200..=299, _, _))
    }
}

type Answering = Box<dyn FnMut(&Received) -> Reply + Send>;

struct State {
    received: Vec<Received>,
    answer: Answering,
}

/// A receiver that runs as long as the test.
pub struct Receiver {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts one that answers so.
    pub async fn start(answer: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(Mutex::new(State { received: Vec::new(), answer: Box::new(answer) }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { port, state }
    }

    /// Starts one that takes everything.
    pub async fn taking() -> Self {
        Self::start(|_| OK).await
    }

    /// From now on it answers so.
    pub fn answer(&self, answer: impl FnMut(&Received) -> Reply + Send + 'static) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answer = Box::new(answer);
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/events", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has received so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).received.clone()
    }

    /// What it has received and answered with success.
    pub fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(Received::is_taken).collect()
    }
}

/// Success.
pub const OK: Reply = Reply::Status(204, "", "");

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some((headers, body)) = read(&mut stream).await else { return };
    let reply = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut received = Received { headers, body, at: SystemTime::now(), reply: Reply::Close };
        received.reply = (state.answer)(&received);
        let reply = received.reply.clone();
        state.received.push(received);
        reply
    };
    match reply {
        Reply::Status(status, head, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Reply::Silence => {
            // Until the sender has had enough.
            let _ = stream.read(&mut [0]).await;
        }
        Reply::Close => {}
    }
}

async fn read(stream: &mut TcpStream) -> Option<(BTreeMap<String, String>, String)> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut part).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: BTreeMap<_, _> =
            lines.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some((headers, body.to_owned()));
        }
    }
}
