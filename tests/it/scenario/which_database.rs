//! Which database it is: never another one than was meant without a word.

use std::path::PathBuf;

use super::advice::assert_advised;
use crate::support::postgres::fresh_database;
use crate::support::vmacd::{Settings, run};
use crate::support::{run_dir, unique};

/// An empty folder, and settings by which programs run in it.
fn empty_folder() -> (PathBuf, Settings) {
    let folder = run_dir().join(unique("empty"));
    std::fs::create_dir(&folder).expect("a folder");
    let through = ["env", "-C", &folder.display().to_string()].map(str::to_owned);
    (folder, Settings::new().through(through.to_vec()))
}

/// Verbs that look, and verbs that change something.
const VERBS: &[&[&str]] = &[
    &["list"],
    &["show", "10.0.0.1"],
    &["switches", "list"],
    &["dead-letters", "list"],
    &["create", "--server", "1", "--ip", "10.0.0.1"],
    &["create", "--server", "1", "--subnet", "10.0.0.0/29", "--wait"],
    &["create", "--server", "1", "--ip", "10.0.0.1", "--dry-run"],
    &["move", "--server", "1", "--to", "2", "--ip", "10.0.0.1"],
    &["rotate", "--server", "1", "--ip", "10.0.0.1"],
    &["revoke", "--server", "1", "--ip", "10.0.0.1"],
    &["reserve", "--server", "1", "--ip", "10.0.0.1"],
    &["release", "--server", "1", "--ip", "10.0.0.1"],
    &["dead-letters", "discard", "--all"],
    &["dead-letters", "replay", "--all"],
    &["switches", "trust", "sw-a1"],
    &["freeze", "ams1", "--until", "1h"],
    &["thaw", "ams1"],
    &["adopt", "--yes"],
    &["audit", "--fix", "--yes"],
    &["inventory", "export"],
    &["reservations"],
    &["pools"],
    &["freezes"],
    &["audit"],
    &["history", "10.0.0.1"],
    &["rebuild", "--since", "1h", "--dry-run"],
    &["adopt", "--dry-run"],
    &["switches", "check", "sw-a1"],
    &["dead-letters", "show", "1"],
    &["tokens", "create", "billing", "--role", "producer"],
    &["tokens", "list"],
    &["tokens", "rotate", "billing"],
    &["tokens", "revoke", "billing"],
    &["audit-log", "list"],
    &["audit-log", "verify"],
    &["webhooks", "add", "https://panel.example.com/vmacd"],
    &["webhooks", "list"],
    &["webhooks", "test", "panel.example.com"],
    &["webhooks", "deliveries"],
    &["webhooks", "replay", "--all"],
    &["backups", "list", "sw-a1"],
    &["backups", "show", "1"],
    &["backups", "diff", "1", "2"],
    &["backups", "restore", "sw-a1", "1", "--yes"],
];

/// What makes a database where there is none: the worker, the verb for it, and imports, with which one is set up. The others
/// open none, or one of their own.
const OTHERS: &[&str] =
    &["backup", "completions", "config", "demo", "help", "inventory", "macs", "man", "migrate", "serve", "sim"];

