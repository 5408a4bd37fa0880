//! The only place that acknowledges, retries or dead-letters a message.
//!
//! Every other part hands messages over with a [`Verdict`]. [`decide`] is pure: from verdict, attempts
//! and age to what is done with the message. Carrying it out follows one order: what the database must
//! know is written first, then the copy is published and its confirm awaited, then the original is
//! acknowledged. A crash in between leaves a duplicate, never a loss.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::context::Context;
use super::retry::RetryPolicy;
use super::traces::MessageTrace;
use crate::broker::{DeadReason, Message, Receipt, Spread, new_burial_id};
use crate::domain::{Action, BindableAddress, Code, Failure, MessageKey, SwitchName};
use crate::metrics::{BROKER, DATABASE, Metrics};
use crate::store::FailedMessage;

/// Messages for a subnet's addresses that are published at once.
const SPREAD_AT_ONCE: usize = 128;

/// A delivery that is not acknowledged yet.
#[derive(Debug)]
pub(super) struct Held {
    pub message: Message,
    pub receipt: Receipt,
    /// Absent while the body is not a command.
    pub command: Option<HeldCommand>,
    /// When the message was first seen, milliseconds since 1970.
    pub first_seen_ms: i64,
    /// Since when it is held, by [`crate::store::Store::age_clock`].
    pub since: Duration,
    pub trace: MessageTrace,
}

/// What is known of a held command.
#[derive(Debug, Clone)]
pub(super) struct HeldCommand {
    pub key: MessageKey,
    /// A hash of routing key and body: under one key there may be messages that are not its command.
    pub body_hash: String,
    pub action: Action,
    pub server_id: i64,
    pub ip: BindableAddress,
}

impl HeldCommand {
    fn failed(&self, failure: &Failure) -> FailedMessage {
        FailedMessage { key: self.key.clone(), body_hash: self.body_hash.clone(), failure: failure.clone() }
    }
}

/// What became of a message.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// Its outcome stands in the database.
    Done,
    /// It cannot be done; the database knows already, where there is anything to know. The switch, where it was one.
    Dead(Failure, Option<SwitchName>),
    /// It failed in a way that may pass; costs an attempt. The switch, where it was one.
    Retry(Failure, Option<SwitchName>),
    /// It could not be tried; costs no attempt.
    Defer(Failure, Option<SwitchName>),
    /// It asks for a whole subnet: a message for each address stands in its place.
    Spread(Arc<Spread>),
    /// It may not be tried for as long as that; costs neither attempt nor age.
    Postpone(Failure, Duration),
    /// The worker stops: the broker is to hand it to another.
    HandBack,
}

/// What is done with a message.
#[derive(Debug, Clone, PartialEq)]
enum Disposal {
    Acknowledge,
    Replace(Arc<Spread>),
    Requeue,
    Again { attempt: u32, delay: Duration, code: Code },
    Postpone { delay: Duration, code: Code },
    Bury { failure: Failure, attempts: u32, exhausted: bool, switch: Option<SwitchName> },
}

impl Disposal {
    /// What it is called in traces, and why.
    fn named(&self) -> (&'static str, Option<Code>) {
        match self {
            Self::Acknowledge => ("done", None),
            Self::Replace(_) => ("spread", None),
            Self::Requeue => ("handed back", None),
            Self::Again { code, .. } => ("again", Some(*code)),
            Self::Postpone { code, .. } => ("postponed", Some(*code)),
            Self::Bury { failure, .. } => ("dead", Some(failure.code)),
        }
    }
}

