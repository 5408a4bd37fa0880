//! Reading some messages of the archive.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::broker::{Archive, ArchiveReader, ArchiveStart, Archived, BrokerError};

/// How long the end of the archive must be quiet to be its end, and how long it is waited for where it is never quiet.
const QUIET: Duration = Duration::from_millis(100);
pub(super) const QUIET_MAX: Duration = Duration::from_secs(2);
/// How long a message that is known to be there may take to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The place of the last message; none in an empty archive.
pub(super) async fn end_of(archive: &Archive) -> Result<Option<i64>, BrokerError> {
    let mut reader = archive.read(ArchiveStart::Last).await?;
    let deadline = tokio::time::Instant::now() + QUIET_MAX;
    let mut end = None;
    while let Some(message) = reader.next(QUIET).await? {
        end = Some(message.offset);
        if tokio::time::Instant::now() > deadline {
            break;
        }
    }
    reader.close().await;
    Ok(end)
}

/// The place of the first message since then, or of one a little before; none where nothing came since then.
pub(super) async fn oldest_since(
    archive: &Archive,
    since: DateTime<Utc>,
    end: i64,
) -> Result<Option<i64>, BrokerError> {
    let mut reader = archive.read(ArchiveStart::since(since)).await?;
    let first = messages(&mut reader, end, 1, QUIET_MAX).await;
    reader.close().await;
    Ok(first?.first().map(|message| message.offset).filter(|place| *place <= end))
}

/// Up to so many messages, none behind the end.
pub(super) async fn messages(
    reader: &mut ArchiveReader,
    end: i64,
    max: usize,
    patience: Duration,
) -> Result<Vec<Archived>, BrokerError> {
    let mut messages: Vec<Archived> = Vec::new();
    while messages.len() < max && messages.last().is_none_or(|last| last.offset < end) {
        match reader.next(patience).await? {
            Some(message) => messages.push(message),
            None => break,
        }
    }
    Ok(messages)
}
