//! `POST /hooks/{name}`: an event of a panel or a billing system, signed and in its own shape, becomes a command.
//!
//! The settings say which event means what and where its fields stand (`[hooks.NAME]`); `mapping` reads it by them,
//! `signature` tells who sent it, `route` answers. Hooks come from servers that hold a secret of their own: the signature
//! stands for the API token, and for the guard against pages of other sites, which cannot sign.

mod mapping;
mod route;
mod signature;

pub(super) use route::router;
