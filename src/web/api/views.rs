//! What the API shows: stable shapes of their own, so that the rows behind them may change.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::domain::evidence::Evidence;
use crate::domain::in_force::{InForce, InForceReason};
use crate::domain::{Desired, DriftMode, Freeze, Status, SwitchBinding};
use crate::store::{Backup, CommandRecord, PushRecord, SwitchOverview, Trouble, Vmac};

/// How an address looks: OpenAPI has a format for each of the two families.
pub(super) fn address_schema() -> Schema {
    let of = |format, example: &str| {
        let text = ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
        text.examples([example])
    };
    AnyOfBuilder::new()
        .item(of(KnownFormat::Ipv4, "10.0.48.6"))
        .item(of(KnownFormat::Ipv6, "2001:db8:48::6"))
        .build()
        .into()
}

/// Why something failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reason {
    /// The stable code.
    #[schema(example = "unreachable")]
    pub code: String,
    /// The sentence for people.
    pub text: String,
}

/// A virtual MAC.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VmacView {
    pub id: i64,
    server_id: i64,
    #[schema(schema_with = address_schema)]
    ip_address: String,
    #[schema(example = "02:5e:10:9a:0c:44")]
    mac_address: String,
    vlan_name: Option<String>,
    /// `pending`, `active`, `failed` or `revoked`.
    status: String,
    /// The desired state: `bound` or `unbound`.
    desired: String,
    /// True while a revoke is under way.
    revoking: bool,
    /// The group of servers that share the address.
    group: Option<String>,
    switch_bindings: Vec<BindingView>,
    /// The last failure, including one that is being retried.
    failure: Option<Reason>,
    attempts: i64,
    requested_by: Option<String>,
    reference: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    activated_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// The binding on one switch port.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BindingView {
    switch: String,
    /// The server that the port belongs to.
    server_id: i64,
    /// True if the address is leaving or has left this port while it stays on others.
    leaving: bool,
    interface: String,
    vlan: Option<String>,
    mac: String,
    /// `pending`, `bound`, `restored`, `removed` or `failed`.
    state: String,
    previous_mac: Option<String>,
    backup_id: Option<i64>,
    push_id: Option<String>,
    error: Option<String>,
    /// Which of the switch's own tables showed the binding.
    evidence: Vec<EvidenceView>,
    /// Whether the binding is in force; null until the switch was queried.
    in_force: Option<InForceView>,
    at: DateTime<Utc>,
}

/// A table of a switch that showed a binding.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceView {
    /// `ip-source-guard`, `dhcp-snooping`, `dhcp-security`, `dhcpv6-security` or `learned`.
    table: String,
    /// When it last showed it.
    at: DateTime<Utc>,
}

/// Whether a binding is in force: it is in the configuration, and the switch applies it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InForceView {
    /// `yes`, `no` or `unknown`.
    state: String,
    /// The table of the switch that shows it, where it is in force.
    table: Option<String>,
    /// Why it is not in force, or why that is unknown.
    reason: Option<Reason>,
    /// When the switch was last queried.
    at: DateTime<Utc>,
}

impl From<InForce> for InForceView {
    fn from(known: InForce) -> Self {
        let reason = |reason: InForceReason| Reason { code: reason.code.as_str().to_owned(), text: reason.text };
        Self {
            state: known.state.as_str().to_owned(),
            table: known.table.map(|table| table.as_str().to_owned()),
            reason: known.reason.map(reason),
            at: known.at,
        }
    }
}

impl From<Evidence> for EvidenceView {
    fn from(evidence: Evidence) -> Self {
        Self { table: evidence.table.as_str().to_owned(), at: evidence.at }
    }
}

impl From<Vmac> for VmacView {
    fn from(vmac: Vmac) -> Self {
        let reason = |code| Reason { code, text: vmac.failure_text.clone().unwrap_or_default() };
        Self {
            id: vmac.id,
            server_id: vmac.server_id,
            ip_address: vmac.ip_address.to_string(),
            mac_address: vmac.mac_address.to_string(),
            vlan_name: vmac.vlan_name.as_ref().map(ToString::to_string),
            status: vmac.status.to_string(),
            desired: vmac.desired.to_string(),
            revoking: vmac.desired == Desired::Unbound && vmac.status != Status::Revoked,
            group: vmac.group.as_ref().map(ToString::to_string),
            switch_bindings: vmac.switch_bindings.iter().map(|port| BindingView::of(&vmac, port)).collect(),
            failure: vmac.failure_code.map(reason),
            attempts: vmac.attempts,
            requested_by: vmac.requested_by,
            reference: vmac.reference,
            created_at: vmac.created_at,
            updated_at: vmac.updated_at,
            activated_at: vmac.activated_at,
            revoked_at: vmac.revoked_at,
        }
    }
}

