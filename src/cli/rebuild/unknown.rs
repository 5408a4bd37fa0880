//! What a rebuild cannot know, in sentences.

use super::report::Report;

/// What cannot be known, given what was found.
pub fn unknown(report: &Report) -> Vec<String> {
    let mut unknown = Vec::new();
    let since = report.since.to_rfc3339();
    if !report.archive.is_archived {
        unknown.push(format!(
            "which orders came since {since}: RabbitMQ keeps no archive of commands. Have producers publish them again"
        ));
    } else if report.archive.read == 0 {
        unknown.push(format!("whether there were orders since {since}: the archive has none from then on"));
    } else if report.archive.from == Some(0) || report.archive.from.is_none() {
        unknown
            .push("what was ordered before the first message of the archive, beyond what the switches hold".to_owned());
    }
    if report.was_empty {
        unknown.push(
            "the MACs of addresses that were revoked before the archive begins, so they can be given out again; \
             who requested adopted addresses, and their references"
                .to_owned(),
        );
    }
    unknown.push(format!(
        "what was not a message since {since}: changes of the inventory, reservations, imported MACs, adoptions, freezes, \
         discarded dead letters"
    ));
    if report.archive.nameless > 0 {
        unknown.push(format!(
            "of {} messages that have neither an id nor a time, which of equal ones the database has: they were counted",
            report.archive.nameless
        ));
    }
    for switch in report.switches_unread.keys() {
        unknown.push(format!("what {switch} holds: run `vmacd rebuild` again once it answers"));
    }
    unknown
}
