//! Errors and warnings as the switch words them, RFC 6241 section 4.3 with Junos' habits.

use crate::sim::config::edit::SyntaxError;
use crate::sim::xml::escape;

/// One `rpc-error`. Junos leaves the type and the tag out of many, so both are optional.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RpcError {
    /// (`error-type`, `error-tag`)
    pub class: Option<(&'static str, &'static str)>,
    pub warning: bool,
    pub path: Option<String>,
    pub message: String,
    pub bad_element: Option<String>,
    /// The process id of the session that is in the way.
    pub session_id: Option<u32>,
}

impl RpcError {
    /// protocol / operation-failed.
    pub(crate) fn failed(message: impl Into<String>) -> RpcError {
        RpcError { class: Some(("protocol", "operation-failed")), message: message.into(), ..RpcError::default() }
    }

    /// application / invalid-value: what a daemon found wrong with a statement.
    pub(crate) fn invalid(path: String, message: String, bad_element: &str) -> RpcError {
        let bad_element = Some(bad_element.to_owned());
        RpcError {
            class: Some(("application", "invalid-value")),
            path: Some(path),
            message,
            bad_element,
            ..RpcError::default()
        }
    }

    /// The lock is another session's (RFC 6241 section 7.5; vSRX 15.1X49 was seen to send it so).
    pub(crate) fn lock_denied(message: String, session_id: u32) -> RpcError {
        let class = Some(("protocol", "lock-denied"));
        RpcError { class, message, session_id: Some(session_id), ..RpcError::default() }
    }

    /// A statement or RPC the switch does not know.
    pub(crate) fn syntax(error: &SyntaxError) -> RpcError {
        RpcError { bad_element: Some(error.bad_element.clone()), ..RpcError::failed(error.message.clone()) }
    }

    /// A warning, in the form without type and tag.
    pub(crate) fn warning(message: &str) -> RpcError {
        RpcError { warning: true, message: message.to_owned(), ..RpcError::default() }
    }

    /// The login class does not allow it.
    pub(crate) fn permission_denied(bad_element: &str) -> RpcError {
        RpcError { bad_element: Some(bad_element.to_owned()), ..RpcError::failed("permission denied") }
    }

    /// The element as it goes on the wire.
    pub(crate) fn to_xml(&self) -> String {
        let mut out = String::from("<rpc-error>\n");
        if let Some((kind, tag)) = self.class {
            out.push_str(&format!("<error-type>{kind}</error-type>\n<error-tag>{tag}</error-tag>\n"));
        }
        let severity = if self.warning { "warning" } else { "error" };
        out.push_str(&format!("<error-severity>{severity}</error-severity>\n"));
        if let Some(path) = &self.path {
            out.push_str(&format!("<error-path>{}</error-path>\n", escape(path)));
        }
        out.push_str(&format!("<error-message>{}</error-message>\n", self.message_text()));
        if let Some(bad) = &self.bad_element {
            out.push_str(&format!("<error-info>\n<bad-element>{}</bad-element>\n</error-info>\n", escape(bad)));
        }
        if let Some(pid) = self.session_id {
            out.push_str(&format!("<error-info>\n<session-id>{pid}</session-id>\n</error-info>\n"));
        }
        out + "</rpc-error>\n"
    }

    /// Messages of the management daemon itself stand on lines of their own.
    fn message_text(&self) -> String {
        let text = escape(&self.message);
        let own_line = self.path.is_none() && self.bad_element.is_none();
        if own_line { format!("\n{text}\n") } else { text }
    }
}

/// All of `errors`, one after the other.
pub(crate) fn to_xml(errors: &[RpcError]) -> String {
    errors.iter().map(RpcError::to_xml).collect()
}
