//! What can go wrong between the store and its database.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;

use crate::domain::{Failure, InventoryConflict, InventoryItem, Scope, ServiceUrl, shown};
use crate::store::database::postgres::hosts::HostsError;

/// An error of the store. Never shows a URL's password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or refuses the login.
    #[error("cannot connect to the database {url}")]
    Connect {
        /// Where it is.
        url: ServiceUrl,
        /// Why.
        source: Arc<sqlx::Error>,
    },
    /// The URL names no database that the store knows. Nothing of it is repeated: it may hold a password anywhere.
    #[error(
        "the database's URL is not of a known kind: expected sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    UnknownUrl,
    /// The hosts of the URL cannot be read.
    #[error("the database's URL cannot be used: {0}")]
    Hosts(#[from] HostsError),
    /// Migrations need a session of their own, and there is only a pooler that gives none.
    #[error(
        "the tables cannot be brought up to date through a pooler: set database.migrate_url to the database itself"
    )]
    MigratePooled,
    /// The tables cannot be brought up to date.
    #[error("cannot bring the tables up to date")]
    Migrate(#[source] Arc<sqlx::migrate::MigrateError>),
    /// vmacd has no tables in the database yet.
    #[error("the database has no tables of vmacd")]
    TablesMissing,
    /// The tables are those of an older version.
    #[error("the database's tables are older (version {found}) than this vmacd's (version {wanted})")]
    TablesOld {
        /// The version that is there.
        found: i64,
        /// This program's.
        wanted: i64,
    },
    /// The tables are those of a newer version.
    #[error("the database's tables are newer (version {found}) than this vmacd's (version {wanted})")]
    TablesNew {
        /// The version that is there.
        found: i64,
        /// This program's.
        wanted: i64,
    },
    /// A copy of the database cannot be written there.
    #[error("cannot write the copy {}", file.display())]
    CopyFile {
        /// Where.
        file: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// A copy of the database is not sound: neither is the database.
    #[error("the database is damaged: {problems}")]
    Damaged {
        /// What SQLite's `integrity_check` says.
        problems: String,
    },
    /// Only SQLite's file is copied.
    #[error("the database is not SQLite")]
    NotSqlite,
    /// A statement failed.
    #[error("{} to {what}", if is_unreachable(source) { "cannot reach the database" } else { "the database failed" })]
    Query {
        /// What it was asked.
        what: &'static str,
        /// Why.
        source: Arc<sqlx::Error>,
    },
    /// A statement took too long.
    #[error("the database did not {what} within {after_ms} ms")]
    Timeout {
        /// What it was asked.
        what: &'static str,
        /// The limit.
        after_ms: u128,
    },
    /// A statement that must give a row gave none.
    #[error("the database gave no answer when asked to {what}")]
    NoAnswer {
        /// What it was asked.
        what: &'static str,
    },
    /// A column is missing or has another type.
    #[error("the database's column `{column}` is not as expected")]
    Column {
        /// Which.
        column: String,
        /// Why.
        source: Arc<sqlx::Error>,
    },
    /// A column holds what vmacd never writes there.
    #[error("the database's column `{column}` holds `{}`", shown(text))]
    Content {
        /// Which.
        column: String,
        /// What it holds.
        text: String,
    },
    /// A configuration cannot be packed.
    #[error("the backup of {switch} cannot be packed")]
    Pack {
        /// Whose.
        switch: String,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// A stored configuration cannot be unpacked.
    #[error("backup {id} cannot be unpacked")]
    Unpack {
        /// Which.
        id: i64,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// What was asked for is not there.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name or number.
        id: String,
    },
    /// What is to be thawed is not frozen.
    #[error("{} not frozen", .0.is())]
    NotFrozen(Scope),
    /// A part of the inventory that is to go is needed; nothing was changed.
    #[error("{item} is still needed by {by}")]
    StillNeeded {
        /// The switch or server.
        item: InventoryItem,
        /// What needs it.
        by: String,
    },
    /// It cannot be done, for this reason.
    #[error(transparent)]
    Refused(Failure),
    /// The inventory contradicts itself or what is stored; nothing of it was written.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Inventory(Vec<InventoryConflict>),
    /// The lease went to another worker; nothing was written.
    #[error("the lease of {switch} went to another worker")]
    LeaseLost {
        /// The switch.
        switch: String,
    },
    /// Another worker takes the messages in by now; nothing was written.
    #[error("another worker admits messages now")]
    TurnLost,
}

impl StoreError {
    /// True when the same call may succeed later: the database was away, busy or slow.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::NoAnswer { .. } => true,
            Self::Query { source, .. } => is_transient(source),
            Self::UnknownUrl
            | Self::Hosts(_)
            | Self::MigratePooled
            | Self::Migrate(_)
            | Self::TablesMissing
            | Self::TablesOld { .. }
            | Self::TablesNew { .. }
            | Self::CopyFile { .. }
            | Self::Damaged { .. }
            | Self::NotSqlite
            | Self::Column { .. }
            | Self::Content { .. }
            | Self::Pack { .. }
            | Self::Unpack { .. }
            | Self::NotFound { .. }
            | Self::NotFrozen(_)
            | Self::StillNeeded { .. }
            | Self::Refused(_)
            | Self::Inventory(_)
            | Self::LeaseLost { .. }
            | Self::TurnLost => false,
        }
    }

    /// True when what was asked for is at fault, not the database.
    pub fn is_input(&self) -> bool {
        if let Self::CopyFile { source, .. } = self {
            // A full disk is not.
            return matches!(
                source.kind(),
                ErrorKind::AlreadyExists
                    | ErrorKind::IsADirectory
                    | ErrorKind::NotADirectory
                    | ErrorKind::NotFound
                    | ErrorKind::PermissionDenied
            );
        }
        matches!(
            self,
            Self::NotFound { .. }
                | Self::NotFrozen(_)
                | Self::StillNeeded { .. }
                | Self::Refused(_)
                | Self::Inventory(_)
                | Self::UnknownUrl
                | Self::Hosts(_)
                | Self::MigratePooled
                | Self::NotSqlite
        )
    }

    /// True when a table is not there: 42P01 in Postgres; SQLite has no code of its own for it.
    pub(in crate::store) fn is_missing_table(&self) -> bool {
        let Self::Query { source, .. } = self else { return false };
        let says = |error: &dyn sqlx::error::DatabaseError| error.message().starts_with("no such table");
        sql_state(source).as_deref() == Some("42P01") || source.as_database_error().is_some_and(says)
    }

    /// True when two transactions stood in each other's way, or wrote the same key: the whole transaction may be run
    /// again at once.
    pub(in crate::store) fn is_clash(&self) -> bool {
        // SQLite: 1555 a primary key, 2067 a unique index.
        let clash = |state: String| matches!(state.as_str(), "40001" | "40P01" | "23505" | "1555" | "2067");
        matches!(self, Self::Query { source, .. } if sql_state(source).is_some_and(clash))
    }
}

