//! Old rows go, and nothing goes that is needed.

use std::collections::BTreeMap;
use std::time::Duration;

use vmacd::domain::{Code, Failure};
use vmacd::store::{
    Admission, DeadLetterFilter, Event, Outcome, PushBefore, RetentionWindows, SentPush, SiteLimits, Store,
};

use super::bench::{Bench, LONG, create, issued, revoke, rotate, switch};

on_both_engines! {
    what_ended_goes_and_what_is_open_stays,
    an_event_that_is_not_published_stays,
    a_command_whose_dead_letter_waits_stays_with_it,
    a_mac_is_never_handed_out_again_however_old_its_row,
    the_order_of_commands_holds_after_the_commands_went,
    a_rotation_that_comes_again_after_its_command_went_rotates_once,
    backups_thin_out_and_every_one_that_stays_is_whole,
    a_text_kept_ahead_of_its_backup_stays,
    a_push_without_an_end_stays_and_so_do_the_newest_of_a_switch,
    rows_go_in_batches_and_a_sweep_reaches_all_of_them,
    one_worker_at_a_time_removes_rows,
    without_windows_nothing_goes,
    the_figures_say_how_large_the_tables_are,
}

/// Everything that ended is old at once.
pub const NOTHING_STAYS: RetentionWindows = {
    let zero = Some(Duration::ZERO);
    RetentionWindows {
        commands: zero,
        events: zero,
        pushes: zero,
        dead_letters: zero,
        freezes: zero,
        revoked: zero,
        backups: zero,
        backups_daily: zero,
    }
};

/// Removes until no table is due; what went, by table.
pub async fn remove_all(bench: &Bench, windows: RetentionWindows) -> BTreeMap<&'static str, usize> {
    // What was written just now is old a moment later; the store asks for the time once a second and carries it on, which is as exact
    // as the database answers fast.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut removed = BTreeMap::new();
    loop {
        let batch = bench.store.retention().next_batch(&windows).await.expect("a batch");
        let Some(table) = batch.table else { return removed };
        *removed.entry(table).or_default() += batch.removed;
    }
}

/// All tables are due again.
async fn due_again(bench: &Bench) {
    bench.execute("UPDATE retention SET due_at_ms = 0, begun_at_ms = 0".to_owned()).await;
}

async fn what_ended_goes_and_what_is_open_stays(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    bench.admit(create("m-2", 2, "10.0.1.11")).await;
    let removed = remove_all(bench, NOTHING_STAYS).await;
    assert_eq!((removed["commands"], removed["virtual_macs"]), (1, 0), "{removed:?}");
    assert_eq!(bench.outcome("m-1").await, None);
    bench.settle("sw-b").await;
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Active));
    // Its message comes again after that: it is a command like any, and changes nothing.
    let before = bench.row("10.0.1.10").await;
    assert!(matches!(bench.admit(create("m-1", 1, "10.0.1.10")).await, Admission::Done { .. }));
    assert_eq!(bench.row("10.0.1.10").await.mac_address, before.mac_address);
}

async fn an_event_that_is_not_published_stays(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let removed = remove_all(bench, NOTHING_STAYS).await;
    assert_eq!(removed["events"], 0);
    let events = bench.events().await;
    assert!(!events.is_empty());
    bench.store.events().mark_published(&events.iter().map(Event::claim).collect::<Vec<_>>()).await.expect("noted");
    due_again(bench).await;
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["events"], events.len());
}

async fn a_command_whose_dead_letter_waits_stays_with_it(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.fail("sw-a", &Failure::new(Code::RefusedBySwitch, "no".to_owned())).await;
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["commands"], 0);
    let letters = bench.store.dead_letters().ids(&DeadLetterFilter::default()).await.expect("letters");
    assert_eq!(letters.len(), 1);
    bench.store.dead_letters().discard(&letters).await.expect("discarded");
    due_again(bench).await;
    let removed = remove_all(bench, NOTHING_STAYS).await;
    assert_eq!(removed["dead_letters"], 1);
    due_again(bench).await;
    let again = remove_all(bench, NOTHING_STAYS).await;
    assert_eq!(removed["commands"] + again["commands"], 1);
}

