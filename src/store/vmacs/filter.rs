//! Which rows of `virtual_macs` a filter means, as conditions of a statement: exact ones, so that a page of a list is as
//! long as it was asked for. What users write is always an argument, and never a pattern.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde_json::json;

use crate::domain::in_force::InForceState;
use crate::domain::{BindableAddress, Mac, Search, SearchText, Status, SwitchName};
use crate::store::database::engine::{Arg, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::Vmacs;

/// Which virtual MACs.
#[derive(Debug, Clone)]
pub struct VmacFilter {
    /// With this status.
    pub status: Option<Status>,
    /// Active, and in force, not in force, or not known to be either: what is worst of its ports counts.
    pub in_force: Option<InForceState>,
    /// On this switch.
    pub switch: Option<SwitchName>,
    /// Of this server.
    pub server_id: Option<i64>,
    /// For this address.
    pub ip: Option<BindableAddress>,
    /// With this MAC.
    pub mac: Option<Mac>,
    /// With what is searched for.
    pub search: Option<Search>,
    /// Newest first; else oldest first.
    pub newest_first: bool,
    /// Beyond this number in that order; 0 begins at the first.
    pub after_id: i64,
    /// Maximum number.
    pub limit: i64,
}

impl Default for VmacFilter {
    fn default() -> Self {
        Self {
            status: None,
            in_force: None,
            switch: None,
            server_id: None,
            ip: None,
            mac: None,
            search: None,
            newest_first: false,
            after_id: 0,
            limit: 1000,
        }
    }
}

/// The condition that a row has the status, with what finds the few among many: no index holds the status itself, which
/// changes in the life of every row (decision 0019).
pub(in crate::store) const fn has_status(status: Status) -> &'static str {
    match status {
        Status::Pending => "status = 'pending' AND id {in}SELECT vmac_id FROM switch_work{/in}",
        Status::Active => "status = 'active'",
        Status::Failed => "status = 'failed' AND failure_code IS NOT NULL",
        Status::Revoked => "status = 'revoked' AND revoked_at IS NOT NULL",
    }
}

/// Rows that were found not to be in force. What a revoked row left there until the next look counts no more.
pub(in crate::store) const NOT_IN_FORCE: &str = "status = 'active' AND id {in}SELECT vmac_id FROM not_in_force{/in}";

/// The condition that an active row is in force, is not, or that it is not known.
fn is_in_force(state: InForceState) -> String {
    let unknown = "EXISTS (SELECT 1 FROM {bindings} WHERE port.value->>'state' = 'bound'
                       AND COALESCE(port.value->'in_force'->>'state', '') <> 'yes')";
    let not_no = "status = 'active' AND NOT EXISTS (SELECT 1 FROM not_in_force n WHERE n.vmac_id = virtual_macs.id)";
    match state {
        InForceState::No => NOT_IN_FORCE.to_owned(),
        InForceState::Unknown => format!("{not_no} AND {unknown}"),
        InForceState::Yes => format!("{not_no} AND NOT {unknown}"),
    }
}

/// The condition that the row of this number has a port on the switch.
pub(in crate::store) fn on_switch(id: &str, switch: &SwitchName, arguments: &mut Vec<Arg>) -> String {
    arguments.push(switch.as_str().into());
    format!("{id} {{in}}SELECT vmac_id FROM virtual_mac_ports WHERE switch = ${}{{/in}}", arguments.len())
}

/// The condition that a row is the server's, or of a group that it belongs to. A port that a row of one server has left is
/// not enough: it stays with the row after a move.
fn of_server(server_id: i64, arguments: &mut Vec<Arg>) -> String {
    arguments.push(server_id.into());
    let server = arguments.len();
    format!(
        "id {{in}}SELECT own.id FROM virtual_macs own WHERE own.server_id = ${server}
             UNION ALL SELECT shared.id FROM virtual_macs shared WHERE shared.group_name IS NOT NULL
                 AND shared.id {{in}}SELECT vmac_id FROM virtual_mac_ports WHERE server_id = ${server}{{/in}}{{/in}}"
    )
}

/// The condition that a row is of the address in the argument of this number: live and revoked rows have an index each.
fn of_address(argument: usize) -> String {
    let of = |part| format!("SELECT id FROM virtual_macs WHERE ip_address = ${argument} AND revoked_at {part}");
    format!("id {{in}}{} UNION ALL {}{{/in}}", of("IS NULL"), of("IS NOT NULL"))
}

