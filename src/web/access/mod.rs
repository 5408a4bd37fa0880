//! Who may ask, and for what: tokens (`guard`), who shows one (`caller`), what each request needs (`permissions`), what is written
//! down of changes (`change_log`), wrong tokens, requests of other sites, parameters that nothing reads.

pub(super) mod caller;
mod change_log;
pub(super) mod guard;
pub(super) mod permissions;
pub(super) mod unknown_parameters;
pub(super) mod wrong_credentials;
