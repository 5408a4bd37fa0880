//! A year of orders with old rows going all the while: how large the database is then, what a create costs in it, and what the
//! removal costs, vacuum included.
//!
//! The rows are written as orders leave them, a day at a time; what is older than the defaults of `retention.*` goes after each
//! day as a worker has it go. Creates are admitted and settled by the store itself, one at a time, in turn with a database
//! that holds nothing.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use vmacd::store::{RetentionWindows, Store, StoreOptions};

use crate::options::Options;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::scenarios::year_orders::Orders;
use crate::support::postgres::{Database, migrated_database};

const NAME: &str = "year";
/// Creates of a day; as many revokes.
const CREATES_A_DAY: i64 = 10_000;
/// Days for which an address is held.
const HELD_DAYS: i64 = 30;
/// Days between two vacuums, which Postgres would make by itself about as often.
const VACUUM_DAYS: i64 = 10;
const GB: f64 = 1e9;

/// What the year came to.
#[derive(Default)]
struct Year {
    commands: i64,
    removed: usize,
    /// Seconds of each batch.
    batches: Vec<f64>,
    vacuum_s: f64,
    /// Bytes of the whole database at its end.
    bytes: f64,
}

pub async fn run(options: &Options) -> Vec<Row> {
    // VMACD_BENCH_YEAR=DAYS,CREATES_A_DAY sets the size by hand.
    let size = std::env::var("VMACD_BENCH_YEAR").ok().and_then(|text| {
        let (days, creates) = text.split_once(',')?;
        Some((days.parse().ok()?, creates.parse().ok()?))
    });
    let (days, creates) = size.unwrap_or(options.of((40, 200), (365, 1_000), (365, CREATES_A_DAY)));
    let (empty, grown) = (migrated_database().await, migrated_database().await);
    // A database that was filled before, on the same server: its creates alone.
    if let Ok(url) = std::env::var("VMACD_BENCH_YEAR_URL") {
        let [empty, grown] = measured([&empty.url(), &url], options.of(50, 300, 500)).await;
        eprintln!("   a revoke: {} against {} ms", spread(&grown.revoke_ms, 2), spread(&empty.revoke_ms, 2));
        return vec![cost(&empty, &grown, "a database that was there")];
    }
    let year = fill(&grown, days, creates).await;
    let [empty, grown] = measured([&empty.url(), &grown.url()], options.of(50, 300, 500)).await;
    rows(&year, &empty, &grown, days)
}

/// Orders in turn in both databases.
async fn measured(urls: [&str; 2], rounds: u32) -> [Orders; 2] {
    let mut orders = [Orders::new(urls[0]).await, Orders::new(urls[1]).await];
    for number in 0..rounds {
        for orders in &mut orders {
            orders.one(number).await;
        }
    }
    orders
}

fn rows(year: &Year, empty: &Orders, grown: &Orders, days: i64) -> Vec<Row> {
    let conditions = format!("{} commands in {days} days, default windows", year.commands);
    let removal_s = year.batches.iter().sum::<f64>() + year.vacuum_s;
    // A pair of commands is a create and a revoke.
    let orders_s = (median(&grown.create_ms) + median(&grown.revoke_ms)) / 1_000.0 * year.commands as f64 / 2.0;
    let share = removal_s / (removal_s + orders_s);
    let worst = year.batches.iter().copied().fold(0.0, f64::max);
    let removal = format!(
        "{:.1} %: {removal_s:.0} s (of them {:.0} s vacuum) beside {orders_s:.0} s of orders",
        share * 100.0,
        year.vacuum_s
    );
    vec![
        Row::goal(
            NAME,
            "size of the database",
            format!("{:.2} GB", year.bytes / GB),
            "< 6 GB",
            year.bytes < 6.0 * GB,
            &conditions,
        ),
        cost(empty, grown, &conditions),
        Row::goal(NAME, "part of the database's time that removal takes", removal, "< 5 %", share < 0.05, &conditions),
        Row::context(NAME, "rows removed or made smaller", year.removed.to_string(), "as many as went"),
        Row::context(NAME, "longest batch", format!("{:.0} ms", worst * 1_000.0), "of 1,000 rows"),
    ]
}

/// What a create and the writing of its push cost.
fn cost(empty: &Orders, grown: &Orders, conditions: &str) -> Row {
    let ratio = median(&grown.create_ms) / median(&empty.create_ms);
    let measured = format!("{ratio:.2} x: {} against {} ms", spread(&grown.create_ms, 2), spread(&empty.create_ms, 2));
    let what = "a create and its push against an empty database";
    Row::goal(NAME, what, measured, "<= 1.2 x", ratio <= 1.2, conditions)
}

