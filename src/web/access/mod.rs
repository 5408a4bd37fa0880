//! Who may ask, and for what: the token, wrong tokens, requests of other sites, parameters that nothing reads.

pub(super) mod guard;
pub(super) mod unknown_parameters;
pub(super) mod wrong_credentials;