fn decide(policy: &RetryPolicy, attempt: u32, age: Duration, verdict: Verdict) -> Disposal {
    match verdict {
        Verdict::Done => Disposal::Acknowledge,
        Verdict::Spread(spread) => Disposal::Replace(spread),
        Verdict::HandBack => Disposal::Requeue,
        Verdict::Dead(failure, switch) => Disposal::Bury { failure, attempts: attempt + 1, exhausted: false, switch },
        Verdict::Retry(failure, switch) if policy.is_exhausted(attempt + 1, age) => {
            let text = format!("{} (given up after {} attempts)", failure.text, attempt + 1);
            let failure = Failure::new(failure.code, text);
            Disposal::Bury { failure, attempts: attempt + 1, exhausted: true, switch }
        }
        Verdict::Retry(failure, _) => {
            let delay = match failure.code {
                Code::CircuitOpen => policy.delay_of_open_circuit(attempt + 1),
                _ => policy.delay(attempt + 1),
            };
            Disposal::Again { attempt: attempt + 1, delay, code: failure.code }
        }
        Verdict::Defer(failure, switch) if policy.is_too_old(age) => {
            let text = format!("{} (given up after {} s)", failure.text, age.as_secs());
            let failure = Failure::new(failure.code, text);
            Disposal::Bury { failure, attempts: attempt, exhausted: true, switch }
        }
        Verdict::Defer(failure, _) => Disposal::Again { attempt, delay: policy.deferral(age), code: failure.code },
        Verdict::Postpone(failure, left) => Disposal::Postpone { delay: policy.postponement(left), code: failure.code },
    }
}

/// Settles messages in the background; [`Context::settling`] knows when all are done.
pub(super) fn settle(context: &Arc<Context>, messages: Vec<(Held, Verdict)>) {
    if !messages.is_empty() {
        let context = context.clone();
        context.clone().settling.spawn(async move { carry_out(&context, messages).await });
    }
}