async fn a_mac_is_never_handed_out_again_however_old_its_row(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let mac = bench.row("10.0.1.10").await.mac_address;
    bench.admit(revoke("m-2", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    bench.execute("DELETE FROM unpublished_events".to_owned()).await;
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["virtual_macs"], 1);
    assert_eq!(bench.number("SELECT COUNT(*) FROM virtual_mac_ports").await, 0);
    let mut again = create("m-3", 1, "10.0.1.11");
    again.command.mac_address = Some(mac);
    let Admission::Refused { failure } = bench.admit(again).await else { panic!("handed out again") };
    assert_eq!(failure.code, Code::MacTaken);
    assert!(bench.store.vmacs().ours_among(&[mac]).await.expect("an answer").contains(&mac), "it stays vmacd's own");
}

async fn the_order_of_commands_holds_after_the_commands_went(bench: &Bench) {
    bench.admit(issued(create("m-1", 1, "10.0.1.10"), 1_000)).await;
    bench.settle("sw-a").await;
    bench.admit(issued(revoke("m-2", 1, "10.0.1.10"), 3_000)).await;
    bench.settle("sw-a").await;
    bench.execute("DELETE FROM unpublished_events".to_owned()).await;
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["commands"], 2);
    for key in ["m-1", "m-late"] {
        let late = bench.admit(issued(create(key, 1, "10.0.1.10"), 2_000)).await;
        let Admission::Done { outcome } = late else { panic!("{key}: {late:?}") };
        assert_eq!(outcome.status, Outcome::Superseded, "{key}: a newer revoke was there");
    }
    assert_eq!(bench.rows().await, 1);
}

async fn a_rotation_that_comes_again_after_its_command_went_rotates_once(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    bench.admit(rotate("m-2", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let mac = bench.row("10.0.1.10").await.mac_address;
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["commands"], 2);
    bench.admit(rotate("m-2", 1, "10.0.1.10")).await;
    assert_eq!(bench.row("10.0.1.10").await.mac_address, mac);
}

/// So many days ago, as both databases understand it.
fn days_ago(bench: &Bench, days: i64) -> String {
    match bench.is_sqlite() {
        true => format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', 'start of day', '-{days} days', '+1 hour')"),
        false => format!(
            "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '{days} days' + interval '1 hour'"
        ),
    }
}

async fn backups_thin_out_and_every_one_that_stays_is_whole(bench: &Bench) {
    let ports: String =
        (0..400).map(|port| format!("interface ge-0/0/{port} {{ description server-{}; }}\n", port * 7919)).collect();
    let mut contents = BTreeMap::new();
    for number in 0..480_i64 {
        // Four a day, for 120 days.
        let text = format!("{ports}set comment {number}\n");
        let id =
            bench.store.backups().save(&switch("sw-a"), text.as_bytes(), &format!("p-{number}")).await.expect("kept");
        let at = days_ago(bench, 119 - number / 4);
        bench.execute(format!("UPDATE config_backups SET taken_at = {at} WHERE id = {id}")).await;
        contents.insert(id, text);
    }
    bench.execute("UPDATE config_contents SET used_at_ms = 0".to_owned()).await;
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let windows = RetentionWindows { backups: days(30), backups_daily: days(60), ..RetentionWindows::default() };
    let removed = remove_all(bench, windows).await;
    let left = bench.store.backups().list(&switch("sw-a"), i64::MAX, 1_000).await.expect("backups");
    // Of 30 days all four; of the thirty before that one each; of the sixty before that one in seven days.
    let now = bench.store.now().await.expect("a time");
    let aged = |from: i64, to: i64| {
        left.iter().filter(|backup| (from..to).contains(&(now - backup.taken_at).num_days())).count()
    };
    assert!((116..=124).contains(&aged(0, 30)), "{} at {now}", aged(0, 30));
    assert!((29..=31).contains(&aged(30, 60)), "{}", aged(30, 60));
    assert!((8..=10).contains(&aged(60, 121)), "{}", aged(60, 121));
    assert_eq!(removed["config_backups"] + left.len(), 480);
    for backup in &left {
        let text = bench.store.backups().get(backup.id).await.expect("whole").1;
        assert_eq!(text, contents[&backup.id].as_bytes());
    }
    let kept = bench.number("SELECT COUNT(*) FROM config_contents").await;
    let bases = bench.number("SELECT COUNT(DISTINCT base_hash) FROM config_contents").await;
    let left = i64::try_from(left.len()).expect("few");
    assert!((left..=left + bases).contains(&kept), "{kept} texts for {left} backups and {bases} bases");
    assert_eq!(removed["config_contents"], usize::try_from(480 - kept).expect("fewer"));
}

async fn a_text_kept_ahead_of_its_backup_stays(bench: &Bench) {
    let ahead = bench.store.backups().keep_content(&switch("sw-a"), b"one").await.expect("kept");
    bench.store.backups().save(&switch("sw-a"), b"two", "p-1").await.expect("kept");
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["config_contents"], 0);
    // A day later nobody wanted it.
    bench.execute("UPDATE config_contents SET used_at_ms = used_at_ms - 90000000".to_owned()).await;
    bench.store.backups().keep_content(&switch("sw-a"), b"two").await.expect("kept");
    due_again(bench).await;
    assert_eq!(remove_all(bench, NOTHING_STAYS).await["config_contents"], 1);
    let again = bench.store.backups().keep_content(&switch("sw-a"), b"one").await.expect("kept");
    assert_eq!(again, ahead);
}

