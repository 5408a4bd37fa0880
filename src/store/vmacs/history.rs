//! Who had an address, and when: over all rows there ever were, also those of which retention left a line only.
//!
//! A row is one holder after another: `past_holders` has those before, written by a trigger whenever the row went to another
//! server, got another MAC, its group changed or it came to life again; the row itself is the last one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::{BindableAddress, Mac, Status, SwitchBinding};
use crate::store::database::engine::{Row, args};
use crate::store::database::error::StoreError;
use crate::store::parts::Vmacs;

/// Who asked for the rows that `vmacd adopt` made.
const ADOPT: &str = "adopt";

/// What began or ended a time in which somebody had an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HolderChange {
    /// A create.
    Created,
    /// It was found on the switches.
    Adopted,
    /// A move from, or to, another server.
    Moved,
    /// Another MAC.
    Rotated,
    /// A server joined or left the group that shares the address.
    GroupChanged,
    /// A revoke.
    Revoked,
}

impl HolderChange {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Moved => "moved",
            Self::Rotated => "rotated",
            Self::GroupChanged => "group-changed",
            Self::Revoked => "revoked",
        }
    }
}

/// A port that an address was bound on, or was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldPort {
    /// The server whose port it is.
    pub server_id: i64,
    /// The switch, by the name that it had then.
    pub switch: String,
    /// The port.
    pub interface: String,
    /// The VLAN, where it was known.
    pub vlan: Option<String>,
}

impl std::fmt::Display for HeldPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.switch, self.interface)
    }
}

/// Who did something, as far as they said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AskedBy {
    /// Who asked.
    pub requested_by: Option<String>,
    /// Their own reference.
    pub reference: Option<String>,
}

/// A time in which somebody had an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressHolder {
    /// The row.
    pub vmac_id: i64,
    /// The server; of a group the one that the row names.
    pub server_id: i64,
    /// The virtual MAC.
    pub mac_address: Mac,
    /// Where it was bound.
    pub ports: Vec<HeldPort>,
    /// From when, UTC: when what began it was admitted.
    pub from: DateTime<Utc>,
    /// Until when: when it was moved or rotated, or when the switches had it removed. None while it lasts.
    pub until: Option<DateTime<Utc>>,
    /// What began it.
    pub began: HolderChange,
    /// Who asked for that.
    pub began_by: AskedBy,
    /// What ended it.
    pub ended: Option<HolderChange>,
    /// Who asked for that.
    pub ended_by: AskedBy,
    /// True where it was bound on the switches at some time; none where that is not known.
    pub was_active: Option<bool>,
}

impl AddressHolder {
    /// True where it had the address at that time.
    pub fn had_it_at(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// A line of `past_holders`, or the row itself as its last one.
struct Line {
    server_id: i64,
    mac_address: Mac,
    ports: Vec<HeldPort>,
    asked: AskedBy,
    /// None of a row that is live.
    held_until: Option<DateTime<Utc>>,
    next_from: DateTime<Utc>,
    was_active: Option<bool>,
    /// Who ended it, where the line says.
    ended_by: AskedBy,
}

/// Reads `SERVER SWITCH INTERFACE [VLAN]`, parted by `;`.
fn ports_of(text: Option<&str>) -> Vec<HeldPort> {
    let port = |text: &str| {
        let mut words = text.splitn(4, ' ');
        let (server_id, switch, interface) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let vlan = words.next().map(str::to_owned);
        Some(HeldPort { server_id, switch: switch.to_owned(), interface: interface.to_owned(), vlan })
    };
    text.unwrap_or_default().split(';').filter_map(port).collect()
}

fn port_of(server_id: i64, binding: SwitchBinding) -> HeldPort {
    HeldPort {
        server_id: binding.server_id.unwrap_or(server_id),
        switch: binding.switch.to_string(),
        interface: binding.interface.to_string(),
        vlan: binding.vlan.map(|vlan| vlan.to_string()),
    }
}

fn asked(row: &Row, columns: [&str; 2]) -> Result<AskedBy, StoreError> {
    Ok(AskedBy { requested_by: row.get(columns[0])?, reference: row.get(columns[1])? })
}

impl Line {
    fn past(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            server_id: row.get("server_id")?,
            mac_address: row.parse("mac_address")?,
            ports: ports_of(row.get::<Option<String>>("ports")?.as_deref()),
            asked: asked(row, ["requested_by", "reference"])?,
            held_until: Some(row.get("held_until")?),
            next_from: row.get("next_from")?,
            was_active: None,
            ended_by: AskedBy::default(),
        })
    }

