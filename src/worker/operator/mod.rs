//! What an operator asks of a switch directly: restore, dry run, survey.

pub(super) mod dry_run;
pub(super) mod restore;
pub(super) mod survey;
pub(super) mod visit;
