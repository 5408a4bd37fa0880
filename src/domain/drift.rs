//! Drift: rows whose bindings a switch no longer holds as they were pushed.
//!
//! Pure. [`drift`] asks the plan what a push would change now: what it would change has drifted, and what it would refuse
//! because of somebody else's binding, on the port or for the address on another port, is reported and left alone. Other
//! bindings and every other edit of an operator are no concern of it.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::plan::{Inactive, Ownership, Planned, PortVlans, PresentBinding, Step, Wish, plan};
use super::{BindableAddress, Code, Duplicates, InterfaceName, Mac};

/// What is done about drift on a switch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftMode {
    /// It is reported.
    #[default]
    Observe,
    /// It is reported, and what is vmacd's is pushed again.
    Enforce,
    /// Nobody looks.
    Off,
}

impl DriftMode {
    /// As in the settings, the inventory and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
            Self::Off => "off",
        }
    }
}

/// How a binding has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriftKind {
    /// The address has no binding.
    Missing,
    /// It is bound to another MAC of vmacd or to the server's own.
    MacDiffers,
    /// It stands in another VLAN, or more than once.
    PlaceDiffers,
    /// Its statement is there, and inactive.
    Inactive,
    /// Its statement stands under one that is inactive.
    UnderInactive,
    /// It is bound to a MAC that vmacd did not put there.
    Foreign,
    /// It is bound on another port of the switch, and no row accounts for that.
    Elsewhere,
}

impl DriftKind {
    /// Every one there is.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::MacDiffers,
        Self::PlaceDiffers,
        Self::Inactive,
        Self::UnderInactive,
        Self::Foreign,
        Self::Elsewhere,
    ];

    /// As stored, and as the reason's code in the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "binding_missing",
            Self::MacDiffers => "mac_differs",
            Self::PlaceDiffers => "place_differs",
            Self::Inactive => "binding_inactive",
            Self::UnderInactive => "inactive_statement",
            Self::Foreign => "foreign_binding",
            Self::Elsewhere => "address_elsewhere",
        }
    }

    /// Whether a push mends it; what is under something inactive is not written, what is somebody else's is never overwritten, and its address is never bound beside it.
    pub const fn is_mendable(self) -> bool {
        match self {
            Self::Missing | Self::MacDiffers | Self::PlaceDiffers | Self::Inactive => true,
            Self::UnderInactive | Self::Foreign | Self::Elsewhere => false,
        }
    }
}

/// One port of a row that drifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The row.
    pub vmac_id: i64,
    /// The port.
    pub interface: InterfaceName,
    /// How.
    pub kind: DriftKind,
    /// The sentence for people.
    pub text: String,
}

/// What has drifted of the wishes that are owed: those for bindings that were pushed and read back before. `wishes` are all
/// that the rows wish for on the switch, `macs` the virtual MACs of vmacd.
///
/// What rows left behind counts as any other binding here: only a push that somebody asked for removes it, since these rows
/// may be older than what is on the switch (a database that was restored from a backup).
pub fn drift(
    wishes: &[Wish],
    is_owed: impl Fn(&Wish) -> bool,
    present: &[PresentBinding],
    macs: HashSet<Mac>,
) -> Vec<Drift> {
    let steps = plan(wishes, present, &PortVlans::default(), &Ownership { macs, left: Vec::new() }, Duplicates::UNTOLD);
    let of_wish = |(wish, step): (&Wish, Planned)| {
        let (kind, text) = how(wish, step, present)?;
        Some(Drift { vmac_id: wish.vmac_id, interface: wish.interface.clone(), kind, text })
    };
    with_their_wishes(steps, wishes).filter(|(wish, _)| is_owed(wish)).filter_map(of_wish).collect()
}

/// Each step with the wish that it is for. The step names the interface as the switch does.
fn with_their_wishes(steps: Vec<Planned>, wishes: &[Wish]) -> impl Iterator<Item = (&Wish, Planned)> {
    let mut of_row: HashMap<(i64, BindableAddress), Vec<&Wish>> = HashMap::new();
    wishes.iter().for_each(|wish| of_row.entry((wish.vmac_id, wish.ip)).or_default().push(wish));
    steps.into_iter().filter_map(move |step| {
        let (Ok(Step { wish: of, .. }) | Err((of, _))) = &step;
        let wish =
            of_row.get(&(of.vmac_id, of.ip))?.iter().find(|wish| wish.interface.same_interface(&of.interface))?;
        Some((*wish, step))
    })
}

