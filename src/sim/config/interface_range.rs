//! `interfaces interface-range`: what is set for a range belongs to each of its members.

use std::sync::Arc;

use super::groups::{filled, matches_pattern};
use super::tree::{At, Node};

const KEYWORD: &str = "interface-range";

/// Ports of a slot, which a range over several slots counts through.
const PORTS: u32 = 48;

/// Gives each member what its ranges say, and takes the ranges away.
pub(crate) fn spell_out(tree: &mut Node) {
    let Some(index) = tree.children.iter().position(|child| &*child.word == "interfaces" && !child.inactive) else {
        return;
    };
    let Some(ranges) = tree.children[index].child(KEYWORD).cloned() else {
        return;
    };
    let interfaces = Arc::make_mut(&mut tree.children[index]);
    interfaces.children.retain(|child| &*child.word != KEYWORD);
    if !ranges.inactive {
        ranges.active_children().for_each(|range| add(interfaces, range));
    }
}

fn add(interfaces: &mut Node, range: &Node) {
    let says = |child: &&Arc<Node>| !matches!(&*child.word, "member" | "member-range");
    let given = Node { children: range.children.iter().filter(says).cloned().collect(), ..Node::default() };
    let at = At::top().step("interfaces");
    for member in members(range, interfaces) {
        let entry = at.and_then(|at| at.step(&member)).unwrap_or(At::Open);
        match interfaces.children.iter_mut().find(|child| *child.word == *member) {
            Some(there) if there.inactive => {}
            Some(there) => *there = Arc::new(filled(entry, there, &given)),
            None => interfaces.children.push(Arc::new(filled(entry, &Node::leaf(&member), &given))),
        }
    }
}

/// The names of the members: those of `member`, which may be patterns, then those of `member-range`.
fn members(range: &Node, interfaces: &Node) -> Vec<String> {
    let of = |keyword: &str| range.active_child(keyword).into_iter().flat_map(|list| list.active_children());
    let single = of("member").flat_map(|member| named(&member.word, interfaces));
    let ranged = of("member-range").flat_map(|first| match first.child("to").and_then(|to| to.value()) {
        Some(last) => between(&first.word, last),
        None => vec![first.word.to_string()],
    });
    single.chain(ranged).collect()
}

/// The names that a member gives: brackets are spelled out, `*` and `?` match the interfaces that are configured.
fn named(member: &str, interfaces: &Node) -> Vec<String> {
    let spelled = brackets(member);
    let found = |name: String| {
        if !name.contains(['*', '?']) {
            return vec![name];
        }
        interfaces
            .children
            .iter()
            .map(|child| child.word.to_string())
            .filter(|word| matches_pattern(&name, word))
            .collect()
    };
    spelled.into_iter().flat_map(found).collect()
}

/// `ge-0/0/[0-2,5]` as four names.
fn brackets(member: &str) -> Vec<String> {
    let parts =
        member.split_once('[').and_then(|(head, rest)| rest.split_once(']').map(|(set, tail)| (head, set, tail)));
    let Some((head, set, tail)) = parts else {
        return vec![member.to_owned()];
    };
    let numbers = set.split([',', ' ']).filter(|part| !part.is_empty()).flat_map(|part| match part.split_once('-') {
        Some((first, last)) => {
            first.parse().ok().zip(last.parse::<u32>().ok()).map_or(Vec::new(), |(a, b)| (a..=b).collect())
        }
        None => part.parse().into_iter().collect(),
    });
    numbers.flat_map(|number: u32| brackets(&format!("{head}{number}{tail}"))).collect()
}

/// `ge-0/0/0` to `ge-1/0/47`, in the order of slot and port.
fn between(first: &str, last: &str) -> Vec<String> {
    let Some(((kind, from), (_, to))) = place(first).zip(place(last)) else {
        return vec![first.to_owned(), last.to_owned()];
    };
    let all = (from.0..=to.0).flat_map(|slot| (from.1..=to.1).map(move |pic| (slot, pic)));
    let ports = all.flat_map(|(slot, pic)| (0..PORTS.max(to.2 + 1)).map(move |port| (slot, pic, port)));
    ports
        .filter(|place| from <= *place && *place <= to)
        .map(|(slot, pic, port)| format!("{kind}{slot}/{pic}/{port}"))
        .collect()
}

/// `ge-` and slot, PIC and port.
fn place(name: &str) -> Option<(&str, (u32, u32, u32))> {
    let (kind, numbers) = name.split_at(name.find('-')? + 1);
    let numbers: Vec<u32> = numbers.split('/').map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers.as_slice() {
        [slot, pic, port] if [slot, pic, port].into_iter().all(|number| *number < 512) => {
            Some((kind, (*slot, *pic, *port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::inherit::inherited;
    use super::super::set_lines::{parse_any, print_set};
    use super::*;

    #[test]
    fn each_member_gets_what_its_range_says_and_keeps_its_own() {
        let lines = "set interfaces interface-range R member ge-0/0/9\nset interfaces interface-range R member-range ge-0/0/1 to ge-0/0/3
set interfaces interface-range R mtu 9000\nset interfaces ge-0/0/2 mtu 1514\nset interfaces ge-0/0/3 disable
deactivate interfaces ge-0/0/3";
        assert_eq!(
            print_set(&inherited(&parse_any(lines).unwrap())),
            "set interfaces ge-0/0/2 mtu 1514\nset interfaces ge-0/0/3 disable\ndeactivate interfaces ge-0/0/3
set interfaces ge-0/0/9 mtu 9000\nset interfaces ge-0/0/1 mtu 9000\n"
        );
    }

    #[test]
    fn members_are_counted_through() {
        assert_eq!(brackets("ge-0/0/[1-2,7]"), ["ge-0/0/1", "ge-0/0/2", "ge-0/0/7"]);
        assert_eq!(between("ge-0/0/46", "ge-1/0/1"), ["ge-0/0/46", "ge-0/0/47", "ge-1/0/0", "ge-1/0/1"]);
        let there = parse_any("set interfaces ge-0/0/1 disable\nset interfaces xe-0/0/1 disable").unwrap();
        assert_eq!(named("ge-*", there.child("interfaces").unwrap()), ["ge-0/0/1"]);
    }
}