    fn last(row: &Row) -> Result<Self, StoreError> {
        let (server_id, bindings): (i64, Vec<SwitchBinding>) = (row.get("server_id")?, row.json("switch_bindings")?);
        let status: Status = row.parse("status")?;
        let active = row.get::<Option<DateTime<Utc>>>("activated_at")?.is_some();
        let ports = match bindings.is_empty() {
            true => ports_of(row.get::<Option<String>>("past_ports")?.as_deref()),
            false => bindings.into_iter().filter(|port| !port.leaving).map(|port| port_of(server_id, port)).collect(),
        };
        let revoked_at: Option<DateTime<Utc>> = row.get("revoked_at")?;
        Ok(Self {
            server_id,
            mac_address: row.parse("mac_address")?,
            ports,
            asked: asked(row, ["requested_by", "reference"])?,
            held_until: revoked_at.filter(|_| status == Status::Revoked),
            next_from: revoked_at.unwrap_or_default(),
            was_active: Some(active),
            ended_by: asked(row, ["ended_by", "ended_reference"])?,
        })
    }
}

/// What lies between two lines of one row.
fn change(before: &Line, after: &Line) -> HolderChange {
    match () {
        // It was revoked in between.
        () if before.held_until.is_some_and(|until| until != before.next_from) => HolderChange::Created,
        () if before.server_id != after.server_id => HolderChange::Moved,
        () if before.mac_address != after.mac_address => HolderChange::Rotated,
        () => HolderChange::GroupChanged,
    }
}

/// The holders of one row, from its lines in their order.
fn holders(vmac_id: i64, created_at: DateTime<Utc>, lines: &[Line]) -> Vec<AddressHolder> {
    let first = |line: &Line| match line.asked.requested_by.as_deref() {
        Some(ADOPT) => HolderChange::Adopted,
        _ => HolderChange::Created,
    };
    let holder = |at: usize, line: &Line| {
        let before = at.checked_sub(1).and_then(|at| lines.get(at));
        let ended = lines.get(at + 1).map(|after| (change(line, after), after.asked.clone()));
        let (ended, ended_by) = match ended {
            // Who revoked it then is not known any more.
            Some((HolderChange::Created, _)) => (Some(HolderChange::Revoked), AskedBy::default()),
            Some((ended, by)) => (Some(ended), by),
            None => (line.held_until.map(|_| HolderChange::Revoked), line.ended_by.clone()),
        };
        AddressHolder {
            vmac_id,
            server_id: line.server_id,
            mac_address: line.mac_address,
            ports: line.ports.clone(),
            from: before.map_or(created_at, |before| before.next_from),
            until: line.held_until,
            began: before.map_or_else(|| first(line), |before| change(before, line)),
            began_by: line.asked.clone(),
            ended,
            ended_by,
            was_active: line.was_active,
        }
    };
    lines.iter().enumerate().map(|(at, line)| holder(at, line)).collect()
}

impl Vmacs<'_> {
    /// Everybody who ever had the address, or who had it at that time, in the order in which they got it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history(
        self,
        ip: BindableAddress,
        at: Option<DateTime<Utc>>,
    ) -> Result<Vec<AddressHolder>, StoreError> {
        let mut lines: HashMap<i64, Vec<Line>> = HashMap::new();
        let (what, ip) = ("read who had an address", ip.to_string());
        let sql = "SELECT * FROM past_holders WHERE ip_address = $1 ORDER BY id";
        for row in self.store.engine.read(what, sql, args![ip.as_str()]).await? {
            lines.entry(row.get("vmac_id")?).or_default().push(Line::past(&row)?);
        }
        let mut all = Vec::new();
        for row in self.store.engine.read(what, ROWS, args![ip.as_str()]).await? {
            let id: i64 = row.get("id")?;
            let mut lines = lines.remove(&id).unwrap_or_default();
            lines.push(Line::last(&row)?);
            all.extend(holders(id, row.get("created_at")?, &lines));
        }
        all.retain(|holder| at.is_none_or(|at| holder.had_it_at(at)));
        all.sort_by_key(|holder| (holder.from, holder.vmac_id));
        Ok(all)
    }
}

