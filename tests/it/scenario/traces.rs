//! From the producer's trace to the switch's commit log, and to a collector where the settings name one.

use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use opentelemetry_proto::tonic::trace::v1::Span;
use vmacd::sim::Options;

use super::world::World;
use crate::support::collector::{Collector, text_of};
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// What every command of a [`World`] carries.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PRODUCER: &str = "00f067aa0ba902b7";

/// The logs of a switch's commits, newest first.
fn commit_logs(world: &World) -> Vec<String> {
    world.switches()[0].history().into_iter().filter_map(|commit| commit.log).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let (first, more) = (found.next(), found.count());
    assert_eq!(more, 0, "{name} is there {} times", more + 1);
    first.unwrap_or_else(|| panic!("no {name} among {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>()))
}

fn names_of_children<'a>(spans: &'a [Span], parent: &Span) -> Vec<&'a str> {
    let mut children: Vec<_> = spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect();
    children.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
    assert!(children.iter().all(|child| child.trace_id == parent.trace_id), "a child of another trace");
    children.iter().map(|span| span.name.as_str()).collect()
}

fn links_to(span: &Span, other: &Span) -> bool {
    span.links.iter().any(|link| link.trace_id == other.trace_id && link.span_id == other.span_id)
}

async fn stopped(mut serve: Serve) -> String {
    serve.sigterm();
    assert!(serve.wait().await.success(), "{}", serve.log());
    serve.log()
}

#[tokio::test]
async fn a_create_is_traced_from_its_producer_to_the_switch() {
    let mut world = World::real(1, 2).await;
    let collector = Collector::start().await;
    world.settings = world.settings.clone().set("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    world.settings = world.settings.clone().set("VMACD_TELEMETRY_SERVICE_NAME", "vmacd-of-a-test");
    let serve = world.serve().await;
    world.command("create", 0, 1, "m-1").await;
    let row = &world.until("active", 1).await[0];
    stopped(serve).await;

    let received = collector.spans();
    assert!(received.iter().all(|(service, _)| service == "vmacd-of-a-test"), "{received:?}");
    let spans: Vec<Span> = received.into_iter().map(|(_, span)| span).collect();
    let message = named(&spans, "vmac.create");
    assert_eq!((hex::encode(&message.trace_id), hex::encode(&message.parent_span_id)), (TRACE.into(), PRODUCER.into()));
    assert_eq!(text_of(&message.attributes, "messaging.message.id").as_deref(), Some("m-1"));
    let intake = named(&spans, "intake");
    assert!(links_to(intake, message) && intake.parent_span_id.is_empty(), "{intake:?}");

    let switch = world.switch_of(0);
    let push = named(&spans, &format!("push {switch}"));
    assert!(push.parent_span_id.is_empty(), "{push:?}");
    let asked = push.links.iter().map(|link| (hex::encode(&link.trace_id), hex::encode(&link.span_id)));
    assert_eq!(asked.collect::<Vec<_>>(), [(TRACE.to_owned(), PRODUCER.to_owned())]);
    let binding = &row["switch_bindings"][0];
    for (key, expected) in [
        ("vmacd.switch", switch),
        ("vmacd.changes", "1".to_owned()),
        ("vmacd.push_id", binding["push_id"].as_str().expect("a push").to_owned()),
        ("vmacd.backup_id", binding["backup_id"].to_string()),
    ] {
        assert_eq!(text_of(&push.attributes, key), Some(expected), "{key}");
    }
    let steps = names_of_children(&spans, push);
    let expected =
        ["connect", "lock", "look for earlier pushes", "read", "gather", "load", "journal", "commit", "read back"];
    assert_eq!(steps, [&expected[..], &["confirm", "look again", "journal", "unlock", "settle"]].concat());
    let commit = named(&spans, "commit");
    assert!((push.start_time_unix_nano..=push.end_time_unix_nano).contains(&commit.end_time_unix_nano));
}

#[tokio::test]
async fn the_producers_trace_stands_in_the_switchs_commit_log() {
    let world = World::real(1, 2).await;
    let _serve = world.serve().await;
    world.command("create", 0, 1, "m-1").await;
    let row = &world.until("active", 1).await[0];
    let push_id = row["switch_bindings"][0]["push_id"].as_str().expect("a push").to_owned();
    let expected = [format!("vmacd {push_id} confirmed"), format!("vmacd {push_id} trace {TRACE}")];
    assert_eq!(commit_logs(&world), expected);
    // What is no trace, whatever else it is, gets nowhere near the switch.
    let mut headers = FieldTable::default();
    let hostile = format!("00-{TRACE}-{PRODUCER}-01</log><delete-configuration/>");
    headers.insert("traceparent".into(), AMQPValue::LongString(hostile.into()));
    let body = world.body(1, 1).to_string();
    world.publish_with("vmac.create", BasicProperties::default().with_headers(headers), body.as_bytes()).await;
    world.until("active", 2).await;
    assert!(!commit_logs(&world)[1].contains("trace"), "{:?}", commit_logs(&world));
}

#[tokio::test]
async fn a_commit_of_many_names_the_first_traces_and_counts_the_others() {
    let commit_time = Duration::from_secs(1);
    let world = World::real_with(Options { switches: 1, ports_per_switch: 2, commit_time, ..Options::default() }).await;
    let _serve = world.serve().await;
    for number in 1..=40_u32 {
        let mut headers = FieldTable::default();
        let trace = format!("00-{number:032x}-{PRODUCER}-00");
        headers.insert("traceparent".into(), AMQPValue::LongString(trace.into()));
        let id = ShortString::from(format!("m-{number}"));
        let properties = BasicProperties::default().with_headers(headers).with_message_id(id);
        world.publish_with("vmac.create", properties, world.body(0, number).to_string().as_bytes()).await;
    }
    world.until("active", 40).await;
    let logs = commit_logs(&world);
    assert!(logs.iter().all(|log| log.len() < 255), "{logs:?}");
    let words: Vec<&str> = logs.iter().flat_map(|log| log.split_whitespace()).collect();
    let named = words.iter().filter(|word| word.len() == 32).count();
    let more: usize = words.iter().filter_map(|word| word.strip_prefix('+')?.parse::<usize>().ok()).sum();
    assert!(more > 0, "a commit that carries many: {logs:?}");
    assert_eq!(named + more, 40, "{logs:?}");
}

#[tokio::test]
async fn a_trace_that_its_producer_did_not_sample_is_not_exported() {
    let mut world = World::real(1, 2).await;
    let collector = Collector::start().await;
    world.settings = world.settings.clone().set("VMACD_TELEMETRY_OTLP_ENDPOINT", collector.url());
    let serve = world.serve().await;
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(format!("00-{TRACE}-{PRODUCER}-00").into()));
    let body = world.body(0, 1).to_string();
    world.publish_with("vmac.create", BasicProperties::default().with_headers(headers), body.as_bytes()).await;
    world.until("active", 1).await;
    stopped(serve).await;
    let names: Vec<String> = collector.spans().into_iter().map(|(_, span)| span.name).collect();
    assert!(names.iter().any(|name| name == "intake") && !names.iter().any(|name| name == "vmac.create"), "{names:?}");
}

