//! `vmacd webhooks ...`

use clap::{Args, Subcommand};

use super::examples::examples;
use super::parse::number;
use crate::domain::{DeliveryState, EventPattern, SiteName, WebhookForm, WebhookName};

/// `vmacd webhooks ...`
#[derive(Debug, Subcommand)]
pub enum WebhooksVerb {
    /// Add a webhook: it gets every event from now on that passes its filters. Prints its secret, this once
    #[command(after_help = examples![
        "vmacd webhooks add https://billing.example.com/vmacd --event vmac.active --event vmac.failed",
        "vmacd webhooks add https://hooks.slack.com/services/T0/B0/X --form slack --event vmac.failed --name ops",
    ])]
    Add(WebhookAddArgs),
    /// List the webhooks with what waits for each
    #[command(after_help = examples!["vmacd webhooks list", "vmacd webhooks list --json"])]
    List,
    /// Remove a webhook with its deliveries
    #[command(after_help = examples!["vmacd webhooks remove billing"])]
    Remove(WebhookArg),
    /// Stop sending to a webhook; events are kept for it until it is resumed
    #[command(after_help = examples!["vmacd webhooks pause billing"])]
    Pause(WebhookArg),
    /// Send again to a webhook that was paused, or disabled because its receiver answered 410 Gone
    #[command(after_help = examples!["vmacd webhooks resume billing"])]
    Resume(WebhookArg),
    /// Give a webhook another secret and print it, this once; the one before signs too for 24 hours
    #[command(after_help = examples!["vmacd webhooks rotate billing"])]
    Rotate(WebhookArg),
    /// Send a `vmacd.test` event now and show what came back
    #[command(after_help = examples!["vmacd webhooks test billing"])]
    Test(WebhookArg),
    /// List deliveries, newest first
    #[command(after_help = examples!["vmacd webhooks deliveries --webhook billing --state dead"])]
    Deliveries(DeliveriesArgs),
    /// Send dead deliveries again
    #[command(after_help = examples!["vmacd webhooks replay --webhook billing", "vmacd webhooks replay --id 17,18"])]
    Replay(DeliveryReplayArgs),
}

/// `vmacd webhooks add`
#[derive(Debug, Args)]
pub struct WebhookAddArgs {
    /// Where events are sent: https:// or http://
    #[arg(value_name = "URL")]
    pub url: String,
    /// Only these events: a routing key, or `vmac.*`; repeatable [default: all]
    #[arg(long, value_delimiter = ',', value_name = "KEY")]
    pub event: Vec<EventPattern>,
    /// Only events of switches at these sites; repeatable [default: all]
    #[arg(long, value_delimiter = ',', value_name = "SITE")]
    pub site: Vec<SiteName>,
    /// Only events whose reference begins with this; repeatable [default: all]
    #[arg(long, value_name = "PREFIX")]
    pub reference: Vec<String>,
    /// `standard`: the event, signed; `slack`: one sentence
    #[arg(long, default_value_t = WebhookForm::Standard)]
    pub form: WebhookForm,
    /// Its name [default: the host]
    #[arg(long)]
    pub name: Option<WebhookName>,
}

/// Which webhook.
#[derive(Debug, Args)]
pub struct WebhookArg {
    /// Its name or id
    #[arg(value_name = "WEBHOOK")]
    pub webhook: String,
}

/// `vmacd webhooks deliveries`
#[derive(Debug, Args)]
pub struct DeliveriesArgs {
    /// Those of this webhook (name or id)
    #[arg(long)]
    pub webhook: Option<String>,
    /// Those that are `waiting`, `delivered` or `dead`
    #[arg(long)]
    pub state: Option<DeliveryState>,
}

/// `vmacd webhooks replay`
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct DeliveryReplayArgs {
    /// These ids
    #[arg(long, value_delimiter = ',', value_parser = number)]
    pub id: Vec<i64>,
    /// The dead ones of this webhook (name or id)
    #[arg(long)]
    pub webhook: Option<String>,
    /// All dead deliveries
    #[arg(long, conflicts_with_all = ["id", "webhook"])]
    pub all: bool,
}
