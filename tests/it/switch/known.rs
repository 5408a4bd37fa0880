//! What was read ahead is taken for what the switch holds while its version is the newest, and never else.

use vmacd::domain::Code;
use vmacd::domain::plan::{Change, Wish};
use vmacd::sim::{Dialect, Options};
use vmacd::switch::{KnownConfiguration, PushBackup};

use super::bench::{Bench, Notes, codes, whole};

async fn read(bench: &Bench) -> KnownConfiguration {
    let known = bench.client().await.read_ahead().await.expect("an answer").expect("a version");
    KnownConfiguration { backup: PushBackup::Stored("read ahead".to_owned()), ..known }
}

/// Pushes with what is known; the backup that was kept.
async fn push_with(bench: &Bench, known: KnownConfiguration, number: u8) -> Vec<u8> {
    let mut notes = Notes { known: Some(known), ..Notes::of(vec![bench.create(0, number)]) };
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), codes(&report)), (None, vec![(i64::from(number), None)]));
    notes.backups.remove(0)
}

#[tokio::test]
async fn what_is_known_is_not_read_again_under_the_lock() {
    for bench in [Bench::non_els().await, Bench::els().await] {
        let known = read(&bench).await;
        let before = bench.sim().rpc_counts();
        assert_eq!(push_with(&bench, known, 1).await, b"read ahead");
        let after = bench.sim().rpc_counts();
        let asked = |rpc: &str| after.get(rpc).copied().unwrap_or(0) - before.get(rpc).copied().unwrap_or(0);
        let under_lock = ["lock", "get-commit-information", "load-configuration", "commit-configuration", "unlock"];
        assert_eq!(under_lock.map(asked), [1, 2, 1, 2, 1]);
        assert_eq!(asked("get-configuration"), 1, "only the changed ports are read back");
        assert_eq!(bench.extra(), Bench::bound(&[bench.create(0, 1)]));
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn what_was_changed_since_is_read_again_and_kept_as_it_is() {
    for what in ["an operator's commit", "one more in the same second", "a confirmed commit that ran out"] {
        let bench = Bench::non_els().await;
        bench.operator_sets(&["set system location floor 1"]);
        let known = read(&bench).await;
        match what {
            "an operator's commit" => bench.operator_sets(&["set system host-name renamed"]),
            "one more in the same second" => bench.operator_sets(&["set system location floor 2"]),
            _ => run_out(&bench).await,
        }
        let held = bench.sim().committed_bytes();
        assert_eq!(push_with(&bench, known, 2).await, held, "{what}");
        bench.assert_tidy();
    }
}

/// Somebody's confirmed commit that nobody confirms.
async fn run_out(bench: &Bench) {
    let mut client = bench.client().await;
    let wish = bench.create(1, 9);
    let change = Change::Set {
        interface: wish.interface,
        vlan: bench.server(1).vlan.parse().expect("a name"),
        ip: wish.ip,
        mac: wish.mac,
        group: None,
        activates: false,
    };
    client.lock().await.expect("locked");
    client.load(&[change]).await.expect("loaded");
    client.commit_confirmed("somebody", &[], 5).await.expect("committed");
    client.unlock().await.expect("unlocked");
    assert!(bench.sim().expire_commit());
}

#[tokio::test]
async fn a_binding_that_somebody_made_since_is_seen() {
    let bench = Bench::non_els().await;
    let known = read(&bench).await;
    let wish = bench.create(0, 3);
    let (port, vlan) = (&bench.server(0).interface, &bench.server(0).vlan);
    bench.operator_sets(&[&format!(
        "set ethernet-switching-options secure-access-port interface {port} static-ip {} vlan {vlan} mac 00:00:5e:00:53:07",
        wish.ip
    )]);
    let mut notes = Notes { known: Some(known), ..Notes::of(vec![wish]) };
    let report = bench.push(&mut notes).await;
    assert_eq!(codes(&report), [(3, Some(Code::ForeignBinding))]);
    assert!(notes.backups.is_empty(), "nothing was committed");
    assert!(notes.known.is_some(), "what was read instead is known now");
    bench.assert_tidy();
}

#[tokio::test]
async fn what_is_known_of_one_switch_is_not_taken_for_another() {
    let (old, new) = (Bench::non_els().await, Bench::non_els().await);
    old.operator_sets(&["set system host-name old"]);
    let held = new.sim().committed_bytes();
    assert_eq!(push_with(&new, read(&old).await, 4).await, held);
}

#[tokio::test]
async fn a_push_that_changes_nothing_leaves_what_is_known() {
    let bench = Bench::non_els().await;
    let mut notes = Notes::of(vec![bench.create(0, 5)]);
    bench.push(&mut notes).await;
    assert!(notes.known.is_none(), "it changed the switch");
    bench.push(&mut notes).await;
    let known = notes.known.take().expect("known now");
    assert_eq!(known.backup, PushBackup::Text(bench.sim().committed_bytes()));
    bench.sim().operator_lock().expect("locked");
    notes.known = Some(known);
    assert_eq!(whole(&bench.push(&mut notes).await), Some(Code::LockedByOther));
    assert!(notes.known.is_some(), "a lock that is refused says nothing of the configuration");
}

#[tokio::test]
async fn of_many_bindings_only_those_that_were_changed_are_read_back() {
    for dialect in [Dialect::NonEls, Dialect::Els] {
        let bench = Bench::with(Options { dialect, bindings: 600, ..Options::default() }).await;
        let wishes: Vec<_> = (0..30)
            .map(|number| Wish { vmac_id: number.into(), ..bench.create(usize::from(number) % 3, number) })
            .collect();
        let mut notes = Notes { known: Some(read(&bench).await), ..Notes::of(wishes) };
        let all = bench.sim().bindings().len();
        assert!(codes(&bench.push(&mut notes).await).iter().all(|(_, code)| code.is_none()));
        assert_eq!(bench.sim().bindings().len(), all + 30);
        let holds = bench.sim().lock_holds();
        assert!(holds.len() == 1 && holds[0].bytes <= 20_000, "{dialect:?}: {holds:?}");
        // What is taken off is looked for, too.
        let gone = (0..30).map(|number| bench.revoke(usize::from(number) % 3, number));
        notes.wishes = gone.collect();
        assert!(codes(&bench.push(&mut notes).await).iter().all(|(_, code)| code.is_none()));
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn the_version_that_a_push_left_saves_a_question_and_is_none_after_another_commit() {
    let bench = Bench::non_els().await;
    let report = bench.push(&mut Notes::of(vec![bench.create(0, 6)])).await;
    let version = report.left_at.expect("a version");
    let asked = || bench.sim().rpc_counts().get("get-commit-information").copied().unwrap_or(0);
    let before = asked();
    let mut client = bench.client().await;
    let known = client.read_left(version.clone()).await.expect("an answer");
    assert_eq!(asked() - before, 1);
    assert_eq!(known, client.read_ahead().await.expect("an answer"));
    bench.operator_sets(&["set system host-name renamed"]);
    assert_eq!(client.read_left(version).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_push_that_nobody_knows_the_end_of_leaves_no_version() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("reply_lost_after_commit").expect("a fault");
    let report = bench.push(&mut Notes::of(vec![bench.create(0, 7)])).await;
    assert_eq!((whole(&report), report.left_at), (Some(Code::CommitUnanswered), None));
}
