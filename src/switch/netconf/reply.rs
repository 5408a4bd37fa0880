//! What a reply says: every error with its words, warnings apart, and what kind of refusal it is.

use std::fmt;

use super::xml::{Element, XmlError};

/// How bad an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Told, and the request was carried out.
    Warning,
    /// The request was refused.
    Error,
}

/// One `rpc-error` (RFC 6241, section 4.3) or `xnm:error`; on Junos most children may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// How bad.
    pub severity: Severity,
    /// The switch's words, spaces folded.
    pub message: String,
    /// Where in the configuration, `[edit ...]`.
    pub path: Option<String>,
    /// The statement at fault.
    pub bad_element: Option<String>,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        match &self.bad_element {
            Some(element) => write!(f, " ({element})"),
            None => Ok(()),
        }
    }
}

/// A reply that was read.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The whole reply.
    pub root: Element,
    /// What refuses the request; an error outranks `<ok/>`.
    pub errors: Vec<RpcError>,
    /// Warnings: the request was carried out all the same.
    pub warnings: Vec<RpcError>,
}

impl Reply {
    /// Reads a reply.
    ///
    /// # Errors
    /// [`XmlError`] if it is not XML at all.
    pub fn read(text: &str) -> Result<Self, XmlError> {
        let root = Element::read(text)?;
        let mut found = Vec::new();
        root.walk(&mut |element| found.extend(error_of(element)));
        let (errors, warnings) = found.into_iter().partition(|error| error.severity == Severity::Error);
        Ok(Self { root, errors, warnings })
    }
}

impl Reply {
    /// True when this answers request number `id`.
    pub fn answers(&self, id: u64) -> bool {
        answers(&self.root, id)
    }
}

/// True when the root is that of an answer to request number `id`. A reply to an earlier request and stray output of the
/// switch are not; old releases refuse with a bare `rpc-error` (Juniper/py-junos-eznc, get-permission-denied.xml).
pub(super) fn answers(root: &Element, id: u64) -> bool {
    let of_this = root.attribute("message-id").is_none_or(|replied| replied == id.to_string());
    of_this && matches!(root.name.as_str(), "rpc-reply" | "rpc-error")
}

fn error_of(element: &Element) -> Option<RpcError> {
    let message = match element.name.as_str() {
        "rpc-error" => element.text_of("error-message").or_else(|| element.text_of("message")),
        // Inside configurations `error` may be a statement; the real ones have a message.
        "error" | "warning" => Some(element.text_of("message")?),
        _ => return None,
    };
    let severity = element.text_of("error-severity");
    let warning = severity == Some("warning") || (severity.is_none() && element.name == "warning");
    let tag = element.text_of("error-tag");
    let message = folded(message.or(tag).unwrap_or("an error without a message"));
    Some(RpcError {
        severity: if warning && !is_protected(&message) { Severity::Warning } else { Severity::Error },
        message,
        path: element.text_of("error-path").or_else(|| element.text_of("edit-path")).map(folded),
        bad_element: element.find("bad-element").map(|bad| folded(&bad.text)).filter(|text| !text.is_empty()),
    })
}

/// True for the warning of a load that left a statement as it was, because an operator marked it or what it stands in with
/// `protect:` (`[snmp] is protected, 'snmp location x' cannot be changed`). What was asked for is not in the candidate.
fn is_protected(message: &str) -> bool {
    message.contains("] is protected, '")
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> Reply {
        let text = format!("<rpc-reply xmlns:junos=\"http://xml.juniper.net/junos/15.1R7/junos\">{inner}</rpc-reply>");
        Reply::read(&text).expect("readable")
    }

    #[test]
    fn every_error_is_kept_and_outranks_ok() {
        let reply = read(
            "<rpc-error><error-type>application</error-type><error-severity>error</error-severity>\
             <error-path>[edit a]</error-path><error-message>\nmgd: duplicate\n MAC address\n</error-message>\
             <error-info><bad-element>10.0.0.2</bad-element></error-info></rpc-error>\
             <rpc-error><error-severity>error</error-severity><error-message>configuration check-out failed</error-message></rpc-error><ok/>",
        );
        let texts: Vec<_> = reply.errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["mgd: duplicate MAC address [edit a] (10.0.0.2)", "configuration check-out failed"]);
    }

    #[test]
    fn warnings_refuse_nothing() {
        let reply = read(
            "<load-configuration-results><rpc-error><error-severity>warning</error-severity>\
             <error-message>statement not found</error-message></rpc-error><ok/></load-configuration-results>",
        );
        assert_eq!((reply.errors.len(), reply.warnings.len()), (0, 1));
    }

    #[test]
    fn a_warning_that_a_protected_statement_was_left_as_it_was_is_a_refusal() {
        let reply = read(
            "<load-configuration-results><rpc-error><error-severity>warning</error-severity><error-message>\
             [interfaces] is protected, 'interfaces ge-0/0/1' cannot be changed</error-message></rpc-error><ok/></load-configuration-results>",
        );
        assert_eq!((reply.errors.len(), reply.warnings.len()), (1, 0));
    }

    #[test]
    fn errors_in_the_older_form_are_errors() {
        let reply = read(
            "<commit-results><xnm:error xmlns:xnm=\"x\"><source-daemon>dcd</source-daemon>\
             <edit-path>[edit interfaces]</edit-path><message>cannot do that</message></xnm:error></commit-results>",
        );
        assert_eq!(reply.errors[0].to_string(), "cannot do that [edit interfaces]");
    }
}
