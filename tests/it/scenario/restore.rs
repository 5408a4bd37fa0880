//! `vmacd backups restore`, as the operator on call runs it.

use std::time::Duration;

use serde_json::{Value, json};
use vmacd::domain::SwitchName;
use vmacd::store::{Store, StoreOptions};

use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::{Output, Settings, run, run_on_terminal};

/// A switch with a binding that was there when the backup was taken, and one since.
struct Changed {
    world: World,
    /// The backup from before the second binding.
    backup: String,
    /// What it holds.
    then: String,
}

impl Changed {
    async fn new() -> Self {
        let world = World::embedded(1, 2).await;
        let mut worker = world.serve().await;
        let bind = async |number| {
            let (server, ip) = (world.server(0).to_string(), world.address(0, number));
            world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
        };
        bind(1).await;
        let then = world.switches()[0].committed_text();
        bind(2).await;
        worker.sigterm();
        assert!(worker.wait().await.success());
        let backups = world.vmacd(&["backups", "list", "sw-001"]).await;
        let backup = backups[0]["id"].to_string();
        Self { world, backup, then }
    }

    fn text(&self) -> String {
        self.world.switches()[0].committed_text()
    }

    async fn restore(&self, more: &[&str]) -> Output {
        self.restore_with(more, &self.world.settings).await
    }

    async fn restore_with(&self, more: &[&str], settings: &Settings) -> Output {
        run(&[&["backups", "restore", "sw-001", &self.backup, "--json"], more].concat(), settings).await
    }

    async fn store(&self) -> Store {
        let url = self.world.settings.get("VMACD_DATABASE_URL").expect("a URL");
        Store::connect(url, StoreOptions::default()).await.expect("the database")
    }

    async fn push_states(&self) -> Vec<String> {
        let pushes = self.store().await.pushes().list(&switch(), "", 10).await.expect("pushes");
        pushes.into_iter().map(|push| push.state).collect()
    }
}

fn switch() -> SwitchName {
    "sw-001".parse().expect("a name")
}

