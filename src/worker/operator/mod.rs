//! What an operator asks of a switch directly: restore, dry run, survey.

pub(super) mod dry_run;
pub(super) mod restore;
pub(super) mod session;
pub(super) mod survey;
