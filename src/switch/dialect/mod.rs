//! The two configuration dialects: how bindings are asked for, read and changed.

mod els;
mod non_els;

use super::netconf::Element;
use crate::domain::Dialect;
use crate::domain::plan::{Change, PresentBinding};

/// The subtree to ask for so that the reply holds every binding.
pub(super) const fn filter(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Els => els::FILTER,
        Dialect::NonEls => non_els::FILTER,
    }
}

/// The bindings in a configuration.
pub(super) fn bindings(dialect: Dialect, configuration: &Element) -> Vec<PresentBinding> {
    match dialect {
        Dialect::Els => els::bindings(configuration),
        Dialect::NonEls => non_els::bindings(configuration),
    }
}

/// The configuration to load so that the changes are made; XML inside `<configuration>`.
pub(super) fn render(dialect: Dialect, changes: &[Change]) -> String {
    match dialect {
        Dialect::Els => els::render(changes),
        Dialect::NonEls => non_els::render(changes),
    }
}
