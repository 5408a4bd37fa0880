//! NETCONF as Junos speaks it: framing (RFC 6242), a session of numbered requests (RFC 6241), and a reader
//! of replies that takes what real switches send.

mod framing;
mod reply;
mod session;
mod verbatim;
mod xml;

pub use framing::{Decoder, Framing, FramingError, encode};
pub use reply::{Reply, RpcError, Severity};
pub use session::{Message, NetconfSession, Request, SessionError};
pub use verbatim::{escaped, take_text};
pub use xml::{Element, XmlError};
