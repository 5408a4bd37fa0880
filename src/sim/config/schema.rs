//! What the simulated switch knows about the configuration's grammar: which statements are lists, leaves, flags or
//! containers. Written from the shapes real EX configurations show; a level marked open takes any statement.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use super::lex::Word;

/// The kind of a statement, which decides how it is read and printed in each format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A block of statements that vanishes when it becomes empty.
    Container,
    /// A block whose mere presence configures something.
    Presence,
    /// A statement without a value.
    Flag,
    /// A statement with one value.
    Leaf,
    /// A statement with several values.
    LeafList,
    /// Entries told apart by a key.
    List,
}

/// What values a leaf or a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Any,
    Mac,
    Ip4,
    Ip6,
    Number,
}

/// One statement of the grammar.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub name: String,
    /// The element's name in XML, where a statement's own cannot be one (`802.3ad`).
    pub tag: String,
    pub kind: Kind,
    pub check: Check,
    /// The keyword of this list or leaf is written in XML only (`interfaces { ge-0/0/0 {..} }`, `mac-limit 4`).
    pub hidden: bool,
    /// An entry, or a block, and its leaves are printed on one line.
    pub one_line: bool,
    /// The keyword opens a block of its own (`groups { NAME {..} }`).
    pub block: bool,
    pub mandatory: bool,
    /// With a single statement that needs no block of its own it stands on one line (`route P next-hop A;`).
    pub short: bool,
    /// The keyword is repeated before each statement in it (`family inet {..}`).
    pub prefix: bool,
    /// Statements nobody wrote down here are taken as they come.
    pub open: bool,
    pub children: Vec<Rule>,
}

impl Rule {
    fn root() -> Rule {
        Rule { name: "configuration".into(), ..Rule::parse("configuration only") }
    }

    fn parse(line: &str) -> Rule {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let hidden = name.starts_with('@');
        let (name, tag) = name.split_once('/').unwrap_or((name, name.trim_start_matches('@')));
        let mut rule = Rule {
            name: name.trim_start_matches('@').to_owned(),
            tag: tag.to_owned(),
            kind: Kind::Container,
            check: Check::Any,
            hidden,
            one_line: false,
            block: false,
            mandatory: false,
            short: false,
            prefix: false,
            open: true,
            children: Vec::new(),
        };
        words.for_each(|word| rule.mark(word));
        rule
    }

    fn mark(&mut self, word: &str) {
        match word {
            "!" => self.kind = Kind::Presence,
            ";" => self.kind = Kind::Flag,
            "*" => self.kind = Kind::LeafList,
            "mandatory" => self.mandatory = true,
            "short" => self.short = true,
            "line" => self.one_line = true,
            "prefix" => self.prefix = true,
            "only" => self.open = false,
            "ip4" => self.check = Check::Ip4,
            "ip6" => self.check = Check::Ip6,
            list if list.starts_with("[]") => {
                self.kind = Kind::List;
                self.one_line = list.ends_with('1');
                self.block = list.ends_with("{}");
            }
            leaf => {
                self.kind = Kind::Leaf;
                self.check = match leaf {
                    "=mac" => Check::Mac,
                    "=num" => Check::Number,
                    _ => Check::Any,
                };
            }
        }
    }

    /// The statement called `word`, unless its keyword is hidden.
    pub(crate) fn child(&self, word: &str) -> Option<&Rule> {
        self.children.iter().find(|rule| rule.name == word && !rule.hidden).or_else(|| anywhere(word))
    }

    /// The statement whose element is called `tag`.
    pub(crate) fn element(&self, tag: &str) -> Option<&Rule> {
        self.children.iter().find(|rule| rule.tag == tag && !rule.hidden).or_else(|| anywhere(tag))
    }

    /// Whether other statements stand in it.
    fn holds_statements(&self) -> bool {
        matches!(self.kind, Kind::Container | Kind::Presence | Kind::List)
    }

    /// The list whose entries, or the leaf whose value, stand directly in this block.
    pub(crate) fn hidden(&self) -> Option<&Rule> {
        self.children.iter().find(|rule| rule.hidden)
    }

    /// Whether `word` is a value of this block that is written without its keyword.
    pub(crate) fn is_bare_value(&self, word: &str) -> bool {
        self.hidden().is_some_and(|leaf| leaf.kind == Kind::Leaf) && self.child(word).is_none()
    }

