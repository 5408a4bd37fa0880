//! The spans of one push: the whole, linked to every message that it carries, and one for each thing that it does.

use tracing::field::Empty;
use tracing::{Span, trace_span};

use crate::domain::{Failure, SwitchName};
use crate::store::WorkItem;
use crate::switch::{PushIntent, Stage};
use crate::telemetry::{SPANS, fail, link_to_producer};

/// The spans of one push.
#[derive(Debug)]
pub(super) struct PushTrace {
    whole: Span,
    doing: Span,
}

impl PushTrace {
    pub fn begin(switch: &SwitchName) -> Self {
        let whole = trace_span!(
            target: SPANS, parent: None, "push", otel.name = %format_args!("push {switch}"),
            vmacd.switch = %switch, vmacd.push_id = Empty, vmacd.backup_id = Empty, vmacd.changes = Empty
        );
        Self { whole, doing: Span::none() }
    }

    /// Ends what was being done, and begins this.
    pub fn does(&mut self, what: &'static str) {
        self.doing = trace_span!(
            target: SPANS, parent: &self.whole, "step", otel.name = what, vmacd.push_id = Empty, vmacd.changes = Empty
        );
    }

    /// A stage was reached: what comes next is begun.
    pub fn reached(&mut self, stage: Stage) {
        match after(stage) {
            Some(next) => self.does(next),
            None => self.doing = Span::none(),
        }
    }

    /// Where a group is narrowed, each part is sent as a push of its own.
    pub fn sent(&self, push: &PushIntent, backup_id: i64) {
        self.whole.record("vmacd.push_id", &*push.id).record("vmacd.backup_id", backup_id);
        self.doing.record("vmacd.push_id", &*push.id).record("vmacd.changes", push.content.len());
    }

    /// These rows are brought to what they want, for those who asked.
    pub fn gathered(&self, items: &[WorkItem]) {
        self.whole.record("vmacd.changes", items.iter().map(|item| item.ports.len()).sum::<usize>());
        if !self.whole.is_disabled() {
            items.iter().filter_map(|item| item.trace.as_ref()).for_each(|asked| link_to_producer(&self.whole, asked));
        }
    }

    /// The switch refused what is being done.
    pub fn refused(&self) {
        fail(&self.doing, "refused by the switch");
    }

    /// The switch's part is over.
    pub fn reported(&mut self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            let reason = format!("{}: {}", failure.code, failure.text);
            fail(&self.doing, &reason);
            fail(&self.whole, &reason);
        }
        self.does("settle");
    }
}

/// What a push does after a stage.
const fn after(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Connected => Some("lock"),
        Stage::Locked => Some("look for earlier pushes"),
        Stage::BackedUp => Some("read"),
        Stage::Read => Some("gather"),
        Stage::Gathered => Some("load"),
        Stage::Loaded | Stage::Confirmed => Some("journal"),
        Stage::Sent => Some("commit"),
        Stage::Committed => Some("read back"),
        Stage::ReadBack => Some("confirm"),
        Stage::Answered => Some("look again"),
        Stage::Resolved => Some("unlock"),
        Stage::Unlocked | Stage::Settled => None,
    }
}
