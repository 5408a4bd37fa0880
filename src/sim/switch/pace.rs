//! How fast a switch answers: what every reply waits, and how many bytes it sends in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until};

/// How many parts of a reply are sent in a second.
const PARTS_PER_SECOND: u64 = 20;

/// The pace of one switch; it may change while sessions are open.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    rpc_time_ms: AtomicU64,
    /// Bytes a second; 0 sends as fast as the line takes them.
    read_rate: AtomicU64,
}

impl Pace {
    pub(crate) fn set_rpc_time(&self, span: Duration) {
        self.rpc_time_ms.store(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn set_read_rate(&self, bytes_per_second: Option<u64>) {
        self.read_rate.store(bytes_per_second.unwrap_or(0), Ordering::Relaxed);
    }

    /// Waits what every request takes before it is looked at.
    pub(crate) async fn wait(&self) {
        let ms = self.rpc_time_ms.load(Ordering::Relaxed);
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Sends `bytes`, the last of them when the rate allows it.
    pub(crate) async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
        let rate = self.read_rate.load(Ordering::Relaxed);
        if rate == 0 {
            return stream.write_all(bytes).await;
        }
        let part = usize::try_from(rate / PARTS_PER_SECOND).unwrap_or(usize::MAX).max(1);
        let (began, mut sent) = (Instant::now(), 0_u64);
        for bytes in bytes.chunks(part) {
            sent += bytes.len() as u64;
            sleep_until(began + Duration::from_micros(sent.saturating_mul(1_000_000) / rate)).await;
            stream.write_all(bytes).await?;
            stream.flush().await?;
        }
        Ok(())
    }
}

/// Reads a number of bytes such as `150KB` or `1MB`; a kilobyte has 1,000.
///
/// # Errors
/// What was expected, when it is none.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match trimmed[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        _ => 0,
    };
    let bytes = digits.trim_end().parse::<u64>().ok().and_then(|count| count.checked_mul(factor));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| format!("{text}: expected a size such as 150KB or 1MB"))
}

/// Reads a rate such as `150KB/s`, in bytes a second.
///
/// # Errors
/// What was expected, when it is none.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let size = text.trim().strip_suffix("/s").unwrap_or(text);
    parse_bytes(size).map_err(|_| format!("{text}: expected a rate such as 150KB/s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_sizes_are_read() {
        assert_eq!(parse_rate("150KB/s"), Ok(150_000));
        assert_eq!(parse_rate("9600 B/s"), Ok(9_600));
        assert_eq!(parse_bytes("1MB"), Ok(1_000_000));
        assert_eq!(parse_bytes("70000"), Ok(70_000));
        for wrong in ["", "KB", "0", "1GB", "-1KB", "1.5MB", "99999999999999999999MB"] {
            assert!(parse_bytes(wrong).is_err() && parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_takes_as_long_as_the_rate_says() {
        let pace = Pace::default();
        pace.set_read_rate(Some(10_000));
        let (began, mut sink) = (Instant::now(), Vec::new());
        pace.send(&mut sink, &[7; 2_500]).await.unwrap();
        assert!(sink.len() == 2_500 && began.elapsed() >= Duration::from_millis(250));
    }
}
