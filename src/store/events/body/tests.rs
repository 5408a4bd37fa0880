use serde_json::{Value, json};

use super::*;

fn body(event: EventOf<'_>) -> Value {
    json!(event_row(event, DateTime::UNIX_EPOCH).body)
}

fn event<'a>(outcome: Outcome, reason: Option<&'a Failure>, superseded_by: Option<&str>) -> EventOf<'a> {
    let ip = Some("10.0.48.6".parse().expect("an address"));
    let superseded_by = superseded_by.map(str::to_owned);
    let reason = reason.map(Cow::Borrowed);
    let (server_id, dead_letter_id) = (Some(1042), None);
    EventOf { outcome, server_id, ip, vmac: None, reason, superseded_by, answers: None, dead_letter_id }
}

#[test]
fn a_body_has_null_where_nothing_is_and_no_reason_where_none_is_needed() {
    let expected = json!({
        "vmac_id": null, "action": null, "server_id": 1042, "ip_address": "10.0.48.6", "mac_address": null, "status": "revoked",
        "switch_bindings": [], "message_id": null, "correlation_id": null, "occurred_at": "1970-01-01T00:00:00.000Z",
    });
    assert_eq!(body(event(Outcome::Revoked, None, None)), expected);
}

#[test]
fn a_message_that_could_not_be_read_is_answered_with_its_dead_letter() {
    let failure = Failure::new(Code::NotJson, "line 1");
    let event =
        EventOf { server_id: None, ip: None, dead_letter_id: Some(7), ..event(Outcome::Failed, Some(&failure), None) };
    let body = body(event);
    assert_eq!((&body["server_id"], &body["ip_address"]), (&Value::Null, &Value::Null));
    assert_eq!(body["dead_letter_id"], 7);
    assert!(schema().is_valid(&body), "{body}");
}

fn schema() -> jsonschema::Validator {
    let schema = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = schema.into_root_schema_for::<EventBody<'_>>();
    jsonschema::validator_for(schema.as_value()).expect("a schema")
}

#[test]
fn every_reason_is_one_that_the_schema_names() {
    let schema = schema();
    for code in Code::ALL {
        let failure = Failure::new(*code, "it failed");
        let body = body(event(Outcome::Failed, Some(&failure), None));
        assert_eq!(body["reason"], json!({"code": code.as_str(), "text": "it failed"}));
        assert!(schema.is_valid(&body), "{body}");
    }
    let mut body = body(event(Outcome::Superseded, None, Some("m-2")));
    assert_eq!(body["reason"], json!({"code": "superseded", "text": "m-2"}));
    assert!(schema.is_valid(&body), "{body}");
    for kind in DriftKind::ALL {
        let reason = json!(EventReason { code: ReasonCode::of_drift(kind), text: "it drifted".into() });
        assert_eq!(reason["code"], kind.as_str());
        body["status"] = json!(EventStatus::Drifted(Drifted::Drift));
        body["reason"] = reason;
        assert!(schema.is_valid(&body), "{body}");
    }
    for code in InForceCode::ALL {
        let reason = json!(EventReason { code: ReasonCode::InForce(*code), text: "it is not".into() });
        assert_eq!(reason["code"], code.as_str());
        body["status"] = json!(EventStatus::InForce(TellsInForce::InForce));
        body["reason"] = reason;
        assert!(schema.is_valid(&body), "{body}");
    }
    body["reason"]["code"] = "no_such_code".into();
    assert!(!schema.is_valid(&body), "{body}");
}
