//! A NETCONF session over any byte stream: hellos, numbered requests one at a time, a deadline for each.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::framing::{Decoder, Framing, FramingError, encode};
use super::reply::Reply;
use super::xml::{Element, XmlError};

/// Longest message accepted from a switch; a configuration of 5 MB fits many times.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const READ_BYTES: usize = 32 << 10;
const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";
const HELLO: &str = "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\
    <capability>urn:ietf:params:netconf:base:1.0</capability>\
    <capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>";

/// Why a session is of no use any more; after any of these it must be dropped.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The stream broke or ended.
    #[error("the connection was lost")]
    Lost(#[source] std::io::Error),
    /// No answer came in time.
    #[error("no answer within {after_ms} ms")]
    Timeout {
        /// The limit.
        after_ms: u128,
    },
    /// The other side frames its messages in a way that is not understood.
    #[error("the framing was not understood")]
    Framing(#[from] FramingError),
    /// What came is no XML.
    #[error("the answer was not understood: `{start}`")]
    Xml {
        /// How it starts.
        start: String,
        /// What is wrong with it.
        source: XmlError,
    },
}

/// An open session.
pub struct Session<S> {
    stream: S,
    decoder: Decoder,
    framing: Framing,
    message_id: u64,
    /// The server's session id, which is the process id that a lock's holder is shown with.
    pub session_id: Option<String>,
    /// What the server can do.
    pub capabilities: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Exchanges the hellos (RFC 6241 section 8.1).
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn open(stream: S, timeout: Duration) -> Result<Self, SessionError> {
        let mut session = Self {
            stream,
            decoder: Decoder::new(MESSAGE_BYTES_MAX),
            framing: Framing::EndOfMessage,
            message_id: 0,
            session_id: None,
            capabilities: Vec::new(),
        };
        bounded(timeout, session.greet()).await?;
        Ok(session)
    }

    async fn greet(&mut self) -> Result<(), SessionError> {
        self.send(HELLO).await?;
        let text = self.receive().await?;
        let hello = Element::read(&text).map_err(|source| unreadable(&text, source))?;
        self.session_id = hello.text_of("session-id").map(str::to_owned);
        let capabilities = hello.child("capabilities").into_iter().flat_map(|list| list.all("capability"));
        self.capabilities = capabilities.map(|capability| capability.text.trim().to_owned()).collect();
        if self.capabilities.iter().any(|capability| capability == BASE_1_1) {
            self.framing = Framing::Chunked;
            self.decoder.set_framing(Framing::Chunked);
        }
        Ok(())
    }

    /// Sends one request and reads its reply. `operation` is the XML inside `<rpc>`.
    ///
    /// # Errors
    /// [`SessionError`]; whether the switch carried the request out is then not known.
    pub async fn rpc(&mut self, operation: &str, timeout: Duration) -> Result<Reply, SessionError> {
        bounded(timeout, async {
            self.message_id += 1;
            let id = self.message_id;
            let request =
                format!("<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"{id}\">{operation}</rpc>");
            self.send(&request).await?;
            loop {
                let text = self.receive().await?;
                let reply = Reply::read(&text).map_err(|source| unreadable(&text, source))?;
                if reply.answers(id) {
                    return Ok(reply);
                }
            }
        })
        .await
    }

    async fn send(&mut self, message: &str) -> Result<(), SessionError> {
        self.stream.write_all(&encode(self.framing, message)).await.map_err(SessionError::Lost)?;
        self.stream.flush().await.map_err(SessionError::Lost)
    }

    async fn receive(&mut self) -> Result<String, SessionError> {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                // Without a copy where it is UTF-8: a whole configuration may be many megabytes.
                return Ok(String::from_utf8(message)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()));
            }
            match self.stream.read(&mut bytes).await.map_err(SessionError::Lost)? {
                0 => return Err(SessionError::Lost(std::io::ErrorKind::UnexpectedEof.into())),
                read => self.decoder.push(&bytes[..read]),
            }
        }
    }
}

fn unreadable(text: &str, source: XmlError) -> SessionError {
    SessionError::Xml { start: text.trim_start().chars().take(200).collect(), source }
}

async fn bounded<T>(timeout: Duration, work: impl Future<Output = Result<T, SessionError>>) -> Result<T, SessionError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(SessionError::Timeout { after_ms: timeout.as_millis() }),
    }
}