impl BindingView {
    fn of(vmac: &Vmac, binding: &SwitchBinding) -> Self {
        Self {
            switch: binding.switch.to_string(),
            server_id: vmac.server_of(binding),
            leaving: binding.leaving,
            interface: binding.interface.to_string(),
            vlan: binding.vlan.as_ref().map(ToString::to_string),
            mac: binding.mac.to_string(),
            state: binding.state.to_string(),
            previous_mac: binding.previous_mac.map(|mac| mac.to_string()),
            backup_id: binding.backup_id,
            push_id: binding.push_id.clone(),
            error: binding.error.clone(),
            evidence: binding.evidence.iter().cloned().map(EvidenceView::from).collect(),
            in_force: binding.in_force.clone().map(InForceView::from),
            at: binding.at,
        }
    }
}

/// A command, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommandView {
    message_id: String,
    /// `create`, `rotate`, `move` or `revoke`.
    action: String,
    server_id: i64,
    ip_address: String,
    /// `open` while it is worked on; then `active`, `revoked`, `superseded` or `failed`.
    status: String,
    reason: Option<Reason>,
    vmac_id: Option<i64>,
    attempts: i64,
    correlation_id: Option<String>,
    received_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<CommandRecord> for CommandView {
    fn from(record: CommandRecord) -> Self {
        let CommandRecord { command, outcome, finished_at, .. } = record;
        let text = |outcome: &crate::store::CommandOutcome| outcome.text.clone().unwrap_or_default();
        let code = |outcome: &crate::store::CommandOutcome| match outcome.code {
            Some(code) => Some(code.to_string()),
            None => outcome.text.is_some().then(|| outcome.status.to_string()),
        };
        let reason = outcome.as_ref().and_then(|outcome| Some(Reason { code: code(outcome)?, text: text(outcome) }));
        Self {
            message_id: command.key.to_string(),
            action: command.action.to_string(),
            server_id: command.server_id,
            ip_address: command.ip_address.to_string(),
            status: outcome.as_ref().map_or_else(|| "open".to_owned(), |outcome| outcome.status.to_string()),
            reason,
            vmac_id: outcome.and_then(|outcome| outcome.vmac_id).or(command.vmac_id),
            attempts: command.attempts,
            correlation_id: command.correlation_id,
            received_at: command.received_at,
            finished_at,
        }
    }
}

/// A switch, and how it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SwitchView {
    pub name: String,
    host: String,
    port: u16,
    /// `els` or `non-els`, once it was found.
    dialect: Option<String>,
    /// Where the switch refuses a MAC for a second address: `auto`, `none`, `port`, `vlan` or `switch`, as in the inventory.
    duplicates: String,
    /// What the switch showed of that: `none`, `port`, `vlan` or `switch`.
    duplicates_found: Option<String>,
    host_key_pinned: bool,
    site: Option<String>,
    /// While its site is frozen, the freeze that ends last.
    freeze: Option<FreezeView>,
    /// Why it is not brought to what its rows want, while it is not.
    trouble: Option<TroubleView>,
    last_seen_at: Option<DateTime<Utc>>,
    /// What is done about drift: `observe`, `enforce` or `off`.
    drift: String,
    /// When what it holds was last compared with the rows.
    drift_seen_at: Option<DateTime<Utc>>,
    /// When it was last asked which of its bindings are in force; rows say since when each is as it is.
    in_force_seen_at: Option<DateTime<Utc>>,
    /// The worker that has its lease.
    lease_holder: Option<String>,
    changes_waiting: i64,
    last_push_id: Option<String>,
    last_push_state: Option<String>,
    last_push_at: Option<DateTime<Utc>>,
}

/// Why the changes of a switch are waiting.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TroubleView {
    /// The reason code.
    code: String,
    /// The latest error.
    text: String,
    /// Failed attempts in a row.
    failures: i64,
    /// Since when.
    since: DateTime<Utc>,
    /// When the next attempt is.
    next_try_at: DateTime<Utc>,
}

