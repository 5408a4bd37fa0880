//! What a refusal says of a group: which changes it names, and what to try instead of the group. Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::domain::Mac;
use crate::domain::plan::{Change, Step};
use crate::switch::netconf::RpcError;

/// Refusals after which a push stops to narrow. What is left goes on in the next one, which lets others at the lock first.
/// A preview stops there as well.
const REFUSALS_MAX: u32 = 16;

/// Refusals of whole groups after which the changes that were named are tried, so that each push gets some of them done.
const GROUP_REFUSALS_MAX: u32 = REFUSALS_MAX / 2;

/// Time after which a push stops to narrow: it holds the switch's lock all the while.
const NARROWING_MAX: Duration = Duration::from_secs(300);

/// True when a push may narrow no further.
pub(super) fn is_over(refusals: u32, since_first: Duration) -> bool {
    refusals >= REFUSALS_MAX || since_first >= NARROWING_MAX
}

/// True when the changes that were named come before what is left of their group.
pub(super) const fn named_are_due(refusals: u32) -> bool {
    refusals >= GROUP_REFUSALS_MAX
}

/// What is needed for one address on the switch: all of it or nothing, so that an address that goes from one port to another
/// is never on neither, and never on both.
pub(super) type AddressSteps = Vec<Step>;

/// The steps address by address, in the order of their first ones.
pub(super) fn by_address(steps: Vec<Step>) -> Vec<AddressSteps> {
    let mut group_of = HashMap::new();
    let mut groups: Vec<AddressSteps> = Vec::new();
    for step in steps {
        let group = *group_of.entry(step.wish.ip).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(step);
    }
    groups
}

/// Whose a refusal is, by the places and words of its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// They hold the address or MAC of a change.
    Named,
    /// They name nothing, or a port of the changes or what is above them.
    Unclear,
    /// They name a place in the configuration that is none of the changes'.
    Elsewhere,
}

/// Whose the refusal of the group is.
pub(super) fn blame(group: &[AddressSteps], errors: &[RpcError]) -> Blame {
    let steps = || group.iter().flatten();
    if steps().any(|step| is_named(step, errors)) {
        return Blame::Named;
    }
    let is_elsewhere = errors.iter().any(|error| error.path.as_deref().is_some_and(|path| !may_be_ours(path)));
    let at_port = || steps().any(|step| errors.iter().any(|error| holds_port(error, step)));
    if is_elsewhere && !at_port() { Blame::Elsewhere } else { Blame::Unclear }
}

/// The group without the changes that the errors name, and these; all are on one side where the errors name all or none.
pub(super) fn parted(group: Vec<AddressSteps>, errors: &[RpcError]) -> (Vec<AddressSteps>, Vec<AddressSteps>) {
    let is_named_in = |steps: &AddressSteps| steps.iter().any(|step| is_named(step, errors));
    let (named, others): (Vec<_>, Vec<_>) = group.into_iter().partition(is_named_in);
    (others, named)
}

/// The parts to try one after another instead of the refused group: the innocent ones first, then each that
/// the errors name by itself; halves where they name none, or all.
pub(super) fn narrow(group: Vec<AddressSteps>, errors: &[RpcError]) -> Vec<Vec<AddressSteps>> {
    let (others, named) = parted(group, errors);
    match (named.is_empty(), others.is_empty()) {
        (false, false) => std::iter::once(others).chain(named.into_iter().map(|steps| vec![steps])).collect(),
        (true, _) => halves(others),
        (_, true) => halves(named),
    }
}

/// The parts of a group whose refusal names none of it: its first and its last alone, since two that are refused with the
/// same words show that it is not for what they change, then halves of the rest.
pub(super) fn samples(mut group: Vec<AddressSteps>) -> Vec<Vec<AddressSteps>> {
    let mut rest = group.split_off(1);
    let mut parts = vec![group];
    parts.extend(rest.pop().map(|last| vec![last]));
    parts.extend(halves(rest).into_iter().filter(|half| !half.is_empty()));
    parts
}

pub(super) fn halves(mut group: Vec<AddressSteps>) -> Vec<Vec<AddressSteps>> {
    let second = group.split_off(group.len() / 2);
    vec![group, second]
}

/// True when an error's words, path or bad element hold the step's address or a MAC that it binds as a whole word.
fn is_named(step: &Step, errors: &[RpcError]) -> bool {
    let set = step.changes.iter().filter_map(bound_mac).map(|mac| mac.to_string());
    let words: Vec<_> = [step.wish.ip.to_string(), step.wish.mac.to_string()].into_iter().chain(set).collect();
    errors.iter().any(|error| texts(error).any(|text| words.iter().any(|word| holds_word(text, word))))
}

