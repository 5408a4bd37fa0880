//! How a section of the settings is written down once, with its meaning, defaults and ranges, and told everywhere.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{RangeFrom, RangeInclusive};

use serde::Serialize;
use toml::Value;

/// One key of a section.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, with its unit.
    pub meaning: String,
    /// What holds where nothing is set.
    pub default: Value,
    /// What it may be, where that is bounded.
    pub range: Option<String>,
}

/// A section with its keys.
#[derive(Debug, Clone, PartialEq)]
pub struct SectionDoc {
    /// Its name; `credentials.NAME` where there may be many.
    pub name: String,
    /// What it is about.
    pub meaning: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

impl Key {
    pub(super) fn new(name: &'static str, doc: &[&str], default: &impl Serialize, range: Option<String>) -> Self {
        let default = Value::try_from(default).expect("a default is a value of TOML");
        Self { name, meaning: joined(doc), default, range }
    }
}

impl SectionDoc {
    pub(super) fn new<S: Section>(name: &str, doc: &[&str]) -> Self {
        let name = if S::HAS_NAMES { format!("{name}.NAME") } else { name.to_owned() };
        Self { name, meaning: joined(doc), keys: S::keys() }
    }
}

fn joined(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What the macro `section!` makes, or a map of it by name.
pub(super) trait Section {
    /// Whether there may be many, each by a name of its own.
    const HAS_NAMES: bool = false;

    fn keys() -> Vec<Key>;

    /// The first key whose value is out of its range, and what was expected.
    fn out_of_range(&self) -> Option<(String, String)>;
}

impl<S: Section> Section for BTreeMap<String, S> {
    const HAS_NAMES: bool = true;

    fn keys() -> Vec<Key> {
        S::keys()
    }

    fn out_of_range(&self) -> Option<(String, String)> {
        self.iter().find_map(|(name, section)| {
            section.out_of_range().map(|(key, expected)| (format!("{name}.{key}"), expected))
        })
    }
}

/// What a value may be.
pub(super) trait Bounds<T> {
    fn hold(&self, value: &T) -> bool;
    fn text(&self) -> String;
}

impl<T: PartialOrd + Display> Bounds<T> for RangeInclusive<T> {
    fn hold(&self, value: &T) -> bool {
        self.contains(value)
    }

    fn text(&self) -> String {
        format!("{} to {}", self.start(), self.end())
    }
}

impl<T: PartialOrd + Display> Bounds<T> for RangeFrom<T> {
    fn hold(&self, value: &T) -> bool {
        self.contains(value)
    }

    fn text(&self) -> String {
        format!("at least {}", self.start)
    }
}

/// The expectation that a value fails to meet.
pub(super) fn failed<T>(bounds: &impl Bounds<T>, value: &T) -> Option<String> {
    (!bounds.hold(value)).then(|| bounds.text())
}

/// What the bounds of a value of this type say.
pub(super) fn text_of<T>(bounds: &impl Bounds<T>, _of: &T) -> String {
    bounds.text()
}

/// The text of a doc comment, nothing of any other attribute.
macro_rules! doc_line {
    (doc = $text:literal) => {
        $text
    };
    ($($other:tt)*) => {
        ""
    };
}

/// A section: `name: type = default,` or `name: type = default; range,` for each key, with its meaning as doc comment.
macro_rules! section {
    ($(#[$($doc:tt)*])* $name:ident {
        $($(#[$($field_doc:tt)*])* $field:ident: $type:ty = $default:expr $(; $range:expr)?,)*
    }) => {
        $(#[$($doc)*])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$($field_doc)*])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::section::Section for $name {
            fn keys() -> Vec<$crate::config::section::Key> {
                let defaults = Self::default();
                vec![$($crate::config::section::Key::new(
                    stringify!($field),
                    &[$($crate::config::section::doc_line!($($field_doc)*)),*],
                    &defaults.$field,
                    None$(.or(Some($crate::config::section::text_of(&($range), &defaults.$field))))?,
                )),*]
            }

            fn out_of_range(&self) -> Option<(String, String)> {
                $($(if let Some(expected) = $crate::config::section::failed(&($range), &self.$field) {
                    return Some((stringify!($field).to_owned(), expected));
                })?)*
                None
            }
        }
    };
}

/// All sections together.
macro_rules! sections {
    ($(#[$($doc:tt)*])* $name:ident {
        $($(#[$($field_doc:tt)*])* $field:ident: $type:ty = $default:expr,)*
    }) => {
        $(#[$($doc)*])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$($field_doc)*])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            /// Every section with its keys, in the order of the file.
            pub fn sections() -> Vec<$crate::config::section::SectionDoc> {
                vec![$($crate::config::section::SectionDoc::new::<$type>(
                    stringify!($field),
                    &[$($crate::config::section::doc_line!($($field_doc)*)),*],
                )),*]
            }

            /// The first setting whose value is out of its range, and what was expected.
            pub(super) fn out_of_range(&self) -> Option<(String, String)> {
                $(if let Some((key, expected)) = $crate::config::section::Section::out_of_range(&self.$field) {
                    return Some((format!("{}.{key}", stringify!($field)), expected));
                })*
                None
            }
        }
    };
}

pub(super) use {doc_line, section, sections};
