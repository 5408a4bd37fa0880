//! Writes to this worker's row, every few seconds, that it runs and how it is: pages show it, whichever worker serves them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::{WorkerHeartbeat, chain};
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;

/// Time between two checks of the broker, which cost nothing.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Time between two writes, while nothing changes.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Longest time for a write: another one comes soon.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// Writes until the worker stops, which takes the row away.
pub(in crate::worker) async fn run(context: Arc<Context>, beat: Beat) {
    let started_at = context.store.time().await;
    let _ = timeout(WRITE_MAX, context.store.workers().forget(&context.holder)).await;
    let mut next = Instant::now();
    loop {
        beat.now();
        let is_news = note_broker(&context);
        if is_news || Instant::now() >= next {
            note(&context, started_at).await;
            next = Instant::now() + WRITE_EVERY;
        }
        if !context.pause(ASK_EVERY).await {
            break;
        }
    }
    let _ = timeout(WRITE_MAX, context.store.workers().forget(&context.holder)).await;
}

fn note_broker(context: &Context) -> bool {
    let error = (!context.broker.is_connected()).then(|| "no connection".to_owned());
    context.outages.note_broker(error, context.store.best_known_time())
}

async fn note(context: &Context, started_at: chrono::DateTime<chrono::Utc>) {
    let tasks = context.supervisor.states();
    let troubles =
        tasks.iter().filter_map(|state| Some(format!("{}: {}", state.task.as_str(), state.trouble.as_ref()?)));
    let trouble = troubles.collect::<Vec<_>>().join("; ");
    let sign = WorkerHeartbeat {
        name: context.holder.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        heard_at: context.store.best_known_time(),
        broker_lost_at: context.outages.broker().map(|away| away.since),
        trouble: (!trouble.is_empty()).then_some(trouble),
    };
    let error = match timeout(WRITE_MAX, context.store.workers().record(&sign)).await {
        Ok(written) => written.err().map(|error| chain(&error)),
        Err(_) => Some(format!("no answer within {} s", WRITE_MAX.as_secs())),
    };
    context.outages.note_database(error, context.store.best_known_time());
}