async fn push(bench: &Bench, id: &str, text: &str) -> vmacd::store::Lease {
    let lease = bench.lease("sw-a").await;
    let before = PushBefore::Text(text.as_bytes());
    let plan = serde_json::json!([]);
    let push = SentPush { id, plan, changes: 1, before, backup_id: None };
    let limits = SiteLimits { heeds_freezes: true, commits_per_minute_max: 0 };
    bench.store.pushes().record_sent(&lease, &push, limits).await.expect("written").expect("allowed");
    lease
}

async fn a_push_without_an_end_stays_and_so_do_the_newest_of_a_switch(bench: &Bench) {
    for number in 0..60 {
        let lease = push(bench, &format!("p-{number:03}"), &format!("text {number}")).await;
        bench.store.leases().release(&lease).await.expect("released");
    }
    bench.execute("UPDATE pushes SET finished_at = sent_at, state = 'confirmed' WHERE id > 'p-000'".to_owned()).await;
    bench.execute("UPDATE config_contents SET used_at_ms = 0".to_owned()).await;
    let removed = remove_all(bench, NOTHING_STAYS).await;
    assert_eq!(removed["pushes"], 9, "fifty stay, and one whose end is not known");
    let open = bench.number("SELECT backup_id FROM pushes WHERE id = 'p-000'").await;
    assert_eq!(bench.store.backups().get(open).await.expect("its backup stays").1, b"text 0");
}

async fn rows_go_in_batches_and_a_sweep_reaches_all_of_them(bench: &Bench) {
    let group: Vec<_> =
        (0..2_500).map(|n| revoke(&format!("m-{n}"), 1, &format!("10.9.{}.{}", n / 250, n % 250 + 1))).collect();
    for part in group.chunks(500) {
        bench.admit_all(part).await;
    }
    // One in the middle is open.
    bench
        .execute("UPDATE commands SET outcome = NULL, finished_at = NULL WHERE message_key = 'm-1200'".to_owned())
        .await;
    bench.execute("DELETE FROM unpublished_events".to_owned()).await;
    let windows = RetentionWindows { commands: Some(Duration::ZERO), ..RetentionWindows::default() };
    tokio::time::sleep(Duration::from_millis(400)).await;
    let first = bench.store.retention().next_batch(&windows).await.expect("a batch");
    assert_eq!((first.table, first.removed), (Some("commands"), 1_000));
    assert_eq!(remove_all(bench, windows).await["commands"], 1_499);
    assert_eq!(bench.number("SELECT COUNT(*) FROM commands").await, 1);
    assert_eq!(bench.number("SELECT removed FROM retention WHERE table_name = 'commands'").await, 2_499);
}

async fn one_worker_at_a_time_removes_rows(bench: &Bench) {
    let other: Store = bench.another().await;
    assert!(bench.store.retention().take_turn("worker-1", LONG).await.expect("an answer"));
    assert!(!other.retention().take_turn("worker-2", LONG).await.expect("an answer"));
    assert!(bench.store.retention().take_turn("worker-1", LONG).await.expect("kept"));
    bench.store.retention().end_turn("worker-1").await.expect("given back");
    assert!(other.retention().take_turn("worker-2", LONG).await.expect("taken over"));
    bench.execute("UPDATE single_tasks SET until_ms = 1".to_owned()).await;
    assert!(bench.store.retention().take_turn("worker-1", LONG).await.expect("it ran out"));
    bench.execute("UPDATE single_tasks SET until_ms = 99999999999999, holder = 'dead'".to_owned()).await;
    assert!(bench.store.retention().take_turn("worker-1", LONG).await.expect("of a clock that was put back"));
}

async fn without_windows_nothing_goes(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    assert!(remove_all(bench, RetentionWindows::default()).await.is_empty());
}

async fn the_figures_say_how_large_the_tables_are(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    if !bench.is_sqlite() {
        bench.execute("ANALYZE".to_owned()).await;
    }
    remove_all(bench, RetentionWindows { commands: Some(Duration::ZERO), ..RetentionWindows::default() }).await;
    let figures = bench.store.retention().figures().await.expect("figures");
    let of =
        |table: &str| figures.iter().find(|of| of.table == table).unwrap_or_else(|| panic!("{table}: {figures:?}"));
    assert_eq!((of("virtual_macs").rows, of("commands").removed), (Some(1), 1));
    assert!(
        of("virtual_macs").oldest_ms.is_some_and(|age| (0..60_000).contains(&age))
            && of("commands").oldest_ms.is_none()
    );
    let size = if bench.is_sqlite() { "all" } else { "events" };
    assert!(of(size).bytes.is_some_and(|bytes| bytes >= 8_192), "{figures:?}");
}