/// How a wish has drifted, if it has.
fn how(wish: &Wish, step: Planned, present: &[PresentBinding]) -> Option<(DriftKind, String)> {
    let here = || present.iter().filter(|binding| is_at(wish, binding));
    let standing: Vec<_> = here().filter(|binding| binding.is_active()).collect();
    let ignored = here().find(|binding| binding.inactive == Some(Inactive::Itself));
    match step {
        Err((_, failure)) if failure.code == Code::ForeignBinding => Some((DriftKind::Foreign, failure.text)),
        Err((_, failure)) if failure.code == Code::AddressElsewhere => Some((DriftKind::Elsewhere, failure.text)),
        Err((_, failure)) if failure.code == Code::InactiveStatement => Some((DriftKind::UnderInactive, failure.text)),
        Ok(step) => {
            let differs = match ignored {
                Some(_) if standing.is_empty() => {
                    let Wish { ip, interface, .. } = wish;
                    Some((DriftKind::Inactive, format!("the binding of {ip} on {interface} is inactive")))
                }
                _ if step.changes.is_empty() => None,
                _ => what_differs(wish, &standing),
            };
            differs.or_else(|| Some((DriftKind::Elsewhere, step.also_elsewhere?.text)))
        }
        Err(_) => what_differs(wish, &standing),
    }
}

fn is_at(wish: &Wish, binding: &PresentBinding) -> bool {
    binding.ip == wish.ip && binding.interface.same_interface(&wish.interface)
}