/// The condition that an address is of the subnet: its text begins with the octets that all have, and the next octet is
/// within bounds.
fn within_v4(net: Ipv4Net, arguments: &mut Vec<Arg>) -> String {
    let whole = usize::from(net.prefix_len() / 8);
    if whole == 4 {
        arguments.push(net.network().to_string().into());
        return format!("ip_address = ${}", arguments.len());
    }
    let octets = |ip: Ipv4Addr| ip.octets();
    let start: String = octets(net.network())[..whole].iter().map(|octet| format!("{octet}.")).collect();
    let (low, high) = (octets(net.network())[whole], octets(net.broadcast())[whole]);
    let next = start.len() + 1;
    arguments.push(start.into());
    let start = arguments.len();
    arguments.extend([i64::from(low), i64::from(high)].map(Arg::from));
    let rest = format!("substr(ip_address, {next})");
    // Only of an address of IPv4 the part is a number.
    format!(
        "CASE WHEN {{strpos}}(ip_address, ':') > 0 THEN 1 = 0 WHEN substr(ip_address, 1, {}) <> ${start} THEN 1 = 0
         ELSE CAST(substr({rest}, 1, {{strpos}}({rest} || '.', '.') - 1) AS BIGINT) BETWEEN ${} AND ${} END",
        next - 1,
        start + 1,
        start + 2
    )
}

/// The condition that something of the row has the text.
fn with_text(text: &SearchText, arguments: &mut Vec<Arg>) -> String {
    let mut argument = |value: Arg| {
        arguments.push(value);
        format!("${}", arguments.len())
    };
    let (lowercase, written) = (argument(text.lowercase.as_str().into()), argument(text.written.as_str().into()));
    let mut any = vec![
        format!("{{strpos}}(lower(COALESCE(reference, '')), {lowercase}) > 0"),
        format!("id {{in}}SELECT vmac_id FROM commands WHERE message_key = {written} AND vmac_id IS NOT NULL{{/in}}"),
    ];
    if let Some(part) = &text.address {
        // At its beginning or that of one of its octets: `8.1` is no part of 10.0.48.1.
        let (dot, colon) = (format!(".{part}"), format!(":{part}"));
        let part = argument(part.as_str().into());
        any.push(format!("substr(ip_address, 1, length({part})) = {part}"));
        for inner in [dot, colon] {
            let inner = argument(inner.into());
            any.push(format!("{{strpos}}(ip_address, {inner}) > 0"));
        }
    }
    if let Some(start) = &text.mac_start {
        let start = argument(start.as_str().into());
        any.push(format!("substr(replace(mac_address, ':', ''), 1, length({start})) = {start}"));
    }
    if let Some(number) = text.number {
        any.push(format!("server_id = {}", argument(number.into())));
    }
    format!("({})", any.join(" OR "))
}

/// The conditions of a filter, its cursor left out. `$1` holds the numbers that [`Vmacs::numbers`] found.
pub(in crate::store) fn conditions(filter: &VmacFilter, arguments: &mut Vec<Arg>) -> String {
    let mut all = Vec::new();
    all.extend(filter.status.map(|status| has_status(status).to_owned()));
    all.extend(filter.in_force.map(is_in_force));
    if let Some(ip) = filter.ip {
        arguments.push(ip.to_string().into());
        all.push(of_address(arguments.len()));
    }
    if let Some(mac) = filter.mac {
        arguments.push(mac.to_string().into());
        all.push(format!("mac_address = ${}", arguments.len()));
    }
    all.extend(filter.server_id.map(|server_id| of_server(server_id, arguments)));
    all.extend(filter.switch.as_ref().map(|switch| on_switch("id", switch, arguments)));
    all.extend(filter.search.as_ref().map(|search| match search {
        Search::Within(IpNet::V4(net)) => within_v4(*net, arguments),
        Search::Within(IpNet::V6(_)) => "id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}".to_owned(),
        Search::Text(text) => with_text(text, arguments),
    }));
    all.iter().map(|condition| format!(" AND {condition}")).collect()
}

impl Vmacs<'_> {
    /// The numbers of the rows in a subnet of IPv6, as the argument `$1` of [`conditions`]: neither engine finds them by their
    /// text, and only one knows subnets.
    pub(in crate::store) async fn numbers(self, filter: &VmacFilter) -> Result<Arg, StoreError> {
        let Some(Search::Within(net @ IpNet::V6(_))) = &filter.search else { return Ok(batch_arg(Vec::<i64>::new())) };
        let sql = "SELECT id, ip_address FROM virtual_macs WHERE {strpos}(ip_address, ':') > 0";
        let mut found = Vec::new();
        for row in self.store.engine.read("find IPv6 addresses", sql, Vec::new()).await? {
            let ip: IpAddr = row.parse("ip_address")?;
            if net.contains(&ip) {
                found.push(json!({"id": row.get::<i64>("id")?}));
            }
        }
        Ok(batch_arg(found))
    }
}