/// The MACs that the group binds and the errors name; all that it binds where they name none.
pub(super) fn refused_macs(group: &[AddressSteps], errors: &[RpcError]) -> HashSet<Mac> {
    let bound = |step: &Step| step.changes.iter().filter_map(bound_mac).collect::<Vec<_>>();
    let bound: HashSet<Mac> = group.iter().flatten().flat_map(bound).collect();
    let is_named = |mac: &Mac| {
        let word = mac.to_string();
        errors.iter().any(|error| texts(error).any(|text| holds_word(text, &word)))
    };
    let named: HashSet<Mac> = bound.iter().copied().filter(is_named).collect();
    if named.is_empty() { bound } else { named }
}

const fn bound_mac(change: &Change) -> Option<Mac> {
    match change {
        Change::Set { mac, .. } => Some(*mac),
        Change::Remove { .. } => None,
    }
}

fn texts(error: &RpcError) -> impl Iterator<Item = &String> {
    [Some(&error.message), error.path.as_ref(), error.bad_element.as_ref()].into_iter().flatten()
}

fn holds_word(text: &str, word: &str) -> bool {
    let part_of_word = |symbol: char| symbol.is_ascii_alphanumeric() || ".:".contains(symbol);
    let mut words = text.split(|symbol: char| !part_of_word(symbol));
    // Punctuation at the end of a sentence is not part of the word; the end of an IPv6 address such as `2001:db8::` is.
    words.any(|found| found.eq_ignore_ascii_case(word) || found.trim_end_matches(['.', ':']).eq_ignore_ascii_case(word))
}

fn holds_port(error: &RpcError, step: &Step) -> bool {
    let interface = &step.wish.interface;
    let part_of_name = |symbol: char| symbol.is_ascii_alphanumeric() || "-/.:".contains(symbol);
    let of_step = |word: &str| {
        let word = word.trim_end_matches(['.', ':']);
        word == interface.as_str() || word == interface.port()
    };
    texts(error).any(|text| text.split(|symbol: char| !part_of_name(symbol)).any(of_step))
}

/// The hierarchies that the changes are made in, of either dialect; `*` is a name.
const OURS: [&[&str]; 2] = [
    &["ethernet-switching-options", "secure-access-port", "interface", "*"],
    &["vlans", "*", "forwarding-options", "dhcp-security", "group", "*", "interface", "*"],
];