#[tokio::test]
async fn the_trace_stands_in_the_log_lines_about_a_message() {
    let world = World::real(1, 1).await;
    let mut serve = world.serve().await;
    world.publish("vmac.create", Some("m-1"), b"{").await;
    let line = serve.wait_for_line("a message is not a command").await;
    assert!(line.contains(&format!("trace_id={TRACE}")), "{line}");
}

#[tokio::test]
async fn a_collector_that_swallows_everything_costs_one_line_in_the_log() {
    let mut world = World::real(1, 2).await;
    let hole = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", hole.local_addr().expect("bound"));
    world.settings = world.settings.clone().set("VMACD_TELEMETRY_OTLP_ENDPOINT", url);
    let mut serve = world.serve().await;
    world.publish_creates((1..=200).map(|number| (number as usize % 2, number))).await;
    world.until("active", 200).await;
    world.assert_consistent().await;
    serve.wait_for_line("traces are not exported").await;
    let more = serve.log().len();
    world.command("revoke", 0, 2, "r-1").await;
    eventually("the revoke is done", async || world.with_status("revoked").await.len() == 1).await;
    let start = Instant::now();
    let log = stopped(serve).await;
    assert!(start.elapsed() < Duration::from_secs(15), "it took {:?}", start.elapsed());
    assert_eq!(log.matches("traces are not exported").count(), 1, "{}", &log[more..]);
}

#[tokio::test]
async fn an_endpoint_that_is_not_spoken_is_refused_by_name() {
    let world = World::embedded(1, 1).await;
    let settings = world.settings.clone().set("VMACD_TELEMETRY_OTLP_ENDPOINT", "https://collector:4318");
    let output = crate::support::vmacd::run(&["serve"], &settings).await;
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("telemetry.otlp_endpoint") && output.stderr.contains("https"), "{}", output.stderr);
}
