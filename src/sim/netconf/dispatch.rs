//! From a request to what goes back: locks, loads, commits and configurations here, everything else in `operational`.

use std::time::Duration;

use super::commit;
use super::configuration;
use super::load;
use super::lock;
use super::operational;
use super::outcome::{Answer, OK, Outcome, unknown};
use crate::sim::device::reply_error::{self, RpcError};
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::xml::{self, Element};

/// A request's name, as far as it has one, and what the session does with it.
pub(crate) struct Answered {
    pub name: String,
    pub outcome: Outcome,
}

/// Reads `text` and answers it, in a whole `rpc-reply`.
pub(crate) async fn answer(switch: &Switch, pid: u32, text: &str) -> Answered {
    match xml::parse(text) {
        Ok(rpc) => answer_rpc(switch, pid, &rpc).await,
        Err(message) => {
            let body = reply_error::to_xml(&[RpcError::failed(message)]);
            Answered { name: String::new(), outcome: Outcome::Reply(envelope(switch, "", &body)) }
        }
    }
}

async fn answer_rpc(switch: &Switch, pid: u32, rpc: &Element) -> Answered {
    let operation = rpc.children.first().filter(|_| rpc.name == "rpc");
    let outcome = match operation {
        Some(operation) => dispatch(switch, pid, operation).await,
        None => Err(vec![unknown(&rpc.name)]),
    };
    let wrap = |body: String| envelope(switch, &rpc.raw_attributes, &body);
    let outcome = match outcome {
        Ok(Outcome::Reply(body)) => Outcome::Reply(wrap(body)),
        Ok(Outcome::Last(body)) => Outcome::Last(wrap(body)),
        Ok(Outcome::Truncated(body)) => Outcome::Truncated(half(&wrap(body))),
        Ok(Outcome::Cut) => Outcome::Cut,
        Err(errors) => Outcome::Reply(wrap(reply_error::to_xml(&errors))),
    };
    Answered { name: operation.map_or_else(String::new, |operation| operation.name.clone()), outcome }
}

/// The reply around `body`. The attributes of the request come back on it.
fn envelope(switch: &Switch, request_attributes: &str, body: &str) -> String {
    let echoed: String = split_attributes(request_attributes)
        .filter(|(name, _)| *name != "xmlns" && *name != "xmlns:junos")
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    format!(
        "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:junos=\"http://xml.juniper.net/junos/{}/junos\"{echoed}>\n{body}</rpc-reply>\n",
        switch.model.namespace_release(),
    )
}

/// Name and quoted value of each attribute, as they were written.
fn split_attributes(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = raw.trim_start();
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next()?;
        let end = after[1..].find(quote)? + 2;
        rest = after[end..].trim_start();
        Some((name.trim(), &after[..end]))
    })
}

fn half(text: &str) -> String {
    text.chars().take(text.chars().count() / 2).collect()
}

async fn dispatch(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    switch.count(&operation.name);
    tracing::debug!(switch = %switch.name, pid, rpc = %operation.name, "rpc");
    if let Some(span) = switch.strikes_with(FaultKind::SlowReply) {
        tokio::time::sleep(span.unwrap_or(Duration::from_secs(5))).await;
    }
    match operation.name.as_str() {
        "lock" | "lock-configuration" => lock::lock(switch, pid, operation).await,
        "unlock" | "unlock-configuration" => lock::unlock(switch, pid, operation).await,
        "open-configuration" => lock::open(switch, pid, operation).await,
        "close-configuration" => lock::close(switch, pid).await,
        "kill-session" => lock::kill(switch, pid, operation).await,
        "load-configuration" => load::load_configuration(switch, pid, operation).await,
        "edit-config" => load::edit_config(switch, pid, operation).await,
        "discard-changes" => load::discard(switch, pid).await,
        "validate" => commit::validate(switch, pid).await,
        "commit" => commit::commit(switch, pid, operation).await,
        "commit-configuration" => commit::commit_configuration(switch, pid, operation).await,
        "get-configuration" => configuration::get_configuration(switch, pid, operation).await,
        "get-config" => configuration::get_config(switch, pid, operation).await,
        "close-session" => Ok(Outcome::Last(OK.to_owned())),
        _ => operational::operational(switch, operation),
    }
}
