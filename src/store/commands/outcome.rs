//! How commands end.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Action, Code, Desired, Failure};
use crate::store::database::engine::Row;
use crate::store::database::error::StoreError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The virtual MAC is bound.
    Active,
    /// It is off.
    Revoked,
    /// A newer command won.
    Superseded,
    /// It could not be done.
    Failed,
}

/// How a command ended, with what there is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandOutcome {
    /// How it ended.
    pub status: Outcome,
    /// The row, where there is one.
    pub vmac_id: Option<i64>,
    /// The reason code of a failure.
    pub code: Option<Code>,
    /// The sentence to a failure or a superseding.
    pub text: Option<String>,
}

impl Outcome {
    /// Every one there is.
    pub const ALL: [Self; 4] = [Self::Active, Self::Revoked, Self::Superseded, Self::Failed];

    /// As stored, and as the last part of the event's routing key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }

    /// The routing key of the event that reports it.
    pub fn routing_key(self) -> String {
        format!("vmac.{self}")
    }

    /// The outcome of a text as stored.
    pub(in crate::store) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == text)
    }

    /// How a command of this action ends when the row's intent is met.
    pub(in crate::store) const fn of_success(action: Action) -> Self {
        match action.wants() {
            Desired::Bound => Self::Active,
            Desired::Unbound => Self::Revoked,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CommandOutcome {
    /// The failure, when it is one.
    pub fn failure(&self) -> Option<Failure> {
        let code = self.code.unwrap_or(Code::RefusedBySwitch);
        (self.status == Outcome::Failed).then(|| Failure::new(code, self.text.clone().unwrap_or_default()))
    }

    /// The outcome of a row of `commands`, when it has one.
    pub(in crate::store) fn from_row(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(status) = row.get::<Option<String>>("outcome")?.as_deref().and_then(Outcome::from_text) else {
            return Ok(None);
        };
        let code: Option<String> = row.get("outcome_code")?;
        Ok(Some(Self {
            status,
            vmac_id: row.get("vmac_id")?,
            code: code.as_deref().and_then(Code::from_text),
            text: row.get("outcome_text")?,
        }))
    }
}
