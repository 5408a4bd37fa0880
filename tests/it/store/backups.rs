//! Backups are kept by their content.

use super::bench::{Bench, switch};
use vmacd::store::StoreError;

on_both_engines! {
    a_backup_is_read_back_as_it_was_taken,
    an_unchanged_configuration_is_stored_once,
    a_large_configuration_is_stored_compressed,
    an_unknown_backup_is_not_found,
}

async fn a_backup_is_read_back_as_it_was_taken(bench: &Bench) {
    let content = "system {\n    host-name sw-a; # café\n}\n";
    let id = bench.store.save_backup(&switch("sw-a"), content, "p-1").await.expect("kept");
    let (backup, text) = bench.store.backup(id).await.expect("found");
    assert_eq!(text, content);
    assert_eq!((backup.switch, backup.push_id.as_deref()), (switch("sw-a"), Some("p-1")));
    assert_eq!(backup.bytes, i64::try_from(content.len()).expect("small"));
}

async fn an_unchanged_configuration_is_stored_once(bench: &Bench) {
    let mut hashes = Vec::new();
    for (name, content) in [("sw-a", "one"), ("sw-a", "one"), ("sw-b", "one"), ("sw-a", "two")] {
        let id = bench.store.save_backup(&switch(name), content, "p").await.expect("kept");
        hashes.push(bench.store.backup(id).await.expect("found").0.content_hash);
    }
    assert!(hashes[0] == hashes[1] && hashes[1] == hashes[2] && hashes[2] != hashes[3], "{hashes:?}");
    let of_a = bench.store.backups(&switch("sw-a"), 10).await.expect("backups");
    assert_eq!(of_a.len(), 3, "each is listed");
    assert!(of_a.is_sorted_by(|newer, older| newer.id > older.id), "newest first");
}

async fn a_large_configuration_is_stored_compressed(bench: &Bench) {
    let content = "set interfaces ge-0/0/1 unit 0 family ethernet-switching\n".repeat(90_000);
    let id = bench.store.save_backup(&switch("sw-a"), &content, "p").await.expect("kept");
    let (backup, text) = bench.store.backup(id).await.expect("found");
    assert!(text == content && backup.bytes > 5_000_000, "{} bytes", backup.bytes);
}

async fn an_unknown_backup_is_not_found(bench: &Bench) {
    let missing = bench.store.backup(7).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}
