//! What vmacd is about, as pure values: no input, no output, no clock.
//!
//! Everything here can be tested with plain values. `mac`, `address` and `names` hold the validated types; `command`,
//! `issued`, `requester` and `binding` the things that messages and rows carry; `lifecycle` the states of a virtual MAC;
//! `pools`, `pool` and `prefix` which MACs are handed out; `plan` the comparison of what is wanted with what a switch
//! holds, `audit` that of whole switches, `adopt` what of them becomes rows, `drift` what no longer stands, `evidence` what
//! a switch showed of a binding, `in_force` whether it takes effect; `failure` the catalogue of what can go wrong and how
//! each case is treated; `duplicates` where one MAC may stand twice; `freeze` and `auto_freeze` when a site's switches are
//! left alone; `health` how the parts of the service are; `search` what somebody looks for; `shown` makes text from outside
//! safe to show, `service_url` URLs without their passwords, `configuration` shows those of switches; `long_body` what is
//! kept of a body that is too long; `schema` tells others how the values look in JSON; `trace` reads the producer's trace.

mod address;
pub mod adopt;
pub mod audit;
mod auto_freeze;
mod binding;
mod clash_odds;
mod command;
mod configuration;
mod doubling;
pub mod drift;
mod duplicates;
pub mod evidence;
mod failure;
mod freeze;
mod health;
pub mod in_force;
mod inventory;
mod issued;
mod lifecycle;
mod long_body;
mod mac;
mod names;
pub mod plan;
mod pool;
mod pools;
mod prefix;
mod requester;
mod retry;
mod schema;
mod search;
mod service_url;
mod shown;
mod subnet;
mod trace;
mod vmac_name;

pub use address::{AddressError, BindableAddress};
pub use auto_freeze::{FailedPush, reason_to_stop, speaks_against_site};
pub use binding::{BindingState, SwitchBinding};
pub use clash_odds::{odds_of_any_clash, odds_of_clash};
pub use command::{Action, Command, IntentOrder, MessageKey};
pub use configuration::{difference, readable, redacted, redacted_difference};
pub use doubling::Backoff;
pub use drift::DriftMode;
pub use duplicates::{DuplicateChoice, DuplicateRule, Duplicates};
pub use failure::{Code, Failure, FailureClass, chain};
pub use freeze::{Freeze, FreezeKind, FreezeOrder, Scope};
pub use health::{Health, Outage, WorkerHeartbeat, without_replaced};
pub use inventory::{
    CredentialName, Dialect, DialectChoice, Inventory, InventoryConflict, InventoryPlace, Server, ServerPort,
    SshProfile, Switch, inventory_conflicts, shared_network_cards,
};
pub use issued::{Arrival, Issued, IssuedError, MS_MAX, Moment, Position};
pub use lifecycle::{Desired, Status, derive_status};
pub use long_body::{BODY_BYTES_MAX, LongBody, LongBodyReader, shortened_body};
pub use mac::{Mac, MacError};
pub use names::{GroupName, InterfaceName, NameError, PoolName, SiteName, SwitchName, VlanName};
pub use pool::{Pool, Strategy};
pub use pools::Pools;
pub use prefix::{Prefix, PrefixError};
pub use requester::{Requester, TEXT_CHARS_MAX, check_text};
pub use retry::RetryPolicy;
pub use schema::{PLAIN_TEXT, SharedMac, Subnet, TIME_SINCE_1970, VirtualMac};
pub use search::{Search, SearchText};
pub use service_url::ServiceUrl;
pub use shown::shown;
pub use subnet::addresses_of;
pub use trace::{TraceId, TraceParent};
pub use vmac_name::{VmacName, VmacNameError};
