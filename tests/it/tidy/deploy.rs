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
