//! The byte stream of an SSH channel to a switch, from its first byte on.
//!
//! A server may send what a subsystem says before it answers the request for the subsystem: RFC 4254 (sections 5.2, 6.5)
//! puts the two in no order, and servers made with paramiko start the subsystem first. So whatever comes on the channel is
//! kept from the moment of the request, in the order in which it came.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use russh::client::{Handle, Handler, Msg};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most that a server may send before it answers the request; a hello has some kilobytes.
const EARLY_BYTES_MAX: usize = 1 << 20;

/// What is asked for on a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request {
    Subsystem(&'static str),
    Command(&'static str),
}

/// A channel whose request was granted. What comes on stderr is dropped.
pub(super) struct SshChannel {
    reader: ChannelReadHalf,
    writer: Pin<Box<dyn AsyncWrite + Send + Sync>>,
    /// What came and was not read yet.
    received: VecDeque<u8>,
    is_over: bool,
}

impl SshChannel {
    /// Opens a channel and makes the request; `None` where the server refuses it.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn open<H: Handler>(handle: &Handle<H>, request: Request) -> Result<Option<Self>, russh::Error> {
        let (reader, writer) = handle.channel_open_session().await?.split();
        match request {
            Request::Subsystem(name) => writer.request_subsystem(true, name).await?,
            Request::Command(command) => writer.exec(true, command).await?,
        }
        let mut channel = Self::new(reader, &writer);
        if channel.is_granted().await {
            return Ok(Some(channel));
        }
        // Switches limit the channels of a connection. One that the server has closed already needs no more.
        let _ = writer.close().await;
        Ok(None)
    }

    fn new(reader: ChannelReadHalf, writer: &ChannelWriteHalf<Msg>) -> Self {
        Self { reader, writer: Box::pin(writer.make_writer()), received: VecDeque::new(), is_over: false }
    }

    /// Waits for the answer to the request.
    async fn is_granted(&mut self) -> bool {
        while self.received.len() <= EARLY_BYTES_MAX {
            match self.reader.wait().await {
                Some(ChannelMsg::Success) => return true,
                Some(ChannelMsg::Data { data }) => self.received.extend(data.iter()),
                Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) | None => return false,
                Some(_) => {}
            }
        }
        false
    }
}

impl AsyncRead for SshChannel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A packet may be empty (RFC 4254 section 5.2 sets no least length); read as nothing it would be the end.
        while this.received.is_empty() && !this.is_over {
            // The future keeps nothing between two polls: what came stays in the channel's queue.
            match ready!(pin!(this.reader.wait()).poll(cx)) {
                Some(ChannelMsg::Data { data }) => this.received.extend(data.iter()),
                Some(ChannelMsg::Eof | ChannelMsg::Close) | None => this.is_over = true,
                Some(_) => {}
            }
        }
        let (next, _) = this.received.as_slices();
        let count = next.len().min(buf.remaining());
        buf.put_slice(&next[..count]);
        this.received.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SshChannel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().writer.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer.as_mut().poll_shutdown(cx)
    }
}
