//! Webhooks: where events are sent to over HTTP, which of them, and what must never be reached that way.

pub(super) mod filter;
pub(super) mod form;
pub(super) mod internal;
pub(super) mod secret;
pub(super) mod url;
