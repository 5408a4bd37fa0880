//! What a hook's sender signs, as the setting `signed` writes it.

/// One part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedPart<'a> {
    /// Text between the others.
    Text(&'a str),
    /// The body as it came.
    Body,
    /// The time of signing as it came.
    Timestamp,
    /// The delivery's own id.
    Id,
    /// The name of the hook.
    Hook,
}

/// The parts of a text such as `{timestamp}.{body}`, in their order.
///
/// # Errors
/// What is wrong with it.
pub(super) fn signed_parts(text: &str) -> Result<Vec<SignedPart<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        let (name, after) = from.split_once('}').ok_or_else(|| format!("`{text}`: a `{{` without its `}}`"))?;
        parts.extend((!before.is_empty()).then_some(SignedPart::Text(before)));
        parts.push(
            part(name).ok_or_else(|| {
                format!("`{{{name}}}` is unknown: expected {{body}}, {{timestamp}}, {{id}} or {{hook}}")
            })?,
        );
        rest = after;
    }
    parts.extend((!rest.is_empty()).then_some(SignedPart::Text(rest)));
    let bodies = parts.iter().filter(|part| **part == SignedPart::Body).count();
    if bodies == 1 { Ok(parts) } else { Err(format!("`{text}` must hold {{body}} once")) }
}

fn part(name: &str) -> Option<SignedPart<'static>> {
    match name {
        "body" => Some(SignedPart::Body),
        "timestamp" => Some(SignedPart::Timestamp),
        "id" => Some(SignedPart::Id),
        "hook" => Some(SignedPart::Hook),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::SignedPart::{Body, Hook, Id, Text, Timestamp};
    use super::*;

    #[test]
    fn the_forms_of_known_senders_are_read() {
        assert_eq!(signed_parts("{body}"), Ok(vec![Body]));
        assert_eq!(signed_parts("{id}.{timestamp}.{body}"), Ok(vec![Id, Text("."), Timestamp, Text("."), Body]));
        assert_eq!(signed_parts("v0:{timestamp}:{body}"), Ok(vec![Text("v0:"), Timestamp, Text(":"), Body]));
        assert_eq!(signed_parts("{hook}\n{body}\n"), Ok(vec![Hook, Text("\n"), Body, Text("\n")]));
    }

    #[test]
    fn what_does_not_hold_the_body_once_or_an_unknown_part_is_refused() {
        for (text, expected) in [
            ("{timestamp}.", "must hold {body} once"),
            ("{body}{body}", "must hold {body} once"),
            ("{body", "without its `}`"),
            ("{url}{body}", "`{url}` is unknown"),
        ] {
            let error = signed_parts(text).expect_err("refused");
            assert!(error.contains(expected), "{error}");
        }
    }
}
