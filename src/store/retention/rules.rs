//! Which rows of which table may go, and when. Everything that is not listed stays.
//!
//! - `commands`: once they ended. A message that comes again later is decided by `intents`, which stay. One whose dead letter
//!   waits stays with it, because a replay is the same command.
//! - `webhook_deliveries`: once they were delivered, as long as events; dead ones, as long as dead letters.
//! - `events`: once they are published, and no delivery of them waits or is dead. Who revoked a row is taken out of its event before (`virtual_macs`).
//! - `pushes`: once they ended; never the newest fifty of a switch, as many as its commit history shows, by which vmacd knows its
//!   own commits.
//! - `dead_letters`: once they were replayed or discarded.
//! - `config_backups`: thinned out; never a switch's newest, nor that of a push whose end is not known.
//! - `config_contents`: what no backup has and no other text is a difference from, a day after it was last wanted.
//! - `freezes`: those that ended.
//! - `virtual_macs`: only their bindings go, of revoked rows that nothing drives any more. The row stays with its MAC: the
//!   unique index decides over all there ever were.

use std::time::Duration;

use super::windows::RetentionWindows;
use crate::store::database::clock::millis;

/// Rows of one batch.
pub(super) const BATCH: usize = 1_000;

/// A table and what goes of it.
pub(super) struct Rule {
    pub table: &'static str,
    pub key: Key,
    /// What holds for a row that may go; `$2`, `$3`, ... are the times before which rows are old.
    goes: &'static str,
    /// How long rows stay; none where they stay for ever.
    pub windows: fn(&RetentionWindows) -> Option<Vec<Duration>>,
    /// How long after its end the table is gone through again.
    pub every: Duration,
}

/// How the rows are gone through.
pub(super) enum Key {
    /// By a number that grows with this time: beyond a young row there are only young ones.
    Number(&'static str),
    /// By a text that does.
    Text(&'static str),
    /// By a text that says nothing of time: all of them.
    Hash(&'static str),
    /// Those that an index has, in its order.
    Due(&'static str),
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
/// A hundred years are as good as for ever.
const FOR_EVER: Duration = Duration::from_secs(36_500 * 24 * 3_600);

fn one(window: Option<Duration>) -> Option<Vec<Duration>> {
    window.map(|window| vec![window])
}

/// In the order in which they are gone through: rows give up their bindings before their events go, and backups before their
/// texts.
pub(super) const RULES: &[Rule] = &[
    Rule {
        table: "virtual_macs",
        key: Key::Due("revoked_at IS NOT NULL AND compacted_at_ms IS NULL AND revoked_at < $2 ORDER BY revoked_at"),
        goes: "revoked_at < $2 AND compacted_at_ms IS NULL
            AND NOT EXISTS (SELECT 1 FROM switch_work w WHERE w.vmac_id = virtual_macs.id)
            AND NOT EXISTS (SELECT 1 FROM commands c WHERE c.vmac_id = virtual_macs.id AND c.outcome IS NULL)",
        windows: |windows| one(windows.revoked),
        every: HOUR,
    },
    Rule {
        table: "commands",
        key: Key::Number("received_at"),
        goes: "outcome IS NOT NULL AND finished_at < $2 AND NOT EXISTS (SELECT 1 FROM dead_letters d
                WHERE d.state = 'waiting' AND d.message_key = commands.message_key)",
        windows: |windows| one(windows.commands),
        every: HOUR,
    },
    Rule {
        table: "webhook_deliveries",
        key: Key::Number("created_at"),
        goes: "created_at < $2 AND ((state = 'delivered' AND ended_at < $3) OR (state = 'dead' AND ended_at < $4)
            OR NOT EXISTS (SELECT 1 FROM webhooks h WHERE h.id = webhook_deliveries.webhook_id))",
        windows: |windows| {
            let spans = [windows.events, windows.dead_letters];
            let [delivered, dead] = spans.map(|span| span.unwrap_or(FOR_EVER));
            spans.iter().any(Option::is_some).then(|| vec![delivered.min(dead), delivered, dead])
        },
        every: HOUR,
    },
    Rule {
        table: "events",
        key: Key::Number("created_at"),
        goes: "created_at < $2 AND NOT EXISTS (SELECT 1 FROM unpublished_events u WHERE u.event_id = events.id)
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = events.id AND d.state <> 'delivered')",
        windows: |windows| one(windows.events),
        every: HOUR,
    },
    Rule {
        table: "pushes",
        key: Key::Text("started_at"),
        goes: "finished_at < $2 AND (NOT EXISTS (SELECT 1 FROM switches s WHERE s.name = pushes.switch)
            OR id < (SELECT n.id FROM pushes n WHERE n.switch = pushes.switch ORDER BY n.id DESC LIMIT 1 OFFSET 49))",
        windows: |windows| one(windows.pushes),
        every: HOUR,
    },
    Rule {
        table: "dead_letters",
        key: Key::Number("collected_at"),
        goes: "state <> 'waiting' AND COALESCE(discarded_at, replayed_at, collected_at) < $2",
        windows: |windows| one(windows.dead_letters),
        every: HOUR,
    },
    Rule {
        table: "freezes",
        key: Key::Number("made_at"),
        goes: "until < $2",
        windows: |windows| one(windows.freezes),
        every: DAY,
    },
    Rule {
        table: "config_backups",
        key: Key::Number("taken_at"),
        // The first of its span stays: it goes where the one before it is of the same day, or of the same seven days.
        goes: "taken_at < $2
            AND EXISTS (SELECT 1 FROM config_backups n WHERE n.switch = config_backups.switch AND n.id > config_backups.id)
            AND NOT EXISTS (SELECT 1 FROM pushes u WHERE u.switch = config_backups.switch AND u.finished_at IS NULL
                AND u.backup_id = config_backups.id)
            AND (SELECT {day}p.taken_at{/day} / CASE WHEN config_backups.taken_at < $3 THEN 7 ELSE 1 END
                 FROM config_backups p WHERE p.switch = config_backups.switch AND p.id < config_backups.id
                 ORDER BY p.id DESC LIMIT 1)
                = {day}config_backups.taken_at{/day} / CASE WHEN config_backups.taken_at < $3 THEN 7 ELSE 1 END",
        windows: |windows| {
            let all = windows.backups?;
            Some(vec![all, windows.backups_daily.unwrap_or(FOR_EVER).max(all)])
        },
        every: HOUR,
    },
    Rule {
        table: "config_contents",
        key: Key::Hash("content_hash"),
        goes: "used_at_ms < CAST({epoch_ms}$2{/epoch_ms} AS BIGINT)
            AND NOT EXISTS (SELECT 1 FROM config_backups b WHERE b.content_hash = config_contents.content_hash)
            AND NOT EXISTS (SELECT 1 FROM config_contents d WHERE d.base_hash = config_contents.content_hash)",
        windows: |windows| windows.backups.map(|_| vec![DAY]),
        every: MONTH,
    },
];

impl Key {
    fn column(&self) -> &'static str {
        match self {
            Self::Hash(column) => column,
            _ => "id",
        }
    }