/// The moment of a settling.
#[derive(Clone, Copy)]
struct Now {
    /// Milliseconds since 1970.
    ms: i64,
    age_clock: Duration,
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

/// What a batch of messages comes to.
#[derive(Default)]
struct Sorted {
    acknowledge: Vec<Receipt>,
    /// Acknowledged once the messages for all their addresses are durable in their place.
    replaced: Vec<(Receipt, Message, Arc<Spread>)>,
    requeue: Vec<Receipt>,
    again: Vec<(Receipt, Message, Duration)>,
    bury: Vec<Burial>,
    due: Vec<(MessageKey, Duration)>,
    /// They end with the settling.
    spans: Vec<(Span, Span)>,
}

/// A message on its way to the dead letters.
struct Burial {
    receipt: Receipt,
    message: Message,
    reason: DeadReason,
    /// Its command, where that is still open and ends with it.
    ends: Option<FailedMessage>,
}

async fn carry_out(context: &Context, messages: Vec<(Held, Verdict)>) {
    let now = Now { ms: context.store.time().await.timestamp_millis(), age_clock: context.store.age_clock() };
    let mut sorted = Sorted::default();
    let count = messages.len();
    for (held, verdict) in messages {
        sorted.add(context, now, held, verdict);
    }
    // Where the database does not know that they failed they must not be dead: all come again.
    let ends: Vec<_> = sorted.bury.iter().filter_map(|burial| burial.ends.clone()).collect();
    let failed = persist(context, DATABASE, "give commands up", || context.store.fail_commands(&ends)).await;
    context.metrics.settled(count);
    let Some(ended_well) = failed else { return };
    sorted.spare(&ended_well);
    let Sorted { mut acknowledge, replaced, requeue, again, bury, due, spans: _spans, .. } = sorted;
    persist(context, DATABASE, "note when commands are due", || context.store.note_due(&due)).await;
    context.events_due.notify_one();
    for (receipt, message, spread) in replaced {
        if publish_each(context, &message, &spread).await.is_some() {
            acknowledge.push(receipt);
        }
    }
    persist(context, BROKER, "acknowledge", || context.broker.ack(acknowledge.clone())).await;
    persist(context, BROKER, "hand back", || context.broker.requeue(requeue.clone())).await;
    persist(context, BROKER, "send to the retry ladder", || context.broker.retry(&again)).await;
    let dead: Vec<_> = bury.into_iter().map(|burial| (burial.receipt, burial.message, burial.reason)).collect();
    persist(context, BROKER, "send to the dead letters", || context.broker.dead(&dead)).await;
}

/// Publishes the messages for a subnet's addresses. One subnet at a time, and in parts: a thousand addresses may carry
/// long headers each.
async fn publish_each(context: &Context, message: &Message, spread: &Spread) -> Option<()> {
    let _turn = context.spreading.lock().await;
    let mut messages = spread.messages(message).peekable();
    while messages.peek().is_some() {
        let some: Vec<Message> = messages.by_ref().take(SPREAD_AT_ONCE).collect();
        persist(context, BROKER, "spread", || context.broker.publish_commands(&some)).await?;
    }
    Some(())
}

/// Tries until it works. A stopping worker gives up after a few tries: what is not acknowledged then
/// comes again to another worker.
async fn persist<T, E, F>(context: &Context, part: &'static str, what: &str, mut action: impl FnMut() -> F) -> Option<T>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut delay = Duration::from_millis(100);
    let mut tries_when_stopping = 3;
    loop {
        let error = match action().await {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        tracing::warn!(error = super::chain(&error), "could not {what}; trying again");
        context.metrics.trouble(part);
        if context.stopping.is_cancelled() {
            tries_when_stopping -= 1;
            if tries_when_stopping == 0 {
                return None;
            }
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(5));
    }
}

impl Sorted {
    /// Commands that were given up here just as another worker finished them: they are done, not dead.
    fn spare(&mut self, ended_well: &HashSet<(MessageKey, String)>) {
        let is_spared = |burial: &Burial| {
            burial.ends.as_ref().is_some_and(|ends| ended_well.contains(&(ends.key.clone(), ends.body_hash.clone())))
        };
        let (spared, dead): (Vec<_>, _) = std::mem::take(&mut self.bury).into_iter().partition(is_spared);
        self.bury = dead;
        self.acknowledge.extend(spared.into_iter().map(|burial| burial.receipt));
    }

    fn add(&mut self, context: &Context, now: Now, held: Held, verdict: Verdict) {
        let age = Duration::from_millis(held.message.age_ms) + now.age_clock.saturating_sub(held.since);
        let disposal = decide(&context.policy, held.message.attempt, age, verdict);
        count(&context.metrics, &held, age, &disposal);
        let (outcome, code) = disposal.named();
        match disposal {
            Disposal::Acknowledge => self.acknowledge.push(held.receipt),
            Disposal::Replace(spread) => self.replaced.push((held.receipt, held.message, spread)),
            Disposal::Requeue => self.requeue.push(held.receipt),
            Disposal::Again { attempt, delay, code } => {
                tracing::debug!(%code, attempt, ?delay, trace_id = held.trace.id(&held.message).map(tracing::field::display),
                    "message goes to the retry ladder");
                self.due.extend(held.command.map(|command| (command.key, delay)));
                let (age_ms, first_seen_ms) = (millis(age + delay), Some(held.first_seen_ms));
                let message = Message { attempt, first_seen_ms, age_ms, ..held.message };
                self.again.push((held.receipt, message, delay));
            }
            Disposal::Postpone { delay, .. } => {
                self.due.extend(held.command.map(|command| (command.key, delay)));
                // It does not age meanwhile.
                let (age_ms, first_seen_ms) = (millis(age), Some(held.first_seen_ms));
                let message = Message { first_seen_ms, age_ms, ..held.message };
                self.again.push((held.receipt, message, delay));
            }
            Disposal::Bury { failure, attempts, exhausted, switch } => {
                let ends = held.command.as_ref().filter(|_| exhausted).map(|command| command.failed(&failure));
                let reason = dead_reason(&held, failure, attempts, switch, now.ms);
                self.bury.push(Burial { receipt: held.receipt, message: held.message, reason, ends });
            }
        }
        self.spans.push(held.trace.settling(outcome, code.map(Code::as_str)));
    }
}

fn count(metrics: &Metrics, held: &Held, age: Duration, disposal: &Disposal) {
    match (disposal, &held.command) {
        (Disposal::Acknowledge, Some(command)) => metrics.command_settled(command.action.as_str(), age),
        (Disposal::Acknowledge, None) | (Disposal::Replace(_) | Disposal::Requeue, _) => {}
        (Disposal::Again { code, .. } | Disposal::Postpone { code, .. }, _) => metrics.retried(code.as_str()),
        (Disposal::Bury { failure, .. }, _) => metrics.buried(failure.code.as_str()),
    }
}

fn dead_reason(held: &Held, failure: Failure, attempts: u32, switch: Option<SwitchName>, now_ms: i64) -> DeadReason {
    let command = held.command.as_ref();
    tracing::warn!(
        code = %failure.code, error = failure.text, attempts, key = command.map(|command| command.key.0.as_str()),
        trace_id = held.trace.id(&held.message).map(tracing::field::display),
        "message goes to the dead letters"
    );
    DeadReason {
        burial_id: new_burial_id(),
        code: failure.code,
        text: failure.text,
        attempts,
        switch,
        server_id: command.map(|command| command.server_id),
        ip: command.map(|command| command.ip),
        first_failed_ms: held.first_seen_ms,
        last_failed_ms: now_ms,
    }
}

/// The verdict on a message whose work failed.
pub(super) fn verdict_of(failure: &Failure, switch: &SwitchName) -> Verdict {
    use crate::domain::FailureClass::{Deferred, Permanent, Transient, Unknown};
    match failure.class() {
        // Of unknown outcome: the next push looks at the switch first, so trying again is safe.
        Transient | Unknown => Verdict::Retry(failure.clone(), Some(switch.clone())),
        Deferred => Verdict::Defer(failure.clone(), Some(switch.clone())),
        Permanent => Verdict::Dead(failure.clone(), Some(switch.clone())),
    }
}

/// The failure of a message that arrives when its switch's lane is full.
pub(super) fn lane_full(switch: &SwitchName) -> Failure {
    Failure::new(Code::LaneFull, format!("as many messages wait for {switch} as this worker holds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts_max: 3,
        delay_min: Duration::from_secs(1),
        delay_max: Duration::from_secs(60),
        age_max: Duration::from_secs(3_600),
        circuit_open: Duration::from_secs(15),
    };

    fn failure() -> Failure {
        Failure::new(Code::Unreachable, "no answer")
    }

    #[test]
    fn transient_failures_climb_the_ladder_until_the_attempts_run_out() {
        let decide = |attempt| decide(&POLICY, attempt, Duration::ZERO, Verdict::Retry(failure(), None));
        assert!(matches!(decide(0), Disposal::Again { attempt: 1, .. }));
        assert!(matches!(decide(1), Disposal::Again { attempt: 2, .. }));
        assert!(matches!(decide(2), Disposal::Bury { attempts: 3, exhausted: true, .. }));
    }

    #[test]
    fn what_waits_for_a_circuit_comes_no_sooner_than_it_closes() {
        let open = Failure::new(Code::CircuitOpen, "not tried");
        let again = decide(&POLICY, 0, Duration::ZERO, Verdict::Retry(open, None));
        assert_eq!(again, Disposal::Again { attempt: 1, delay: POLICY.circuit_open, code: Code::CircuitOpen });
    }

    #[test]
    fn what_is_frozen_waits_for_its_end_however_old_it_is() {
        let frozen = Failure::new(Code::Frozen, "left alone");
        let decide = |left_s| {
            let verdict = Verdict::Postpone(frozen.clone(), Duration::from_secs(left_s));
            decide(&POLICY, 2, Duration::from_secs(1_000_000), verdict)
        };
        assert_eq!(decide(30), Disposal::Postpone { delay: Duration::from_secs(30), code: Code::Frozen });
        assert_eq!(decide(86_400), Disposal::Postpone { delay: POLICY.delay_max, code: Code::Frozen });
    }

    #[test]
    fn deferral_costs_no_attempt_but_is_bounded_by_age() {
        let decide = |age_s| decide(&POLICY, 2, Duration::from_secs(age_s), Verdict::Defer(failure(), None));
        assert_eq!(decide(40), Disposal::Again { attempt: 2, delay: Duration::from_secs(10), code: Code::Unreachable });
        assert!(matches!(decide(3_600), Disposal::Bury { attempts: 2, exhausted: true, .. }));
    }
}
