//! Messages that failed for good, kept with their original bytes until an operator replays or discards them.

pub(super) mod bury;
pub(super) mod keep;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::domain::{BODY_BYTES_MAX, BindableAddress, Code, Cure, SearchText, SwitchName};
use crate::store::database::engine::{Arg, Row, args, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::DeadLetters;

/// A row of `dead_letters` as lists show it: without what may be long.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetterRow {
    /// Its number.
    pub id: i64,
    /// The message's id.
    pub message_id: Option<String>,
    /// The command's key.
    pub message_key: Option<String>,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// The routing key.
    pub routing_key: String,
    /// When it was issued, where vmacd stamped it.
    pub issued_at_ms: Option<i64>,
    /// The property `timestamp` as it came.
    pub timestamp: Option<i64>,
    /// The number of its first arrival.
    pub arrival: Option<i64>,
    /// Which replay it was.
    pub replay_number: i64,
    /// The size of the whole body, bytes.
    pub body_bytes: i64,
    /// SHA-256 of the whole body, hexadecimal, where only its beginning is kept.
    pub body_sha256: Option<String>,
    /// The reason code.
    pub reason_code: String,
    /// What happened.
    pub error_text: String,
    /// Attempts made.
    pub attempts: i64,
    /// The switch.
    pub switch: Option<SwitchName>,
    /// The server.
    pub server_id: Option<i64>,
    /// The address.
    pub ip_address: Option<String>,
    /// First failure.
    pub first_failed_at: DateTime<Utc>,
    /// Last failure.
    pub last_failed_at: DateTime<Utc>,
    /// `waiting`, `replayed` or `discarded`.
    pub state: String,
    /// How often it was replayed.
    pub replays: i64,
    /// For how many messages it speaks: copies of one message are one letter.
    pub copies: i64,
}

/// A dead letter with what was received.
#[derive(Debug, Clone, Serialize)]
pub struct FullDeadLetter {
    /// The row.
    #[serde(flatten)]
    pub row: DeadLetterRow,
    /// The body, or the first [`BODY_BYTES_MAX`] bytes of a longer one; in JSON as hexadecimal digits, because it may be
    /// anything.
    #[serde(rename = "body_hex", serialize_with = "as_hex")]
    pub body: Vec<u8>,
    /// The producer's other headers.
    pub headers: Value,
}

/// Which dead letters; by default all that wait.
#[derive(Debug, Clone)]
pub struct DeadLetterFilter {
    /// `waiting`, `replayed` or `discarded`.
    pub state: String,
    /// Newest first; else oldest first.
    pub newest_first: bool,
    /// Beyond this number in that order; 0 begins at the first.
    pub after_id: i64,
    /// Maximum number.
    pub limit: i64,
    /// These numbers.
    pub ids: Vec<i64>,
    /// With this reason code.
    pub reason: Option<String>,
    /// Of this switch.
    pub switch: Option<SwitchName>,
    /// Of no switch at all.
    pub without_switch: bool,
    /// For this address.
    pub ip: Option<BindableAddress>,
    /// Whose last failure is not before this.
    pub since: Option<DateTime<Utc>>,
    /// Whose address or ids contain this text.
    pub search: Option<SearchText>,
}

impl Default for DeadLetterFilter {
    fn default() -> Self {
        Self {
            state: "waiting".to_owned(),
            newest_first: false,
            after_id: 0,
            limit: i64::MAX,
            ids: Vec::new(),
            reason: None,
            switch: None,
            without_switch: false,
            ip: None,
            since: None,
            search: None,
        }
    }
}

/// Dead letters that wait for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterCause {
    /// The reason code.
    pub reason_code: String,
    /// The switch, where it was one.
    pub switch: Option<SwitchName>,
    /// How many wait.
    pub count: i64,
    /// The text of the newest.
    pub error_text: String,
    /// When the first of them failed for good.
    pub oldest_at: DateTime<Utc>,
    /// When the last of them did.
    pub newest_at: DateTime<Utc>,
}

impl DeadLetterCause {
    /// Who can put it right.
    pub fn cure(&self) -> Cure {
        cure(&self.reason_code)
    }
}

impl DeadLetterRow {
    /// Who can put it right.
    pub fn cure(&self) -> Cure {
        cure(&self.reason_code)
    }
}

/// A code that this version does not know may be an operator's to put right.
fn cure(code: &str) -> Cure {
    Code::from_text(code).map_or(Cure::Here, Code::cure)
}

