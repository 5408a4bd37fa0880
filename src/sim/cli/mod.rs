//! The command line of a switch, as an operator types it.

pub(crate) mod commands;
pub(crate) mod edit;
pub(crate) mod line;
pub(crate) mod pipe;
pub(crate) mod session;
pub(crate) mod show;
pub(crate) mod words;

#[cfg(test)]
mod tests;
