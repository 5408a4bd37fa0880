//! What came back from a receiver. Pure.

use crate::domain::shown;

/// Bytes of an answer that are read.
pub(super) const ANSWER_BYTES_MAX: u64 = 4_096;
/// Characters of it that are kept.
const EXCERPT_CHARS_MAX: usize = 200;

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// A status from 200 to 299.
    Delivered,
    /// 410: the receiver wants no more.
    Gone,
    /// Another status.
    Refused,
    /// None came.
    Unanswered,
    /// Nothing was sent, because the address is internal.
    Internal,
}

impl AnswerKind {
    /// As metrics and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Internal => "internal",
        }
    }
}

/// What came back, safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it means.
    pub kind: AnswerKind,
    /// The status, where one came.
    pub status: Option<u16>,
    /// In a few words: the status with the beginning of the body, or why there is none.
    pub text: String,
}

impl Answer {
    /// The answer with this status and the beginning of this body.
    pub fn of_status(status: u16, body: &[u8]) -> Self {
        let kind = match status {
            200..=299 => AnswerKind::Delivered,
            410 => AnswerKind::Gone,
            _ => AnswerKind::Refused,
        };
        let excerpt = excerpt(&String::from_utf8_lossy(body));
        let told = match status {
            300..=399 => "redirects are not followed".to_owned(),
            _ => excerpt,
        };
        let text = if told.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {told}") };
        Self { kind, status: Some(status), text }
    }

    /// No answer, for this reason.
    pub fn none(reason: &str) -> Self {
        Self { kind: AnswerKind::Unanswered, status: None, text: excerpt(reason) }
    }

    /// Nothing was sent, for this reason.
    pub fn internal(reason: &str) -> Self {
        Self { kind: AnswerKind::Internal, ..Self::none(reason) }
    }
}

fn excerpt(text: &str) -> String {
    let mut beginning: String = text.trim().chars().take(EXCERPT_CHARS_MAX).collect();
    if text.trim().chars().count() > EXCERPT_CHARS_MAX {
        beginning.push('…');
    }
    shown(&beginning).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_of_success_is_one() {
        for (status, kind) in [
            (200, AnswerKind::Delivered),
            (204, AnswerKind::Delivered),
            (299, AnswerKind::Delivered),
            (199, AnswerKind::Refused),
            (302, AnswerKind::Refused),
            (404, AnswerKind::Refused),
            (410, AnswerKind::Gone),
            (500, AnswerKind::Refused),
        ] {
            assert_eq!(Answer::of_status(status, b"").kind, kind, "{status}");
        }
        assert_eq!(Answer::of_status(302, b"<html>").text, "HTTP 302: redirects are not followed");
    }

    #[test]
    fn what_a_receiver_says_is_short_and_safe_to_show() {
        assert_eq!(Answer::of_status(500, b" \x1b[2Jboom\r\nX\xff ").text, "HTTP 500: \\u001b[2Jboom\\r\\nX\u{fffd}");
        let long = Answer::of_status(500, "é".repeat(4_000).as_bytes()).text;
        assert_eq!(long.chars().count(), "HTTP 500: ".len() + EXCERPT_CHARS_MAX + 1);
        assert_eq!(Answer::of_status(204, b"").text, "HTTP 204");
    }
}