fn as_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

impl DeadLetterRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            message_id: row.get("message_id")?,
            message_key: row.get("message_key")?,
            correlation_id: row.get("correlation_id")?,
            traceparent: row.get("traceparent")?,
            routing_key: row.get("routing_key")?,
            issued_at_ms: row.get("issued_at_ms")?,
            timestamp: row.get("sent_timestamp")?,
            arrival: row.get("arrival")?,
            replay_number: row.get("replay_number")?,
            body_bytes: row.get("body_bytes")?,
            body_sha256: row.get("body_sha256")?,
            reason_code: row.get("reason_code")?,
            error_text: row.get("error_text")?,
            attempts: row.get("attempts")?,
            switch: row.parse_optional("switch")?,
            server_id: row.get("server_id")?,
            ip_address: row.get("ip_address")?,
            first_failed_at: row.get("first_failed_at")?,
            last_failed_at: row.get("last_failed_at")?,
            state: row.get("state")?,
            replays: row.get("replays")?,
            copies: row.get("copies")?,
        })
    }

    /// True where the body is longer than that of any command: it cannot be published again.
    pub const fn is_too_long(&self) -> bool {
        self.body_bytes > BODY_BYTES_MAX as i64
    }
}

impl FullDeadLetter {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { row: DeadLetterRow::from_row(row)?, body: row.get("body")?, headers: row.json("headers")? })
    }
}

/// What lists read.
const COLUMNS: &str =
    "id, message_id, message_key, correlation_id, traceparent, routing_key, issued_at_ms, sent_timestamp, arrival,
    replay_number, reason_code, error_text, attempts, switch, server_id, ip_address, first_failed_at, last_failed_at, state, replays, copies,
    COALESCE(body_bytes, CAST(LENGTH(body) AS BIGINT)) AS body_bytes, body_sha256";

/// The same with what was received.
fn full_columns() -> String {
    format!("{COLUMNS}, SUBSTR(body, 1, {BODY_BYTES_MAX}) AS body, headers")
}

impl DeadLetters<'_> {
    /// The dead letters that match, in the order that the filter asks for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, StoreError> {
        let (sql, arguments) = selection(COLUMNS, filter);
        let rows = self.store.engine.read("list dead letters", &sql, arguments).await?;
        rows.iter().map(DeadLetterRow::from_row).collect()
    }

    /// The same with what was received: up to [`BODY_BYTES_MAX`] bytes each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_full(self, filter: &DeadLetterFilter) -> Result<Vec<FullDeadLetter>, StoreError> {
        let (sql, arguments) = selection(&full_columns(), filter);
        let rows = self.store.engine.read("read dead letters", &sql, arguments).await?;
        rows.iter().map(FullDeadLetter::from_row).collect()
    }

    /// The numbers of those that match, oldest first: bodies are large, numbers are not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ids(self, filter: &DeadLetterFilter) -> Result<Vec<i64>, StoreError> {
        let (sql, arguments) = selection("id", filter);
        let rows = self.store.engine.read("count dead letters", &sql, arguments).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// How many match, on all pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(self, filter: &DeadLetterFilter) -> Result<i64, StoreError> {
        let mut arguments = Vec::new();
        let sql = format!("SELECT COUNT(*) AS letters FROM dead_letters WHERE {}", conditions(filter, &mut arguments));
        let rows = self.store.engine.read("count dead letters", &sql, arguments).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "count dead letters" })?.get("letters")
    }

    /// What waits, by reason and switch, the most first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn causes(self) -> Result<Vec<DeadLetterCause>, StoreError> {
        let sql = "SELECT c.reason_code, c.switch, c.letters, c.oldest_at, c.newest_at, d.error_text FROM (
                       SELECT reason_code, switch, COUNT(*) AS letters, MAX(id) AS newest_id,
                           MIN(last_failed_at) AS oldest_at, MAX(last_failed_at) AS newest_at
                       FROM dead_letters WHERE state = 'waiting' GROUP BY reason_code, switch) c
                   JOIN dead_letters d ON d.id = c.newest_id ORDER BY c.letters DESC, c.reason_code, c.switch";
        let rows = self.store.engine.read("group dead letters", sql, Vec::new()).await?;
        let cause = |row: &Row| {
            Ok(DeadLetterCause {
                reason_code: row.get("reason_code")?,
                switch: row.parse_optional("switch")?,
                count: row.get("letters")?,
                error_text: row.get("error_text")?,
                oldest_at: row.get("oldest_at")?,
                newest_at: row.get("newest_at")?,
            })
        };
        rows.iter().map(cause).collect()
    }

    /// One dead letter, whatever its state.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn get(self, id: i64) -> Result<FullDeadLetter, StoreError> {
        let sql = format!("SELECT {} FROM dead_letters WHERE id = $1", full_columns());
        let rows = self.store.engine.read("read a dead letter", &sql, args![id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound { what: "dead letter", id: id.to_string() })?;
        FullDeadLetter::from_row(row)
    }

    /// Marks those that wait as replayed; returns their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_replayed(self, replayed: &[i64]) -> Result<Vec<i64>, StoreError> {
        let sql = "UPDATE dead_letters SET state = 'replayed', replays = replays + 1, replayed_at = $2
                   WHERE state = 'waiting' AND id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} RETURNING id";
        self.mark("mark dead letters replayed", sql, replayed).await
    }

    /// Discards those that wait; returns their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn discard(self, discarded: &[i64]) -> Result<Vec<i64>, StoreError> {
        let sql = "UPDATE dead_letters SET state = 'discarded', discarded_at = $2
                   WHERE state = 'waiting' AND id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in} RETURNING id";
        self.mark("discard dead letters", sql, discarded).await
    }

    async fn mark(self, what: &'static str, sql: &str, of: &[i64]) -> Result<Vec<i64>, StoreError> {
        let now = self.store.now().await?;
        let rows = self.store.engine.write(what, sql, vec![ids(of), now.into()]).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }
}

