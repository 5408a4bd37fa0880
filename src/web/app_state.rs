//! What the API, the hooks and the pages work with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::api::dry_run::DryRunner;
use super::api::replays::Replays;
use crate::broker::Broker;
use crate::config::HookSettings;
use crate::domain::DriftMode;
use crate::store::Store;

/// The rows, the messages, the replays under way, dry runs, and the hooks. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(super) store: Store,
    pub(super) broker: Broker,
    pub(super) replays: Replays,
    pub(super) dry_runner: Arc<dyn DryRunner>,
    hooks: Arc<BTreeMap<String, HookSettings>>,
    /// What is done about drift on switches whose inventory does not say.
    pub(super) drift: DriftMode,
}

impl AppState {
    /// Over these; `rehearse` tries commands out.
    pub fn new(store: Store, broker: Broker, dry_runner: Arc<dyn DryRunner>) -> Self {
        let (replays, hooks, drift) = (Replays::default(), Arc::default(), DriftMode::default());
        Self { store, broker, replays, dry_runner, hooks, drift }
    }

    /// With these hooks, by name.
    pub fn with_hooks(self, hooks: BTreeMap<String, HookSettings>) -> Self {
        Self { hooks: Arc::new(hooks), ..self }
    }

    /// With what is done about drift where a switch's inventory does not say.
    pub fn with_drift(self, drift: DriftMode) -> Self {
        Self { drift, ..self }
    }

    /// The hook of that name.
    pub(super) fn hook(&self, name: &str) -> Option<&HookSettings> {
        self.hooks.get(name)
    }
}
