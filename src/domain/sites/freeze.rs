//! Sites whose switches are left alone for a time.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{Code, Failure, NameError, SiteName, SwitchName};

/// Longest reason, and longest name of who froze a site, in characters: both stand on every row that waits.
const TEXT_MAX: usize = 200;
/// The furthest end of a freeze.
const YEARS_MAX: i64 = 10;

/// What is frozen: one site, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Every switch; written `*`.
    All,
    /// The switches of one site; written as its name, `-` for those without one.
    Site(Option<SiteName>),
}

impl Scope {
    /// Whether a switch of this site is meant.
    pub fn covers(&self, site: Option<&SiteName>) -> bool {
        match self {
            Self::All => true,
            Self::Site(own) => own.as_ref() == site,
        }
    }
}

impl Scope {
    /// What is meant, as the beginning of a sentence about it.
    pub fn is(&self) -> String {
        match self {
            Self::All => "all sites are".to_owned(),
            Self::Site(None) => "the switches without a site are".to_owned(),
            Self::Site(Some(site)) => format!("site {site} is"),
        }
    }

    /// Whether there may be a switch that both mean.
    pub fn meets(&self, other: &Self) -> bool {
        matches!((self, other), (Self::All, _) | (_, Self::All)) || self == other
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Site(None) => f.write_str("-"),
            Self::Site(Some(site)) => site.fmt(f),
        }
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "*" => Ok(Self::All),
            "-" => Ok(Self::Site(None)),
            name => name.parse().map(|site| Self::Site(Some(site))),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

/// Who froze a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FreezeKind {
    /// Somebody, until a time.
    Manual,
    /// vmacd itself after failures, until somebody thaws it.
    Automatic,
}

impl FreezeKind {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

/// A site whose switches nothing is committed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freeze {
    /// What is frozen.
    pub site: Scope,
    /// When it ends by itself; far away for an automatic one.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
    /// Who froze it.
    pub made_by: String,
    /// Since when.
    pub made_at: DateTime<Utc>,
    /// Whether somebody did it, or vmacd itself.
    pub kind: FreezeKind,
}

impl Freeze {
    /// The end of a freeze that only somebody ends.
    pub const NEVER: DateTime<Utc> = DateTime::from_timestamp(253_370_764_800, 0).expect("9999-01-01");

    /// When it ends, for people.
    pub fn end(&self) -> String {
        match self.kind {
            FreezeKind::Manual => format!("until {}", self.until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            FreezeKind::Automatic => "until somebody thaws it".to_owned(),
        }
    }

    /// Its end, who made it and why, for people.
    pub fn in_full(&self) -> String {
        let why = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{} by {}{why}", self.end(), self.made_by)
    }

    /// Whether it was made as this order asks, for any time.
    pub fn is_of(&self, order: &FreezeOrder) -> bool {
        (&self.site, &self.made_by, &self.reason, self.kind)
            == (&order.site, &order.made_by, &order.reason, FreezeKind::Manual)
    }

    /// What work for one of its switches waits for.
    pub fn failure(&self, switch: &SwitchName) -> Failure {
        let why = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let text = format!("{switch} is paused: {} frozen by {} {}{why}", self.site.is(), self.made_by, self.end());
        Failure::new(Code::Frozen, text)
    }
}

/// What somebody asks for who freezes a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeOrder {
    /// What is to be frozen.
    pub site: Scope,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
    /// Who asks.
    pub made_by: String,
}

/// Why a site cannot be frozen like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    /// It would be over already.
    #[error("until: {until} is in the past")]
    Over {
        /// The end asked for.
        until: DateTime<Utc>,
    },
    /// It would last too long.
    #[error("until: {until} is more than {YEARS_MAX} years ahead")]
    TooFar {
        /// The end asked for.
        until: DateTime<Utc>,
    },
    /// A text is too long.
    #[error("{field}: longer than {TEXT_MAX} characters")]
    TooLong {
        /// Which.
        field: &'static str,
    },
}

impl FreezeOrder {
    /// The freeze that carries it out.
    pub fn made(&self, made_at: DateTime<Utc>) -> Freeze {
        let Self { site, until, reason, made_by } = self.clone();
        Freeze { site, until, reason, made_by, made_at, kind: FreezeKind::Manual }
    }

    /// Checks what is asked for; its end is kept in whole milliseconds.
    ///
    /// # Errors
    /// [`FreezeError`]: an end that is over or too far away, a text of more than 200 characters.
    pub fn checked(self, now: DateTime<Utc>) -> Result<Self, FreezeError> {
        let is_long = |text: &str| text.chars().count() > TEXT_MAX;
        match self.until {
            until if until <= now => return Err(FreezeError::Over { until }),
            until if until > now + TimeDelta::days(366 * YEARS_MAX) => return Err(FreezeError::TooFar { until }),
            _ => {}
        }
        if self.reason.as_deref().is_some_and(is_long) {
            return Err(FreezeError::TooLong { field: "reason" });
        }
        if is_long(&self.made_by) {
            return Err(FreezeError::TooLong { field: "made_by" });
        }
        Ok(Self { until: self.until.trunc_subsecs(3), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(until_s: i64, reason: &str) -> FreezeOrder {
        FreezeOrder {
            site: Scope::Site(None),
            until: DateTime::from_timestamp(until_s, 0).expect("a time"),
            reason: Some(reason.to_owned()),
            made_by: "alice".to_owned(),
        }
    }

    #[test]
    fn scopes_read_back_and_no_site_is_called_as_they_are() {
        for text in ["*", "-", "ams1", "dc.2_b"] {
            assert_eq!(text.parse::<Scope>().expect("a scope").to_string(), text);
        }
        for text in ["", "**", "-a", "a b", "ams1\n"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
        assert!("*".parse::<SiteName>().is_err() && "-".parse::<SiteName>().is_err());
    }

    #[test]
    fn an_order_must_end_in_time_and_be_brief() {
        let now = DateTime::from_timestamp(1_000, 0).expect("a time");
        assert!(order(1_001, "move").checked(now).is_ok());
        assert!(matches!(order(1_000, "").checked(now), Err(FreezeError::Over { .. })));
        assert!(matches!(order(400_000_000, "").checked(now), Err(FreezeError::TooFar { .. })));
        assert_eq!(order(1_001, &"x".repeat(201)).checked(now), Err(FreezeError::TooLong { field: "reason" }));
    }

    #[test]
    fn whoever_waits_learns_until_when_by_whom_and_why() {
        let FreezeOrder { site, until, reason, made_by } = order(1_790_000_000, "core upgrade");
        let freeze = Freeze { site, until, reason, made_by, made_at: until, kind: FreezeKind::Manual };
        let switch: SwitchName = "sw-a1".parse().expect("a name");
        insta::assert_snapshot!(freeze.failure(&switch), @"frozen: sw-a1 is paused: the switches without a site are frozen by alice until 2026-09-21T14:13:20Z: core upgrade");
        let ams1 = Scope::Site(Some("ams1".parse().expect("a name")));
        let stopped = Freeze { site: ams1, until: Freeze::NEVER, kind: FreezeKind::Automatic, ..freeze };
        insta::assert_snapshot!(stopped.failure(&switch), @"frozen: sw-a1 is paused: site ams1 is frozen by alice until somebody thaws it: core upgrade");
    }
}