/// The last second that is written with a year of four digits.
const LATEST: DateTime<Utc> = DateTime::from_timestamp(253_402_300_799, 0).expect("a time");

/// The statement that reads these columns of what matches.
fn selection(columns: &str, filter: &DeadLetterFilter) -> (String, Vec<Arg>) {
    let (beyond, order) = if filter.newest_first { ("<", "DESC") } else { (">", "ASC") };
    let from = if filter.newest_first && filter.after_id == 0 { i64::MAX } else { filter.after_id };
    let mut arguments = Vec::new();
    let conditions = conditions(filter, &mut arguments);
    arguments.extend(args![from, filter.limit]);
    let (after, limit) = (arguments.len() - 1, arguments.len());
    let sql = format!(
        "SELECT {columns} FROM dead_letters WHERE {conditions} AND id {beyond} ${after} ORDER BY id {order} LIMIT ${limit}"
    );
    (sql, arguments)
}

/// The conditions of a filter, without the position at which the list begins.
fn conditions(filter: &DeadLetterFilter, arguments: &mut Vec<Arg>) -> String {
    let named = i64::from(!filter.ids.is_empty());
    arguments.extend([ids(&filter.ids), named.into(), filter.state.as_str().into()]);
    let mut sql = "(id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}) OR $2 = 0) AND state = $3".to_owned();
    let conditions: [(&str, Option<Arg>); 4] = [
        ("reason_code =", filter.reason.clone().map(Arg::from)),
        ("switch =", filter.switch.as_ref().map(|switch| switch.as_str().into())),
        ("ip_address =", filter.ip.map(|ip| ip.to_string().into())),
        // Any time may be asked for, and Postgres knows fewer than chrono.
        ("last_failed_at >=", filter.since.map(|since| Arg::from(since.clamp(DateTime::UNIX_EPOCH, LATEST)))),
    ];
    for (condition, value) in conditions.into_iter().filter_map(|(c, value)| Some((c, value?))) {
        arguments.push(value);
        sql.push_str(&format!(" AND {condition} ${}", arguments.len()));
    }
    if filter.without_switch {
        sql.push_str(" AND switch IS NULL");
    }
    if let Some(text) = &filter.search {
        arguments.push(text.lowercase.as_str().into());
        let holds = |column| format!("{{strpos}}(lower(COALESCE({column}, '')), ${}) > 0", arguments.len());
        let any = ["ip_address", "message_id", "correlation_id"].map(holds).join(" OR ");
        sql.push_str(&format!(" AND ({any})"));
    }
    sql
}

fn ids(ids: &[i64]) -> Arg {
    batch_arg(ids.iter().map(|id| json!({"id": id})).collect())
}
