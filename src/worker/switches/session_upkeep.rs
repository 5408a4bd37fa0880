//! Opening sessions, remembering what they showed, and closing those that are idle for too long.

use std::sync::Arc;
use std::time::Duration;

use super::read_ahead;
use crate::domain::{Dialect, Failure, chain};
use crate::store::KnownSwitch;
use crate::switch::{SwitchClient, SwitchError};
use crate::worker::context::Context;
use crate::worker::supervision::task_health::Beat;
use crate::worker::switches::connect::connect;
use crate::worker::switches::session::{Open, SwitchSession};

impl SwitchSession {
    /// Connects and logs in.
    pub async fn open(&mut self, context: &Context, known: &KnownSwitch) -> Result<&mut SwitchClient, Failure> {
        self.abandon();
        let opening = connect(&context.settings, &known.switch, known.dialect_found);
        let (client, slot) = context.slots.open(known.trouble.is_some(), opening).await;
        let mut client = client?;
        client.init_duplicates(&known.switch, known.duplicates_found);
        self.remember(context, known.dialect_found, client.dialect()).await;
        let switch = known.switch.clone();
        Ok(&mut self.open.insert(Open { client, switch, slot }).client)
    }

    /// Saves the next session the question. That it cannot be written down costs nothing but asking again.
    async fn remember(&self, context: &Context, known: Option<Dialect>, found: Dialect) {
        if known != Some(found)
            && let Err(error) = context.store.switches().set_dialect_found(&self.switch, found).await
        {
            tracing::warn!(switch = %self.switch, error = chain(&error), "could not record the dialect; it is detected again");
        }
    }

    /// Reads what the switch holds, where a session is open and that is not known.
    pub async fn read_ahead(&mut self, context: &Context) -> Result<(), SwitchError> {
        let Some(Open { client, switch, .. }) = &mut self.open else { return Ok(()) };
        if context.memory.knows(switch) {
            return Ok(());
        }
        read_ahead::read(context, client, switch, self.left_at.take()).await
    }

    /// Keeps what the switch showed of its rule of duplicates. Where that cannot be written down it is shown again.
    pub async fn remember_duplicates(&mut self, context: &Context) {
        let Some(rule) = self.client().and_then(SwitchClient::take_duplicates_found) else { return };
        if let Err(error) = context.store.switches().set_duplicates_found(&self.switch, rule).await {
            tracing::warn!(switch = %self.switch, error = chain(&error), "could not record the rule of duplicates; it is detected again");
        }
    }
}

/// Closes sessions that are idle for too long, and one when another is wanted that may not be opened, until the worker
/// stops.
pub(in crate::worker) async fn close_idle(context: Arc<Context>, beat: Beat) {
    let age = Duration::from_millis(context.settings.ssh.session_idle_ms);
    let look = (age / 4).clamp(Duration::from_millis(50), Duration::from_secs(5));
    loop {
        beat.now();
        tokio::select! {
            () = context.stopping.cancelled() => break,
            () = context.slots.session_wanted() => close_all(context.idle_sessions.oldest()).await,
            () = tokio::time::sleep(look) => close_all(context.idle_sessions.older_than(age)).await,
        }
    }
}

/// Closes every idle session in order.
pub(in crate::worker) async fn close_all_idle(context: &Context) {
    close_all(context.idle_sessions.older_than(Duration::ZERO)).await;
}

async fn close_all(sessions: impl IntoIterator<Item = SwitchSession>) {
    let closing = sessions.into_iter().map(|mut session| async move { session.close().await });
    futures_util::future::join_all(closing).await;
}