/// True when another process writes to the same SQLite database (5 busy, 6 locked, and their extended codes).
pub(in crate::store) fn is_busy(error: &sqlx::Error) -> bool {
    let number = sql_state(error).and_then(|code| code.parse::<u32>().ok());
    number.is_some_and(|number| matches!(number & 0xff, 5 | 6))
}

/// True when the tables were changed since the statement was prepared on its connection. Known by the place in the server that
/// says so: the words may be of any language, and the code (0A000) is that of everything unsupported.
pub(in crate::store) fn is_stale_plan(error: &sqlx::Error) -> bool {
    let refused = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    refused.is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"))
}

fn sql_state(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// True when no statement gets as far as the database.
fn is_unreachable(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
    matches!(error, Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed | Tls(_))
}

/// True when the connection is of no use any more, and hardly any other one to the same server is: it broke, the server shuts down
/// or crashed (SQLSTATE class 08, 57P01 to 57P03), or it takes no writes, as a standby (25006).
pub(in crate::store) fn ends_connections(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, Tls, WorkerCrashed};
    let ends = |code: String| code.starts_with("08") || matches!(code.as_str(), "57P01" | "57P02" | "57P03" | "25006");
    matches!(error, Io(_) | Tls(_) | WorkerCrashed) || sql_state(error).is_some_and(ends)
}

/// True where the server says that something was divided by zero (SQLSTATE 22012).
pub(in crate::store) fn is_division_by_zero(error: &sqlx::Error) -> bool {
    sql_state(error).as_deref() == Some("22012")
}

/// True unless the statement is refused for what it holds. A database that is away, busy, read-only, starting, full or
/// that refuses the login may take the same statement later, and whoever asked is not at fault. For what they hold are
/// refused, by SQLSTATE class (PostgreSQL manual, appendix A): 22 data, 23 constraints, 42 a statement that does not
/// fit the tables, 54 limits, 0A unsupported. SQLite: 1 error, 18 too big, 19 constraint, 20 mismatch, 25 range.
fn is_transient(error: &sqlx::Error) -> bool {
    let Some(code) = sql_state(error) else {
        return is_unreachable(error) || matches!(error, sqlx::Error::Protocol(_));
    };
    if is_stale_plan(error) {
        return true;
    }
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => !matches!(number & 0xff, 1 | 18 | 19 | 20 | 25),
        _ => !["0A", "22", "23", "42", "54"].iter().any(|class| code.starts_with(class)) || code == "42501",
    }
}
