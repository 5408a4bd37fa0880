//! Backups are kept by their content.

use std::collections::BTreeMap;

use super::bench::{Bench, switch};
use vmacd::store::{BackupKey, StoreError, StoreOptions};

on_both_engines! {
    a_backup_is_read_back_as_it_was_taken,
    an_unchanged_configuration_is_stored_once,
    a_large_configuration_is_stored_compressed,
    small_changes_to_a_large_configuration_take_a_fiftieth_at_most,
    a_sealed_backup_is_read_with_its_key_alone,
    an_unknown_backup_is_not_found,
}

async fn a_backup_is_read_back_as_it_was_taken(bench: &Bench) {
    let content = b"system {\n    host-name sw-a; # caf\xe9 \xc3\xa9 \xff\0\n}\n";
    let id = bench.store.backups().save(&switch("sw-a"), content, "p-1").await.expect("kept");
    let (backup, text) = bench.store.backups().get(id).await.expect("found");
    assert_eq!(text, content);
    assert_eq!((backup.switch, backup.push_id.as_deref()), (switch("sw-a"), Some("p-1")));
    assert_eq!(backup.bytes, i64::try_from(content.len()).expect("small"));
}

async fn an_unchanged_configuration_is_stored_once(bench: &Bench) {
    let mut hashes = Vec::new();
    for (name, content) in [("sw-a", "one"), ("sw-a", "one"), ("sw-b", "one"), ("sw-a", "two")] {
        let id = bench.store.backups().save(&switch(name), content.as_bytes(), "p").await.expect("kept");
        hashes.push(bench.store.backups().get(id).await.expect("found").0.content_hash);
    }
    assert!(hashes[0] == hashes[1] && hashes[1] == hashes[2] && hashes[2] != hashes[3], "{hashes:?}");
    let of_a = bench.store.backups().list(&switch("sw-a"), i64::MAX, 10).await.expect("backups");
    assert_eq!(of_a.len(), 3, "each is listed");
    assert!(of_a.is_sorted_by(|newer, older| newer.id > older.id), "newest first");
}

async fn a_large_configuration_is_stored_compressed(bench: &Bench) {
    let content = "set interfaces ge-0/0/1 unit 0 family ethernet-switching\n".repeat(90_000);
    let id = bench.store.backups().save(&switch("sw-a"), content.as_bytes(), "p").await.expect("kept");
    let (backup, text) = bench.store.backups().get(id).await.expect("found");
    assert!(text == content.as_bytes() && backup.bytes > 5_000_000, "{} bytes", backup.bytes);
}

/// Configurations of half a megabyte, each with one binding more than the one before it.
async fn small_changes_to_a_large_configuration_take_a_fiftieth_at_most(bench: &Bench) {
    let mac = |n: u32| format!("02:{:02x}:{:02x}:{:02x}:00:01", n.wrapping_mul(37) % 256, n / 256, n % 256);
    let line =
        |n: u32| format!("interface ge-0/0/{} {{ static-ip 10.0.{}.{} mac {}; }}\n", n % 48, n / 250, n % 250, mac(n));
    let mut content: String = (0..8_000).map(line).collect();
    let mut taken = Vec::new();
    for n in 8_000..8_100 {
        content.push_str(&line(n));
        taken.push((
            bench.store.backups().save(&switch("sw-a"), content.as_bytes(), "p").await.expect("kept"),
            content.len(),
        ));
    }
    let backups = bench.store.backups().list(&switch("sw-a"), i64::MAX, 1_000).await.expect("backups");
    let stored: BTreeMap<_, _> = backups.iter().map(|backup| (&backup.content_hash, backup.stored_bytes)).collect();
    let (stored, raw): (i64, i64) = (stored.values().sum(), backups.iter().map(|backup| backup.bytes).sum());
    assert!(raw > 45_000_000 && stored * 50 < raw, "{stored} of {raw} bytes");
    for (id, bytes) in taken {
        let (_, text) = bench.store.backups().get(id).await.expect("found");
        assert!(text.len() == bytes && content.as_bytes().starts_with(&text), "backup {id}");
    }
}

async fn a_sealed_backup_is_read_with_its_key_alone(bench: &Bench) {
    let open_before =
        bench.store.backups().save(&switch("sw-a"), b"kept before there was a key", "p").await.expect("kept");
    let with = async |key: &str| {
        let backup_key = Some(key.parse().expect("a key file"));
        let options = StoreOptions { backup_key, ..StoreOptions::default() };
        bench.open(options).await
    };
    let (key, other) = (BackupKey::generate(), BackupKey::generate());
    let store = with(&key).await;
    let sealed = store.backups().save(&switch("sw-a"), b"kept with a key", "p").await.expect("kept");
    let again = store.backups().save(&switch("sw-a"), b"kept before there was a key", "p").await.expect("kept");
    for (id, content) in [(sealed, "kept with a key"), (open_before, "kept before there was a key")] {
        assert_eq!(store.backups().get(id).await.expect("opened").1, content.as_bytes());
    }
    for (store, id) in [(&bench.store, sealed), (&bench.store, again), (&with(&other).await, sealed)] {
        let shut = store.backups().get(id).await.expect_err("sealed");
        assert!(
            matches!(&shut, StoreError::Unpack { source, .. } if source.to_string().contains("key_file")),
            "{shut:?}"
        );
    }
}

async fn an_unknown_backup_is_not_found(bench: &Bench) {
    let missing = bench.store.backups().get(7).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}
