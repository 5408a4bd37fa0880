//! How things are named: MACs, addresses, subnets, Junos names, rows, and what people search for.

pub(super) mod address;
pub(super) mod junos;
pub(super) mod mac;
pub(super) mod search;
pub(super) mod subnet;
pub(super) mod vmac_name;
