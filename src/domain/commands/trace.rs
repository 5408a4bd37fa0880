//! The producer's trace: W3C Trace Context (<https://www.w3.org/TR/trace-context/>), section 3.2.

use std::fmt;
use std::str::FromStr;

/// The id of a trace: 16 bytes, not all zero. Written as 32 lowercase hexadecimal digits, and as nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A `traceparent`: which trace, and which span of it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that asked, not all zero.
    pub span_id: [u8; 8],
    /// The trace flags; the lowest bit says that the producer sampled the trace.
    pub flags: u8,
}

/// That a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a valid traceparent: expected lowercase hexadecimal 2-32-16-2 digits, such as 00-4bf92f35...-00f067aa...-01"
)]
pub struct TraceParentError;

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads version 00, and what a later version has in common with it (section 4.3).
    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let mut parts = text.split('-');
        let [version] = digits(parts.next())?;
        let parent = Self {
            trace_id: TraceId(digits(parts.next())?),
            span_id: digits(parts.next())?,
            flags: flags(parts.next())?,
        };
        let is_whole = version != 0 || parts.next().is_none();
        let is_set = parent.trace_id.0 != [0; 16] && parent.span_id != [0; 8];
        if is_whole && is_set && version != 0xff { Ok(parent) } else { Err(TraceParentError) }
    }
}

fn flags(part: Option<&str>) -> Result<u8, TraceParentError> {
    digits(part).map(|[flags]| flags)
}

fn digits<const N: usize>(part: Option<&str>) -> Result<[u8; N], TraceParentError> {
    let mut bytes = [0; N];
    let part = part.filter(|part| !part.bytes().any(|byte| byte.is_ascii_uppercase())).ok_or(TraceParentError)?;
    hex::decode_to_slice(part, &mut bytes).map_err(|_| TraceParentError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_to_the_letter() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let table = [
            (format!("00-{id}-00f067aa0ba902b7-01"), true),
            (format!("cc-{id}-00f067aa0ba902b7-01-later"), true),
            (format!("00-{id}-00f067aa0ba902b7-01-more"), false),
            (format!("ff-{id}-00f067aa0ba902b7-01"), false),
            (format!("00-{id}-0000000000000000-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()), false),
            (format!("00-{}é-00f067aa0ba902b7-01", &id[2..]), false),
            (format!("00-{id}-00f067aa0ba902b7"), false),
            ("</log><delete-config/>".to_owned(), false),
            (String::new(), false),
        ];
        for (text, expected) in table {
            let read = text.parse::<TraceParent>();
            assert_eq!(read.is_ok(), expected, "{text}");
            assert!(read.is_err() || read.is_ok_and(|parent| parent.trace_id.to_string() == id), "{text}");
        }
    }
}
