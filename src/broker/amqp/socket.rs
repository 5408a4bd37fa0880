//! The connection's socket as lapin sees it: frames are shortened on their way ([`super::frames`]), and nothing is read
//! while as many bytes are in hand as may be.
//!
//! The prefetch bounds how many messages come, not how large they are: RabbitMQ has no bound in bytes (it refuses a
//! `prefetch_size` in `basic.qos`, <https://www.rabbitmq.com/docs/specification#basic>). What is not read waits in the
//! broker. lapin takes a server that is silent for dead, so meanwhile it is given heartbeats.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use lapin::AsyncTcpStream;
use lapin::tcp::{AMQPUriTcpExt, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::frames::{HEARTBEAT, Shortener};
use super::in_hand::Flow;

/// Read from the socket at once, bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of a long body after which lapin may do something else.
const TURN_BYTES: usize = 1 << 20;
/// Time between heartbeats while nothing is read: well below the shortest time-out that lapin knows (two seconds).
const BEAT: Duration = Duration::from_millis(500);

type TokioStream = <Tokio as Reactor>::TcpStream;

/// A socket that shortens what it reads.
pub(super) struct Socket {
    inner: AsyncTcpStream<TokioStream>,
    shortener: Shortener,
    chunk: Box<[u8]>,
    /// Shortened, and handed out up to here.
    ready: Vec<u8>,
    handed_out: usize,
    /// Read since anything was handed out.
    swallowed: usize,
    flow: Option<Arc<Flow>>,
    beat: Option<Pin<Box<Sleep>>>,
    tokio: Handle,
}

impl Socket {
    /// Connects. With `flow`, nothing is read while that is full.
    pub async fn connect(uri: AMQPUri, tls: &OwnedTLSConfig, flow: Option<Arc<Flow>>) -> io::Result<Self> {
        let stream = uri.connect_with_config_async(tls.as_ref(), &Runtime::tokio_current()).await?;
        Ok(Self::over(stream, flow))
    }

    fn over(inner: AsyncTcpStream<TokioStream>, flow: Option<Arc<Flow>>) -> Self {
        Self {
            inner,
            shortener: Shortener::default(),
            chunk: vec![0; CHUNK_BYTES].into(),
            ready: Vec::new(),
            handed_out: 0,
            swallowed: 0,
            flow,
            beat: None,
            tokio: Handle::current(),
        }
    }

    /// How many bytes to read next; none once a heartbeat is ready in their place. While as much is in hand as may be, the
    /// frame that lapin has a part of is read to its end and no further, because a heartbeat may only come between frames.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        let is_full = self.flow.as_ref().is_some_and(|flow| flow.is_full(context.waker()));
        let room = if is_full { self.shortener.left_of_frame() } else { CHUNK_BYTES };
        if room > 0 {
            self.beat = None;
            return Poll::Ready(room.min(CHUNK_BYTES));
        }
        let tokio = &self.tokio;
        let beat = self.beat.get_or_insert_with(|| {
            let _in_tokio = tokio.enter();
            Box::pin(tokio::time::sleep(BEAT))
        });
        ready!(beat.as_mut().poll(context));
        self.beat = None;
        self.ready.extend_from_slice(&HEARTBEAT);
        Poll::Ready(0)
    }

    fn hand_out(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.ready[self.handed_out..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.handed_out += count;
        if self.handed_out == self.ready.len() {
            self.ready.clear();
            self.handed_out = 0;
        }
        count
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                this.swallowed = 0;
                return Poll::Ready(Ok(this.hand_out(buffer)));
            }
            if this.swallowed >= TURN_BYTES {
                // A long body must not keep lapin from writing, nor make it believe that the server is silent.
                this.ready.extend_from_slice(&HEARTBEAT);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let room = ready!(this.poll_room(context));
            if this.ready.is_empty() {
                let count = ready!(Pin::new(&mut this.inner).poll_read(context, &mut this.chunk[..room]))?;
                if count == 0 {
                    return Poll::Ready(Ok(0));
                }
                let messages = this.shortener.feed(&this.chunk[..count], &mut this.ready);
                this.flow.iter().for_each(|flow| flow.pass(messages));
                this.swallowed += count;
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

/// Tokio, with sockets that shorten what they read.
pub(super) type ShorteningRuntime = Runtime<RuntimeParts<Tokio, Sockets>>;

/// The part of a runtime that makes sockets and timers.
#[derive(Debug, Clone)]
pub(super) struct Sockets(Tokio);

/// The runtime for a connection.
pub(super) fn runtime() -> ShorteningRuntime {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), Sockets(tokio)))
}

impl Reactor for Sockets {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Socket::over(AsyncTcpStream::Plain(connecting.await?), None)) }
    }
}
