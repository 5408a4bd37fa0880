//! Waiting for a condition, with one patience for all tests.

use super::run_dir::number;
use std::fmt::Debug;
use std::time::{Duration, Instant};

const POLL_MS: u64 = 20;

/// What a probe may answer: there (`Ok`), or not yet, with what was seen instead.
pub trait Verdict {
    /// What a satisfied probe hands on.
    type Value;
    /// `Err` says what was seen instead.
    fn verdict(self) -> Result<Self::Value, String>;
}

impl Verdict for bool {
    type Value = ();
    fn verdict(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".into()) }
    }
}

impl<T> Verdict for Option<T> {
    type Value = T;
    fn verdict(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".into())
    }
}

/// `Err(what was seen)` goes into the failure's text: the best answer for a probe that sees more than yes and no.
impl<T, E: Debug> Verdict for Result<T, E> {
    type Value = T;
    fn verdict(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// How long tests wait before they give up: `VMACD_TEST_PATIENCE_S`, 60 seconds by default.
pub fn patience() -> Duration {
    Duration::from_secs(number("VMACD_TEST_PATIENCE_S").unwrap_or(60))
}

/// Probes every 20 ms until the answer is `true`, `Some` or `Ok`, and returns what it holds. When patience is over
/// it panics with `what` and what was seen last.
#[track_caller]
pub fn eventually<R: Verdict>(what: &str, probe: impl AsyncFnMut() -> R) -> impl Future<Output = R::Value> {
    eventually_within(patience(), what, probe)
}

/// As [`eventually`], with another patience.
#[track_caller]
pub fn eventually_within<R: Verdict>(
    patience: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> R,
) -> impl Future<Output = R::Value> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + patience;
        let mut seen = "no answer from the probe".to_string();
        loop {
            // A probe that hangs must not hang the test.
            match tokio::time::timeout_at(deadline.into(), probe()).await.map(R::verdict) {
                Ok(Ok(value)) => return value,
                Ok(Err(other)) => seen = other,
                Err(_) => {}
            }
            assert!(Instant::now() < deadline, "{caller}: not within {patience:?}: {what}; last seen: {seen}");
            tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
        }
    }
}
