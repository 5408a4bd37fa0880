//! `interfaces interface-range R` with `member` and `member-range`, where the switch has not spelled them out.

use crate::switch::netconf::Element;

/// The ranges of a configuration that are in force.
pub(super) struct Ranges<'a>(Vec<&'a Element>);

impl<'a> Ranges<'a> {
    pub fn of(interfaces: Option<&'a Element>) -> Self {
        Self(interfaces.into_iter().flat_map(|all| all.active("interface-range")).collect())
    }

    /// The ranges that a port is in.
    pub fn covering(&self, port: &str) -> impl Iterator<Item = &'a Element> {
        self.0.iter().copied().filter(move |range| covers(range, port))
    }

    /// True when the range of that name holds the port.
    pub fn holds(&self, range: &str, port: &str) -> bool {
        self.covering(port).any(|its| its.text_of("name") == Some(range))
    }
}

fn covers(range: &Element, port: &str) -> bool {
    let member = |member: &Element| {
        let name = member.text_of("name").unwrap_or_else(|| member.text.trim());
        matches(name.as_bytes(), port.as_bytes())
    };
    let between = |range: &Element| {
        let end = range.text_of("end-range").or_else(|| range.text_of("to"));
        let from_to = range.text_of("name").and_then(|name| Some((place(name)?, place(end.unwrap_or(name))?)));
        from_to
            .zip(place(port))
            .is_some_and(|((from, to), port)| from.0 == port.0 && to.0 == port.0 && from.1 <= port.1 && port.1 <= to.1)
    };
    range.active("member").any(member) || range.active("member-range").any(between)
}

/// `ge-0/0/12` as `ge` and its numbers.
fn place(name: &str) -> Option<(&str, Vec<u32>)> {
    let (kind, numbers) = name.split_once('-')?;
    let numbers: Result<Vec<u32>, _> = numbers.split('/').map(str::parse).collect();
    Some((kind, numbers.ok()?))
}

/// Junos' wildcards in a member: `*`, and `[0-3]` with single characters and spans.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| matches(rest, &text[at..])),
        ([b'[', rest @ ..], [first, others @ ..]) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            in_set(&rest[..end], *first) && matches(&rest[end + 1..], others)
        }
        ([one, rest @ ..], [first, others @ ..]) => one == first && matches(rest, others),
        _ => false,
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [] => false,
        [from, b'-', to, rest @ ..] => (*from..=*to).contains(&byte) || in_set(rest, byte),
        [one, rest @ ..] => *one == byte || in_set(rest, byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_match_by_name_wildcard_and_place() {
        let range = "<interface-range><name>r</name><member>xe-0/1/*</member><member>ge-1/0/[0-2]</member><member-range>\
             <name>ge-0/0/8</name><end-range>ge-0/0/11</end-range></member-range></interface-range>";
        let range = Element::read(range).expect("readable");
        for (port, is_in) in [
            ("xe-0/1/3", true),
            ("ge-1/0/2", true),
            ("ge-1/0/3", false),
            ("ge-0/0/8", true),
            ("ge-0/0/9", true),
            ("ge-0/0/11", true),
            ("ge-0/0/12", false),
            ("xe-0/0/9", false),
        ] {
            assert_eq!(covers(&range, port), is_in, "{port}");
        }
    }
}
