//! The parts of the store: a caller sees in each what belongs together, and asks for the part that it works with.
//!
//! A part is borrowed, cheap to copy, and shares everything with the [`Store`] that it is of.

use super::connect::Store;

macro_rules! parts {
    ($($(#[$doc:meta])* $method:ident: $part:ident,)*) => {
        impl Store {
            $($(#[$doc])*
            pub const fn $method(&self) -> $part<'_> {
                $part { store: self }
            })*
        }

        $($(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $part<'a> {
            pub(super) store: &'a Store,
        })*
    };
}

parts! {
    /// Admitting commands: batches of messages under a fence, and those that wait.
    intake: Intake,
    /// Commands that were admitted, and their outcomes.
    commands: Commands,
    /// What waits for the switches.
    work: Work,
    /// The right to push to a switch.
    leases: Leases,
    /// The journal of pushes, and what they came to.
    pushes: Pushes,
    /// The virtual MACs.
    vmacs: Vmacs,
    /// MACs that no row has: reserved, used before, used elsewhere.
    mac_registry: MacRegistry,
    /// The switches: what is known of them, and how they are.
    switches: Switches,
    /// The whole inventory, in and out.
    inventory: InventoryStore,
    /// Frozen sites.
    freezes: Freezes,
    /// Drift checks, and whether bindings are in force.
    checks: Checks,
    /// The outbox.
    events: Events,
    /// Webhooks, and what is sent to them.
    webhooks: Webhooks,
    /// Dead letters.
    dead_letters: DeadLetters,
    /// Configurations kept from before pushes.
    backups: Backups,
    /// The embedded queue.
    queue: Queue,
    /// Which workers run.
    workers: Workers,
    /// Tokens of the API.
    tokens: Tokens,
    /// Who changed what.
    audit_log: AuditLog,
    /// Logins to the pages.
    page_sessions: PageSessions,
    /// Old rows: how they go, and how large the tables are.
    retention: Retention,
    /// Counts for those who watch.
    statistics: Statistics,
}
