//! `vmacd switches check`: tests everything that a push needs, step by step. It changes nothing; during its commit check it
//! holds the lock of the candidate configuration.

use std::collections::BTreeSet;

use serde::Serialize;

use super::switch_fault::switch_fault;
use crate::cli::app_env::AppEnv;
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::in_force::{AskedBinding, InForceVerdict};
use crate::domain::plan::{Inactive, PresentBinding};
use crate::domain::{Failure, Switch, SwitchName, VlanName};
use crate::store::Store;
use crate::switch::{SwitchClient, SwitchError, VlanGuards, fetch_host_key, pending_confirm};
use crate::worker::{credential, timeouts};

/// The result of one step.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    detail: String,
    /// What a push would fail with.
    #[serde(skip)]
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As a push needs it.
    Ok,
    /// A push would fail or wait.
    No,
    /// A push would work; something else is worth knowing.
    Note,
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &str, state: State, detail: impl Into<String>) {
        self.0.push(Finding { what: what.to_owned(), state, detail: detail.into(), failure: None });
    }

    fn fail(&mut self, what: &str, failure: Failure) {
        let (what, detail) = (what.to_owned(), failure.text.clone());
        self.0.push(Finding { what, state: State::No, detail, failure: Some(failure) });
    }

    /// Notes the result of a step, and returns its value.
    fn note<T>(&mut self, what: &str, result: Result<T, SwitchError>, detail: impl Fn(&T) -> String) -> Option<T> {
        match &result {
            Ok(value) => self.add(what, State::Ok, detail(value)),
            Err(error) => self.fail(what, error.failure()),
        }
        result.ok()
    }
}

/// Prints the findings; an error names the first that would keep a push from working.
pub async fn run(env: &AppEnv, store: &Store, output: Output, name: &SwitchName) -> Result<(), Fault> {
    let known = did_you_mean::known_switch(store, name).await?;
    let (known, duplicates_found) = (known.switch, known.duplicates_found);
    let mut findings = Findings::default();
    if let Some(mut client) = open(env, &known, &mut findings).await {
        client.init_duplicates(&known, duplicates_found);
        check_session(&mut client, &mut findings).await;
        store.switches().set_dialect_found(name, client.dialect()).await?;
        if let Some(rule) = client.take_duplicates_found() {
            store.switches().set_duplicates_found(name, rule).await?;
        }
        client.close().await;
    }
    output.list(&findings.0, &["WHAT", "STATE", "DETAIL"], |finding| {
        let state = match finding.state {
            State::Ok => Cell::new(Tone::Good, "ok"),
            State::No => Cell::new(Tone::Bad, "NO"),
            State::Note => Cell::new(Tone::Waiting, "note"),
        };
        vec![finding.what.as_str().into(), state, finding.detail.as_str().into()]
    })?;
    match findings.0.into_iter().find(|finding| finding.state == State::No) {
        Some(finding) => Err(fault(&known, finding)),
        None => Ok(()),
    }
}

/// The hint is about this switch; it does not advise to run the check, which just ran.
fn fault(switch: &Switch, finding: Finding) -> Fault {
    let what = format!("{}: {}", switch.name, finding.what);
    let fault = match finding.failure {
        Some(failure) => switch_fault(failure, switch),
        None => Fault::service(anyhow::Error::msg(finding.detail)),
    };
    fault.context(what)
}

/// Reachable, host key, login, NETCONF: each only where the one before it is good.
async fn open(env: &AppEnv, switch: &Switch, findings: &mut Findings) -> Option<SwitchClient> {
    let limits = timeouts(&env.settings);
    let shown = fetch_host_key(switch, limits.connect).await;
    let shown = findings.note("reachable", shown, |_| format!("SSH answers at {}:{}", switch.host, switch.port))?;
    let pinned = is_pinned(switch, &shown);
    findings.note("host key", pinned, |()| format!("{shown} matches the pinned key"))?;
    let login = credential(&env.settings, switch);
    let login = login.map_err(|failure| findings.fail("login", failure)).ok()?;
    let opened = SwitchClient::connect(switch, None, &login, &limits).await;
    let is_login = matches!(&opened, Err(SwitchError::LoginRefused { .. } | SwitchError::Credential { .. }));
    if !is_login {
        findings.add("login", State::Ok, format!("accepted for {}", login.user));
    }
    let what = if is_login { "login" } else { "netconf" };
    findings.note(what, opened, |_| "a session can be opened".to_owned())
}

fn is_pinned(switch: &Switch, shown: &str) -> Result<(), SwitchError> {
    let name = switch.name.to_string();
    match &switch.host_key {
        None => Err(SwitchError::HostKeyMissing { switch: name }),
        Some(pinned) if pinned != shown => {
            Err(SwitchError::HostKeyChanged { switch: name, pinned: pinned.clone(), shown: shown.to_owned() })
        }
        Some(_) => Ok(()),
    }
}

/// Everything that a NETCONF session can tell.
async fn check_session(client: &mut SwitchClient, findings: &mut Findings) {
    findings.add("dialect", State::Ok, client.dialect().as_str());
    let facts = client.facts().await;
    findings.note("model", facts, |facts| {
        format!("{} with Junos {}", or_dash(facts.model.as_ref()), or_dash(facts.release.as_ref()))
    });
    let bindings = client.bindings().await;
    let bindings = findings.note("bindings", bindings, |bindings| format!("{} static bindings", bindings.len()));
    inactive(findings, bindings.as_deref().unwrap_or_default());
    duplicates(client, findings, bindings.as_deref().unwrap_or_default());
    let pending = check_pending_commit(client, findings).await;
    candidate(client, findings, pending).await;
    let active: Vec<PresentBinding> = bindings.into_iter().flatten().filter(PresentBinding::is_active).collect();
    let vlans = active.iter().filter_map(|binding| binding.vlan.clone()).collect();
    guards(client, findings, &vlans).await;
    in_force(client, findings, active).await;
}

