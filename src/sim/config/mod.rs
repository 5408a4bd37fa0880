//! The configuration as a tree, the three forms it is written in (braces, `set` lines, XML), and the edits of a load. It knows of no
//! switch.

pub(crate) mod apply;
pub(crate) mod compare;
pub(crate) mod edit;
pub(crate) mod filter;
pub(crate) mod groups;
pub(crate) mod in_force;
pub(crate) mod inherit;
pub(crate) mod interface_range;
pub(crate) mod lex;
pub(crate) mod print_text;
pub(crate) mod print_xml;
pub(crate) mod protect;
pub(crate) mod read_text;
pub(crate) mod read_xml;
pub(crate) mod schema;
pub(crate) mod set_lines;
pub(crate) mod tree;

#[cfg(test)]
mod as_loaded_tests;
#[cfg(test)]
mod comment_tests;
#[cfg(test)]
mod round_trip_tests;
