//! What the API, the hooks and the pages work with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::api::dry_run::DryRunner;
use super::api::replays::Replays;
use crate::broker::Broker;
use crate::config::HookSettings;
use crate::domain::{AllowedNets, DriftMode};
use crate::store::Store;
use crate::webhooks::WebhookClient;

/// Which webhooks may be added, and how they are tested.
#[derive(Debug, Clone, Default)]
pub(super) struct WebhookAccess {
    allowed: AllowedNets,
    answer_max: Duration,
}

impl WebhookAccess {
    /// The internal nets that they may reach.
    pub const fn allowed(&self) -> &AllowedNets {
        &self.allowed
    }

    /// What sends the event of a test.
    pub fn client(&self) -> WebhookClient {
        WebhookClient::new(self.allowed.clone(), self.answer_max)
    }
}

/// The rows, the messages, the replays under way, dry runs, and the hooks. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(super) store: Store,
    pub(super) broker: Broker,
    pub(super) replays: Replays,
    pub(super) dry_runner: Arc<dyn DryRunner>,
    hooks: Arc<BTreeMap<String, HookSettings>>,
    /// What webhooks are checked and tested with.
    pub(super) webhooks: WebhookAccess,
    /// What is done about drift on switches whose inventory does not say.
    pub(super) drift: DriftMode,
}

impl AppState {
    /// Over these; `rehearse` tries commands out.
    pub fn new(store: Store, broker: Broker, dry_runner: Arc<dyn DryRunner>) -> Self {
        let (replays, hooks, drift) = (Replays::default(), Arc::default(), DriftMode::default());
        Self { store, broker, replays, dry_runner, hooks, webhooks: WebhookAccess::default(), drift }
    }

    /// With these hooks, by name.
    pub fn with_hooks(self, hooks: BTreeMap<String, HookSettings>) -> Self {
        Self { hooks: Arc::new(hooks), ..self }
    }

    /// With the internal nets that webhooks may reach, and how long a test waits for its answer.
    pub fn with_webhooks(self, allowed: AllowedNets, answer_max: Duration) -> Self {
        Self { webhooks: WebhookAccess { allowed, answer_max }, ..self }
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
