//! The Helm chart, rendered by Helm's own engine, and what it starts, run here without Kubernetes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{beside_python, ok, root};
use crate::scenario::world::World;
use crate::support::vmacd::{Serve, Settings, run};
use crate::support::{eventually, free_port, run_dir, unique};

/// The manifests, each held against the schemas of Kubernetes.
fn rendered(values: &Value) -> Vec<Value> {
    let mut python = beside_python("python");
    let output = python.arg(root().join("tests/deploy/chart.py")).arg(values.to_string()).output();
    serde_json::from_str(&ok(output.expect("python"))).expect("JSON")
}

#[track_caller]
fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> &'a Value {
    manifests.iter().find(|manifest| manifest["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

fn settings_of(manifests: &[Value]) -> String {
    of_kind(manifests, "ConfigMap")["data"]["vmacd.toml"].as_str().expect("text").to_owned()
}

#[test]
fn the_chart_runs_every_container_as_nobody_on_a_file_system_that_it_cannot_change() {
    let manifests = rendered(&json!({}));
    for kind in ["Deployment", "Job"] {
        let pod = &of_kind(&manifests, kind)["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsUser"], 65534, "{kind}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{kind}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{kind}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{kind}");
        let context = &pod["containers"][0]["securityContext"];
        let wanted = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}
        });
        assert_eq!(*context, wanted, "{kind}");
    }
}

#[test]
fn the_charts_values_change_what_they_say_and_wrong_ones_are_refused() {
    let values = json!({
        "replicas": 1, "migrate": false, "image": {"repository": "registry.example/vmacd", "tag": "1.2.3"},
        "settings": {
            "drift": {"mode": "enforce"}, "limits": {"site_pushes_max": 3},
            "pools": {"customers": {"prefix": "02:4f:9a", "vlans": ["VLAN.13", "VLAN.14"]}},
        },
        "secrets": {
            "VMACD_DATABASE_URL": {"secret": "db", "key": "url"}, "VMACD_API_TOKEN": {"secret": "api", "key": "token"},
            "VMACD_SSH_KEY_FILE": {"secret": "ssh", "key": "id"},
        },
        "networkPolicy": {"enabled": true, "from": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]},
    });
    let manifests = rendered(&values);
    let kinds: Vec<&str> = manifests.iter().filter_map(|manifest| manifest["kind"].as_str()).collect();
    assert_eq!(
        kinds,
        ["NetworkPolicy", "ConfigMap", "Deployment", "Service"],
        "one worker has no budget for disruption"
    );
    let container = &of_kind(&manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example/vmacd:1.2.3");
    let names: Vec<&str> =
        container["env"].as_array().expect("a list").iter().filter_map(|of| of["name"].as_str()).collect();
    assert!(names.contains(&"VMACD_SSH_KEY_FILE") && names.contains(&"VMACD_API_TOKEN_FILE"), "{names:?}");
    let settings: toml::Table = settings_of(&manifests).parse().expect("TOML");
    assert_eq!(settings["limits"]["site_pushes_max"].as_integer(), Some(3));
    assert_eq!(settings["pools"]["customers"]["vlans"][1].as_str(), Some("VLAN.14"));

    let mut python = beside_python("python");
    let wrong = python.arg(root().join("tests/deploy/chart.py")).arg(json!({"replica": 3}).to_string()).output();
    let wrong = wrong.expect("python");
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("replica"), "{wrong:?}");
}