async fn fill(database: &Database, days: i64, creates: i64) -> Year {
    let mut connection = database.connect().await;
    let store = Store::connect(&database.url(), StoreOptions::default()).await.expect("a database");
    let mut year = Year::default();
    for day in 1..=days {
        for statement in day_of(day, days, creates) {
            execute(&mut connection, &statement).await;
        }
        year.commands += creates + if day > HELD_DAYS { creates } else { 0 };
        remove(&store, &mut connection, days - day, &mut year).await;
        if day % VACUUM_DAYS == 0 {
            let began = Instant::now();
            execute(&mut connection, "VACUUM commands, events, virtual_macs, virtual_mac_ports, pushes").await;
            year.vacuum_s += began.elapsed().as_secs_f64();
            eprintln!("   day {day}: {} rows removed, {:.1} s", year.removed, year.batches.iter().sum::<f64>());
        }
    }
    execute(&mut connection, "VACUUM ANALYZE").await;
    let sql = "SELECT pg_database_size(current_database())::float8";
    year.bytes = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a size");
    let _ = connection.close().await;
    store.close().await;
    year
}

/// What a worker removes on a day that was so many days ago.
async fn remove(store: &Store, connection: &mut PgConnection, days_ago: i64, year: &mut Year) {
    let days = |days: i64| Some(Duration::from_secs(u64::try_from(days + days_ago).unwrap_or(0) * 86_400));
    let windows = RetentionWindows {
        commands: days(30),
        events: days(60),
        pushes: days(90),
        dead_letters: days(90),
        freezes: days(365),
        revoked: days(30),
        backups: days(30),
        backups_daily: days(180),
    };
    // Each day once, once a week from the first row on, and texts once a month.
    let again = if days_ago % 7 == 0 { ", begun_at_ms = 0" } else { "" };
    let due = if days_ago % 30 == 0 { "" } else { " WHERE table_name <> 'config_contents'" };
    execute(connection, &format!("UPDATE retention SET due_at_ms = 0{again}{due}")).await;
    loop {
        let began = Instant::now();
        let batch = store.retention().next_batch(&windows).await.expect("a batch");
        if batch.table.is_none() {
            return;
        }
        year.batches.push(began.elapsed().as_secs_f64());
        year.removed += batch.removed;
    }
}

async fn execute(connection: &mut PgConnection, statement: &str) {
    let done = connection.execute(AssertSqlSafe(statement.to_owned())).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The rows that the orders of a day leave: so many creates, and a revoke of what was created before [`HELD_DAYS`].
fn day_of(day: i64, days: i64, creates: i64) -> Vec<String> {
    let numbers = |day: i64| format!("generate_series({}, {}) AS n", (day - 1) * creates, day * creates - 1);
    let at = format!("(now() - {} * interval '1 day' + (n % 80000) * interval '1 ms')", days - day);
    let held = numbers(day - HELD_DAYS);
    let mut statements = vec![
        CREATE_ROWS.replace("{numbers}", &numbers(day)),
        ORDER.replace("{numbers}", &numbers(day)).replace("{action}", "create").replace("{outcome}", "active"),
        INTENT.replace("{numbers}", &numbers(day)).replace("{action}", "create"),
        PUSHES.replace("{numbers}", &numbers(day)),
    ];
    if day > HELD_DAYS {
        statements.extend([
            REVOKE_ROWS.replace("{numbers}", &held),
            ORDER.replace("{numbers}", &held).replace("{action}", "revoke").replace("{outcome}", "revoked"),
            INTENT.replace("{numbers}", &held).replace("{action}", "revoke"),
        ]);
    }
    statements.into_iter().map(|statement| statement.replace("{at}", &at)).collect()
}

/// An address of 2^22 that are used again and again, and a MAC of its own.
const CREATE_ROWS: &str = "INSERT INTO virtual_macs (server_id, ip_address, mac_address, vlan_name, status, desired,
        switch_bindings, requested_by, reference, created_at, updated_at, activated_at)
    SELECT 1 + n % 20011, format('100.%s.%s.%s', 64 + n / 65536 % 64, n / 256 % 256, n % 256),
        format('02:%s:%s:%s:%s:01', lpad(to_hex(n % 4096 * 7919 % 256), 2, '0'), lpad(to_hex(n / 65536 % 256), 2, '0'),
            lpad(to_hex(n / 256 % 256), 2, '0'), lpad(to_hex(n % 256), 2, '0')),
        'VLAN.' || n % 200, 'active', 'bound', jsonb_build_array(jsonb_build_object('switch', 'sw-' || n % 2003,
            'server_id', 1 + n % 20011, 'interface', 'ge-0/0/' || n % 48 || '.0', 'vlan', 'VLAN.' || n % 200,
            'mac', '02:00:00:00:00:01', 'state', 'bound', 'push_id', '0198c0de-' || n, 'backup_id', n, 'at', {at})),
        'billing', 'order ' || n, {at}, {at}, {at}
    FROM {numbers}";