    /// What every key is above.
    pub const fn first(&self) -> &'static str {
        match self {
            Self::Number(_) | Self::Due(_) => "0",
            Self::Text(_) | Self::Hash(_) => "",
        }
    }
}

impl Rule {
    /// True where the table may be gone through; also where it was to be far too late, by a clock that was put back since.
    pub fn is_due(&self, due_at_ms: i64, now_ms: i64) -> bool {
        due_at_ms <= now_ms || due_at_ms > now_ms + 2 * millis(self.every)
    }

    /// True where rows stay and are made smaller.
    pub const fn is_compaction(&self) -> bool {
        matches!(self.key, Key::Due(_))
    }

    /// Reads the next rows beyond `$1`: whether each goes, and whether what comes after it may be old.
    pub fn page(&self) -> String {
        let (table, goes, id) = (self.table, self.goes, self.key.column());
        let (is_old, scan) = match self.key {
            Key::Number(time) => (format!("{time} < $2"), format!("id > CAST($1 AS BIGINT) ORDER BY {id}")),
            Key::Text(time) => (format!("{time} < $2"), format!("id > $1 ORDER BY {id}")),
            Key::Hash(_) => ("true".to_owned(), format!("{id} > $1 ORDER BY {id}")),
            Key::Due(due) => ("true".to_owned(), format!("CAST($1 AS TEXT) IS NOT NULL AND {due}")),
        };
        format!(
            "SELECT CAST({id} AS TEXT) AS key_text, COALESCE({goes}, false) AS goes, {is_old} AS is_old
             FROM {table} WHERE {scan} LIMIT {BATCH}"
        )
    }

    /// Removes those of the batch that still may go.
    pub fn removal(&self) -> String {
        let (table, goes, id) = (self.table, self.goes, self.key.column());
        let key = match self.key {
            Key::Number(_) | Key::Due(_) => "CAST(e.value->>'id' AS BIGINT)",
            Key::Text(_) | Key::Hash(_) => "e.value->>'id'",
        };
        let what = if self.is_compaction() { COMPACT.to_owned() } else { format!("DELETE FROM {table}") };
        format!("{what} WHERE {id} {{in}}SELECT {key} FROM {{rows}}{{/in}} AND {goes} RETURNING 1 AS gone")
    }
}

/// Takes out of rows what is long; `$3` is the time.
const COMPACT: &str = "UPDATE virtual_macs SET past_ports = {past_ports}, switch_bindings = '[]', failure_text = NULL,
        revoked_by = (SELECT e.body->>'requested_by' FROM events e WHERE e.vmac_id = virtual_macs.id
            AND e.routing_key = 'vmac.revoked' ORDER BY e.id DESC LIMIT 1),
        revoke_reference = (SELECT e.body->>'reference' FROM events e WHERE e.vmac_id = virtual_macs.id
            AND e.routing_key = 'vmac.revoked' ORDER BY e.id DESC LIMIT 1),
        compacted_at_ms = $3";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_due_when_its_time_has_come_or_the_clock_was_put_back() {
        let rule = &RULES[0];
        assert!(rule.is_due(1_000, 1_000) && !rule.is_due(1_001, 1_000));
        assert!(!rule.is_due(millis(rule.every), 0), "as it is written down");
        assert!(rule.is_due(3 * millis(rule.every), 0));
    }

    #[test]
    fn texts_go_after_their_backups_and_events_after_rows_took_from_them() {
        let at = |table: &str| RULES.iter().position(|rule| rule.table == table).expect("a rule");
        assert!(at("virtual_macs") < at("events") && at("config_backups") < at("config_contents"));
    }

    #[test]
    fn without_windows_nothing_goes() {
        assert!(RULES.iter().all(|rule| (rule.windows)(&RetentionWindows::default()).is_none()));
    }
}
