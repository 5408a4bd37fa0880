//! Tokens of the API: by name, with a role; of the secret there is a hash alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::secret::TokenSecret;
use crate::domain::{Code, Failure, Role, TokenName};
use crate::store::database::clock::millis;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::database::statement::Arg;
use crate::store::parts::Tokens;

/// Uses are written down this far apart: not every request is worth a write.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// A token to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its name; never given twice.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who makes it.
    pub created_by: String,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its name.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From which address.
    pub last_used_from: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Token {
    /// True while it is accepted.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let time = |column: &str| {
            Ok::<_, StoreError>(row.get::<Option<i64>>(column)?.and_then(DateTime::from_timestamp_millis))
        };
        Ok(Self {
            name: row.parse("name")?,
            role: row.parse("role")?,
            created_at: time("created_at_ms")?.unwrap_or_default(),
            created_by: row.get("created_by")?,
            expires_at: time("expires_at_ms")?,
            last_used_at: time("last_used_at_ms")?,
            last_used_from: row.get("last_used_from")?,
            revoked_at: time("revoked_at_ms")?,
        })
    }
}

impl Tokens<'_> {
    /// Makes a token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where there is or was one of that name, or when the database fails.
    pub async fn add(self, token: &NewToken, secret: &TokenSecret) -> Result<Token, StoreError> {
        let what = "make a token";
        let sql = "INSERT INTO tokens (name, hash, role, created_at_ms, created_by, expires_at_ms)
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING RETURNING *";
        let now_ms = self.store.now().await?.timestamp_millis();
        let expires_at_ms = token.expires_at.map(|end| end.timestamp_millis());
        let NewToken { name, role, created_by, .. } = token;
        let arguments = args![name.as_str(), secret.hash(), role.as_str(), now_ms, created_by.as_str(), expires_at_ms];
        let rows = self.store.engine.write(what, sql, arguments).await?;
        let taken = || {
            let text = format!("there is or was a token {name}: choose another name, or `vmacd tokens rotate {name}`");
            StoreError::Refused(Failure::new(Code::InvalidField, text))
        };
        Token::from_row(rows.first().ok_or_else(taken)?)
    }

    /// Every token there is or was, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self) -> Result<Vec<Token>, StoreError> {
        let rows = self.store.engine.read("list the tokens", "SELECT * FROM tokens ORDER BY name", Vec::new()).await?;
        rows.iter().map(Token::from_row).collect()
    }

    /// Gives a token another secret; the one before is refused from now on, and logins with it end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none or it was revoked, or when the database fails.
    pub async fn rotate(self, name: &TokenName, secret: &TokenSecret) -> Result<Token, StoreError> {
        let sql = "UPDATE tokens SET hash = $2 WHERE name = $1 AND revoked_at_ms IS NULL RETURNING *";
        self.change("give a token another secret", name, sql, args![name.as_str(), secret.hash()]).await
    }

    /// Revokes a token: it is refused from now on, and so are logins with it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none or it was revoked already, or when the database fails.
    pub async fn revoke(self, name: &TokenName) -> Result<Token, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let sql = "UPDATE tokens SET revoked_at_ms = $2 WHERE name = $1 AND revoked_at_ms IS NULL RETURNING *";
        self.change("revoke a token", name, sql, args![name.as_str(), now_ms]).await
    }

    async fn change(
        self,
        what: &'static str,
        name: &TokenName,
        sql: &str,
        arguments: Vec<Arg>,
    ) -> Result<Token, StoreError> {
        let mut tx = self.store.begin(what).await?;
        let rows = tx.run(what, sql, arguments).await?;
        tx.run(what, "DELETE FROM page_sessions WHERE token_name = $1", args![name.as_str()]).await?;
        tx.commit(what).await?;
        let none = || StoreError::NotFound { what: "token", id: name.to_string() };
        Token::from_row(rows.first().ok_or_else(none)?)
    }

    /// The token with that secret, if it is accepted. Notes where it is used from.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shown(self, secret: &TokenSecret, from: &str) -> Result<Option<Token>, StoreError> {
        self.valid("hash", &secret.hash(), from).await
    }

    /// The token of that name, if it is accepted. Notes where it is used from.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn named(self, name: &str, from: &str) -> Result<Option<Token>, StoreError> {
        self.valid("name", name, from).await
    }

    async fn valid(self, column: &'static str, value: &str, from: &str) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT * FROM tokens WHERE {column} = $1");
        let rows = self.store.engine.read("find a token", &sql, args![value]).await?;
        let Some(token) = rows.first().map(Token::from_row).transpose()? else { return Ok(None) };
        let now = self.store.now().await?;
        if !token.is_valid(now) {
            return Ok(None);
        }
        if token.last_used_at.is_none_or(|at| (now - at).num_milliseconds() >= millis(NOTED_EVERY)) {
            let sql = "UPDATE tokens SET last_used_at_ms = $2, last_used_from = $3 WHERE name = $1";
            let arguments = args![token.name.as_str(), now.timestamp_millis(), from];
            self.store.engine.write("record that a token is used", sql, arguments).await?;
        }
        Ok(Some(token))
    }
}
