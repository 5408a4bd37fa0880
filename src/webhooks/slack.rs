//! An event as one sentence for people, escaped as Slack wants it
//! (<https://docs.slack.dev/messaging/formatting-message-text#escaping>): `&`, `<` and `>`, so that nothing in it mentions anybody
//! or links anywhere. Pure.

use serde_json::Value;

use crate::domain::shown;

/// Longest sentence, characters.
const CHARS_MAX: usize = 2_000;

/// The sentence.
pub(super) fn sentence(routing_key: &str, fields: &Value) -> String {
    let (who, why) = (who(fields), why(fields));
    let told = match routing_key {
        "vmac.active" => format!("{who} is active{}", with("mac_address", " with ", fields)),
        "vmac.revoked" => format!("{who} is revoked"),
        "vmac.failed" => format!("The {} for {who} failed{why}", text("action", fields).unwrap_or("request")),
        "vmac.superseded" => {
            format!("The {} for {who} was overtaken by a newer one{why}", text("action", fields).unwrap_or("request"))
        }
        "vmac.waiting" => format!("{who} is waiting for its switch{why}"),
        "vmac.drift" => format!("{who} has drifted{why}"),
        "vmac.in_force" if why.is_empty() => format!("{who} is in force"),
        "vmac.in_force" => format!("{who} is not known to be in force{why}"),
        _ => match text("message", fields) {
            Some(message) => message.trim_end_matches('.').to_owned(),
            None => format!("{routing_key}: {who}"),
        },
    };
    let by = with("requested_by", ", requested by ", fields);
    let reference = with("reference", ", reference ", fields);
    let whole = format!("{}{by}{reference}.", told.trim_end_matches('.'));
    let whole: String = whole.chars().take(CHARS_MAX).collect();
    escaped(&shown(&whole))
}

fn text<'a>(field: &str, fields: &'a Value) -> Option<&'a str> {
    fields.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn with(field: &str, before: &str, fields: &Value) -> String {
    text(field, fields).map(|text| format!("{before}{text}")).unwrap_or_default()
}

fn who(fields: &Value) -> String {
    let server = fields.get("server_id").and_then(Value::as_i64);
    match (text("ip_address", fields), server) {
        (Some(ip), Some(server)) => format!("{ip} of server {server}"),
        (Some(ip), None) => ip.to_owned(),
        (None, Some(server)) => format!("server {server}"),
        (None, None) => "an unreadable message".to_owned(),
    }
}

fn why(fields: &Value) -> String {
    let reason = fields.pointer("/reason/text").and_then(Value::as_str).map(|text| format!(": {text}"));
    let letter = fields.get("dead_letter_id").and_then(Value::as_i64).map(|id| format!(" (dead letter {id})"));
    reason.unwrap_or_default() + &letter.unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_is_a_sentence() {
        let fields = json!({"ip_address": "10.0.48.6", "server_id": 1042, "mac_address": "02:5e:10:9a:0c:44",
            "action": "create", "requested_by": "billing", "reference": "order 7781"});
        let because = |text: &str| {
            let mut fields = fields.clone();
            fields["reason"] = json!({"code": "unreachable", "text": text});
            fields
        };
        let end = ", requested by billing, reference order 7781.";
        for (key, fields, expected) in [
            ("vmac.active", fields.clone(), "10.0.48.6 of server 1042 is active with 02:5e:10:9a:0c:44"),
            ("vmac.revoked", fields.clone(), "10.0.48.6 of server 1042 is revoked"),
            ("vmac.failed", because("no."), "The create for 10.0.48.6 of server 1042 failed: no"),
            (
                "vmac.superseded",
                because("m-2"),
                "The create for 10.0.48.6 of server 1042 was overtaken by a newer one: m-2",
            ),
            (
                "vmac.waiting",
                because("sw-a is away"),
                "10.0.48.6 of server 1042 is waiting for its switch: sw-a is away",
            ),
            ("vmac.drift", because("sw-a: gone"), "10.0.48.6 of server 1042 has drifted: sw-a: gone"),
            ("vmac.in_force", fields.clone(), "10.0.48.6 of server 1042 is in force"),
            ("vmac.in_force", because("off"), "10.0.48.6 of server 1042 is not known to be in force: off"),
        ] {
            assert_eq!(sentence(key, &fields), format!("{expected}{end}"), "{key}");
        }
        let broken = json!({"dead_letter_id": 7, "reason": {"code": "not_json", "text": "line 1"}});
        assert_eq!(
            sentence("vmac.failed", &broken),
            "The request for an unreadable message failed: line 1 (dead letter 7)."
        );
    }

    #[test]
    fn nobody_is_mentioned_by_what_others_wrote() {
        let fields = json!({"ip_address": "10.0.48.6", "reference": "<!channel> & <https://example.com|x>\n"});
        let sentence = sentence("vmac.revoked", &fields);
        assert_eq!(
            sentence,
            "10.0.48.6 is revoked, reference &lt;!channel&gt; &amp; &lt;https://example.com|x&gt;\\n."
        );
    }
}
