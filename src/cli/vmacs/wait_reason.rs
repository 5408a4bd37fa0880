//! Why a request has no outcome yet, and what to do about it: shown while somebody waits, and when they stop waiting.

use std::time::Duration;

use tokio::time::Instant;

use crate::cli::fault::hints;
use crate::cli::terminal::escape::printable;
use crate::cli::terminal::streams::say;
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::domain::{MessageKey, SwitchName};
use crate::store::{CommandRecord, Store, StoreError, SwitchOverview, Vmac};

/// Time between two queries for the reason.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Switches that are named; the others are counted.
const SWITCHES_SHOWN: usize = 3;
const NO_WORKER: &str =
    "is `vmacd serve` running, and with the same database and queue? `vmacd config` shows those of this shell";

/// Why there is no outcome yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitReason {
    pub text: String,
    /// What to do.
    pub hint: String,
}

impl WaitReason {
    fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into() }
    }

    /// Finds out what the request is waiting for.
    pub async fn find(store: &Store, key: &MessageKey) -> Result<Self, StoreError> {
        let record = match store.commands().get(key).await {
            Err(StoreError::NotFound { .. }) => {
                return Ok(Self::new("no worker has accepted the request yet", NO_WORKER));
            }
            record => record?,
        };
        let Some(id) = record.command.vmac_id else { return Ok(not_admitted(&record)) };
        let vmac = store.vmacs().get(id).await?;
        let mut switches = Vec::new();
        for name in waiting_switches(&vmac) {
            switches.push(store.switches().overview(&name).await?);
        }
        Ok(of_row(&vmac, &switches))
    }
}

fn not_admitted(record: &CommandRecord) -> WaitReason {
    let ip = record.command.ip_address;
    let text = format!("{ip} cannot be changed yet; attempts so far: {}", record.command.attempts);
    WaitReason::new(text, format!("`vmacd show {ip}` shows which server has it, and its progress"))
}

/// The switches with a port that is not in its desired state yet, each once.
fn waiting_switches(vmac: &Vmac) -> Vec<SwitchName> {
    let open = vmac.switch_bindings.iter().filter(|port| !port.is_met(vmac.desired));
    let mut names: Vec<SwitchName> = open.map(|port| port.switch.clone()).collect();
    names.sort();
    names.dedup();
    names
}

fn of_row(vmac: &Vmac, switches: &[SwitchOverview]) -> WaitReason {
    let reasons: Vec<WaitReason> = switches.iter().map(|switch| at_switch(vmac, switch)).collect();
    let Some(first) = reasons.first() else {
        return WaitReason::new(format!("{}: the outcome is being recorded", vmac.status), NO_WORKER);
    };
    let texts: Vec<&str> = reasons.iter().take(SWITCHES_SHOWN).map(|reason| reason.text.as_str()).collect();
    let more = reasons.len().saturating_sub(SWITCHES_SHOWN);
    let more = if more > 0 { format!("; and {more} more switches") } else { String::new() };
    WaitReason::new(format!("{}: {}{more}", vmac.status, texts.join("; ")), first.hint.clone())
}

fn at_switch(vmac: &Vmac, switch: &SwitchOverview) -> WaitReason {
    let known = &switch.known;
    let name = &known.switch.name;
    if let Some(freeze) = &known.freeze {
        let site = known.switch.site.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let text = format!("{name} is paused: its site is frozen {}", freeze.end());
        return WaitReason::new(
            text,
            format!("`vmacd freezes` shows who froze it and why, `vmacd thaw {site}` ends it"),
        );
    }
    if let Some(trouble) = &known.trouble {
        let next = trouble.next_try_at.format("%H:%M:%S UTC");
        let text = format!("{}, next attempt {next}", trouble.text);
        let advice = hints::of_failure(trouble.code).map(|hint| hint.replace("NAME", name.as_str()));
        return WaitReason::new(
            text,
            advice.unwrap_or_else(|| format!("`vmacd switches check {name}` tests each step of a push")),
        );
    }
    if let Some(holder) = &switch.lease_holder {
        return WaitReason::new(
            format!("{name} is being changed by {holder}"),
            "a commit can take minutes; give --timeout more time",
        );
    }
    match &vmac.failure_text {
        Some(failure) => {
            let text = format!("{name}: {failure}, failed {} times, retrying", vmac.attempts);
            WaitReason::new(text, format!("`vmacd show {}` shows the error of the switch", vmac.ip_address))
        }
        None => WaitReason::new(format!("{name}: no worker has started on it yet"), NO_WORKER),
    }
}

/// Prints the reason for waiting to stderr whenever it changes; on a terminal as a spinner.
pub struct WaitReporter {
    output: Output,
    spinner: Option<Progress>,
    polled_at: Instant,
    reported: Option<WaitReason>,
}

impl WaitReporter {
    pub fn new(output: Output) -> Self {
        Self { output, spinner: None, polled_at: Instant::now(), reported: None }
    }

    /// Polls if it is time to, and prints a new reason. Errors of the poll itself are ignored: the caller sees them.
    pub async fn report(&mut self, store: &Store, key: &MessageKey, done: Option<(usize, usize)>) {
        if self.output.json || self.polled_at.elapsed() < POLL_EVERY {
            return;
        }
        self.polled_at = Instant::now();
        let Ok(reason) = WaitReason::find(store, key).await else { return };
        let counted = done.map(|(done, of)| format!("{done} of {of} done; ")).unwrap_or_default();
        let reason_now = WaitReason { text: format!("{counted}{}", reason.text), ..reason };
        if self.reported.as_ref() != Some(&reason_now) {
            self.say(&reason_now.text);
            self.reported = Some(reason_now);
        }
    }

    fn say(&mut self, text: &str) {
        let line = format!("waiting: {}", printable(text));
        match &self.spinner {
            Some(spinner) => spinner.say(line),
            None if Progress::can_spin() => self.spinner = Some(Progress::spinner(self.output, line)),
            None => say(&line),
        }
    }
}
