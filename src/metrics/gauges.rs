//! What stands in the database and the broker, asked for when somebody reads the metrics.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::store::{Counts, TableFigures};

/// One look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Whether the database answered now.
    pub database_up: bool,
    /// What the database held when it last answered; the gauges keep what they said before where there is none.
    pub counts: Option<Counts>,
    /// How old that is, seconds.
    pub counts_age_s: f64,
    /// Statements sent to the database.
    pub statements: u64,
    /// Whether every consumer has its connection to the broker, and it says how long its queues are.
    pub broker_up: bool,
    /// How much of each pool of MACs is used, by its name, 0 to 1.
    pub pools: Vec<(String, f64)>,
    /// How large the tables that grow are.
    pub tables: Vec<TableFigures>,
    /// Messages ready in each queue, by its name.
    pub queues: Vec<(String, i64)>,
    /// How old that is, seconds.
    pub queues_age_s: f64,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByName {
    part: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByStatus {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BySite {
    site: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByQueue {
    queue: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByTable {
    table: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByPool {
    pool: String,
}

type Seconds = Gauge<f64, AtomicU64>;

macro_rules! gauges {
    ($($field:ident: $type:ty, $name:literal, $help:literal;)*) => {
        #[derive(Default)]
        pub(super) struct Gauges {
            $($field: $type,)*
        }

        impl Gauges {
            pub fn register(registry: &mut Registry) -> Self {
                let gauges = Self::default();
                $(registry.register($name, $help, gauges.$field.clone());)*
                gauges
            }
        }
    };
}

gauges! {
    up: Family<ByName, Gauge>, "up", "Whether the database and the broker answer";
    age: Family<ByName, Seconds>, "figures_age_seconds", "Age of what the database and the broker were asked for; it grows while one does not answer";
    rows: Family<ByStatus, Gauge>, "rows", "Virtual MACs that are pending or failed";
    rows_ever: Gauge, "rows_ever", "Virtual MACs there ever were; none is handed out again";
    mac_space: Family<ByPool, Seconds>, "mac_space_used_ratio", "Part of the MACs of each pool that is used up";
    work_waiting: Gauge, "changes_waiting", "Changes that wait for a switch";
    work_oldest: Seconds, "changes_waiting_oldest_seconds", "Age of the oldest change that waits for a switch whose site is not frozen";
    events_waiting: Gauge, "events_waiting", "Events not published yet";
    events_oldest: Seconds, "events_waiting_oldest_seconds", "Age of the oldest event not published yet";
    deliveries_waiting: Gauge, "webhook_deliveries_waiting", "Events that wait to be delivered to webhooks";
    deliveries_oldest: Seconds, "webhook_deliveries_waiting_oldest_seconds", "Age of the oldest event that waits to be delivered to a webhook that is not paused";
    deliveries_dead: Gauge, "webhook_deliveries_dead", "Events that could not be delivered to a webhook within a day";
    dead_letters: Gauge, "dead_letters_waiting", "Waiting dead letters";
    statements: Counter, "database_statements", "Statements sent to the database";
    troubled: Gauge, "switches_in_trouble", "Switches whose latest attempt failed";
    frozen: Family<BySite, Gauge>, "site_frozen", "Sites that are frozen, by somebody or automatically";
    drift: Gauge, "drift_standing", "Bindings that differ from what was pushed and are not being repaired";
    not_in_force: Family<ByReason, Gauge>, "not_in_force", "Bindings of active virtual MACs that are not in force, by the reason";
    table_rows: Family<ByTable, Gauge>, "table_rows", "Rows of each table that grows, as the database estimates them";
    table_bytes: Family<ByTable, Gauge>, "table_bytes", "Bytes of each table that grows, with its indexes";
    table_oldest: Family<ByTable, Seconds>, "table_oldest_seconds", "Age of the oldest row of each table that grows";
    table_removed: Family<ByTable, Counter>, "table_rows_removed", "Old rows removed from each table, or made smaller, by all workers";
    queues: Family<ByQueue, Gauge>, "queue_messages", "Messages ready in each queue";
}

impl Gauges {
    pub fn set(&self, figures: &Figures) {
        let parts = [
            (super::DATABASE, figures.database_up, figures.counts_age_s),
            (super::BROKER, figures.broker_up, figures.queues_age_s),
        ];
        for (part, up, age_s) in parts {
            self.up.get_or_create(&ByName { part }).set(i64::from(up));
            self.age.get_or_create(&ByName { part }).set(age_s);
        }
        self.statements.inc_by(figures.statements.saturating_sub(self.statements.get()));
        for (pool, ratio) in &figures.pools {
            self.mac_space.get_or_create(&ByPool { pool: pool.clone() }).set(*ratio);
        }
        figures.tables.iter().for_each(|table| self.set_table(table));
        for (queue, count) in &figures.queues {
            self.queues.get_or_create(&ByQueue { queue: queue.clone() }).set(*count);
        }
        if let Some(counts) = &figures.counts {
            self.set_counts(counts);
        }
    }

    fn set_table(&self, figures: &TableFigures) {
        let table = ByTable { table: figures.table.clone() };
        if let Some(rows) = figures.rows {
            self.table_rows.get_or_create(&table).set(rows);
        }
        if let Some(bytes) = figures.bytes {
            self.table_bytes.get_or_create(&table).set(bytes);
        }
        self.table_oldest.get_or_create(&table).set(figures.oldest_ms.unwrap_or(0) as f64 / 1000.0);
        let removed = self.table_removed.get_or_create(&table);
        removed.inc_by(u64::try_from(figures.removed).unwrap_or(0).saturating_sub(removed.get()));
    }

    fn set_counts(&self, counts: &Counts) {
        for (status, count) in [("pending", counts.rows_pending), ("failed", counts.rows_failed)] {
            self.rows.get_or_create(&ByStatus { status }).set(count);
        }
        self.rows_ever.set(counts.rows_ever);
        self.work_waiting.set(counts.changes_waiting);
        self.work_oldest.set(counts.changes_oldest_ms as f64 / 1000.0);
        self.events_waiting.set(counts.events_waiting);
        self.events_oldest.set(counts.events_oldest_ms as f64 / 1000.0);
        self.deliveries_waiting.set(counts.deliveries_waiting);
        self.deliveries_oldest.set(counts.deliveries_oldest_ms as f64 / 1000.0);
        self.deliveries_dead.set(counts.deliveries_dead);
        self.dead_letters.set(counts.dead_letters_waiting);
        self.troubled.set(counts.switches_in_trouble);
        // A site that was thawed is gone.
        self.frozen.clear();
        for (site, kind) in &counts.sites_frozen {
            self.frozen.get_or_create(&BySite { site: site.clone(), kind }).set(1);
        }
        self.drift.set(counts.drift_standing);
        // A reason that no longer holds anywhere is gone.
        self.not_in_force.clear();
        for (reason, count) in &counts.not_in_force {
            self.not_in_force.get_or_create(&ByReason { reason: reason.clone() }).set(*count);
        }
    }
}
