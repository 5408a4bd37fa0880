//! Adding webhooks, listing, pausing and removing them, and changing their secrets.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;

use super::row::{COLUMNS, Webhook};
use crate::domain::{Code, Failure, WebhookFilter, WebhookForm, WebhookName, WebhookSecret, WebhookUrl, shown};
use crate::store::commands::outcome::Outcome;
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::events::body::{DRIFT_KEY, IN_FORCE_KEY, WAITING_KEY};
use crate::store::parts::Webhooks;

/// How long the secret before signs too.
const PREVIOUS_FOR: TimeDelta = TimeDelta::hours(24);
/// Webhooks of one host that are told apart by a number.
const OF_A_HOST_MAX: u32 = 100;

/// A webhook to be added.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its name; by default the URL's host.
    pub name: Option<WebhookName>,
    /// Where events are sent.
    pub url: WebhookUrl,
    /// What it is sent.
    pub form: WebhookForm,
    /// Which events it gets.
    pub filter: WebhookFilter,
}

/// A webhook, and what waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookOverview {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// Deliveries that wait.
    pub waiting: i64,
    /// Since when the oldest of them does.
    pub oldest_at: Option<DateTime<Utc>>,
    /// Deliveries that nobody tries any more.
    pub dead: i64,
    /// What came back most recently where the delivery waits.
    pub last_answer: Option<String>,
}

fn overview(row: &Row) -> Result<WebhookOverview, StoreError> {
    Ok(WebhookOverview {
        webhook: Webhook::from_row(row)?,
        waiting: row.get("waiting")?,
        oldest_at: row.get("oldest_at")?,
        dead: row.get("dead")?,
        last_answer: row.get("last_answer")?,
    })
}

impl NewWebhook {
    /// The same, where each of its filters may let something through.
    fn checked(&self) -> Result<(), StoreError> {
        let refused = |text: String| Err(StoreError::Refused(Failure::new(Code::InvalidField, text)));
        let keys: Vec<String> = Outcome::ALL.into_iter().map(Outcome::routing_key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).chain([DRIFT_KEY, IN_FORCE_KEY, WAITING_KEY]).collect();
        if let Some(none) = self.filter.events.iter().find(|pattern| !keys.iter().any(|key| pattern.matches(key))) {
            return refused(format!("event: no event is called `{none}`; there are {}", keys.join(", ")));
        }
        let is_fine = |text: &&String| !text.is_empty() && text.chars().count() <= 200;
        if let Some(text) = self.filter.references.iter().find(|text| !is_fine(text)) {
            return refused(format!("reference: `{}` does not have 1 to 200 characters", shown(text)));
        }
        Ok(())
    }

    /// Names to try, until one is free.
    fn names(&self) -> Vec<WebhookName> {
        if let Some(name) = &self.name {
            return vec![name.clone()];
        }
        let host: String =
            self.url.place().0.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
        let host: String = host.chars().take(60).collect();
        let base = host.parse::<WebhookName>().map_or_else(|_| "webhook".to_owned(), String::from);
        let numbered = (2..=OF_A_HOST_MAX).map(|number| format!("{base}-{number}"));
        std::iter::once(base.clone()).chain(numbered).filter_map(|name| name.parse().ok()).collect()
    }
}

