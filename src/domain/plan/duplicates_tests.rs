//! The plan under each of the four rules of duplicates.

use super::*;
use crate::domain::{Code, Dialect, DuplicateChoice, DuplicateRule};

const PXE: Mac = Mac::new([0xaa, 0xbb, 0xcc, 0, 0, 1]);
const VMAC: Mac = Mac::new([0x02, 0xa0, 0, 0, 0, 6]);

const CHOICES: [DuplicateChoice; 4] =
    [DuplicateChoice::None, DuplicateChoice::Port, DuplicateChoice::Vlan, DuplicateChoice::Switch];

fn held(port: &str, vlan: &str, ip: &str, mac: Mac) -> PresentBinding {
    PresentBinding::new(port.parse().expect("an interface"), ip.parse().expect("an address"), vlan.parse().ok(), mac)
}

fn wish(desired: Desired, port: &str, vlan: &str) -> Wish {
    Wish {
        vmac_id: 6,
        desired,
        leaving: false,
        interface: port.parse().expect("an interface"),
        ip: "10.0.0.6".parse().expect("an address"),
        mac: VMAC,
        pxe_mac: PXE,
        primary_ip: None,
        vlan: vlan.parse().ok(),
    }
}

fn planned(wishes: &[Wish], present: &[PresentBinding], duplicates: Duplicates) -> Vec<Planned> {
    let owned = Ownership { macs: [VMAC].into(), left: Vec::new() };
    plan(wishes, present, &PortVlans::default(), &owned, duplicates)
}

fn set(choice: DuplicateChoice) -> Duplicates {
    Duplicates::of(choice, None, Dialect::NonEls)
}

#[test]
fn a_revoke_restores_where_the_rule_allows_it_and_can_remove_instead() {
    use EndState::{Removed, Restored};
    let ours = held("ge-0/0/1.0", "V", "10.0.0.6", VMAC);
    let table = [
        (held("ge-0/0/1.0", "V", "10.0.0.1", PXE), [Restored, Removed, Removed, Removed]),
        (held("ge-0/0/2.0", "V", "10.0.0.1", PXE), [Restored, Restored, Removed, Removed]),
        (held("ge-0/0/2.0", "W", "10.0.0.1", PXE), [Restored, Restored, Restored, Removed]),
    ];
    for (pxe, ends) in table {
        for (choice, end) in CHOICES.into_iter().zip(ends) {
            let wish = wish(Desired::Unbound, "ge-0/0/1.0", "V");
            let mut step = planned(&[wish], &[pxe.clone(), ours.clone()], set(choice)).remove(0).expect("a step");
            assert_eq!((step.end, step.restored().is_some()), (end, end == Restored), "{choice:?} {pxe:?}");
            if step.remove_instead() {
                assert!(matches!(step.changes[..], [Change::Remove { .. }]), "{step:?}");
                assert_eq!(step.end, Removed);
            }
        }
    }
}

#[test]
fn a_row_on_two_ports_of_one_switch_works_or_fails_on_both_with_a_reason_that_names_the_rule() {
    for (vlans, works) in [(["V", "V"], [true, true, false, false]), (["V", "W"], [true, true, true, false])] {
        let wishes = [wish(Desired::Bound, "ge-0/0/1.0", vlans[0]), wish(Desired::Bound, "ge-0/0/2.0", vlans[1])];
        for (choice, works) in CHOICES.into_iter().zip(works) {
            let duplicates = set(choice);
            let steps = planned(&wishes, &[], duplicates);
            assert!(steps.iter().all(|step| step.is_ok() == works), "{choice:?} {steps:?}");
            for (_, failure) in steps.into_iter().filter_map(Result::err) {
                assert_eq!(failure.code, Code::DuplicateMac);
                assert!(failure.text.contains(&format!("rule `{}`", duplicates.rule.as_str())), "{}", failure.text);
            }
        }
        let likely = Duplicates::of(DuplicateChoice::Auto, None, Dialect::NonEls);
        assert_eq!(likely.rule, DuplicateRule::Vlan);
        assert!(planned(&wishes, &[], likely).iter().all(Result::is_ok), "what is only likely is tried");
    }
}

#[test]
fn what_is_bound_on_one_of_two_ports_stays_and_a_move_between_ports_is_no_clash() {
    let bound = held("ge-0/0/1.0", "V", "10.0.0.6", VMAC);
    let strict = set(DuplicateChoice::Switch);
    let both = [wish(Desired::Bound, "ge-0/0/1.0", "V"), wish(Desired::Bound, "ge-0/0/2.0", "V")];
    let steps = planned(&both, std::slice::from_ref(&bound), strict);
    assert!(steps[0].as_ref().is_ok_and(|step| step.changes.is_empty()) && steps[1].is_err(), "{steps:?}");
    let leaving = Wish { leaving: true, ..wish(Desired::Unbound, "ge-0/0/1.0", "V") };
    let steps = planned(&[leaving, wish(Desired::Bound, "ge-0/0/2.0", "V")], &[bound], strict);
    assert!(steps.iter().all(Result::is_ok), "{steps:?}");
}

#[test]
fn what_the_same_push_takes_off_does_not_clash_in_whatever_order() {
    // The row's own MAC stands for an address that is revoked: somebody copied it there.
    let copied = held("ge-0/0/1.0", "V", "10.0.0.7", VMAC);
    let gone =
        Wish { vmac_id: 7, ip: "10.0.0.7".parse().expect("an address"), ..wish(Desired::Unbound, "ge-0/0/1.0", "V") };
    let bound = wish(Desired::Bound, "ge-0/0/1.0", "V");
    for wishes in [[gone.clone(), bound.clone()], [bound.clone(), gone]] {
        let steps = planned(&wishes, std::slice::from_ref(&copied), set(DuplicateChoice::Port));
        assert!(steps.iter().all(Result::is_ok), "{steps:?}");
    }
    assert!(planned(&[bound], &[copied], set(DuplicateChoice::Port))[0].is_err());
}

#[test]
fn a_refusal_removes_what_the_learned_rule_keeps_from_being_restored_and_nothing_else() {
    let primary = held("ge-0/0/1.0", "V", "10.0.0.1", PXE);
    let present = [primary, held("ge-0/0/1.0", "V", "10.0.0.6", VMAC), held("ge-0/0/2.0", "V", "10.0.0.7", VMAC)];
    let second =
        Wish { vmac_id: 7, ip: "10.0.0.7".parse().expect("an address"), ..wish(Desired::Unbound, "ge-0/0/2.0", "V") };
    let mut steps: Vec<Step> =
        planned(&[wish(Desired::Unbound, "ge-0/0/1.0", "V"), second], &present, set(DuplicateChoice::None))
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("steps");
    let mut after = present.to_vec();
    steps.iter().flat_map(|step| &step.changes).for_each(|change| apply(change, &mut after));
    assert!(fall_back(steps.iter_mut(), &mut after, DuplicateRule::Port));
    assert_eq!(steps.iter().map(|step| step.end).collect::<Vec<_>>(), [EndState::Removed, EndState::Restored]);
    assert!(!fall_back(steps.iter_mut(), &mut after, DuplicateRule::Port));
}
