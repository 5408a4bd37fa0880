//! `system services netconf rfc-compliant`: every NETCONF element under the prefix `nc`, and no warning beside `ok` (JNPR
//! "Configure RFC-Compliant NETCONF Sessions"; a factory default on EX2300 and EX3400 from 21.4 on).

use std::borrow::Cow;

use crate::sim::config::in_force::in_force;
use crate::sim::config::tree::Node;

/// The elements of NETCONF itself (RFC 6241), which get the prefix.
const ELEMENTS: [&str; 14] = [
    "hello",
    "capabilities",
    "capability",
    "session-id",
    "rpc-reply",
    "rpc-error",
    "error-type",
    "error-tag",
    "error-severity",
    "error-path",
    "error-message",
    "error-info",
    "data",
    "ok",
];

/// Whether the configuration asks for it.
pub(crate) fn is_asked_for(tree: &Node) -> bool {
    in_force(tree).find(&["system", "services", "netconf", "rfc-compliant"]).is_some()
}

/// A hello or reply as a compliant session sends it.
pub(crate) fn compliant(text: &str) -> String {
    let text = if text.contains("<ok/>") { without_warnings(text) } else { Cow::Borrowed(text) };
    let text = text.replace(
        "xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"",
        "xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\"",
    );
    let mut prefixed = String::with_capacity(text.len() + text.len() / 16);
    let mut parts = text.split('<');
    prefixed.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (slash, name) = part.strip_prefix('/').map_or(("", part), |name| ("/", name));
        let end = name.find(|symbol: char| symbol.is_whitespace() || "/>".contains(symbol)).unwrap_or(name.len());
        let prefix = if ELEMENTS.contains(&&name[..end]) { "nc:" } else { "" };
        prefixed.extend(["<", slash, prefix, name]);
    }
    prefixed
}

fn without_warnings(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, error)) = rest.split_once("<rpc-error>") {
        let Some((inside, after)) = error.split_once("</rpc-error>\n") else { break };
        kept.push_str(before);
        if !inside.contains("<error-severity>warning</error-severity>") {
            kept.extend(["<rpc-error>", inside, "</rpc-error>\n"]);
        }
        rest = after;
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netconf_is_prefixed_and_the_configuration_is_not() {
        let reply = "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\">\n<rpc-error>\n<error-severity>warning</error-severity>\n</rpc-error>\n<configuration><system/></configuration>\n<ok/>\n</rpc-reply>\n";
        insta::assert_snapshot!(compliant(reply), @r#"
        <nc:rpc-reply xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1">
        <configuration><system/></configuration>
        <nc:ok/>
        </nc:rpc-reply>
        "#);
    }

    #[test]
    fn a_warning_without_ok_and_an_error_stay() {
        let warning = "<rpc-error>\n<error-severity>warning</error-severity>\n</rpc-error>\n";
        assert!(compliant(warning).contains("nc:error-severity"));
        let error = "<rpc-error>\n<error-severity>error</error-severity>\n</rpc-error>\n<ok/>";
        assert!(compliant(error).contains("<nc:error-severity>error<"));
    }
}
