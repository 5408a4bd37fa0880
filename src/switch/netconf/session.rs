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
        let hello = read_hello(&text).map_err(|source| unreadable(&text, source))?;
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

/// The hello. Words before it, of a banner or a login script, are passed over.
fn read_hello(text: &str) -> Result<Element, XmlError> {
    let is_hello = |at: &usize| {
        let name = text[at + 1..].split(|next: char| next.is_whitespace() || matches!(next, '>' | '/')).next();
        name.and_then(|name| name.rsplit(':').next()) == Some("hello")
    };
    let start = text.match_indices('<').map(|(at, _)| at).find(is_hello).ok_or(XmlError::Empty)?;
    Element::read(&text[start..])
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);
    const SERVER_HELLO: &str = "<!-- user vmacd, class super-user -->\n<nc:hello xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\
        <nc:capabilities><nc:capability>urn:ietf:params:netconf:base:1.1</nc:capability></nc:capabilities>\
        <nc:session-id>4242</nc:session-id></nc:hello>]]>]]>";

    async fn opened_by(text: String) -> (Result<Session<DuplexStream>, SessionError>, DuplexStream) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(text.as_bytes()).await.expect("written");
        (Session::open(ours, WAIT).await, theirs)
    }

    #[tokio::test]
    async fn words_before_the_hello_are_passed_over() {
        for words in ["", "Welcome to sw-a1.\n", "<<< AUTHORISED USE ONLY >>> & hello, <b/> <user>\r\n", "\u{feff}"] {
            let (session, _server) = opened_by(format!("{words}{SERVER_HELLO}")).await;
            let session = session.expect("a session");
            assert_eq!(session.session_id.as_deref(), Some("4242"), "{words:?}");
            assert_eq!(session.framing, Framing::Chunked, "{words:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_hello_opens_no_session() {
        for text in ["Permission denied.]]>]]>", "<rpc-error/>]]>]]>", "]]>]]>"] {
            let (session, _server) = opened_by(text.to_owned()).await;
            assert!(matches!(session.map(|_| ()), Err(SessionError::Xml { .. })), "{text}");
        }
    }

    #[tokio::test]
    async fn a_reply_that_comes_with_the_hello_in_one_packet_is_read_after_it() {
        for between in ["", "\n", "\n\n"] {
            let reply = "<rpc-reply message-id=\"1\"><ok/></rpc-reply>";
            let chunk = String::from_utf8(encode(Framing::Chunked, reply)).expect("text");
            let (session, mut server) = opened_by(format!("{SERVER_HELLO}{between}{chunk}")).await;
            session.expect("a session").rpc("<get/>", WAIT).await.expect("the reply");
            let mut asked = vec![0; 4096];
            let read = server.read(&mut asked).await.expect("the client's hello and request");
            assert!(read > 0);
        }
    }
}
