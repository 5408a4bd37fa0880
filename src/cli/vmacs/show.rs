//! `vmacd show`: one virtual MAC with its bindings and its history.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::list::status;
use super::not_found::fault_for_missing;
use crate::cli::app_env::AppEnv;
use crate::cli::args::ShowArgs;
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::output::{Document, Output};
use crate::cli::ui::style::{Cell, Page, Tone};
use crate::cli::ui::watch::watch;
use crate::domain::in_force::{InForce, InForceState};
use crate::domain::{BindingState, SwitchBinding, SwitchName, VmacName};
use crate::store::{Store, TimelineEntry, Vmac};

/// Shows what is found under an IP address, a MAC or a row's id; of several rows the newest.
pub async fn run(env: AppEnv, output: Output, args: &ShowArgs) -> Result<(), Fault> {
    let what = args.what.parse()?;
    let store = env.store().await?;
    watch(output, args.watch.watch, async |output| document(&store, output, what).await).await
}

/// When each switch was last asked which of its bindings are in force.
type SeenAt = HashMap<SwitchName, DateTime<Utc>>;

async fn document(store: &Store, output: Output, what: VmacName) -> Result<Document, Fault> {
    let vmac = match store.vmacs().named(what).await {
        Ok(vmac) => vmac,
        Err(error) => return Err(fault_for_missing(error, store, what).await),
    };
    let timeline = store.vmacs().timeline(vmac.id).await?;
    let seen_at = store.checks().in_force_seen_at(&vmac).await?;
    let mut data = serde_json::to_value(&vmac)?;
    data["timeline"] = json!(timeline);
    output.page(&data, |page| write(page, &vmac, &seen_at, &timeline))
}

fn write(page: &mut Page, vmac: &Vmac, seen_at: &SeenAt, timeline: &[TimelineEntry]) {
    let names = format!("{}  {}", vmac.ip_address, vmac.mac_address);
    page.put(Cell::new(Tone::Title, names)).put("  ").put(status(vmac)).end();
    let time = |at: Option<DateTime<Utc>>| or_dash(at.map(|at| at.to_rfc3339()).as_ref());
    let fields = [
        ("id", vmac.id.to_string()),
        ("server", vmac.server_id.to_string()),
        (
            "group",
            or_dash(vmac.group.as_ref().map(|group| format!("{group}, shared by {}", member_list(vmac))).as_ref()),
        ),
        ("vlan", or_dash(vmac.vlan_name.as_ref())),
        ("requested by", or_dash(vmac.requested_by.as_ref())),
        ("reference", or_dash(vmac.reference.as_ref())),
        ("attempts", vmac.attempts.to_string()),
        ("failure", or_dash(vmac.failure_text.as_ref())),
        ("created", vmac.created_at.to_rfc3339()),
        ("active since", time(vmac.activated_at)),
        ("revoked", time(vmac.revoked_at)),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| value != "-") {
        page.put(format!("  {name:<13} {value}")).end();
    }
    page.put(Cell::new(Tone::Title, "bindings")).end();
    vmac.switch_bindings.iter().for_each(|binding| write_binding(page, vmac, binding, seen_at));
    page.put(Cell::new(Tone::Title, "history")).end();
    for entry in timeline {
        page.put(format!("  {}  {}", entry.at.to_rfc3339(), entry.text)).end();
    }
}

fn member_list(vmac: &Vmac) -> String {
    vmac.members().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn write_binding(page: &mut Page, vmac: &Vmac, binding: &SwitchBinding, seen_at: &SeenAt) {
    let (switch, vlan) = (&binding.switch, or_dash(binding.vlan.as_ref()));
    page.put(format!("  {switch} {} vlan {vlan} {} ", binding.interface, binding.mac));
    page.put(Cell::new(tone_of(binding.state), binding.state.to_string()));
    if binding.leaving || vmac.group.is_some() {
        page.put(format!("  {} {}", if binding.leaving { "leaves server" } else { "server" }, vmac.server_of(binding)));
    }
    for (name, value) in [("push", &binding.push_id), ("error", &binding.error)] {
        if let Some(value) = value {
            page.put(format!("  {name}: {value}"));
        }
    }
    for evidence in &binding.evidence {
        page.put(format!("  seen in {} since {}", evidence.table.as_str(), evidence.at.to_rfc3339()));
    }
    if let Some(known) = &binding.in_force {
        write_in_force(page, known, seen_at.get(switch).copied());
    }
    page.end();
}

fn write_in_force(page: &mut Page, known: &InForce, seen_at: Option<DateTime<Utc>>) {
    let tone = match known.state {
        InForceState::Yes => Tone::Good,
        InForceState::No => Tone::Bad,
        InForceState::Unknown => Tone::Waiting,
    };
    page.put("  in force: ").put(Cell::new(tone, known.state.as_str()));
    if let Some(table) = known.table {
        page.put(format!(" ({})", table.as_str()));
    }
    if let Some(reason) = &known.reason {
        page.put(format!(" ({}: {})", reason.code.as_str(), reason.text));
    }
    let checked = known.checked_at(seen_at);
    page.put(format!(" since {}, last checked {}", known.at.to_rfc3339(), checked.to_rfc3339()));
}

const fn tone_of(state: BindingState) -> Tone {
    match state {
        BindingState::Pending => Tone::Waiting,
        BindingState::Bound => Tone::Good,
        BindingState::Failed => Tone::Bad,
        BindingState::Restored | BindingState::Removed => Tone::Past,
    }
}