#[track_caller]
fn fault(output: &Output) -> Value {
    assert_ne!(output.code, Some(0), "{output:?}");
    let last = output.stderr.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_comes_back_and_workers_bring_back_what_rows_want() {
    let changed = Changed::new().await;
    let restored = changed.restore(&["--yes"]).await.json();
    assert_eq!((&restored["outcome"], changed.text()), (&json!("restored"), changed.then.clone()));
    let rows = restored["rows_to_push"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0]["ip_address"]), (1, &json!(changed.world.address(0, 2))), "{restored}");
    assert_eq!(changed.push_states().await[0], "confirmed");
    let history = changed.world.switches()[0].history();
    assert!(history.iter().any(|commit| {
        commit.log.as_deref().is_some_and(|log| log.contains(restored["push_id"].as_str().expect("an id")))
    }));
    let _worker = changed.world.serve().await;
    eventually("the second binding is back", async || changed.world.held() == changed.world.wanted().await).await;
    assert_eq!(changed.world.with_status("active").await.len(), 2);
    let shown = changed.world.vmacd(&["show", &changed.world.address(0, 2)]).await;
    assert_eq!(shown["switch_bindings"][0]["state"], "bound", "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_that_was_revoked_since_is_taken_off_again() {
    let changed = Changed::new().await;
    let mut worker = changed.world.serve().await;
    let (server, ip) = (changed.world.server(0).to_string(), changed.world.address(0, 1));
    changed.world.vmacd(&["revoke", "--server", &server, "--ip", &ip, "--wait"]).await;
    worker.sigterm();
    worker.wait().await;
    let restored = changed.restore(&["--yes"]).await.json();
    assert_eq!((changed.text(), restored["rows_to_push"].as_array().map(Vec::len)), (changed.then.clone(), Some(2)));
    let _worker = changed.world.serve().await;
    eventually("the switch holds what the rows say", async || changed.world.held() == changed.world.wanted().await)
        .await;
    assert_eq!(changed.world.with_status("revoked").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_missing_yes_change_nothing() {
    let changed = Changed::new().await;
    let (text, commits) = (changed.text(), changed.world.commits());
    let dry = changed.restore(&["--dry-run"]).await.json();
    assert_eq!(dry["outcome"], "would_change");
    assert!(dry["diff"].as_str().expect("a diff").contains(&changed.world.address(0, 2)), "{dry}");
    let refused = fault(&changed.restore(&[]).await);
    assert!(refused["hint"].as_str().expect("a hint").contains("--yes"), "{refused}");
    let other = run(&["backups", "restore", "sw-002", "1", "--yes", "--json"], &changed.world.settings).await;
    assert_eq!(fault(&other)["hint"], "did you mean `sw-001`?");
    assert_eq!((changed.text(), changed.world.commits()), (text, commits));
    assert_eq!(changed.restore(&["--yes"]).await.json()["outcome"], "restored");
    assert_eq!(changed.restore(&["--yes"]).await.json()["outcome"], "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_is_asked_and_only_yes_is_yes() {
    let changed = Changed::new().await;
    let (text, ask) = (changed.text(), ["backups", "restore", "sw-001", &changed.backup]);
    let declined = run_on_terminal(&ask, &changed.world.settings, 100, "n\n").await;
    assert_eq!((declined.code, changed.text()), (Some(1), text), "{declined:?}");
    assert!(declined.stdout.contains("[edit") && declined.stdout.contains("not confirmed"), "{declined:?}");
    let agreed = run_on_terminal(&ask, &changed.world.settings, 100, "y\n").await;
    assert_eq!((agreed.code, changed.text()), (Some(0), changed.then), "{agreed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_lock_or_edits_are_respected_and_named() {
    let changed = Changed::new().await;
    let sim = &changed.world.switches()[0];
    let text = changed.text();
    sim.operator_lock().expect("locked");
    let refused = fault(&changed.restore(&["--yes"]).await);
    assert_eq!(refused["code"], "locked_by_other", "{refused}");
    assert!(refused["text"].as_str().expect("a text").contains("admin"), "{refused}");
    sim.operator_unlock();
    sim.operator_edit("set system host-name edited").expect("edited");
    assert_eq!(fault(&changed.restore(&["--yes"]).await)["code"], "candidate_dirty");
    assert!(sim.is_dirty(), "the edits are still there");
    assert_eq!(changed.text(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_the_switch_is_waited_for_and_named() {
    let changed = Changed::new().await;
    let store = changed.store().await;
    let lease =
        store.leases().acquire(&switch(), "worker-7", Duration::from_secs(600)).await.expect("asked").expect("free");
    let refused = fault(&changed.restore(&["--yes", "--timeout", "300ms"]).await);
    assert_eq!(refused["code"], "lease_held", "{refused}");
    assert!(refused["text"].as_str().expect("a text").contains("worker-7"), "{refused}");
    let (restored, ()) = tokio::join!(changed.restore(&["--yes", "--timeout", "60s"]), async {
        // Whether it waits by now or not, it cannot begin before.
        store.leases().release(&lease).await.expect("given back");
    });
    assert_eq!((&restored.json()["outcome"], changed.text()), (&json!("restored"), changed.then.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_dies_before_its_confirmation_is_rolled_back_by_the_switch() {
    let changed = Changed::new().await;
    let (text, sim) = (changed.text(), &changed.world.switches()[0]);
    let dying = changed.world.settings.clone().set("FAILPOINTS", "push::committed=abort");
    assert_eq!(changed.restore_with(&["--yes"], &dying).await.code, None, "it died");
    assert_eq!((changed.text(), sim.is_commit_pending()), (changed.then.clone(), true));
    assert_eq!(changed.push_states().await[0], "sent", "the journal tells that its end is not known");
    assert!(sim.expire_commit());
    assert_eq!(changed.text(), text);
    // The next restore finds out first how the one before ended.
    let again = changed.restore(&["--yes"]).await.json();
    assert_eq!((&again["outcome"], changed.text()), (&json!("restored"), changed.then.clone()));
    assert_eq!(changed.push_states().await[..2], ["confirmed", "not_applied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_is_shown_of_a_restore() {
    let changed = Changed::new().await;
    let sim = &changed.world.switches()[0];
    sim.operator_edit("set system root-authentication encrypted-password \"$6$salt$changedsince\"").expect("edited");
    sim.operator_commit().expect("committed");
    let before = changed.then.lines().find(|line| line.contains("encrypted-password")).expect("a secret");
    let secret = before.split('"').nth(1).expect("a quoted secret");
    for output in [changed.restore(&["--dry-run"]).await, changed.restore(&["--yes"]).await] {
        assert!(output.stdout.contains("encrypted-password"), "{output:?}");
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains("changedsince") && !text.contains(secret), "{text}");
        }
    }
    assert_eq!(changed.text(), changed.then);
}