/// Whether the switch applies its bindings, whosever they are.
async fn in_force(client: &mut SwitchClient, findings: &mut Findings, active: Vec<PresentBinding>) {
    let asked = active.into_iter().map(|PresentBinding { ip, mac, interface, vlan, .. }| AskedBinding {
        ip,
        mac,
        interface,
        vlan,
        has_other_ports: false,
    });
    let asked: Vec<AskedBinding> = asked.collect();
    let found = match client.in_force(&asked).await {
        Ok(found) => found,
        Err(error) => return findings.add("in force", State::Note, error.to_string()),
    };
    let of = |verdict: &InForceVerdict| match verdict {
        InForceVerdict::Yes(_) => None,
        InForceVerdict::No(reason) => Some(("no", reason.text.clone())),
        InForceVerdict::Unknown(reason) => Some(("unknown", reason.text.clone())),
    };
    let doubts: Vec<String> = asked
        .iter()
        .zip(&found)
        .filter_map(|(AskedBinding { ip, .. }, found)| {
            of(&found.verdict).map(|(state, text)| format!("{ip}: {state}: {text}"))
        })
        .collect();
    let yes = format!("{} of {} bindings", found.len() - doubts.len(), found.len());
    match doubts.is_empty() {
        true => findings.add("in force", State::Ok, yes),
        false => findings.add("in force", State::Note, format!("{yes}; {}", shortened(&doubts))),
    }
}

/// The first few lines, and how many more there are.
fn shortened(lines: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = lines.len().saturating_sub(SHOWN);
    let text = lines[..lines.len() - more].join("; ");
    if more == 0 { text } else { format!("{text}; and {more} more") }
}

/// Bindings that the switch keeps and ignores.
fn inactive(findings: &mut Findings, bindings: &[PresentBinding]) {
    let ignored = bindings.iter().filter_map(|binding| Some((binding, binding.inactive.as_ref()?)));
    let line = |(PresentBinding { ip, interface, .. }, why): (&PresentBinding, &Inactive)| {
        format!("{ip} on {interface}: {why}")
    };
    let lines: Vec<String> = ignored.map(line).collect();
    if !lines.is_empty() {
        let detail = format!("{} are not in force: {}", lines.len(), shortened(&lines));
        findings.add("inactive bindings", State::Note, detail);
    }
}

/// Where the switch refuses a duplicate MAC, as far as that is known.
fn duplicates(client: &mut SwitchClient, findings: &mut Findings, bindings: &[PresentBinding]) {
    client.correct_duplicates(client.duplicates().after_taking(bindings));
    let known = client.duplicates();
    let detail = format!("{} (rule `{}`, {})", known.rule.in_words(), known.rule.as_str(), known.source_in_words());
    findings.add("duplicates", State::Ok, detail);
}

/// An unconfirmed commit of somebody else: a commit check could confirm it, so none is made then.
async fn check_pending_commit(client: &mut SwitchClient, findings: &mut Findings) -> bool {
    let history = match client.history().await {
        Ok(history) => history,
        Err(error) => {
            findings.fail("pending commit", error.failure());
            return true;
        }
    };
    let pending = pending_confirm(&history);
    match &pending {
        None => findings.add("pending commit", State::Ok, "no commit is waiting to be confirmed"),
        Some(pending) => {
            let text = format!("the newest commit, by {}, may still be waiting to be confirmed", pending.entry.user);
            findings.add("pending commit", State::No, text);
        }
    }
    pending.is_some()
}

/// The lock, the candidate, and whether the login may commit.
async fn candidate(client: &mut SwitchClient, findings: &mut Findings, pending: bool) {
    let locked = client.lock().await;
    if findings.note("candidate", locked, |()| "unlocked, without uncommitted edits".to_owned()).is_none() {
        return;
    }
    if pending {
        findings.add("commit", State::Note, "not checked: a check could confirm the pending commit");
    } else {
        let checked = client.check_commit().await;
        findings.note("commit", checked, |()| "the login may commit, and the configuration is valid".to_owned());
    }
    if let Err(error) = client.unlock().await {
        findings.add("unlock", State::Note, error.to_string());
    }
}

/// Which guards are on in the VLANs that have bindings.
async fn guards(client: &mut SwitchClient, findings: &mut Findings, vlans: &BTreeSet<VlanName>) {
    let guards = match client.guards().await {
        Ok(guards) => guards,
        Err(error) => return findings.add("guards", State::Note, error.to_string()),
    };
    for vlan in vlans {
        let of_vlan = VlanGuards::of(&guards, vlan);
        let (on, off) = of_vlan.sorted();
        let what = format!("vlan {vlan}");
        match (on.is_empty(), off.is_empty()) {
            (true, _) => findings.add(
                &what,
                State::Note,
                format!("{} are off: bindings do not block any traffic", off.join(", ")),
            ),
            (_, true) => findings.add(&what, State::Ok, format!("{} are on", on.join(", "))),
            _ => findings.add(&what, State::Note, format!("on: {}; off: {}", on.join(", "), off.join(", "))),
        }
    }
}
