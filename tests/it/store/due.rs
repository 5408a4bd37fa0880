//! What a worker with nothing to do asks once a second, and what that costs.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::domain::{Code, Failure};
use vmacd::store::{Due, Event, Lease};

use super::bench::{Bench, LONG, create, revoke, rotate, switch};
use crate::support::postgres::Postgres;
use crate::support::size;

on_both_engines! {
    nothing_is_due_in_a_database_at_rest,
    each_thing_that_is_due_is_told_for_itself,
}

async fn due(bench: &Bench) -> [bool; 3] {
    let Due { switches, commands, events, .. } = bench.store.work().due().await.expect("an answer");
    [switches, commands, events]
}

async fn nothing_is_due_in_a_database_at_rest(bench: &Bench) {
    assert_eq!(due(bench).await, [false; 3]);
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let events: Vec<_> = bench.events().await.iter().map(Event::claim).collect();
    bench.store.events().mark_published(&events).await.expect("marked");
    assert_eq!(due(bench).await, [false; 3]);
}

async fn each_thing_that_is_due_is_told_for_itself(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    assert_eq!(due(bench).await, [true, false, false]);
    // The same work is not due while somebody has the switch, in its trouble, or before its time.
    let lease = bench.lease("sw-a").await;
    assert_eq!(due(bench).await, [false; 3]);
    bench.store.leases().release(&lease).await.expect("released");
    bench.fail("sw-a", &Failure::new(Code::Unreachable, "no route")).await;
    assert_eq!(due(bench).await, [false; 3]);
    bench.make_due().await;
    assert_eq!(due(bench).await, [true, false, false]);
    bench.fail("sw-a", &Failure::new(Code::ReadBackDiffers, "not there")).await;
    assert_eq!(due(bench).await, [false; 3]);
    // A command that waits in the inbox.
    bench.admit(rotate("m-2", 2, "10.0.2.10")).await;
    assert_eq!(due(bench).await, [false; 3]);
    bench.execute("UPDATE commands SET due_at_ms = 0 WHERE vmac_id IS NULL".to_owned()).await;
    assert_eq!(due(bench).await, [false, true, false]);
    bench.store.intake().claim_waiting(10).await.expect("commands");
    // An event that nobody has claimed.
    bench.admit(revoke("m-3", 2, "10.0.2.11")).await;
    assert_eq!(due(bench).await, [false, false, true]);
    bench.events().await;
    assert_eq!(due(bench).await, [false; 3], "somebody publishes it");
}

async fn wal_lsn(connection: &mut PgConnection) -> String {
    let sql = "SELECT CAST(pg_current_wal_insert_lsn() AS TEXT)";
    connection.fetch_one(sql).await.expect("a place in the log").get(0)
}

async fn updates_of(connection: &mut PgConnection, column: &'static str) -> i64 {
    let sql = match column {
        "all" => "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'switch_leases'",
        _ => "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'switch_leases'",
    };
    connection.fetch_one(sql).await.expect("a count").get(0)
}

#[tokio::test]
async fn looking_for_what_is_due_writes_nothing() {
    let server = Postgres::private();
    let bench = Bench::on(&server).await;
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let mut watching = PgConnection::connect(bench.url()).await.expect("a connection");
    // The server itself writes something to its log now and then: one undisturbed round of twenty is enough.
    let mut seen = Vec::new();
    for _ in 0..50 {
        let before = wal_lsn(&mut watching).await;
        for _ in 0..20 {
            bench.store.work().due().await.expect("an answer");
        }
        let after = wal_lsn(&mut watching).await;
        if before == after {
            return;
        }
        seen.push((before, after));
    }
    panic!("it writes: {seen:?}");
}

#[tokio::test]
async fn renewing_leases_touches_no_index() {
    // Others' connections to a shared server keep it from clearing old versions away at once.
    let server = Postgres::private();
    let bench = Bench::on(&server).await;
    super::claims::wide(&bench, 20).await;
    let claimed = bench.store.leases().claim_due("worker-1", 20, LONG, &[]).await.expect("an answer");
    let leases: Vec<Lease> = claimed.into_iter().map(|(lease, _)| lease).collect();
    assert_eq!(leases.len(), 20);
    for _ in 0..200 {
        assert_eq!(bench.store.leases().renew(&leases, LONG).await.expect("an answer").held.len(), 20);
    }
    // The counts come when the sessions that made them have ended, or a second after.
    bench.store.close().await;
    let mut watching = PgConnection::connect(bench.url()).await.expect("a connection");
    let (updates, hot) = crate::support::eventually("the server counts the updates", async || {
        let updates = updates_of(&mut watching, "all").await;
        let hot = updates_of(&mut watching, "hot").await;
        if updates >= 4_000 { Ok((updates, hot)) } else { Err((updates, hot)) }
    })
    .await;
    eprintln!("{hot} of {updates} updates of leases touched no index");
    assert!(hot * 100 >= updates * 95, "{hot} of {updates}");
}