#[test]
fn the_chart_is_of_the_programs_version_and_its_variables_are_settings() {
    let chart = fs::read_to_string(root().join("deploy/helm/vmacd/Chart.yaml")).expect("Chart.yaml");
    for key in ["version", "appVersion"] {
        assert!(chart.contains(&format!("\n{key}: {}\n", env!("CARGO_PKG_VERSION"))), "{key} in {chart}");
    }
    let (manifests, settings) = (rendered(&json!({})), vmacd::config::variables());
    for kind in ["Deployment", "Job"] {
        let container = &of_kind(&manifests, kind)["spec"]["template"]["spec"]["containers"][0];
        for variable in container["env"].as_array().expect("a list") {
            let name = variable["name"].as_str().expect("a name");
            let plain = name.strip_suffix("_FILE").unwrap_or(name).to_owned();
            let is_known = name == "VMACD_CONFIG" || settings.contains(&plain) || settings.contains(&name.to_owned());
            assert!(is_known, "{name} is not a setting");
        }
    }
    let pod = &of_kind(&manifests, "Deployment")["spec"]["template"]["spec"];
    let grace_s = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    let defaults = vmacd::config::Settings::default();
    let stop_ms = 2 * defaults.ssh.commit_timeout_ms + 2 * defaults.worker.shutdown_grace_ms;
    assert!(grace_s * 1000 >= stop_ms, "a stop may take {stop_ms} ms");
}

/// A container's variables, with its mounts in this folder; its secrets become files there, with the world's values.
fn variables(container: &Value, folder: &Path, world: &World, http: u16) -> Settings {
    let here = |text: &str| text.replace("/etc/vmacd/", &format!("{}/", folder.display()));
    let mut settings = Settings::new().set("VMACD_BROKER_NAMESPACE", &world.namespace);
    for variable in container["env"].as_array().expect("a list") {
        let (name, value) = (variable["name"].as_str().expect("a name"), variable["value"].as_str().expect("text"));
        let secret = value.strip_prefix("/run/secrets/vmacd/").map(|secret| folder.join(secret));
        if let Some(file) = &secret {
            let plain = name.strip_suffix("_FILE").expect("the name of a file");
            fs::write(file, world.settings.get(plain).unwrap_or("a-token-of-the-test")).expect("a file");
        }
        let value = secret.map_or_else(|| here(value), |file| file.display().to_string());
        settings = settings.set(name, value.replace("0.0.0.0:8080", &format!("127.0.0.1:{http}")));
    }
    settings
}

/// As the container is confined: nobody, no capabilities, and nothing of the file system can be changed.
fn confined() -> Vec<String> {
    let script = "mount -o remount,bind,ro / && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
                  --no-new-privs --bounding-set=-all --inh-caps=-all \"$@\"";
    ["unshare", "--mount", "sh", "-c", script, "sh"].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn what_the_chart_starts_works_as_nobody_on_a_read_only_file_system() {
    if let Ok(why) = std::env::var("VMACD_TEST_NO_SYSTEMD") {
        eprintln!("not tested here: the chart's containers: {why}");
        return;
    }
    let manifests = rendered(&json!({"settings": {"drift": {"interval_ms": 0}}}));
    let world = World::real(1, 2).await;
    let folder = run_dir().join(unique("chart"));
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("vmacd.toml"), settings_of(&manifests)).expect("a file");
    let container = |kind: &str| of_kind(&manifests, kind)["spec"]["template"]["spec"]["containers"][0].clone();
    let words = |container: &Value| serde_json::from_value::<Vec<String>>(container["args"].clone()).expect("words");

    let http = free_port();
    let job = container("Job");
    let migrate = variables(&job, &folder, &world, http).through(confined());
    run(&words(&job).iter().map(String::as_str).collect::<Vec<_>>(), &migrate).await.ok();

    let deployment = container("Deployment");
    let settings = variables(&deployment, &folder, &world, http).through(confined());
    let arguments = words(&deployment);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let worker = Serve::start_command(&arguments, &settings, "ready").await;
    let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).expect("a process");
    assert!(
        status.contains("Uid:\t65534\t65534\t65534\t65534") && status.contains("CapEff:\t0000000000000000"),
        "{status}"
    );
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let url = format!("http://127.0.0.1:{http}{}", deployment[probe]["httpGet"]["path"].as_str().expect("a path"));
        eventually(&format!("{probe} is answered"), async || {
            let status = std::process::Command::new("curl").args(["-sf", &url]).output().expect("curl").status;
            if status.success() { Ok(()) } else { Err(status) }
        })
        .await;
    }
    let (server, address) = (world.server(0).to_string(), world.address(0, 9));
    world.vmacd(&["create", "--server", &server, "--ip", &address, "--wait"]).await;
    world.assert_consistent().await;
}
