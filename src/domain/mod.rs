//! What vmacd is about, as pure values: no input, no output, no clock.
//!
//! Everything here can be tested with plain values. `names` holds the validated types: MACs, addresses, Junos names;
//! `commands` what messages carry; `rows` the states of a virtual MAC and its bindings; `pools` which MACs are handed out;
//! `plan` the comparison of what is wanted with what a switch holds, `audit` that of whole switches, `adopt` what of them
//! becomes rows, `drift` what no longer stands, `evidence` what a switch showed of a binding, `in_force` whether it takes
//! effect; `failures` what can go wrong, how each case is treated and when it is retried; `duplicates` where one MAC may
//! stand twice; `access` who may do what, and the log of it; `sites` when a site's switches are left alone; `health` how the parts of the service are; `text` makes text
//! from outside, URLs and configurations safe to show; `webhooks` where events are sent to; `schema` tells others how the values look in JSON.

mod access;
pub mod adopt;
pub mod audit;
mod commands;
pub mod drift;
mod duplicates;
pub mod evidence;
mod failures;
mod health;
pub mod in_force;
mod inventory;
mod names;
pub mod plan;
mod pools;
mod rows;
mod schema;
mod sites;
mod text;
mod webhooks;

pub use access::{
    ChainFault, LogEntry, NewLogEntry, Permission, Role, RoleError, TokenName, TokenNameError, Via, check_chain,
};
pub use commands::command::{Action, Command, IntentOrder, MessageKey};
pub use commands::issued::{Arrival, Issued, IssuedError, MS_MAX, Moment, Position};
pub use commands::long_body::{BODY_BYTES_MAX, LongBody, LongBodyReader, shortened_body};
pub use commands::requester::{Requester, TEXT_CHARS_MAX, check_text};
pub use commands::trace::{TraceId, TraceParent};
pub use drift::DriftMode;
pub use duplicates::{DuplicateChoice, DuplicateRule, Duplicates};
pub use failures::cure::Cure;
pub use failures::doubling::Backoff;
pub use failures::failure::{Code, Failure, FailureClass, chain};
pub use failures::retry::RetryPolicy;
pub use health::{Health, Outage, WorkerHeartbeat, without_replaced};
pub use inventory::{
    CredentialName, Dialect, DialectChoice, Inventory, InventoryConflict, InventoryItem, InventoryPlace, Server,
    ServerPort, SshProfile, Switch, inventory_conflicts, shared_network_cards,
};
pub use names::address::{AddressError, BindableAddress};
pub use names::junos::{GroupName, InterfaceName, NameError, PoolName, SiteName, SwitchName, VlanName, WebhookName};
pub use names::mac::{Mac, MacError};
pub use names::search::{Search, SearchText};
pub use names::subnet::addresses_of;
pub use names::vmac_name::{VmacName, VmacNameError};
pub use pools::Pools;
pub use pools::clash_odds::{odds_of_any_clash, odds_of_clash};
pub use pools::draws::{DRAWS_MAX, Draws};
pub use pools::pool::{Pool, Strategy};
pub use pools::prefix::{Prefix, PrefixError};
pub use rows::binding::{BindingState, SwitchBinding};
pub use rows::lifecycle::{Desired, Status, derive_status};
pub use schema::{PLAIN_TEXT, SharedMac, Subnet, TIME_SINCE_1970, VirtualMac};
pub use sites::auto_freeze::{FailedPush, reason_to_stop, speaks_against_site};
pub use sites::freeze::{Freeze, FreezeKind, FreezeOrder, Scope};
pub use text::configuration::{difference, readable, redacted, redacted_difference};
pub use text::service_url::ServiceUrl;
pub use text::service_urls::ServiceUrls;
pub use text::shown::shown;
pub use webhooks::filter::{EventPattern, WebhookFilter};
pub use webhooks::form::{DeliveryState, WebhookForm};
pub use webhooks::internal::{AllowedNets, InternalAddress};
pub use webhooks::secret::{SECRET_BYTES, WebhookSecret};
pub use webhooks::url::{WebhookUrl, WebhookUrlError};
