//! What a part of the surroundings last said, asked for in the background: who reads waits a bounded time, whatever is silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

/// Longest time that somebody waits for an answer.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
/// How old an error may be before it is asked again.
const ERROR_AGE_MAX: Duration = Duration::from_secs(1);

/// One question to one part, asked at most once at a time however many want to know.
pub struct Asked<T> {
    said: watch::Sender<Said<T>>,
    turn: Arc<Semaphore>,
    /// How old an answer may be.
    good_for: Duration,
}

/// What a part has said so far.
#[derive(Clone)]
struct Said<T> {
    /// The last answer, and when it came.
    answer: Option<(T, Instant)>,
    /// What came since in place of one, and when.
    error: Option<(String, Instant)>,
}

/// What is known.
#[derive(Debug)]
pub struct Known<T> {
    /// The last answer, however old, and when it came; none where there never was one.
    pub answer: Option<(T, Instant)>,
    /// Why it is an old one.
    pub trouble: Option<String>,
}

impl<T: Clone + Send + Sync + 'static> Asked<T> {
    pub fn new(good_for: Duration) -> Self {
        let said = watch::Sender::new(Said { answer: None, error: None });
        Self { said, turn: Arc::new(Semaphore::new(1)), good_for }
    }

    /// The answer, asked for by this where the last one is too old. The question goes on when nobody waits for it any
    /// more, and nobody asks again before it has ended.
    pub async fn know(&self, ask: impl Future<Output = Result<T, String>> + Send + 'static) -> Known<T> {
        let mut answers = self.said.subscribe();
        let said = answers.borrow_and_update().clone();
        if said.is_fresh(self.good_for) {
            return said.known(true);
        }
        if let Ok(turn) = self.turn.clone().try_acquire_owned() {
            let said = self.said.clone();
            #[expect(clippy::disallowed_methods, reason = "one question, whose asker has a time limit")]
            tokio::spawn(async move {
                let answer = ask.await;
                said.send_modify(|said| said.note(answer));
                drop(turn);
            });
        }
        let in_time = tokio::time::timeout(PATIENCE, answers.changed()).await.is_ok();
        let said = answers.borrow().clone();
        said.known(in_time)
    }
}

impl<T> Said<T> {
    fn is_fresh(&self, good_for: Duration) -> bool {
        match (&self.error, &self.answer) {
            (Some((_, at)), _) => at.elapsed() <= good_for.min(ERROR_AGE_MAX),
            (None, Some((_, at))) => at.elapsed() <= good_for,
            (None, None) => false,
        }
    }

    fn note(&mut self, answer: Result<T, String>) {
        let now = Instant::now();
        match answer {
            Ok(answer) => (self.answer, self.error) = (Some((answer, now)), None),
            Err(error) => self.error = Some((error, now)),
        }
    }

    fn known(self, in_time: bool) -> Known<T> {
        let error = self.error.map(|(error, _)| error);
        let silent = format!("no answer within {} ms", PATIENCE.as_millis());
        let trouble = match (in_time, error) {
            (true, error) => error,
            (false, None) => Some(silent),
            (false, Some(error)) => Some(format!("{silent}; before that: {error}")),
        };
        Known { answer: self.answer, trouble }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn value(known: &Known<i32>) -> Option<i32> {
        known.answer.map(|(answer, _)| answer)
    }

    #[tokio::test]
    async fn who_asks_a_silent_part_is_told_what_is_known_and_that_it_is_old() {
        let asked = Asked::new(Duration::ZERO);
        let first = asked.know(ready(Ok(7))).await;
        assert_eq!((value(&first), first.trouble), (Some(7), None));
        let began = Instant::now();
        let silent = asked.know(pending()).await;
        assert_eq!((value(&silent), silent.trouble.as_deref()), (Some(7), Some("no answer within 1500 ms")));
        assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
        let (one, other) = tokio::join!(asked.know(ready(Ok(8))), asked.know(ready(Ok(9))));
        assert_eq!((value(&one), value(&other)), (Some(7), Some(7)), "the first question has not ended");
    }

    #[tokio::test]
    async fn an_answer_is_good_for_a_while_and_a_late_one_is_kept() {
        let asked = Asked::new(Duration::from_secs(60));
        let late = asked.know(async {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok(7)
        });
        assert_eq!(value(&late.await), None);
        let mut answers = asked.said.subscribe();
        answers.wait_for(|said| said.answer.is_some()).await.expect("it comes");
        let known = asked.know(ready(Ok(8))).await;
        assert_eq!((value(&known), known.trouble), (Some(7), None));
    }

    #[tokio::test]
    async fn an_error_is_told_beside_the_last_answer() {
        let asked = Asked::new(Duration::ZERO);
        asked.know(ready(Ok(7))).await;
        let known = asked.know(ready(Err("gone".to_owned()))).await;
        assert_eq!((value(&known), known.trouble.as_deref()), (Some(7), Some("gone")));
        let known = asked.know(pending()).await;
        assert_eq!(known.trouble.as_deref(), Some("no answer within 1500 ms; before that: gone"));
    }
}