impl Webhooks<'_> {
    /// Adds a webhook: it gets every event that is written from now on and passes its filter.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where its name is taken or no event can pass; or when the database fails.
    pub async fn add(self, new: &NewWebhook, secret: &WebhookSecret) -> Result<Webhook, StoreError> {
        new.checked()?;
        let now = self.store.now().await?;
        let sql = format!(
            "INSERT INTO webhooks AS h (name, url, form, event_patterns, sites, reference_prefixes, secret, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING RETURNING {}",
            COLUMNS.replace("h.", "")
        );
        let names = new.names();
        for name in &names {
            let WebhookFilter { events, sites, references } = &new.filter;
            let arguments = args![
                name.as_str(),
                new.url.reveal(),
                new.form.as_str(),
                json!(events),
                json!(sites),
                json!(references),
                secret.reveal(),
                now
            ];
            if let Some(row) = self.store.engine.write("add a webhook", &sql, arguments).await?.first() {
                return Webhook::from_row(row);
            }
        }
        let taken = names.first().map(ToString::to_string).unwrap_or_default();
        let text = format!("name: there is a webhook `{taken}` already; give this one another name");
        Err(StoreError::Refused(Failure::new(Code::InvalidField, text)))
    }

    /// All webhooks by name, and what waits for each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(self) -> Result<Vec<WebhookOverview>, StoreError> {
        let of = "FROM webhook_deliveries d WHERE d.webhook_id = h.id AND d.state";
        let sql = format!(
            "SELECT {COLUMNS}, (SELECT COUNT(*) {of} = 'waiting') AS waiting, (SELECT COUNT(*) {of} = 'dead') AS dead,
                 (SELECT d.created_at {of} = 'waiting' ORDER BY d.event_id LIMIT 1) AS oldest_at,
                 (SELECT d.last_answer {of} = 'waiting' AND d.last_tried_at IS NOT NULL
                  ORDER BY d.last_tried_at DESC LIMIT 1) AS last_answer
             FROM webhooks h ORDER BY h.name"
        );
        let rows = self.store.engine.read("list webhooks", &sql, Vec::new()).await?;
        rows.iter().map(overview).collect()
    }

    /// The webhook of that number or name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn get(self, name: &str) -> Result<Webhook, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks h WHERE h.name = $1 OR CAST(h.id AS TEXT) = $1");
        let rows = self.store.engine.read("read a webhook", &sql, args![name]).await?;
        Webhook::from_row(rows.first().ok_or_else(|| not_found(name))?)
    }

    /// Removes a webhook with all its deliveries. What is being sent at this moment still arrives.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn remove(self, name: &str) -> Result<Webhook, StoreError> {
        let webhook = self.get(name).await?;
        let mut tx = self.store.begin("remove a webhook").await?;
        tx.run("remove a webhook", "DELETE FROM webhooks WHERE id = $1", args![webhook.id]).await?;
        tx.run("remove deliveries", "DELETE FROM webhook_deliveries WHERE webhook_id = $1", args![webhook.id]).await?;
        tx.commit("remove a webhook").await?;
        Ok(webhook)
    }

    /// Stops sending to a webhook; events are queued for it as before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn pause(self, name: &str) -> Result<Webhook, StoreError> {
        let (webhook, now) = (self.get(name).await?, self.store.now().await?);
        let sql = "UPDATE webhooks SET paused_at = COALESCE(paused_at, $2) WHERE id = $1";
        self.store.engine.write("pause a webhook", sql, args![webhook.id, now]).await?;
        self.get(name).await
    }

    /// Sends again to a webhook that was paused, or whose receiver was gone. What waits is due at once, and its time to be
    /// delivered in begins anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn resume(self, name: &str) -> Result<Webhook, StoreError> {
        let (webhook, now) = (self.get(name).await?, self.store.now().await?);
        let mut tx = self.store.begin("resume a webhook").await?;
        let sql = "UPDATE webhooks SET paused_at = NULL, disabled_reason = NULL WHERE id = $1";
        tx.run("resume a webhook", sql, args![webhook.id]).await?;
        let sql =
            "UPDATE webhook_deliveries SET next_at_ms = 0, since_ms = $2 WHERE webhook_id = $1 AND state = 'waiting'";
        tx.run("resume deliveries", sql, args![webhook.id, now.timestamp_millis()]).await?;
        tx.commit("resume a webhook").await?;
        self.get(name).await
    }

    /// Gives a webhook another secret. The one before signs too for a day, so that receivers can change in between.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database fails.
    pub async fn rotate(self, name: &str, secret: &WebhookSecret) -> Result<Webhook, StoreError> {
        let (webhook, now) = (self.get(name).await?, self.store.now().await?);
        let sql = "UPDATE webhooks SET previous_secret = secret, previous_until = $3, secret = $2 WHERE id = $1";
        let arguments = args![webhook.id, secret.reveal(), now + PREVIOUS_FOR];
        self.store.engine.write("change a webhook's secret", sql, arguments).await?;
        self.get(name).await
    }
}

fn not_found(name: &str) -> StoreError {
    StoreError::NotFound { what: "webhook", id: shown(name).into_owned() }
}