    /// Whether `word` in this block belongs to its child `leaf`.
    pub(crate) fn belongs(&self, leaf: &Rule, word: &str) -> bool {
        if leaf.hidden { self.child(word).is_none() } else { leaf.name == word }
    }
}

impl Check {
    /// Whether `value` has the form this check asks for.
    pub(crate) fn accepts(self, value: &str) -> bool {
        match self {
            Check::Any => true,
            Check::Number => value.parse::<u64>().is_ok(),
            Check::Ip4 => value.parse::<Ipv4Addr>().is_ok(),
            Check::Ip6 => value.parse::<Ipv6Addr>().is_ok(),
            Check::Mac => is_mac(value),
        }
    }

    /// The value in the form that the switch keeps: an IPv6 address is the same one however it was typed.
    pub(crate) fn kept(self, value: &str) -> Word {
        match (self, value.parse::<Ipv6Addr>()) {
            (Check::Ip6, Ok(address)) => address.to_string().into(),
            _ => value.into(),
        }
    }
}

fn is_mac(value: &str) -> bool {
    let octets: Vec<&str> = value.split(':').collect();
    octets.len() == 6 && octets.iter().all(|o| matches!(o.len(), 1 | 2) && u8::from_str_radix(o, 16).is_ok())
}

/// The grammar, read once.
pub(crate) fn schema() -> &'static Rule {
    static SCHEMA: OnceLock<Rule> = OnceLock::new();
    SCHEMA.get_or_init(|| with_groups(read(include_str!("schema.txt"))))
}

/// Groups hold what may stand at the top.
fn with_groups(mut root: Rule) -> Rule {
    let inside: Vec<Rule> =
        root.children.iter().filter(|rule| !matches!(rule.name.as_str(), "groups" | "version")).cloned().collect();
    if let Some(groups) = root.children.iter_mut().find(|rule| rule.name == "groups") {
        groups.children.extend(inside);
    }
    root
}

/// What Junos takes at every level.
const ANYWHERE: &str = "apply-groups *\napply-groups-except *\napply-macro []\n";

fn anywhere(word: &str) -> Option<&'static Rule> {
    static RULES: OnceLock<Rule> = OnceLock::new();
    RULES.get_or_init(|| read(ANYWHERE)).children.iter().find(|rule| rule.name == word)
}

/// A wildcard in the place of a name, as in groups: `<*>`, `<ge-*>`.
pub(crate) fn is_wildcard(word: &str) -> bool {
    word.starts_with('<') && word.ends_with('>')
}

fn read(text: &str) -> Rule {
    let mut stack = vec![Rule::root()];
    for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let depth = (line.len() - line.trim_start().len()) / 2 + 1;
        fold(&mut stack, depth);
        stack.push(Rule::parse(line.trim()));
    }
    fold(&mut stack, 1);
    stack.pop().unwrap_or_else(Rule::root)
}

/// Closes the levels deeper than `depth`.
fn fold(stack: &mut Vec<Rule>, depth: usize) {
    while stack.len() > depth {
        if let (Some(mut done), Some(parent)) = (stack.pop(), stack.last_mut()) {
            done.open &= done.holds_statements() && done.hidden().is_none();
            parent.children.push(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_knows_both_ways_to_bind_an_address() {
        let port = ["ethernet-switching-options", "secure-access-port", "interface"]
            .iter()
            .fold(schema(), |rule, word| rule.child(word).unwrap());
        let binding = port.child("static-ip").unwrap();
        assert!(binding.one_line && binding.kind == Kind::List && !port.open);
        let vlan = schema().child("vlans").unwrap().hidden().unwrap();
        assert_eq!(vlan.name, "vlan");
        let security = vlan.child("forwarding-options").unwrap().child("dhcp-security").unwrap();
        assert!(security.child("group").unwrap().child("interface").unwrap().child("static-ipv6").is_some());
    }

    #[test]
    fn values_are_checked_by_kind() {
        assert!(Check::Mac.accepts("02:00:00:aa:BB:1"));
        assert!(!Check::Mac.accepts("02:00:00:aa:bb"));
        assert!(Check::Ip6.accepts("2001:db8::6") && !Check::Ip6.accepts("10.0.0.6"));
        assert!(Check::Ip4.accepts("10.0.0.6") && !Check::Ip4.accepts("10.0.0"));
    }
}
