//! What is deployed beside the program names only what there is.

use std::collections::BTreeSet;

use super::{assert_none, root};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of metrics in a text, as they are without the endings of a histogram's series.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|of: char| !of.is_ascii_alphanumeric() && of != '_');
    let names = words.filter(|word| word.starts_with("vmacd_"));
    let ending =
        |name: &str| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).map(str::to_owned);
    names.map(|name| ending(name).unwrap_or_else(|| name.to_owned())).collect()
}

#[test]
fn dashboard_and_alerts_name_only_metrics_that_exist() {
    let documented = metrics(&read("docs/METRICS.md"));
    for path in ["deploy/grafana/vmacd.json", "deploy/prometheus/vmacd.rules.yml"] {
        let named = metrics(&read(path));
        assert!(named.len() > 5, "{path} names {named:?}");
        assert_none(&format!("metrics in {path} that do not exist"), named.difference(&documented).cloned().collect());
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let page = read("docs/OPERATING.md");
    let rules = read("deploy/prometheus/vmacd.rules.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    let unexplained = alerts.iter().filter(|alert| !page.contains(&format!("| `{alert}` |")));
    assert_none("alerts that docs/OPERATING.md does not explain", unexplained.map(ToString::to_string).collect());
}

#[test]
fn deployed_workers_never_change_tables_by_themselves() {
    let settings = vmacd::config::example().replace("\n# migrate = \"auto\"\n", "\nmigrate = \"never\"\n");
    let settings: toml::Table = settings.parse().expect("TOML");
    assert_eq!(settings["database"]["migrate"].as_str(), Some("never"), "what deploy/debian/build makes of it");
    assert!(read("deploy/debian/build").contains(r#"sed 's/^# migrate = "auto"$/migrate = "never"/'"#));
    assert!(read("compose.yaml").contains("VMACD_DATABASE_MIGRATE: never"));
}

/// `[package.metadata.deb]`.
fn package() -> toml::Table {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml");
    manifest["package"]["metadata"]["deb"].as_table().expect("[package.metadata.deb]").clone()
}

/// The files of the package: source, destination, mode.
fn assets() -> Vec<(String, String, String)> {
    let assets = package()["assets"].as_array().expect("assets").clone();
    let text = |value: &toml::Value| value.as_str().expect("text").to_owned();
    assets.iter().map(|asset| (text(&asset[0]), text(&asset[1]), text(&asset[2]))).collect()
}

/// Where an asset ends up.
fn installed((source, destination, _): &(String, String, String)) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    if destination.ends_with('/') { format!("/{destination}{name}") } else { format!("/{destination}") }
}

#[test]
fn every_file_of_the_debian_package_is_there_or_made() {
    let build = read("deploy/debian/build");
    let package = package();
    let mut named: Vec<String> = assets().into_iter().map(|(source, ..)| source).collect();
    named.push(package["license-file"][0].as_str().expect("a path").to_owned());
    named.push(package["changelog"].as_str().expect("a path").to_owned());
    named.push(format!("{}/vmacd.service", package["systemd-units"]["unit-scripts"].as_str().expect("a folder")));
    let is_there = |path: &str| match (path.strip_prefix("target/package/"), path.split_once('*')) {
        (Some(made), _) => build.contains(&format!("$package/{}", made.split("/*").next().unwrap_or(made))),
        (None, Some((start, end))) => super::files(start).iter().any(|file| file.ends_with(end)),
        (None, None) => path == "target/release/vmacd" || root().join(path).is_file(),
    };
    assert_none("files of the package that nobody makes", named.into_iter().filter(|path| !is_there(path)).collect());
    let scripts = super::files(package["maintainer-scripts"].as_str().expect("a folder"));
    let tokenless = scripts.iter().filter(|path| !read(path).contains("#DEBHELPER#"));
    assert_none("maintainer scripts without what belongs to systemd", tokenless.cloned().collect());
    assert!(!scripts.is_empty());
}

#[test]
fn the_unit_and_the_package_agree() {
    let unit = read("deploy/systemd/vmacd.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect(key);
    let assets = assets();
    let mode = |path: &str| assets.iter().find(|asset| installed(asset) == path).map(|(_, _, mode)| mode.as_str());
    let words: Vec<&str> = value("ExecStart").split(' ').collect();
    let config = words.iter().position(|word| *word == "--config").map(|at| words[at + 1]).expect("--config");
    let environment = value("EnvironmentFile").trim_start_matches('-');
    assert_eq!(mode(words[0]), Some("755"));
    assert_eq!(mode(config), Some("644"));
    assert_eq!(mode(environment), Some("600"), "it holds secrets");
    let package = package();
    let kept: Vec<&str> =
        package["conf-files"].as_array().expect("a list").iter().filter_map(|file| file.as_str()).collect();
    assert_eq!(kept, [config, environment], "an upgrade keeps what was edited");
    // The user comes from systemd, and so does the folder: no script has to make them.
    assert_eq!((value("DynamicUser"), value("StateDirectory")), ("yes", "vmacd"));
    let variables = vmacd::config::variables();
    let environment = read("deploy/debian/environment");
    let named = environment.lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')).map(|(name, _)| name);
    assert_none(
        "variables that are no settings",
        named.filter(|name| !variables.contains(&(*name).to_owned())).map(str::to_owned).collect(),
    );
}

/// A stop waits for the answers to a commit and to its confirmation; a supervisor that kills before that makes the next worker
/// find out what became of them.
#[test]
fn supervisors_wait_longer_for_a_stop_than_a_commit_may_take() {
    let settings = vmacd::config::Settings::default();
    let stop_ms = 2 * settings.ssh.commit_timeout_ms + 2 * settings.worker.shutdown_grace_ms;
    for (path, key) in
        [("deploy/systemd/vmacd.service", "TimeoutStopSec="), ("compose.yaml", "    stop_grace_period: ")]
    {
        let text = read(path);
        let values: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(key)).collect();
        let seconds = values.iter().map(|value| value.trim_end_matches('s').parse::<u64>().expect("seconds"));
        let seconds: Vec<u64> = seconds.collect();
        assert!(
            seconds.len() == 1 && seconds[0] * 1000 >= stop_ms,
            "{path}: {seconds:?}, a stop may take {stop_ms} ms"
        );
        assert!(read("docs/OPERATING.md").contains(&format!("TimeoutStopSec={}", seconds[0])), "{path}: {seconds:?}");
    }
}

#[test]
fn the_licences_are_those_of_the_manifest() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml");
    assert_eq!(manifest["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted"));
    assert!(read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
}