/// Longest time for one look or claim: generous, because the machine has other tests to run.
const BOUND: Duration = Duration::from_millis(250);

/// A large estate with much that waits and little that is due: half of the switches are frozen, the others' work is for
/// later, and one has something to do.
#[tokio::test]
async fn what_waits_for_later_costs_nothing() {
    let bench = Bench::postgres().await;
    let (leases, rows_each) = (size("VMACD_TEST_DUE_SWITCHES", 200, 2_000), 200);
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let now_ms = bench.store.now().await.expect("the time").timestamp_millis();
    let later_ms = now_ms + 600_000;
    for statement in [
        format!(
            "INSERT INTO switch_leases (switch, holder, token, next_try_at_ms, failure_code)
             SELECT 'big-' || n, '', 0, CASE WHEN n % 2 = 0 THEN {later_ms} ELSE 0 END,
                 CASE WHEN n % 2 = 0 THEN 'frozen' END FROM generate_series(1, {leases}) n"
        ),
        // Half of the switches have something that waits.
        format!(
            "INSERT INTO switch_work (switch, vmac_id, queued_at_ms, due_at_ms)
             SELECT 'big-' || n, (SELECT MIN(id) FROM virtual_macs), 0, CASE WHEN n % 2 = 0 THEN 0 ELSE {later_ms} END
             FROM generate_series(1, {leases} / 2) n"
        ),
    ] {
        bench.execute(statement).await;
    }
    fill(&bench, leases / 2, rows_each, later_ms).await;
    let waiting = bench.number("SELECT COUNT(*) FROM switch_work").await;
    assert!(waiting >= i64::from(leases / 2 * rows_each), "{waiting}");
    let mut took = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        assert!(bench.store.work().due().await.expect("an answer").switches);
        took.push(("due", start.elapsed()));
        let start = Instant::now();
        let claimed = bench.store.leases().claim_due("worker-1", 10, LONG, &[]).await.expect("an answer");
        took.push(("claim", start.elapsed()));
        assert_eq!(claimed.iter().map(|(lease, _)| &lease.switch).collect::<Vec<_>>(), [&switch("sw-a")]);
        let start = Instant::now();
        assert!(!bench.store.work().due().await.expect("an answer").switches, "nothing is left");
        took.push(("idle", start.elapsed()));
        bench.store.leases().release(&claimed[0].0).await.expect("released");
    }
    eprintln!("{waiting} rows wait: {took:?}");
    // The first one plans, and a neighbour may take the processor: the middle one counts.
    for what in ["due", "claim", "idle"] {
        let mut times: Vec<_> = took.iter().filter(|(of, _)| *of == what).map(|(_, took)| *took).collect();
        times.sort();
        assert!(times[2] < BOUND, "{what}: {times:?}");
    }
}

/// Rows for the work of so many switches, so many for each.
async fn fill(bench: &Bench, switches: i32, rows_each: i32, later_ms: i64) {
    bench
        .execute(format!(
            "INSERT INTO virtual_macs (server_id, ip_address, mac_address, status, desired, switch_bindings, created_at,
                 updated_at)
             SELECT 1, '10.' || (60 + r / 65536) || '.' || (r / 256 % 256) || '.' || (r % 256),
                 '02:77:00:' || lpad(to_hex(r / 65536), 2, '0') || ':' || lpad(to_hex(r / 256 % 256), 2, '0') || ':'
                     || lpad(to_hex(r % 256), 2, '0'), 'pending', 'bound', '[]', now(), now()
             FROM generate_series(1, {rows_each} * {switches}) r"
        ))
        .await;
    bench
        .execute(format!(
            "INSERT INTO switch_work (switch, vmac_id, queued_at_ms, due_at_ms)
             SELECT 'big-' || n, v.id, 0, CASE WHEN n % 2 = 0 THEN 0 ELSE {later_ms} END
             FROM (SELECT id, 1 + (row_number() OVER (ORDER BY id)) % {switches} AS n FROM virtual_macs
                   WHERE mac_address LIKE '02:77:%') v
             ON CONFLICT DO NOTHING"
        ))
        .await;
}
