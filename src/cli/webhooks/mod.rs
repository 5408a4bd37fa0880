//! `vmacd webhooks`: where events are sent to over HTTP.

mod deliveries;

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::{WebhookAddArgs, WebhookArg, WebhooksVerb};
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::{or_dash, printable};
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::{AllowedNets, Scope, WebhookFilter, WebhookForm, WebhookSecret, WebhookUrl, WebhookUrlError};
use crate::store::{NewWebhook, Store, Webhook, WebhookOverview};
use crate::webhooks::{AnswerKind, WebhookClient, check_target};

pub async fn run(env: AppEnv, output: Output, verb: WebhooksVerb) -> Result<(), Fault> {
    let store = env.store().await?;
    let webhooks = store.webhooks();
    if let Some((action, of)) = change(&verb) {
        note(&store, action, &webhooks.get(&of.webhook).await?.name, json!({})).await?;
    }
    match verb {
        WebhooksVerb::Add(args) => add(&store, output, args, &env.settings.internal_nets()?).await,
        WebhooksVerb::List => output.list(
            &webhooks.list().await?,
            &["ID", "NAME", "URL", "FORM", "EVENTS", "WAITING", "DEAD", "STATE"],
            row,
        ),
        WebhooksVerb::Remove(of) => done(output, &webhooks.remove(&of.webhook).await?, "removed"),
        WebhooksVerb::Pause(of) => done(output, &webhooks.pause(&of.webhook).await?, "paused"),
        WebhooksVerb::Resume(of) => done(output, &webhooks.resume(&of.webhook).await?, "resumed"),
        WebhooksVerb::Rotate(of) => {
            let secret = new_secret();
            let webhook = webhooks.rotate(&of.webhook, &secret).await?;
            with_secret(output, &webhook, &secret, "has a new secret. The one before signs too for 24 hours")
        }
        WebhooksVerb::Test(of) => test(&env, &store, output, &of.webhook).await,
        WebhooksVerb::Deliveries(args) => deliveries::list(&store, output, &args).await,
        WebhooksVerb::Replay(args) => deliveries::replay(&store, output, &args).await,
    }
}

/// What is changed of a webhook that is there already.
fn change(verb: &WebhooksVerb) -> Option<(&'static str, &WebhookArg)> {
    match verb {
        WebhooksVerb::Remove(of) => Some(("webhooks remove", of)),
        WebhooksVerb::Pause(of) => Some(("webhooks pause", of)),
        WebhooksVerb::Resume(of) => Some(("webhooks resume", of)),
        WebhooksVerb::Rotate(of) => Some(("webhooks rotate", of)),
        WebhooksVerb::Test(of) => Some(("webhooks test", of)),
        WebhooksVerb::Add(_) | WebhooksVerb::List | WebhooksVerb::Deliveries(_) | WebhooksVerb::Replay(_) => None,
    }
}

fn new_secret() -> WebhookSecret {
    WebhookSecret::of_bytes(&rand::random())
}

async fn add(store: &Store, output: Output, args: WebhookAddArgs, allowed: &AllowedNets) -> Result<(), Fault> {
    for site in &args.site {
        did_you_mean::known_site(store, &Scope::Site(Some(site.clone()))).await?;
    }
    // Not read by clap, which would repeat what it holds.
    let url: WebhookUrl = args.url.parse().map_err(|error: WebhookUrlError| Fault::input(error.to_string()))?;
    check_target(&url, allowed).await.map_err(|error| Fault::input(error.to_string()))?;
    let filter = WebhookFilter { events: args.event, sites: args.site, references: args.reference };
    let (new, secret) = (NewWebhook { name: args.name, url, form: args.form, filter }, new_secret());
    let name = new.name.as_ref().map_or_else(|| new.url.place().0.to_owned(), ToString::to_string);
    let details = json!({"url": new.url.shown(new.form), "form": new.form, "filter": new.filter});
    note(store, "webhooks add", name, details).await?;
    let webhook = store.webhooks().add(&new, &secret).await?;
    match webhook.form {
        WebhookForm::Standard => with_secret(output, &webhook, &secret, "added"),
        WebhookForm::Slack => done(output, &webhook, "added"),
    }
}

fn done(output: Output, webhook: &Webhook, what: &str) -> Result<(), Fault> {
    output.item(webhook, || format!("webhook {} ({}): {what}", webhook.name, printable(&webhook.shown_url)))
}

fn with_secret(output: Output, webhook: &Webhook, secret: &WebhookSecret, what: &str) -> Result<(), Fault> {
    let mut data: Value = json!(webhook);
    data["secret"] = secret.reveal().into();
    output.item(&data, || {
        format!(
            "webhook {}: {what}\n  secret  {}\nThe receiver verifies signatures with it. It is not shown again.",
            webhook.name,
            secret.reveal()
        )
    })
}

async fn test(env: &AppEnv, store: &Store, output: Output, name: &str) -> Result<(), Fault> {
    let webhook = store.webhooks().get(name).await?;
    let answer_max = Duration::from_millis(env.settings.webhooks.answer_timeout_ms);
    let client = WebhookClient::new(env.settings.internal_nets()?, answer_max);
    let now = store.now().await?;
    let answer = client.send_test(&webhook.url, webhook.form, &webhook.secrets(now), now).await;
    if answer.kind != AnswerKind::Delivered {
        let text = format!("the test event was not delivered to {}: {}", webhook.name, answer.text);
        return Err(Fault::service(anyhow::anyhow!(text)));
    }
    let data =
        json!({"webhook": webhook, "result": answer.kind.as_str(), "status": answer.status, "answer": answer.text});
    output.item(&data, || format!("delivered to {}: {}", webhook.name, answer.text))
}

fn row(overview: &WebhookOverview) -> Vec<Cell> {
    let WebhookOverview { webhook, waiting, dead, .. } = overview;
    let (tone, state) = match (&webhook.disabled_reason, webhook.paused_at) {
        (Some(reason), _) => (Tone::Bad, format!("disabled: {reason}")),
        (None, Some(_)) => (Tone::Waiting, "paused".to_owned()),
        (None, None) => (Tone::Good, "active".to_owned()),
    };
    let events: Vec<String> = webhook.filter.events.iter().map(ToString::to_string).collect();
    let dead_tone = if *dead > 0 { Tone::Bad } else { Tone::Plain };
    vec![
        webhook.id.to_string().into(),
        webhook.name.as_str().into(),
        webhook.shown_url.as_str().into(),
        webhook.form.as_str().into(),
        or_dash((!events.is_empty()).then(|| events.join(" ")).as_ref()).into(),
        waiting.to_string().into(),
        Cell::new(dead_tone, dead.to_string()),
        Cell::new(tone, state),
    ]
}