impl From<Trouble> for TroubleView {
    fn from(trouble: Trouble) -> Self {
        let Trouble { code, text, failures, since, next_try_at } = trouble;
        Self { code: code.to_string(), text, failures, since, next_try_at }
    }
}

impl SwitchView {
    /// `drift` holds where its inventory does not say.
    pub fn new(overview: SwitchOverview, drift: DriftMode) -> Self {
        let known = overview.known;
        Self {
            name: known.switch.name.to_string(),
            host: known.switch.host,
            port: known.switch.port,
            dialect: known.dialect_found.map(|dialect| dialect.as_str().to_owned()),
            duplicates: known.switch.duplicates.as_str().to_owned(),
            duplicates_found: known.duplicates_found.map(|rule| rule.as_str().to_owned()),
            host_key_pinned: known.switch.host_key.is_some(),
            site: known.switch.site.map(|site| site.to_string()),
            freeze: known.freeze.map(FreezeView::from),
            trouble: known.trouble.map(TroubleView::from),
            last_seen_at: known.last_seen_at,
            drift: known.switch.drift.unwrap_or(drift).as_str().to_owned(),
            drift_seen_at: known.drift_seen_at,
            in_force_seen_at: known.in_force_seen_at,
            lease_holder: overview.lease_holder,
            changes_waiting: overview.changes_waiting,
            last_push_id: overview.last_push_id,
            last_push_state: overview.last_push_state,
            last_push_at: overview.last_push_at,
        }
    }
}

/// A frozen site: nothing is committed on its switches.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FreezeView {
    /// Its name; `-` for the switches without one, `*` for all.
    site: String,
    /// When it ends by itself; in the far future for an automatic freeze.
    until: DateTime<Utc>,
    reason: Option<String>,
    made_by: String,
    made_at: DateTime<Utc>,
    /// `manual`, or `automatic` if vmacd froze the site itself.
    kind: String,
}

impl From<Freeze> for FreezeView {
    fn from(freeze: Freeze) -> Self {
        let Freeze { site, until, reason, made_by, made_at, kind } = freeze;
        Self { site: site.to_string(), until, reason, made_by, made_at, kind: kind.as_str().to_owned() }
    }
}

/// Which freezes a thaw ended, and which remain.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ThawView {
    /// The freezes that it ended.
    thawed: Vec<FreezeView>,
    /// The freezes that still cover switches of the site, such as a freeze of all sites.
    still_frozen: Vec<FreezeView>,
}

impl ThawView {
    pub fn new(thawed: Vec<Freeze>, still_frozen: Vec<Freeze>) -> Self {
        let views = |freezes: Vec<Freeze>| freezes.into_iter().map(FreezeView::from).collect();
        Self { thawed: views(thawed), still_frozen: views(still_frozen) }
    }
}

/// A push: one commit on one switch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PushView {
    /// It is also in the switch's commit log.
    pub id: String,
    switch: String,
    worker: String,
    /// `sent`, `confirmed`, `refused` or `not_applied`.
    state: String,
    /// How many changes.
    changes: i64,
    /// The changes; null in lists where there are more than 100.
    #[schema(value_type = Option<Vec<Object>>)]
    plan: Option<serde_json::Value>,
    /// The backup taken before it.
    backup_id: Option<i64>,
    error: Option<String>,
    started_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<PushRecord> for PushView {
    fn from(push: PushRecord) -> Self {
        let PushRecord { id, worker, state, changes, plan, backup_id, error, started_at, sent_at, finished_at, .. } =
            push;
        let switch = push.switch.to_string();
        Self { id, switch, worker, state, changes, plan, backup_id, error, started_at, sent_at, finished_at }
    }
}

/// A configuration saved before a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BackupView {
    pub id: i64,
    switch: String,
    /// SHA-256 of the content, hexadecimal.
    content_hash: String,
    bytes: i64,
    stored_bytes: i64,
    push_id: Option<String>,
    taken_at: DateTime<Utc>,
}

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        let Backup { id, switch, content_hash, bytes, stored_bytes, push_id, taken_at } = backup;
        Self { id, switch: switch.to_string(), content_hash, bytes, stored_bytes, push_id, taken_at }
    }
}
