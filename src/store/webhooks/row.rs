//! A row of `webhooks`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::{WebhookFilter, WebhookForm, WebhookName, WebhookSecret, WebhookUrl};
use crate::store::database::engine::Row;
use crate::store::database::error::StoreError;

/// Where events are sent. In JSON and in `Debug` without its secrets, and without what its URL may hold of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: WebhookName,
    /// The URL, for requests alone.
    #[serde(skip)]
    pub url: WebhookUrl,
    /// The URL for people.
    #[serde(rename = "url")]
    pub shown_url: String,
    /// What it is sent.
    pub form: WebhookForm,
    /// Which events it gets.
    #[serde(flatten)]
    pub filter: WebhookFilter,
    /// The secret that signs.
    #[serde(skip)]
    pub secret: WebhookSecret,
    /// The secret before it.
    #[serde(skip)]
    pub previous_secret: Option<WebhookSecret>,
    /// Until when that one signs too.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when nothing is sent.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why nothing is queued for it any more.
    pub disabled_reason: Option<String>,
    /// Since when there is such a webhook.
    pub created_at: DateTime<Utc>,
}

impl Webhook {
    /// The secrets that sign at this time, the newest first.
    pub fn secrets(&self, now: DateTime<Utc>) -> Vec<&WebhookSecret> {
        let previous = self.previous_secret.as_ref().filter(|_| self.previous_until.is_some_and(|until| now < until));
        std::iter::once(&self.secret).chain(previous).collect()
    }

    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let url: String = row.get("url")?;
        // What it holds may be a token: the error must not repeat it.
        let hidden = |_| StoreError::Content { column: "url".to_owned(), text: "***".to_owned() };
        let (url, form): (WebhookUrl, WebhookForm) = (url.parse().map_err(hidden)?, row.parse("form")?);
        let filter = WebhookFilter {
            events: row.json("event_patterns")?,
            sites: row.json("sites")?,
            references: row.json("reference_prefixes")?,
        };
        Ok(Self {
            id: row.get("id")?,
            name: row.parse("name")?,
            shown_url: url.shown(form),
            url,
            form,
            filter,
            secret: WebhookSecret::stored(row.get("secret")?),
            previous_secret: row.get::<Option<String>>("previous_secret")?.map(WebhookSecret::stored),
            previous_until: row.get("previous_until")?,
            paused_at: row.get("paused_at")?,
            disabled_reason: row.get("disabled_reason")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// The columns that [`Webhook::from_row`] reads, of a table `h`.
pub(super) const COLUMNS: &str =
    "h.id, h.name, h.url, h.form, h.event_patterns, h.sites, h.reference_prefixes, h.secret,
    h.previous_secret, h.previous_until, h.paused_at, h.disabled_reason, h.created_at";

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn neither_secrets_nor_tokens_print_and_the_old_secret_signs_until_its_time() {
        let url: WebhookUrl = "https://hooks.example.com/services/hunter2?hunter2".parse().expect("a URL");
        let (now, form) = (DateTime::UNIX_EPOCH, WebhookForm::Slack);
        let secret = |text: &str| WebhookSecret::stored(format!("whsec_hunter2{text}"));
        let webhook = Webhook {
            id: 1,
            name: "ops".parse().expect("a name"),
            shown_url: url.shown(form),
            url,
            form,
            filter: WebhookFilter::default(),
            secret: secret("new"),
            previous_secret: Some(secret("old")),
            previous_until: Some(now + TimeDelta::seconds(1)),
            paused_at: None,
            disabled_reason: None,
            created_at: now,
        };
        let printed = format!("{webhook:?}{}", serde_json::to_string(&webhook).expect("JSON"));
        assert!(!printed.contains("hunter2"), "{printed}");
        assert_eq!(webhook.secrets(now), [&secret("new"), &secret("old")]);
        assert_eq!(webhook.secrets(now + TimeDelta::seconds(1)), [&secret("new")]);
    }
}
