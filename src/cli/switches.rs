//! `vmacd switches`: how they are, a check of everything a push needs, and pinning host keys.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::args::SwitchesVerb;
use super::fault::Fault;
use super::open::Session;
use super::output::{Output, or_dash, printable};
use crate::domain::{Dialect, SwitchName};
use crate::store::{KnownSwitch, Store};
use crate::switch::{SwitchClient, fetch_host_key, pending_confirm};
use crate::worker::connect;

/// Runs one of the verbs.
pub(super) async fn run(session: Session, output: Output, verb: SwitchesVerb) -> Result<(), Fault> {
    let store = session.store().await?;
    match verb {
        SwitchesVerb::List => list(&store, output).await,
        SwitchesVerb::Check { name } => check(&session, &store, output, &name).await,
        SwitchesVerb::Trust { name, fingerprint } => trust(&session, &store, output, &name, fingerprint).await,
    }
}

async fn list(store: &Store, output: Output) -> Result<(), Fault> {
    let columns = ["NAME", "HOST", "PORT", "DIALECT", "HOST KEY", "CIRCUIT", "LAST SEEN"];
    output.list(&store.switches().await?, &columns, |known: &KnownSwitch| {
        let circuit = match &known.circuit.open_until {
            Some(until) => format!("open until {}", until.format("%H:%M:%S")),
            None => "closed".to_owned(),
        };
        vec![
            known.switch.name.to_string(),
            known.switch.host.clone(),
            known.switch.port.to_string(),
            known.dialect_found.map_or("-", Dialect::as_str).to_owned(),
            if known.switch.host_key.is_some() { "pinned" } else { "missing" }.to_owned(),
            circuit,
            or_dash(known.last_seen_at.map(|at| at.to_rfc3339()).as_ref()),
        ]
    })
}

async fn trust(
    session: &Session,
    store: &Store,
    output: Output,
    name: &SwitchName,
    wanted: Option<String>,
) -> Result<(), Fault> {
    let known = store.switch(name).await?.switch;
    let timeout = Duration::from_millis(session.settings.ssh.connect_timeout_ms);
    let shown = fetch_host_key(&known, timeout).await.map_err(Fault::service)?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != shown) {
        return Err(Fault::input(format!("{name} shows {shown}, not {wanted}; nothing was pinned")));
    }
    store.trust(name, &shown).await?;
    let before = known.host_key;
    output.one(&json!({"switch": name, "host_key": shown, "before": before}), || match &before {
        Some(before) if *before != shown => format!("{name}: pinned {shown} in place of {before}"),
        Some(_) => format!("{name}: {shown} was pinned already"),
        None => format!("{name}: pinned {shown}"),
    })
}

/// One line of a check.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
}

async fn check(session: &Session, store: &Store, output: Output, name: &SwitchName) -> Result<(), Fault> {
    let known = store.switch(name).await?;
    let mut findings = Vec::new();
    match connect(&session.settings, &known.switch, None).await {
        Err(failure) => findings.push(Finding { what: "session", ok: false, detail: failure.to_string() }),
        Ok(mut client) => {
            let detail = format!("host key, login and NETCONF of {}:{} are good", known.switch.host, known.switch.port);
            findings.push(Finding { what: "session", ok: true, detail });
            look(&mut client, &mut findings).await;
            store.set_dialect_found(name, client.dialect()).await?;
            client.close().await;
        }
    }
    output.list(&findings, &["WHAT", "", "DETAIL"], |finding| {
        vec![finding.what.to_owned(), if finding.ok { "ok" } else { "NO" }.to_owned(), printable(&finding.detail)]
    })?;
    match findings.iter().find(|finding| !finding.ok) {
        Some(finding) => Err(Fault::service(anyhow::anyhow!("{name}: {}: {}", finding.what, finding.detail))),
        None => Ok(()),
    }
}

/// Tries everything that a push needs and that changes nothing.
async fn look(client: &mut SwitchClient, findings: &mut Vec<Finding>) {
    let mut add = |what, result: Result<String, String>| {
        let ok = result.is_ok();
        findings.push(Finding { what, ok, detail: result.unwrap_or_else(|problem| problem) });
    };
    add("dialect", Ok(client.dialect().as_str().to_owned()));
    let facts = client
        .facts()
        .await
        .map(|facts| format!("{} with Junos {}", or_dash(facts.model.as_ref()), or_dash(facts.release.as_ref())));
    add("model", facts.map_err(|error| error.to_string()));
    let bindings = client.bindings().await.map(|bindings| format!("{} static bindings", bindings.len()));
    add("bindings", bindings.map_err(|error| error.to_string()));
    let pending =
        client.history().await.map_err(|error| error.to_string()).and_then(|history| match pending_confirm(&history) {
            Some(pending) => {
                Err(format!("the newest commit, of {}, may wait for its confirmation", pending.entry.user))
            }
            None => Ok("no commit waits for its confirmation".to_owned()),
        });
    add("commits", pending);
    let locked = match client.lock().await {
        Ok(()) => client.unlock().await.map(|()| "the candidate is free and can be locked".to_owned()),
        Err(error) => Err(error),
    };
    add("candidate", locked.map_err(|error| error.to_string()));
}
