//! What a push writes into the switch's commit log (`show system commit`): its id, and the traces of those who asked for it.

use std::fmt::Write;

use quick_xml::escape::escape;

use crate::domain::TraceId;

/// Traces named in one entry. With the push's id that is 214 bytes: how many a switch takes is not documented for
/// NETCONF, and an entry that is too long would refuse the commit.
const TRACES_MAX: usize = 5;

/// Follows the push's id in the log entry of its confirmation.
pub(in crate::switch) const CONFIRMED: &str = " confirmed";

/// The entry as XML: the push's id is how it is recognised when its answer was lost.
pub(in crate::switch) fn log(push_id: &str, what: &str) -> String {
    format!("<log>vmacd {}{what}</log>", escape(push_id))
}

/// The push that an entry names.
pub(in crate::switch) fn push_id(log: &str) -> Option<&str> {
    log.strip_prefix("vmacd ")?.split_whitespace().next()
}

/// The traces of those who asked: the first ones, and how many more there are.
pub(in crate::switch) fn traces(traces: &[TraceId]) -> String {
    let mut text = String::new();
    for trace in traces.iter().take(TRACES_MAX) {
        let _ = write!(text, "{}{trace}", if text.is_empty() { " trace " } else { " " });
    }
    if traces.len() > TRACES_MAX {
        let _ = write!(text, " +{}", traces.len() - TRACES_MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_the_first_traces_and_counts_the_others() {
        let ids: Vec<TraceId> = (1..=2_000u16).map(|id| TraceId(u128::from(id).to_be_bytes())).collect();
        assert_eq!(log("p-1", &traces(&[])), "<log>vmacd p-1</log>");
        assert_eq!(log("p-1", &traces(&ids[..1])), "<log>vmacd p-1 trace 00000000000000000000000000000001</log>");
        let many = log(&uuid::Uuid::nil().to_string(), &traces(&ids));
        assert!(many.ends_with(" 00000000000000000000000000000005 +1995</log>"), "{many}");
        assert!(many.len() - "<log></log>".len() < 255, "{}", many.len());
        assert_eq!(traces(&ids[..5]).matches(" 0000").count(), 5);
    }
}