/// What stands in place of what was pushed; none where that is there, in a VLAN that nothing tells.
fn what_differs(wish: &Wish, standing: &[&PresentBinding]) -> Option<(DriftKind, String)> {
    let Wish { ip, mac, interface, .. } = wish;
    match standing {
        [] => Some((DriftKind::Missing, format!("{ip} has no binding on {interface}"))),
        [only] if only.mac == *mac && (only.vlan.is_none() || wish.vlan.is_none()) => None,
        [only] if only.mac == *mac => {
            let name = |vlan: &Option<super::VlanName>| vlan.as_ref().map(ToString::to_string).unwrap_or_default();
            let text = format!("{ip} is in {} on {interface}, not in {}", name(&only.vlan), name(&wish.vlan));
            Some((DriftKind::PlaceDiffers, text))
        }
        [only] => Some((DriftKind::MacDiffers, format!("{ip} is bound to {} on {interface}, not to {mac}", only.mac))),
        several => {
            let text = format!("{ip} is bound {} times on {interface}", several.len());
            Some((DriftKind::PlaceDiffers, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Desired;

    const VMAC: &str = "02:5e:10:00:00:01";

    fn wish() -> Wish {
        Wish {
            vmac_id: 7,
            desired: Desired::Bound,
            leaving: false,
            interface: "ge-0/0/1.0".parse().expect("an interface"),
            ip: "10.0.0.6".parse().expect("an address"),
            mac: VMAC.parse().expect("a MAC"),
            pxe_mac: "0c:c4:7a:00:00:01".parse().expect("a MAC"),
            primary_ip: None,
            vlan: Some("VLAN.13".parse().expect("a VLAN")),
        }
    }

    fn held(interface: &str, mac: &str, vlan: Option<&str>) -> PresentBinding {
        PresentBinding::new(
            interface.parse().expect("an interface"),
            wish().ip,
            vlan.map(|vlan| vlan.parse().expect("a VLAN")),
            mac.parse().expect("a MAC"),
        )
    }

    /// What is found of one wish, as a short line.
    fn found(wish: Wish, present: &[PresentBinding]) -> Option<String> {
        let ours: Mac = "02:5e:10:00:00:09".parse().expect("a MAC");
        let found = drift(&[wish], |_| true, present, HashSet::from([ours]));
        found.first().map(|drift| format!("{}: {}", drift.kind.as_str(), drift.text))
    }

    #[test]
    fn what_stands_as_it_was_pushed_has_not_drifted() {
        assert_eq!(found(wish(), &[held("ge-0/0/1", VMAC, Some("VLAN.13"))]), None);
        assert_eq!(found(wish(), &[held("ge-0/0/1", VMAC, None)]), None, "the switch names no VLAN");
        let unknown = Wish { vlan: None, ..wish() };
        assert_eq!(found(unknown, &[held("ge-0/0/1", VMAC, Some("VLAN.13"))]), None, "nobody knows the VLAN");
    }

    #[test]
    fn a_step_belongs_to_the_wish_for_its_row_address_and_port_wherever_it_stands() {
        let at = |vmac_id, interface: &str| Wish {
            vmac_id,
            ip: format!("10.0.0.{vmac_id}").parse().expect("an address"),
            interface: interface.parse().expect("an interface"),
            ..wish()
        };
        let wishes = [at(6, "ge-0/0/1.0"), at(6, "ge-0/0/2.0"), at(7, "ge-0/0/1.0")];
        let unbound = Ownership { macs: HashSet::new(), left: Vec::new() };
        let present = [held("ge-0/0/2", VMAC, None)];
        let mut steps = plan(&wishes, &present, &PortVlans::default(), &unbound, Duplicates::UNTOLD);
        steps.reverse();
        let paired: Vec<_> = with_their_wishes(steps, &wishes).map(|(wish, _)| wish.clone()).collect();
        assert_eq!(paired, wishes.iter().rev().cloned().collect::<Vec<_>>());
    }

    #[test]
    fn what_somebody_deactivated_has_drifted_like_what_somebody_deleted() {
        let ignored =
            |inactive| PresentBinding { inactive: Some(inactive), ..held("ge-0/0/1.0", VMAC, Some("VLAN.13")) };
        let path = "ethernet-switching-options secure-access-port interface ge-0/0/1.0".to_owned();
        let cases = [ignored(Inactive::Itself), ignored(Inactive::Under(path))];
        let lines: Vec<String> = cases.iter().filter_map(|held| found(wish(), std::slice::from_ref(held))).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        binding_inactive: the binding of 10.0.0.6 on ge-0/0/1.0 is inactive
        inactive_statement: `ethernet-switching-options secure-access-port interface ge-0/0/1.0` is inactive on the switch, so that a binding on ge-0/0/1.0 would not be in force: activate it (`activate ethernet-switching-options secure-access-port interface ge-0/0/1.0`) or remove it, then replay this
        ");
        assert!(DriftKind::Inactive.is_mendable() && !DriftKind::UnderInactive.is_mendable());
    }

    #[test]
    fn what_is_gone_or_different_is_told_and_what_is_foreign_is_left_alone() {
        let other = held("ge-0/0/2.0", VMAC, Some("VLAN.13"));
        let cases = [
            vec![],
            vec![other.clone()],
            vec![held("ge-0/0/1.0", VMAC, Some("VLAN.13")), other],
            vec![held("ge-0/0/1.0", "0c:c4:7a:00:00:01", Some("VLAN.13"))],
            vec![held("ge-0/0/1.0", "02:5e:10:00:00:09", Some("VLAN.13"))],
            vec![held("ge-0/0/1.0", VMAC, Some("VLAN.14"))],
            vec![held("ge-0/0/1.0", VMAC, Some("VLAN.13")), held("ge-0/0/1", VMAC, Some("VLAN.13"))],
            vec![held("ge-0/0/1.0", "00:11:22:33:44:55", Some("VLAN.13"))],
        ];
        let lines: Vec<String> = cases.iter().filter_map(|present| found(wish(), present)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        binding_missing: 10.0.0.6 has no binding on ge-0/0/1.0
        address_elsewhere: 10.0.0.6 is bound to 02:5e:10:00:00:01 on ge-0/0/2.0 in VLAN.13 of the same switch, and no row of vmacd accounts for that, so ge-0/0/1.0 must not have it too: find out who has the address, then remove that binding, or revoke this one
        address_elsewhere: 10.0.0.6 is bound to 02:5e:10:00:00:01 on ge-0/0/2.0 in VLAN.13 of the same switch, and no row of vmacd accounts for that, so ge-0/0/1.0 must not have it too: find out who has the address, then remove that binding, or revoke this one
        mac_differs: 10.0.0.6 is bound to 0c:c4:7a:00:00:01 on ge-0/0/1.0, not to 02:5e:10:00:00:01
        mac_differs: 10.0.0.6 is bound to 02:5e:10:00:00:09 on ge-0/0/1.0, not to 02:5e:10:00:00:01
        place_differs: 10.0.0.6 is in VLAN.14 on ge-0/0/1.0, not in VLAN.13
        place_differs: 10.0.0.6 is bound 2 times on ge-0/0/1.0
        foreign_binding: 10.0.0.6 is bound to 00:11:22:33:44:55 on ge-0/0/1.0, which vmacd did not put there; remove that binding, or revoke this and adopt it
        ");
    }
}