#[tokio::test]
async fn every_verb_is_known_to_make_a_database_or_not_to() {
    let help = run(&["--help"], &Settings::new()).await.ok();
    let listed = help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with([' ', '-']));
    let verbs = listed.filter_map(|line| line.split_whitespace().next());
    // Examples begin with the program's own name.
    let verbs: Vec<&str> = verbs.filter(|verb| *verb != "vmacd").collect();
    assert!(verbs.contains(&"create") && verbs.contains(&"serve"), "{help}");
    for verb in verbs {
        let is_refused = VERBS.iter().any(|refused| refused[0] == verb);
        assert!(is_refused || OTHERS.contains(&verb), "`{verb}`: say in this test what it does without a database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_makes_a_database_by_the_way_and_each_says_which_one_is_missing() {
    let (folder, settings) = empty_folder();
    for verb in VERBS {
        let output = run(verb, &settings).await;
        assert_eq!(output.code, Some(2), "{verb:?}: {output:?}");
        assert_advised(&output, "cannot connect to the database sqlite://vmacd.db", "vmacd migrate");
        let file = folder.join("vmacd.db").display().to_string();
        assert_advised(&output, "", &file);
        assert_advised(&output, "", "database.url is at its default: there is no vmacd.toml or /etc/vmacd/vmacd.toml");
    }
    let left: Vec<_> = std::fs::read_dir(&folder).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    let database = fresh_database().await;
    let settings = settings.set("VMACD_DATABASE_URL", database.url());
    for verb in VERBS {
        assert_advised(&run(verb, &settings).await, "no tables", "database.url is set by VMACD_DATABASE_URL");
    }
}

#[tokio::test]
async fn an_import_makes_no_default_database_beside_a_settings_file_that_names_none() {
    let (folder, settings) = empty_folder();
    std::fs::write(folder.join("inventory.json"), r#"{"switches": [], "servers": []}"#).expect("written");
    std::fs::write(folder.join("macs.csv"), "mac\n02:a1:b2:c3:d4:e5\n").expect("written");
    std::fs::write(folder.join("vmacd.toml"), "[ssh]\nuser = \"netops\"\n").expect("written");
    for import in [["inventory", "import", "inventory.json"], ["macs", "import", "macs.csv"]] {
        let refused = run(&import, &settings).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert_advised(&refused, "cannot connect to the database sqlite://vmacd.db", "vmacd migrate");
        assert_advised(&refused, "", "database.url is at its default: vmacd.toml does not set it");
    }
    assert!(!folder.join("vmacd.db").exists(), "nothing is made");
    let named = settings.clone().set("VMACD_DATABASE_URL", "sqlite://named.db");
    let made = run(&["inventory", "import", "inventory.json"], &named).await;
    assert!(made.code == Some(0) && made.stderr.contains("created a new database"), "{made:?}");
    run(&["migrate"], &settings).await.ok();
    run(&["inventory", "import", "inventory.json"], &settings).await.ok();
}

#[tokio::test]
async fn an_import_makes_the_database_and_says_which() {
    let (folder, settings) = empty_folder();
    let inventory = folder.join("inventory.json");
    std::fs::write(&inventory, r#"{"switches": [], "servers": []}"#).expect("written");
    let import = ["inventory", "import", "inventory.json"];
    let made = run(&import, &settings).await;
    let file = folder.join("vmacd.db").display().to_string();
    assert!(made.code == Some(0) && made.stderr.contains("created a new database"), "{made:?}");
    assert!(made.stderr.contains(&file) && made.stderr.contains("at its default"), "{made:?}");
    let again = run(&import, &settings).await;
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "it is there");
    let never = empty_folder().1.set("VMACD_DATABASE_MIGRATE", "never");
    let refused = run(&["inventory", "import", &inventory.display().to_string()], &never).await;
    assert_advised(&refused, "cannot connect", "vmacd migrate");
}

#[tokio::test]
async fn a_misspelt_variable_is_refused_by_every_verb_and_by_the_service() {
    let (folder, settings) = empty_folder();
    let misspelt = settings.set("VMACD_DATABSE_URL", "postgres://vmacd@db/wsh_infra");
    for verb in VERBS.iter().copied().chain([["serve"].as_slice(), &["migrate"], &["config"]]) {
        let output = run(verb, &misspelt).await;
        assert_eq!(output.code, Some(1), "{verb:?}: {output:?}");
        assert_advised(&output, "VMACD_DATABSE_URL is set, but there is no such setting", "VMACD_DATABASE_URL");
    }
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
}

#[tokio::test]
async fn the_settings_in_force_say_where_each_comes_from() {
    let (folder, settings) = empty_folder();
    std::fs::write(folder.join("vmacd.toml"), "[ssh]\nuser = \"netops\"\n").expect("written");
    std::fs::write(folder.join("secret"), "hunter2\n").expect("written");
    let settings = settings.set("VMACD_DATABASE_URL", "sqlite://x.db").set("VMACD_SSH_PASSWORD_FILE", "secret");
    let shown = run(&["config"], &settings).await.ok();
    for line in [
        "url = \"sqlite://x.db\"  # VMACD_DATABASE_URL",
        "user = \"netops\"  # vmacd.toml",
        "password = \"***\"  # VMACD_SSH_PASSWORD_FILE",
        "attempts_max = 8  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    let data = run(&["config", "--json"], &settings).await.json();
    assert_eq!(data["origins"]["settings"]["ssh.user"], "vmacd.toml", "{data}");
    assert_eq!(data["ssh"]["user"], "netops", "{data}");
}
