//! Requests as they arrive. They are read while an earlier one is answered, so that it shows which were sent together.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::framing::{Framing, Inbox};

/// A message of the client's.
pub(crate) struct Request {
    pub text: String,
    pub arrived: Instant,
}

/// Puts requests into `queue` until the client goes away or sends what is no message.
pub(crate) async fn read_all<R: AsyncRead + Unpin>(
    mut inbox: Inbox,
    mut stream: R,
    framing: Framing,
    queue: Sender<Request>,
) {
    while let Ok(Some(text)) = receive(&mut inbox, &mut stream, framing).await {
        let request = Request { text, arrived: Instant::now() };
        if queue.send(request).await.is_err() {
            return;
        }
    }
}

/// The next message; `None` where the stream ends or its framing is broken.
pub(crate) async fn receive<R: AsyncRead + Unpin>(
    inbox: &mut Inbox,
    stream: &mut R,
    framing: Framing,
) -> std::io::Result<Option<String>> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match inbox.next(framing) {
            Ok(Some(message)) => return Ok(Some(message)),
            Ok(None) => {}
            Err(()) => return Ok(None),
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            count => inbox.push(&buffer[..count]),
        }
    }
}
