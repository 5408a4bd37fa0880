//! The last answer of a database or broker query that runs in the background: a reader waits for a limited time, even if
//! nothing answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

/// Longest time that a reader waits for an answer.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
/// How old an error may be before the query runs again.
const ERROR_AGE_MAX: Duration = Duration::from_secs(1);

/// One query, which runs at most once at a time however many readers there are.
pub struct Cached<T> {
    state: watch::Sender<State<T>>,
    turn: Arc<Semaphore>,
    /// How old an answer may be.
    good_for: Duration,
}

/// The latest results.
#[derive(Clone)]
struct State<T> {
    /// The last answer, and when it came.
    answer: Option<(T, Instant)>,
    /// The error since then, and when it came.
    error: Option<(String, Instant)>,
}

/// What a reader gets.
#[derive(Debug)]
pub struct Reading<T> {
    /// The last answer, however old, and when it came; none where there never was one.
    pub answer: Option<(T, Instant)>,
    /// Why the answer is old, if it is.
    pub trouble: Option<String>,
}

impl<T: Clone + Send + Sync + 'static> Cached<T> {
    pub fn new(good_for: Duration) -> Self {
        let state = watch::Sender::new(State { answer: None, error: None });
        Self { state, turn: Arc::new(Semaphore::new(1)), good_for }
    }

    /// The answer; starts the query if the last answer is too old. The query goes on when its reader gives up, and no other
    /// starts before it has ended.
    pub async fn get(&self, query: impl Future<Output = Result<T, String>> + Send + 'static) -> Reading<T> {
        let mut answers = self.state.subscribe();
        let state = answers.borrow_and_update().clone();
        if state.is_fresh(self.good_for) {
            return state.reading(true);
        }
        if let Ok(turn) = self.turn.clone().try_acquire_owned() {
            let state = self.state.clone();
            #[expect(clippy::disallowed_methods, reason = "one query, whose readers have a time limit")]
            tokio::spawn(async move {
                let answer = query.await;
                state.send_modify(|state| state.note(answer));
                drop(turn);
            });
        }
        let in_time = tokio::time::timeout(PATIENCE, answers.changed()).await.is_ok();
        let state = answers.borrow().clone();
        state.reading(in_time)
    }
}

impl<T> State<T> {
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

    fn reading(self, in_time: bool) -> Reading<T> {
        let error = self.error.map(|(error, _)| error);
        let silent = format!("no answer within {} ms", PATIENCE.as_millis());
        let trouble = match (in_time, error) {
            (true, error) => error,
            (false, None) => Some(silent),
            (false, Some(error)) => Some(format!("{silent}; before that: {error}")),
        };
        Reading { answer: self.answer, trouble }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn value(reading: &Reading<i32>) -> Option<i32> {
        reading.answer.map(|(answer, _)| answer)
    }

    #[tokio::test]
    async fn who_asks_a_silent_part_is_told_what_is_known_and_that_it_is_old() {
        let cached = Cached::new(Duration::ZERO);
        let first = cached.get(ready(Ok(7))).await;
        assert_eq!((value(&first), first.trouble), (Some(7), None));
        let began = Instant::now();
        let silent = cached.get(pending()).await;
        assert_eq!((value(&silent), silent.trouble.as_deref()), (Some(7), Some("no answer within 1500 ms")));
        assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
        let (one, other) = tokio::join!(cached.get(ready(Ok(8))), cached.get(ready(Ok(9))));
        assert_eq!((value(&one), value(&other)), (Some(7), Some(7)), "the first question has not ended");
    }

    #[tokio::test]
    async fn an_answer_is_good_for_a_while_and_a_late_one_is_kept() {
        let cached = Cached::new(Duration::from_secs(60));
        let late = cached.get(async {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok(7)
        });
        assert_eq!(value(&late.await), None);
        let mut answers = cached.state.subscribe();
        answers.wait_for(|state| state.answer.is_some()).await.expect("it comes");
        let reading = cached.get(ready(Ok(8))).await;
        assert_eq!((value(&reading), reading.trouble), (Some(7), None));
    }

    #[tokio::test]
    async fn an_error_is_told_beside_the_last_answer() {
        let cached = Cached::new(Duration::ZERO);
        cached.get(ready(Ok(7))).await;
        let reading = cached.get(ready(Err("gone".to_owned()))).await;
        assert_eq!((value(&reading), reading.trouble.as_deref()), (Some(7), Some("gone")));
        let reading = cached.get(pending()).await;
        assert_eq!(reading.trouble.as_deref(), Some("no answer within 1500 ms; before that: gone"));
    }
}
