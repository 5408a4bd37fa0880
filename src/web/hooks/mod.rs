//! `POST /hooks/{name}`: an event of a panel or a billing system, signed and in its own shape, becomes a command.
//!
//! The settings say how it is signed, which event means what and where its fields are (`[hooks.NAME]`). `signature` checks
//! who sent it (`signature_header` reads the header), `mapping` makes the command of it (`event` and `form` read the body, `address` and
//! `times` fields as others write them), `route` answers. Hooks come from servers that hold a secret of their own: the
//! signature replaces the API token, and the guard against pages of other sites, which cannot sign.

mod address;
mod event;
mod form;
mod mapping;
mod route;
mod signature;
mod signature_header;
mod times;

pub(super) use route::router;
