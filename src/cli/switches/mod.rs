//! `vmacd switches`: how they are, a check of everything a push needs, and pinning host keys.

pub mod adopt;
pub mod audit;
mod check;
pub mod freezes;
pub mod survey;
mod switch_fault;

use std::time::Duration;

use serde_json::json;

use switch_fault::switch_fault;

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::SwitchesVerb;
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::confirm;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::{Dialect, DriftMode, Scope, SwitchName};
use crate::store::{KnownSwitch, Store};
use crate::switch::fetch_host_key;

pub async fn run(env: AppEnv, output: Output, verb: SwitchesVerb) -> Result<(), Fault> {
    let store = env.store().await?;
    match verb {
        SwitchesVerb::List { site } => list(&store, output, site.as_ref(), env.settings.drift.mode).await,
        SwitchesVerb::Check { name } => check::run(&env, &store, output, &name).await,
        SwitchesVerb::Trust { name, fingerprint, yes } => {
            trust(&env, &store, output, Pin { name, wanted: fingerprint, yes }).await
        }
    }
}

async fn list(store: &Store, output: Output, site: Option<&Scope>, mode: DriftMode) -> Result<(), Fault> {
    if let Some(site) = site {
        did_you_mean::known_site(store, site).await?;
    }
    let is_there = |known: &KnownSwitch| site.is_none_or(|site| site.covers(known.switch.site.as_ref()));
    let switches: Vec<_> = store.switches().list().await?.into_iter().filter(is_there).collect();
    let columns = [
        "NAME",
        "SITE",
        "HOST",
        "PORT",
        "DIALECT",
        "HOST KEY",
        "TROUBLE",
        "FROZEN",
        "LAST SEEN",
        "DRIFT",
        "LAST DRIFT CHECK",
    ];
    output.list(&switches, &columns, |known: &KnownSwitch| {
        let trouble = known.trouble.as_ref().map_or("-".into(), |trouble| {
            Cell::new(Tone::Bad, format!("{}, next attempt {}", trouble.code, trouble.next_try_at.format("%H:%M:%S")))
        });
        let host_key = match known.switch.host_key {
            Some(_) => "pinned".into(),
            None => Cell::new(Tone::Waiting, "missing"),
        };
        vec![
            known.switch.name.to_string().into(),
            or_dash(known.switch.site.as_ref()).into(),
            known.switch.host.as_str().into(),
            known.switch.port.to_string().into(),
            known.dialect_found.map_or("-", Dialect::as_str).into(),
            host_key,
            trouble,
            known.freeze.as_ref().map_or("-".into(), |freeze| Cell::new(Tone::Waiting, freeze.end())),
            or_dash(known.last_seen_at.map(|at| at.to_rfc3339()).as_ref()).into(),
            known.switch.drift.unwrap_or(mode).as_str().into(),
            or_dash(known.drift_seen_at.map(|at| at.to_rfc3339()).as_ref()).into(),
        ]
    })
}

/// Which key to pin, and whether to ask.
struct Pin {
    name: SwitchName,
    /// The key that it must be.
    wanted: Option<String>,
    /// Replace another one without asking.
    yes: bool,
}

async fn trust(env: &AppEnv, store: &Store, output: Output, pin: Pin) -> Result<(), Fault> {
    let Pin { name, wanted, yes } = &pin;
    let known = did_you_mean::known_switch(store, name).await?.switch;
    let timeout = Duration::from_millis(env.settings.ssh.connect_timeout_ms);
    let shown = fetch_host_key(&known, timeout).await;
    let shown = shown.map_err(|error| switch_fault(error.failure(), &known))?;
    if let Some(wanted) = wanted.as_ref().filter(|wanted| **wanted != shown) {
        return Err(Fault::input(format!("{name} shows {shown}, not {wanted}; nothing was pinned")));
    }
    let before = known.host_key;
    if let Some(before) = before.as_ref().filter(|before| **before != shown) {
        let question = format!(
            "{name} shows another host key than the pinned one. Pinned: {before}; shown now: {shown}. Somebody may be \
             intercepting the connection. Replace the pinned key?"
        );
        let otherwise = format!(
            "{name} shows {shown} instead of the pinned {before}: compare the key at the switch, then pin it with --fingerprint {shown}"
        );
        confirm::require(*yes || wanted.is_some(), question, &otherwise).await?;
    }
    note(store, "trust", name, json!({"host_key": shown, "before": before})).await?;
    store.switches().trust(name, &shown).await?;
    output.item(&json!({"switch": name, "host_key": shown, "before": before}), || match &before {
        Some(before) if *before != shown => format!("{name}: pinned {shown} instead of {before}"),
        Some(_) => format!("{name}: {shown} was already pinned"),
        None => format!("{name}: pinned {shown}; `vmacd switches check {name}` tests the remaining steps"),
    })
}