/// True for a path within a hierarchy that the changes are made in, or above one: those of single bindings, and of ports,
/// are distinguished by their names.
fn may_be_ours(path: &str) -> bool {
    let words: Vec<_> =
        path.trim_matches(['[', ']', ' ']).split_whitespace().skip_while(|word| *word == "edit").collect();
    let is_above = |ours: &[&str]| {
        words.len() < ours.len() && words.iter().zip(ours).all(|(word, of_ours)| *of_ours == "*" || word == of_ours)
    };
    OURS.iter().any(|ours| is_above(ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Desired;
    use crate::domain::plan::{EndState, Wish};
    use crate::switch::netconf::Severity;

    fn row(host: u8) -> AddressSteps {
        let wish = Wish {
            vmac_id: i64::from(host),
            desired: Desired::Bound,
            leaving: false,
            interface: "ge-0/0/1.0".parse().expect("a name"),
            ip: format!("10.0.0.{host}").parse().expect("an address"),
            mac: Mac::new([2, 0xaa, 0, 0, 0, host]),
            pxe_mac: Mac::new([0; 6]),
            primary_ip: None,
            vlan: None,
        };
        vec![Step {
            wish,
            changes: Vec::new(),
            end: EndState::Bound,
            previous_mac: None,
            instead: Vec::new(),
            also_elsewhere: None,
        }]
    }

    fn sizes(parts: &[Vec<AddressSteps>]) -> Vec<Vec<i64>> {
        parts.iter().map(|part| part.iter().map(|row| row[0].wish.vmac_id).collect()).collect()
    }

    fn error(message: &str, path: Option<&str>) -> RpcError {
        let path = path.map(str::to_owned);
        RpcError { severity: Severity::Error, message: message.to_owned(), path, bad_element: None }
    }

    #[test]
    fn steps_for_one_address_stay_together_whichever_rows_they_are_of() {
        let of = |id: i64, host: u8| {
            let step = row(host).remove(0);
            Step { wish: Wish { vmac_id: id, ..step.wish.clone() }, ..step }
        };
        let groups = by_address(vec![of(1, 6), of(2, 7), of(3, 6)]);
        let ids = |steps: &AddressSteps| steps.iter().map(|step| step.wish.vmac_id).collect::<Vec<_>>();
        assert_eq!(groups.iter().map(ids).collect::<Vec<_>>(), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn the_named_one_is_taken_out_and_tried_last() {
        let errors = [error("duplicate MAC address", Some("[edit interface ge-0/0/1.0 static-ip 10.0.0.1]"))];
        assert_eq!(sizes(&narrow(vec![row(1), row(10), row(100)], &errors)), [vec![10, 100], vec![1]]);
    }

    #[test]
    fn an_ipv6_address_is_named_as_a_whole_word() {
        let of = |id, ip: &str| {
            let step = row(id).remove(0);
            vec![Step { wish: Wish { ip: ip.parse().expect("an address"), ..step.wish.clone() }, ..step }]
        };
        let group = || vec![of(1, "2001:db8::"), of(2, "2001:db8::1"), of(3, "2001:db8::10")];
        for (named, parts) in [("2001:db8::", [vec![2, 3], vec![1]]), ("2001:db8::1", [vec![1, 3], vec![2]])] {
            let errors = [error("duplicate MAC address", Some(&format!("[edit interface i static-ipv6 {named}]")))];
            assert_eq!(sizes(&narrow(group(), &errors)), parts, "{named}");
        }
    }

    #[test]
    fn without_a_name_the_group_is_halved_and_never_grows() {
        let errors = [error("configuration check-out failed", None)];
        assert_eq!(sizes(&narrow(vec![row(1), row(2), row(3)], &errors)), [vec![1], vec![2, 3]]);
    }

    #[test]
    fn a_refusal_is_told_apart_by_the_place_and_the_words_of_its_errors() {
        let group = [row(1), row(2)];
        for (path, message, expected) in [
            (Some("[edit interfaces ge-1/0/0 ether-options]"), "a LAN feature", Blame::Elsewhere),
            (
                Some("[edit vlans V forwarding-options dhcp-security group g interface ge-0/0/9.0 static-ip 10.0.0.9]"),
                "no",
                Blame::Elsewhere,
            ),
            (Some("[edit ethernet-switching-options secure-access-port interface ge-0/0/9.0]"), "no", Blame::Elsewhere),
            (Some("[edit ethernet-switching-options secure-access-port interface ge-0/0/1.0]"), "no", Blame::Unclear),
            (Some("[edit interfaces ge-0/0/1 unit 0]"), "no such family", Blame::Unclear),
            (Some("[edit vlans]"), "too many", Blame::Unclear),
            (Some("[edit]"), "could not apply", Blame::Unclear),
            (None, "configuration check-out failed", Blame::Unclear),
            (Some("[edit interfaces]"), "what 10.0.0.2 is bound to", Blame::Named),
            (None, "duplicate MAC address 02:AA:00:00:00:01", Blame::Named),
        ] {
            assert_eq!(blame(&group, &[error(message, path)]), expected, "{message} {path:?}");
        }
    }

    #[test]
    fn the_mac_that_a_revoke_would_bring_back_names_it() {
        let pxe = Mac::new([0xaa, 0, 0, 0, 0, 1]);
        let mut restored = row(1);
        restored[0].changes = vec![Change::Set {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: "V".parse().expect("a name"),
            ip: "10.0.0.1".parse().expect("an address"),
            mac: pxe,
            group: None,
            activates: false,
        }];
        let errors = [error("duplicate MAC address aa:00:00:00:00:01", Some("[edit interface i static-ip 10.0.0.9]"))];
        assert_eq!(blame(&[restored], &errors), Blame::Named);
    }

    #[test]
    fn the_first_and_the_last_are_tried_alone_where_nobody_is_named() {
        let ids = |count: u8| sizes(&samples((1..=count).map(row).collect()));
        assert_eq!(ids(2), [[1], [2]]);
        assert_eq!(ids(6), [vec![1], vec![6], vec![2, 3], vec![4, 5]]);
    }

    #[test]
    fn narrowing_ends_by_refusals_and_by_time() {
        assert!(!is_over(15, Duration::from_secs(299)));
        assert!(is_over(16, Duration::ZERO) && is_over(1, Duration::from_secs(300)));
    }
}
