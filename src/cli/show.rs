//! `vmacd show`: one virtual MAC with its bindings and its history.

use std::fmt::Write;

use serde_json::json;

use super::fault::Fault;
use super::list::status;
use super::open::Session;
use super::output::{Output, or_dash, printable};
use crate::domain::SwitchBinding;
use crate::store::{TimelineEntry, Vmac};

/// Shows what is found under an IP address, a MAC or a row's id; of several rows the newest.
pub(super) async fn run(session: Session, output: Output, what: &str) -> Result<(), Fault> {
    let store = session.store().await?;
    let vmac = store.look_up(what.parse()?).await?;
    let timeline = store.timeline(vmac.id).await?;
    let mut data = serde_json::to_value(&vmac)?;
    data["timeline"] = json!(timeline);
    output.one(&data, || text(&vmac, &timeline))
}

fn text(vmac: &Vmac, timeline: &[TimelineEntry]) -> String {
    let mut text = format!("{}  {}  {}\n", vmac.ip_address, vmac.mac_address, status(vmac));
    let fields = [
        ("id", vmac.id.to_string()),
        ("server", vmac.server_id.to_string()),
        ("vlan", or_dash(vmac.vlan_name.as_ref())),
        ("requested by", or_dash(vmac.requested_by.as_ref())),
        ("reference", or_dash(vmac.reference.as_ref())),
        ("attempts", vmac.attempts.to_string()),
        ("failure", or_dash(vmac.failure_text.as_ref())),
        ("created", vmac.created_at.to_rfc3339()),
        ("active since", or_dash(vmac.activated_at.map(|at| at.to_rfc3339()).as_ref())),
        ("revoked", or_dash(vmac.revoked_at.map(|at| at.to_rfc3339()).as_ref())),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| value != "-") {
        let _ = writeln!(text, "  {name:<13} {}", printable(value));
    }
    text.push_str("bindings\n");
    vmac.switch_bindings.iter().for_each(|binding| text.push_str(&binding_line(binding)));
    text.push_str("history\n");
    for entry in timeline {
        let _ = writeln!(text, "  {}  {}", entry.at.to_rfc3339(), printable(&entry.text));
    }
    text.trim_end().to_owned()
}

fn binding_line(binding: &SwitchBinding) -> String {
    let mut line = format!(
        "  {} {} vlan {} {} {}",
        binding.switch,
        binding.interface,
        or_dash(binding.vlan.as_ref()),
        binding.mac,
        binding.state
    );
    for (name, value) in [("push", &binding.push_id), ("error", &binding.error)] {
        if let Some(value) = value {
            let _ = write!(line, "  {name}: {}", printable(value));
        }
    }
    line.push('\n');
    line
}
