//! `vmacd tokens`: create, list, rotate, revoke.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::change_log::{note, person};
use crate::cli::app_env::AppEnv;
use crate::cli::args::TokensVerb;
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::times::time_ahead;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::{Role, TokenName};
use crate::store::{NewToken, Store, Token, TokenSecret};

pub async fn run(env: AppEnv, output: Output, verb: TokensVerb) -> Result<(), Fault> {
    let store = env.store().await?;
    match verb {
        TokensVerb::Create { name, role, expires } => create(&store, output, name, role, expires).await,
        TokensVerb::List => list(&store, output).await,
        TokensVerb::Rotate { name } => {
            note(&store, "rotate_token", &name, json!({})).await?;
            let secret = TokenSecret::generate();
            let token = store.tokens().rotate(&name, &secret).await?;
            show_secret(output, &token, &secret)
        }
        TokensVerb::Revoke { name } => {
            note(&store, "revoke_token", &name, json!({})).await?;
            let token = store.tokens().revoke(&name).await?;
            output.item(&token, || format!("{name}: revoked"))
        }
    }
}

async fn create(
    store: &Store,
    output: Output,
    name: TokenName,
    role: Role,
    expires: Option<String>,
) -> Result<(), Fault> {
    let now = store.now().await?;
    let expires_at = expires.map(|text| expiry(&text, now)).transpose()?;
    note(store, "create_token", &name, json!({"role": role, "expires_at": expires_at})).await?;
    let secret = TokenSecret::generate();
    let token = store.tokens().add(&NewToken { name, role, expires_at, created_by: person() }, &secret).await?;
    show_secret(output, &token, &secret)
}

fn expiry(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
    let end = time_ahead("--expires", text, now)?;
    if end <= now {
        return Err(Fault::input(format!("--expires: {text} is in the past")));
    }
    Ok(end)
}

/// On stdout there is the secret alone, so that a script can take it.
fn show_secret(output: Output, token: &Token, secret: &TokenSecret) -> Result<(), Fault> {
    if !output.json {
        tracing::info!(name = %token.name, role = %token.role, "this is the token's secret; it is not shown again");
    }
    let mut data = json!(token);
    data["secret"] = secret.reveal().into();
    output.item(&data, || secret.reveal().to_owned())
}

async fn list(store: &Store, output: Output) -> Result<(), Fault> {
    let now = store.now().await?;
    let columns = ["NAME", "ROLE", "STATE", "LAST USED", "FROM", "CREATED", "BY"];
    output.list(&store.tokens().list().await?, &columns, |token| row(token, now))
}

fn row(token: &Token, now: DateTime<Utc>) -> Vec<Cell> {
    let second = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = match (token.revoked_at, token.expires_at) {
        (Some(at), _) => Cell::new(Tone::Bad, format!("revoked {}", second(at))),
        (None, Some(end)) if end <= now => Cell::new(Tone::Bad, format!("expired {}", second(end))),
        (None, Some(end)) => Cell::new(Tone::Good, format!("until {}", second(end))),
        (None, None) => Cell::new(Tone::Good, "valid"),
    };
    vec![
        token.name.to_string().into(),
        token.role.as_str().into(),
        state,
        or_dash(token.last_used_at.map(second).as_ref()).into(),
        or_dash(token.last_used_from.as_ref()).into(),
        second(token.created_at).into(),
        token.created_by.as_str().into(),
    ]
}
