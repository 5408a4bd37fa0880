//! A statement with what it inherits from those above it: whether it is in force, and whose it is.

use crate::domain::plan::Inactive;
use crate::switch::netconf::Element;

/// A place in the configuration, on the way down from its root.
#[derive(Debug, Clone, Default)]
pub(in crate::switch) struct Statement {
    /// As `set` writes it.
    pub path: String,
    /// The outermost inactive statement on the way here, this one included.
    pub inactive: Option<String>,
    /// The configuration group that it comes from (attribute `group` where `groups` was asked for).
    pub inherited: Option<String>,
}

impl Statement {
    /// One below; its name is the keyword and, of a list's entry, the key.
    pub fn below(&self, element: &Element) -> Self {
        let key = element.text_of("name").map(|key| format!(" {}", quoted(key))).unwrap_or_default();
        // `set vlans V`: the list's keyword is not written.
        let keyword = if self.path == "vlans" { "" } else { element.name.as_str() };
        let path = [&self.path, keyword, key.trim_start()].into_iter().filter(|word| !word.is_empty());
        let path = path.collect::<Vec<_>>().join(" ");
        let inactive = self.inactive.clone().or_else(|| element.is_inactive().then(|| path.clone()));
        let inherited = element.attribute("group").map(str::to_owned).or_else(|| self.inherited.clone());
        Self { path, inactive, inherited }
    }

    /// Down through hierarchies that are no lists; none where one is not there.
    pub fn down<'a>(&self, from: &'a Element, names: &[&str]) -> Option<(Self, &'a Element)> {
        names.iter().try_fold((self.clone(), from), |(at, element), name| {
            let child = element.child(name)?;
            Some((at.below(child), child))
        })
    }

    /// What is inactive of an entry below this one.
    pub fn inactive_entry(&self, entry: &Element) -> Option<Inactive> {
        let above = self.inactive.clone().map(Inactive::Under);
        above.or_else(|| entry.is_inactive().then_some(Inactive::Itself))
    }
}

/// A name, in quotes if it has blanks or signs.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c));
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\\\"")) }
}
