//! Other people's clients run their ordinary workflow against simulated switches (`tests/clients`), unmodified.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use crate::support::table::{assert_documented, markdown};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::process::Command;
use vmacd::sim::{Dialect, DuplicateScope, Estate, Options};

const SCRIPTS: [&str; 5] = ["pyez.py", "napalm_junos.py", "ncclient_junos.py", "scrapli_nc.py", "netmiko_cli.py"];

#[tokio::test]
async fn real_clients_run_their_workflow() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let made = Command::new(clients.join("venv")).stderr(Stdio::inherit()).output().await.expect("tests/clients/venv");
    assert!(made.status.success(), "the clients are not installed");
    let python = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let mut rows = Rows::default();
    for (name, dialect) in [("non-els", Dialect::NonEls), ("els", Dialect::Els)] {
        // A second address with the same MAC is how a refused commit is brought about.
        let duplicates = Some(DuplicateScope::Interface);
        let options =
            Options { switches: SCRIPTS.len(), ports_per_switch: 2, dialect, duplicates, ..Options::default() };
        let estate = Estate::start(options).await.expect("switches");
        // Each client on a switch of its own: they lock each other out otherwise.
        let runs = SCRIPTS
            .iter()
            .enumerate()
            .map(|(switch, script)| run(&python, clients.join(script), &estate, switch, name));
        for steps in join_all(runs).await {
            steps.into_iter().for_each(|step| rows.add(name, &step));
        }
    }
    assert_documented("docs/JUNOS.md", "clients", &rows.table());
    assert!(rows.failed().is_empty(), "{:?}", rows.failed());
}

/// Runs one script, and gives the step that each of its lines tells of.
async fn run(python: &str, script: std::path::PathBuf, estate: &Estate, switch: usize, dialect: &str) -> Vec<Value> {
    let server = estate.servers().iter().find(|server| server.switch == estate.switches()[switch].name());
    let server = server.expect("a server");
    let output = Command::new(python)
        .arg(&script)
        .args(["--port", &estate.switches()[switch].addr().port().to_string(), "--dialect", dialect])
        .args(["--interface", &server.interface, "--vlan", &server.vlan])
        .args(["--ip", &server.extra_ip(75).expect("an address"), "--mac", "02:aa:00:00:00:77"])
        .kill_on_drop(true)
        .output()
        .await
        .expect("Python runs");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let steps: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a step")).collect();
    let failed = steps.iter().filter(|step| step["result"] != "ok").count();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(steps.len() > 5 && output.status.success() == (failed == 0), "{}: {lines}\n{told}", script.display());
    steps
}

/// Client and step, with the result for each dialect.
#[derive(Default)]
struct Rows {
    order: Vec<(String, String)>,
    results: BTreeMap<(String, String), BTreeMap<String, String>>,
}

impl Rows {
    fn add(&mut self, dialect: &str, step: &Value) {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let key = (text("client"), text("step"));
        if !self.order.contains(&key) {
            self.order.push(key.clone());
        }
        // The detail of what went well differs from run to run.
        let result = if text("result") == "ok" { "ok".to_owned() } else { format!("failed: {}", text("detail")) };
        self.results.entry(key).or_default().insert(dialect.to_owned(), result);
    }

    fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .order
            .iter()
            .map(|key| {
                let result = |dialect: &str| self.results[key].get(dialect).cloned().unwrap_or_else(|| "-".to_owned());
                vec![key.0.clone(), key.1.clone(), result("non-els"), result("els")]
            })
            .collect();
        markdown(&["client", "step", "non-ELS", "ELS"], &rows)
    }

    /// The steps that failed in any dialect.
    fn failed(&self) -> Vec<&(String, String)> {
        let failed = self.results.iter().filter(|(_, results)| results.values().any(|result| result != "ok"));
        failed.map(|(step, _)| step).collect()
    }
}
