//! Why a verb failed: the exit code, the error and what to do about it.

pub mod did_you_mean;
pub mod hints;

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::broker::{BrokerError, ReplayError};
use crate::cli::terminal::escape::printable_lines;
use crate::cli::terminal::streams::say;
use crate::config::ConfigError;
use crate::domain::{AddressError, Code, Failure, MacError, NameError, VmacNameError, chain};
use crate::sim::SimError;
use crate::store::StoreError;
use crate::worker::WorkerError;

const READER_GONE: &str = "unread";

/// Whose fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The input's; exit code 1.
    Input,
    /// The service's or its environment's; exit code 2.
    Service,
}

/// Why a verb ended without doing what was asked.
#[derive(Debug)]
pub struct Fault {
    pub kind: FaultKind,
    /// Stable, for programs.
    pub code: &'static str,
    pub error: anyhow::Error,
    /// What to do, where that is known.
    pub hint: Option<String>,
    /// Each thing that is wrong in a file, for programs.
    pub problems: Option<Value>,
}

impl Fault {
    fn new(kind: FaultKind, code: &'static str, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, code, error: error.into(), hint: None, problems: None }
    }

    /// The input is at fault, in this sentence.
    pub fn input(text: impl Into<String>) -> Self {
        Self::new(FaultKind::Input, "invalid_input", anyhow::Error::msg(text.into()))
    }

    /// The same with a code of its own.
    pub fn input_with_code(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, ..Self::input(text) }
    }

    /// The reader of stdout has gone away.
    pub fn reader_gone() -> Self {
        Self::new(FaultKind::Service, READER_GONE, anyhow::Error::msg("the reader of stdout has gone away"))
    }

    /// True for such a fault.
    pub fn reader_is_gone(&self) -> bool {
        self.code == READER_GONE
    }

    /// The service is at fault.
    pub fn service(error: impl Into<anyhow::Error>) -> Self {
        Self::new(FaultKind::Service, "service_failed", error)
    }

    /// The same, with what to do.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same, with each thing that is wrong in a file.
    pub fn with_problems(self, problems: Value) -> Self {
        Self { problems: Some(problems), ..self }
    }

    /// The same, with more to know about what to do.
    pub fn add_hint(self, more: &str) -> Self {
        let hint = self.hint.as_ref().map_or_else(|| more.to_owned(), |hint| format!("{hint} {more}"));
        self.with_hint(hint)
    }

    /// The same, with what was being done.
    pub fn context(self, text: String) -> Self {
        Self { error: self.error.context(text), ..self }
    }

    /// The fault with its causes, in one text.
    pub fn text(&self) -> String {
        chain(self.error.as_ref())
    }

    /// Prints the fault to stderr, with its causes and what to do, and answers with its exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        let text = if json { self.json() } else { self.lines() };
        say(&printable_lines(&text));
        ExitCode::from(match self.kind {
            FaultKind::Input => 1,
            FaultKind::Service => 2,
        })
    }

    fn json(&self) -> String {
        let mut text = json!({"code": self.code, "text": self.text(), "hint": self.hint});
        if let Some(problems) = &self.problems {
            text["problems"] = problems.clone();
        }
        text.to_string()
    }

    fn lines(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("error: {}{hint}", self.text())
    }
}

macro_rules! fault_of {
    ($($error:ty => $kind:ident $code:literal),* $(,)?) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::new(FaultKind::$kind, $code, error)
            }
        })*
    };
}

fault_of! {
    NameError => Input "invalid_name",
    MacError => Input "invalid_mac",
    AddressError => Input "invalid_address",
    VmacNameError => Input "invalid_name",
    WorkerError => Service "worker_failed",
    SimError => Service "sim_failed",
    std::io::Error => Service "io_failed",
    serde_json::Error => Service "json_failed",
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        let hint = hints::of_config(&error);
        Self { hint, ..Self::new(FaultKind::Input, "invalid_settings", error) }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        let (hint, code) = (hints::of_failure(failure.code), failure.code.as_str());
        Self { hint: hint.map(str::to_owned), ..Self::new(FaultKind::Service, code, failure) }
    }
}

impl From<BrokerError> for Fault {
    fn from(error: BrokerError) -> Self {
        let hint = hints::of_broker(&error);
        Self { hint, ..Self::new(FaultKind::Service, "broker_trouble", error) }
    }
}

impl From<ReplayError> for Fault {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Broker(error) => error.into(),
            ReplayError::Store(error) => error.into(),
            error @ ReplayError::TooLong { .. } => Self::new(FaultKind::Input, Code::TooLarge.as_str(), error),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let kind = if error.is_input() { FaultKind::Input } else { FaultKind::Service };
        let code = match &error {
            StoreError::NotFound { .. } | StoreError::NotFrozen(_) => "not_found",
            StoreError::Refused(failure) => failure.code.as_str(),
            StoreError::Inventory(_) => "invalid_inventory",
            StoreError::StillNeeded { .. } => "still_needed",
            StoreError::NotSqlite | StoreError::CopyFile { .. } | StoreError::Damaged { .. } => "no_copy",
            StoreError::UnknownUrl => "invalid_settings",
            StoreError::TablesMissing | StoreError::TablesOld { .. } | StoreError::TablesNew { .. } => "wrong_tables",
            _ => "database_trouble",
        };
        let hint = hints::of_store(&error);
        Self { hint, ..Self::new(kind, code, error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    #[test]
    fn a_fault_is_told_with_its_causes_and_what_to_do() {
        let changed = Failure::new(Code::HostKeyChanged, "sw-a1 showed another host key");
        insta::assert_snapshot!(Fault::from(changed.clone()).lines(), @"
        error: host_key_changed: sw-a1 showed another host key
        hint: find out why; if the switch was replaced, `vmacd switches trust NAME` pins the new key
        ");
        insta::assert_snapshot!(Fault::from(changed).json(), @r#"{"code":"host_key_changed","hint":"find out why; if the switch was replaced, `vmacd switches trust NAME` pins the new key","text":"host_key_changed: sw-a1 showed another host key"}"#);
        insta::assert_snapshot!(Fault::from(StoreError::TablesMissing).context("looking".to_owned()).lines(), @"
        error: looking: the database has no tables of vmacd
        hint: `vmacd migrate` brings the tables up to date
        ");
        assert_eq!(Fault::input("no").lines(), "error: no");
    }
}