/// By the two indexes that together have every row of an address; who revoked is in the event until retention takes it out.
const ROWS: &str = "SELECT v.id, v.server_id, v.mac_address, v.status, v.switch_bindings, v.past_ports, v.requested_by, v.reference,
        v.created_at, v.activated_at, v.revoked_at,
        COALESCE(v.revoked_by, (SELECT e.body->>'requested_by' FROM events e WHERE e.vmac_id = v.id
            AND e.routing_key = 'vmac.revoked' AND v.revoked_at IS NOT NULL ORDER BY e.id DESC LIMIT 1)) AS ended_by,
        COALESCE(v.revoke_reference, (SELECT e.body->>'reference' FROM events e WHERE e.vmac_id = v.id
            AND e.routing_key = 'vmac.revoked' AND v.revoked_at IS NOT NULL ORDER BY e.id DESC LIMIT 1)) AS ended_reference
    FROM virtual_macs v WHERE v.id IN (SELECT id FROM virtual_macs WHERE ip_address = $1 AND revoked_at IS NULL
        UNION ALL SELECT id FROM virtual_macs WHERE ip_address = $1 AND revoked_at IS NOT NULL) ORDER BY v.id";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn line(server_id: i64, mac: &str, by: &str, until: Option<i64>, next: i64) -> Line {
        Line {
            server_id,
            mac_address: mac.parse().expect("a MAC"),
            ports: ports_of(Some("7 sw-a1 ge-0/0/1.0 VLAN.13;7 sw-a2 ae1")),
            asked: AskedBy { requested_by: Some(by.to_owned()), reference: None },
            held_until: until.map(at),
            next_from: at(next),
            was_active: None,
            ended_by: AskedBy::default(),
        }
    }

    #[test]
    fn a_row_is_one_holder_after_another() {
        let lines = [
            line(1, "02:00:00:00:00:01", "billing", Some(20), 20),
            line(2, "02:00:00:00:00:01", "ops", Some(30), 30),
            line(2, "02:00:00:00:00:02", "ops", Some(40), 60),
            line(3, "02:00:00:00:00:02", "billing", None, 0),
        ];
        let holders = holders(9, at(10), &lines);
        let told: Vec<String> = holders
            .iter()
            .map(|holder| {
                let ended = holder.ended.map_or("lasts", HolderChange::as_str);
                let times = (holder.from.timestamp(), holder.until.map(|until| until.timestamp()));
                format!("{} {} {times:?} {ended}", holder.server_id, holder.began.as_str())
            })
            .collect();
        let expected = [
            "1 created (10, Some(20)) moved",
            "2 moved (20, Some(30)) rotated",
            "2 rotated (30, Some(40)) revoked",
            "3 created (60, None) lasts",
        ];
        assert_eq!(told, expected);
        let had: Vec<i64> = holders.iter().filter(|holder| holder.had_it_at(at(20))).map(|of| of.server_id).collect();
        assert_eq!(had, [2], "at the time of the move it is the new one's");
        assert!(!holders.iter().any(|holder| holder.had_it_at(at(50))), "it was revoked");
    }

    #[test]
    fn ports_are_read_from_their_few_words() {
        let ports = ports_of(Some("7 sw-a1 ge-0/0/1.0 VLAN.13;8 sw-a2 ae1;"));
        assert_eq!(ports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["sw-a1:ge-0/0/1.0", "sw-a2:ae1"]);
        assert_eq!((ports[0].vlan.as_deref(), ports[1].vlan.as_deref()), (Some("VLAN.13"), None));
        assert!(ports_of(None).is_empty() && ports_of(Some("")).is_empty());
    }
}
