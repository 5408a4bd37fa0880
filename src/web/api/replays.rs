//! Bulk replays in the background, and their progress. Only the process that runs them knows them: what is left when it dies
//! is still among the waiting dead letters.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::broker::{self, Broker};
use crate::domain::chain;
use crate::store::Store;

/// Replays that are remembered; older ones are forgotten.
const REMEMBERED_MAX: usize = 100;

/// The progress of a replay.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct ReplayView {
    pub(in crate::web) id: String,
    /// `running`, `done`, or `failed`: dead letters that were not replayed are still waiting.
    pub(in crate::web) state: String,
    pub(in crate::web) total: usize,
    pub(in crate::web) done: usize,
    pub(in crate::web) error: Option<String>,
}

/// The replays of this process.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct Replays(Arc<Mutex<VecDeque<ReplayView>>>);

impl Replays {
    /// Starts a replay in the background.
    pub fn start(&self, broker: &Broker, store: &Store, letters: Vec<i64>) -> ReplayView {
        let id = Uuid::now_v7().to_string();
        let view =
            ReplayView { id: id.clone(), state: "running".to_owned(), total: letters.len(), done: 0, error: None };
        self.remember(view.clone());
        let (replays, broker, store) = (self.clone(), broker.clone(), store.clone());
        #[expect(clippy::disallowed_methods, reason = "one replay, whose state is asked for")]
        tokio::spawn(async move {
            let progress = |done| replays.change(&id, |view| view.done = done);
            let result = broker::replay(&broker, &store, &letters, progress).await;
            replays.change(&id, |view| {
                view.state = if result.is_ok() { "done" } else { "failed" }.to_owned();
                view.error = result.err().map(|error| chain(&error));
            });
        });
        view
    }

    /// How far the replay is.
    pub fn get(&self, id: &str) -> Option<ReplayView> {
        self.locked().iter().find(|view| view.id == id).cloned()
    }

    fn remember(&self, view: ReplayView) {
        let mut views = self.locked();
        if views.len() == REMEMBERED_MAX {
            views.pop_front();
        }
        views.push_back(view);
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut ReplayView)) {
        if let Some(view) = self.locked().iter_mut().find(|view| view.id == id) {
            change(view);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<ReplayView>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
