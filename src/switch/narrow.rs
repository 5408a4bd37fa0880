//! A group that the switch refuses is narrowed until the culprit stands alone. Pure.

use std::collections::HashMap;

use super::netconf::RpcError;
use crate::domain::plan::Step;

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

/// The parts to try one after another instead of the refused group: the innocent ones first, then each that
/// the errors name by itself; halves where they name none, or all.
pub(super) fn narrow(group: Vec<AddressSteps>, errors: &[RpcError]) -> Vec<Vec<AddressSteps>> {
    let (named, others): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|steps| steps.iter().any(|step| is_named(step, errors)));
    match (named.is_empty(), others.is_empty()) {
        (false, false) => std::iter::once(others).chain(named.into_iter().map(|steps| vec![steps])).collect(),
        (true, _) => halves(others),
        (_, true) => halves(named),
    }
}

fn halves(mut group: Vec<AddressSteps>) -> Vec<Vec<AddressSteps>> {
    let second = group.split_off(group.len() / 2);
    vec![group, second]
}

/// True when an error's words, path or bad element hold the step's address or MAC as a whole word.
fn is_named(step: &Step, errors: &[RpcError]) -> bool {
    let words = [step.wish.ip.to_string(), step.wish.mac.to_string()];
    errors.iter().any(|error| {
        let texts = [Some(&error.message), error.path.as_ref(), error.bad_element.as_ref()];
        texts.into_iter().flatten().any(|text| words.iter().any(|word| holds_word(text, word)))
    })
}

fn holds_word(text: &str, word: &str) -> bool {
    let part_of_word = |symbol: char| symbol.is_ascii_alphanumeric() || ".:".contains(symbol);
    let mut words = text.split(|symbol: char| !part_of_word(symbol));
    // The end of a sentence is no part of the word, that of an IPv6 address such as `2001:db8::` is.
    words.any(|found| found == word || found.trim_end_matches(['.', ':']) == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{EndState, Wish};
    use crate::domain::{Desired, Mac};
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
        vec![Step { wish, changes: Vec::new(), end: EndState::Bound, previous_mac: None, also_elsewhere: None }]
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
}
