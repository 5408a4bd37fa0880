//! NETCONF: the session, and an answer to each RPC.

pub(crate) mod commit;
pub(crate) mod configuration;
pub(crate) mod dispatch;
pub(crate) mod framing;
pub(crate) mod guarding;
pub(crate) mod load;
pub(crate) mod lock;
pub(crate) mod mac_table;
pub(crate) mod operational;
pub(crate) mod outcome;
pub(crate) mod requests;
pub(crate) mod rfc_compliant;
pub(crate) mod security_table;
pub(crate) mod session;
