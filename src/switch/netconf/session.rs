//! A NETCONF session over any byte stream: hellos, numbered requests one at a time, a deadline for each.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::framing::{Decoder, Framing, FramingError, encode};
use super::reply::{Reply, answers};
use super::verbatim::{TextError, take_text};
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
    /// What came is not XML.
    #[error("the answer was not understood: `{start}`")]
    Xml {
        /// How it starts.
        start: String,
        /// What is wrong with it.
        source: XmlError,
    },
    /// What it says of its configuration cannot be taken for what it holds.
    #[error("the text in the answer is not what the switch holds")]
    Text(#[from] TextError),
}

/// How much of a message is searched for the number of the request that it answers.
const START_BYTES: usize = 4 << 10;

/// A request: the XML inside `<rpc>`, and how long its reply may take.
pub struct Request {
    operation: Vec<u8>,
    timeout: Duration,
}

impl Request {
    /// A request with that time limit.
    pub fn new(operation: impl Into<Vec<u8>>, timeout: Duration) -> Self {
        Self { operation: operation.into(), timeout }
    }
}

/// A reply as it came.
pub struct Message(Vec<u8>);

impl Message {
    /// The reply read. Bytes that are no UTF-8 are replaced: what must be kept as it is, is asked of [`Self::text`].
    ///
    /// # Errors
    /// [`SessionError::Xml`].
    pub fn reply(&self) -> Result<Reply, SessionError> {
        read(&self.0)
    }

    /// The reply without the text in the first element of this name, and that text byte for byte.
    ///
    /// # Errors
    /// [`SessionError::Xml`], [`SessionError::Text`].
    pub fn text(&self, name: &str) -> Result<(Reply, Option<Vec<u8>>), SessionError> {
        let (rest, text) = take_text(&self.0, name)?;
        Ok((read(&rest)?, text))
    }

    fn answers(&self, id: u64) -> Result<bool, SessionError> {
        let start = String::from_utf8_lossy(&self.0[..self.0.len().min(START_BYTES)]);
        let root = Element::read_start(&start).map_err(|source| unreadable(&start, source))?;
        Ok(answers(&root, id))
    }
}

fn read(message: &[u8]) -> Result<Reply, SessionError> {
    let text = String::from_utf8_lossy(message);
    Reply::read(&text).map_err(|source| unreadable(&text, source))
}

/// An open session.
pub struct NetconfSession<S> {
    stream: S,
    decoder: Decoder,
    framing: Framing,
    message_id: u64,
    /// The server's session id, which is the process id that a lock's holder is shown with.
    pub session_id: Option<String>,
    /// What the server can do.
    pub capabilities: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> NetconfSession<S> {
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
        self.send(&encode(self.framing, HELLO)).await?;
        let text = self.receive().await?;
        let text = String::from_utf8_lossy(&text);
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

    /// Sends requests together and waits for their replies. A server carries requests out one after another and answers in
    /// their order (RFC 6241 section 4.5). Each reply has its time from the one before on. What came is added to
    /// `replies`.
    ///
    /// # Errors
    /// [`SessionError`]; whether the switch carried the requests out that have no reply is then not known.
    pub async fn rpcs(&mut self, requests: &[Request], replies: &mut Vec<Message>) -> Result<(), SessionError> {
        let first = self.message_id + 1;
        self.message_id += requests.len() as u64;
        let framed = requests.iter().zip(first..).flat_map(|(request, id)| self.framed(request, id));
        let framed: Vec<u8> = framed.collect();
        let mut sending = Some(framed);
        for (request, id) in requests.iter().zip(first..) {
            let reply = bounded(request.timeout, async {
                if let Some(framed) = sending.take() {
                    self.send(&framed).await?;
                }
                self.answer(id).await
            });
            replies.push(reply.await?);
        }
        Ok(())
    }

    fn framed(&self, request: &Request, id: u64) -> Vec<u8> {
        let start = format!("<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"{id}\">");
        encode(self.framing, [start.as_bytes(), &request.operation, b"</rpc>"].concat())
    }

    async fn answer(&mut self, id: u64) -> Result<Message, SessionError> {
        loop {
            let message = Message(self.receive().await?);
            if message.answers(id)? {
                return Ok(message);
            }
        }
    }

    async fn send(&mut self, framed: &[u8]) -> Result<(), SessionError> {
        self.stream.write_all(framed).await.map_err(SessionError::Lost)?;
        self.stream.flush().await.map_err(SessionError::Lost)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, SessionError> {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(message);
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

    async fn opened_by(text: String) -> (Result<NetconfSession<DuplexStream>, SessionError>, DuplexStream) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(text.as_bytes()).await.expect("written");
        (NetconfSession::open(ours, WAIT).await, theirs)
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
            let mut replies = Vec::new();
            let asked = session.expect("a session").rpcs(&[Request::new("<get/>", WAIT)], &mut replies).await;
            asked.expect("the reply");
            let mut asked = vec![0; 4096];
            let read = server.read(&mut asked).await.expect("the client's hello and request");
            assert!(read > 0);
        }
    }

    #[tokio::test]
    async fn requests_go_together_and_replies_are_told_apart_by_their_numbers() {
        let hello = "<hello><capabilities/></hello>]]>]]>";
        let replies = "<rpc-reply message-id=\"1\"><ok/></rpc-reply>]]>]]>stray words ]]>]]>\
                       <rpc-reply message-id=\"2\"><rpc-error><error-message>no</error-message></rpc-error></rpc-reply>]]>]]>";
        let (session, mut server) = opened_by(hello.to_owned()).await;
        let mut session = session.expect("a session");
        let requests = ["<lock/>", "<get/>", "<last/>"].map(|operation| Request::new(operation, WAIT));
        let mut answered = Vec::new();
        let switch = async {
            let mut asked = String::new();
            let mut buffer = [0; 4096];
            while !asked.contains("<last/>") {
                let read = server.read(&mut buffer).await.expect("requests");
                asked.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
            }
            server.write_all(replies.replace("stray words ", "<stray/>").as_bytes()).await.expect("written");
            drop(server);
        };
        let (ended, ()) = tokio::join!(session.rpcs(&requests, &mut answered), switch);
        assert!(matches!(ended, Err(SessionError::Lost(_))), "the last one has no reply");
        let errors: Vec<_> = answered.iter().map(|reply| reply.reply().expect("readable").errors.len()).collect();
        assert_eq!(errors, [0, 1]);
    }
}
