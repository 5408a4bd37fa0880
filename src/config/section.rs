//! How a section of the settings is written down once, with its meaning, defaults and ranges, and told everywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;
use toml::{Table, Value};

/// One key of a section.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, with its unit.
    pub meaning: String,
    /// What holds where nothing is set.
    pub default: Value,
    /// What it may be, where it is a number.
    pub range: Option<Range>,
}

/// The least and the greatest value of a number, both allowed. Everything between them is what the program works at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The least.
    pub min: f64,
    /// The greatest; far below 2^53, up to which an `f64` holds whole numbers.
    pub max: f64,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

impl Range {
    fn holds(self, value: &Value) -> bool {
        let number = match value {
            Value::Integer(number) => *number as f64,
            Value::Float(number) => *number,
            // Of the wrong type, which is refused as such.
            _ => return true,
        };
        (self.min..=self.max).contains(&number)
    }
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
    pub(super) fn new(name: &'static str, doc: &[&str], default: &impl Serialize, range: Option<Range>) -> Self {
        let default = Value::try_from(default).expect("a default is a value of TOML");
        // `move` is a word of Rust's own.
        let name = name.strip_prefix("r#").unwrap_or(name);
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
}

impl<S: Section> Section for BTreeMap<String, S> {
    const HAS_NAMES: bool = true;

    fn keys() -> Vec<Key> {
        S::keys()
    }
}

/// The range of a value of this type.
pub(super) fn range_of<T: fmt::Display>(range: &RangeInclusive<T>, _of: &T) -> Range {
    let number = |bound: &T| bound.to_string().parse().expect("a bound is a number");
    Range { min: number(range.start()), max: number(range.end()) }
}

/// The first number of these settings that is out of its range, by its whole name, and what is wrong with it. Asked before the
/// settings are given their types, so that a number that does not fit its type is named too.
pub(super) fn out_of_range(sections: &[SectionDoc], settings: &Table) -> Option<(String, String)> {
    sections.iter().find_map(|section| {
        set_tables(section, settings).into_iter().find_map(|(name, values)| {
            section.keys.iter().find_map(|key| {
                let (value, range) = (values.get(key.name)?, key.range?);
                let problem = || format!("{value} is out of range: expected {range}{}", unit(key.name));
                (!range.holds(value)).then(|| (format!("{name}.{}", key.name), problem()))
            })
        })
    })
}

/// What is set of a section, by its whole name: of one with names, each.
fn set_tables<'a>(section: &SectionDoc, settings: &'a Table) -> Vec<(String, &'a Table)> {
    let table = |name: &str| settings.get(name).and_then(Value::as_table);
    match section.name.strip_suffix(".NAME") {
        None => table(&section.name).map(|values| (section.name.clone(), values)).into_iter().collect(),
        Some(root) => {
            let named = table(root).into_iter().flatten();
            named.filter_map(|(name, value)| Some((format!("{root}.{name}"), value.as_table()?))).collect()
        }
    }
}

/// The unit that the end of a name says.
fn unit(name: &str) -> &'static str {
    match name.rsplit_once('_') {
        Some((_, "ms")) => " milliseconds",
        Some((_, "min")) => " minutes",
        Some((_, "days")) => " days",
        _ => "",
    }
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
                    None$(.or(Some($crate::config::section::range_of(&($range), &defaults.$field))))?,
                )),*]
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
        }
    };
}

pub(super) use {doc_line, section, sections};