const REVOKE_ROWS: &str = "UPDATE virtual_macs v SET status = 'revoked', desired = 'unbound', generation = 2,
        updated_at = {at}, revoked_at = {at}
    FROM {numbers} WHERE v.revoked_at IS NULL
        AND v.ip_address = format('100.%s.%s.%s', 64 + n / 65536 % 64, n / 256 % 256, n % 256)";

/// The command and its event, with bodies of their usual size.
const ORDER: &str = "WITH rows AS (SELECT v.id, v.server_id, v.ip_address, v.mac_address, v.switch_bindings, n
        FROM {numbers} JOIN virtual_macs v ON v.reference = 'order ' || n
            AND v.id IN (SELECT id FROM virtual_macs w WHERE w.ip_address
                = format('100.%s.%s.%s', 64 + n / 65536 % 64, n / 256 % 256, n % 256)
                AND w.revoked_at IS NULL UNION ALL SELECT id FROM virtual_macs w WHERE w.ip_address
                = format('100.%s.%s.%s', 64 + n / 65536 % 64, n / 256 % 256, n % 256) AND w.revoked_at IS NOT NULL)),
    command AS (INSERT INTO commands (message_key, message_id, action, server_id, ip_address, issued_at_ms, arrival,
            body_hash, body, correlation_id, vmac_id, outcome, due_at_ms, received_at, finished_at, headers,
            message_identity)
        SELECT '{action}-0198c0de-7000-' || n, '{action}-0198c0de-7000-' || n, '{action}', server_id, ip_address, n, n,
            md5(n::text) || md5((n + 1)::text),
            convert_to(format('{\"server_id\": %s, \"ip_address\": \"%s\", \"requested_by\": \"billing\", \"reference\": \"order %s\"}',
                server_id, ip_address, n), 'UTF8'),
            'correlation-' || n, id, '{outcome}', 0, {at}, {at}, '{}', md5(n::text) || md5((n + 2)::text) FROM rows)
    INSERT INTO events (routing_key, body, message_key, correlation_id, vmac_id, created_at)
    SELECT 'vmac.{outcome}', jsonb_build_object('vmac_id', id, 'action', '{action}', 'server_id', server_id, 'ip_address',
            ip_address, 'mac_address', mac_address, 'status', '{outcome}', 'switch_bindings', switch_bindings,
            'requested_by', 'billing', 'reference', 'order ' || n, 'message_id', '{action}-0198c0de-7000-' || n,
            'correlation_id', 'correlation-' || n, 'occurred_at', {at}),
        '{action}-0198c0de-7000-' || n, 'correlation-' || n, id, {at} FROM rows";

const INTENT: &str =
    "INSERT INTO intents (server_id, ip_address, issued_at_ms, action, message_key, wants, last_issued_at_ms)
    SELECT 1 + n % 20011, format('100.%s.%s.%s', 64 + n / 65536 % 64, n / 256 % 256, n % 256), n, '{action}',
        '{action}-0198c0de-7000-' || n, CASE '{action}' WHEN 'create' THEN 'bound' ELSE 'unbound' END, n FROM {numbers}
    ON CONFLICT (server_id, ip_address) DO UPDATE SET issued_at_ms = excluded.issued_at_ms, action = excluded.action,
        message_key = excluded.message_key, wants = excluded.wants, last_issued_at_ms = excluded.last_issued_at_ms";

/// A push carries two creates, and has a backup that is a difference of 300 bytes.
const PUSHES: &str = "WITH pushed AS (SELECT n FROM {numbers} WHERE n % 2 = 0),
    texts AS (INSERT INTO config_contents (content_hash, packed, bytes, used_at_ms)
        SELECT md5('text' || n) || md5('text' || n + 1), decode(repeat(md5(n::text), 18), 'hex'), 100000, 0 FROM pushed),
    backups AS (INSERT INTO config_backups (switch, content_hash, push_id, taken_at)
        SELECT 'sw-' || n % 2003, md5('text' || n) || md5('text' || n + 1), '0198c0de-' || lpad(n::text, 12, '0'), {at}
        FROM pushed)
    INSERT INTO pushes (id, switch, lease_token, worker, state, plan, backup_id, changes, started_at, sent_at, finished_at)
    SELECT '0198c0de-' || lpad(n::text, 12, '0'), 'sw-' || n % 2003, n, 'worker/1/abcdef01', 'confirmed',
        jsonb_build_array(jsonb_build_object('change', 'set', 'interface', 'ge-0/0/1.0', 'vlan', 'VLAN.13', 'ip',
            '100.64.0.1', 'mac', '02:5e:10:9a:0c:44')), n, 1, {at}, {at}, {at} FROM pushed";
