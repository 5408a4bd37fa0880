//! What `docker compose --profile sim up` starts, run here without Docker: each service's own command and environment,
//! in the order of its dependencies, with loopback in place of the network between the containers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::postgres::{Database, fresh_database};
use crate::support::vmacd::{Output, Serve, Settings, run, run_program};
use crate::support::{Rabbit, eventually, free_port, run_dir, unique};

/// The services, as Compose sees them.
fn services() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The system's Python has PyYAML; one of a version manager may not.
    let output = Command::new("/usr/bin/python3").arg(root.join(".ci/check-compose")).arg("--json").output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// The services on this machine.
struct Composed {
    services: Value,
    /// What a word means in the containers, and what stands in its place here.
    here: Vec<(String, String)>,
    /// The namespace keeps it apart from other tests on the broker.
    namespace: String,
    _database: Database,
}

impl Composed {
    async fn new() -> Self {
        let services = services();
        let database = fresh_database().await;
        let volume: PathBuf = run_dir().join(unique("compose"));
        std::fs::create_dir(&volume).expect("a folder for the volume");
        let http = free_port();
        let here = vec![
            (postgres_url(&services), database.url()),
            (amqp_url(&services), Rabbit::shared().url().to_owned()),
            ("0.0.0.0:8080".to_owned(), format!("127.0.0.1:{http}")),
            ("/127.0.0.1/8080".to_owned(), format!("/127.0.0.1/{http}")),
            ("/inventory/".to_owned(), format!("{}/", volume.display())),
            ("0.0.0.0".to_owned(), "127.0.0.1".to_owned()),
        ];
        Self { services, here, namespace: Rabbit::namespace(), _database: database }
    }

    fn translated(&self, word: &str) -> String {
        self.here.iter().fold(word.to_owned(), |word, (there, here)| word.replace(there, here))
    }

    fn settings(&self, service: &str) -> Settings {
        let environment = self.services[service]["environment"].as_object().expect("an environment");
        let settings = Settings::new().set("VMACD_BROKER_NAMESPACE", &self.namespace);
        environment.iter().fold(settings, |settings, (name, value)| {
            settings.set(name, self.translated(value.as_str().expect("text")))
        })
    }

    fn command(&self, service: &str) -> Vec<String> {
        let command = words(&self.services[service]["command"]).into_iter().map(|word| self.translated(&word));
        let mut command: Vec<String> = command.collect();
        if service == "sim" {
            // The name by which containers reach it, and a port of this test's own.
            let at = command.iter().position(|word| word == "--advertise").expect("--advertise") + 1;
            assert_eq!(command[at], "sim", "the switches are reached by the service's name");
            command[at] = "127.0.0.1".to_owned();
            command.extend(["--port".to_owned(), "0".to_owned()]);
        }
        command
    }

    /// Runs a service that ends, or a verb in its place, as `docker compose run` does.
    async fn run(&self, service: &str, verb: Option<&[&str]>) -> Output {
        let command = verb.map_or_else(|| self.command(service), |verb| verb.iter().map(ToString::to_string).collect());
        run(&command.iter().map(String::as_str).collect::<Vec<_>>(), &self.settings(service)).await
    }

    /// Starts a service that runs on, and waits until it is healthy by its own check.
    async fn up(&self, service: &str) -> Serve {
        let command = self.command(service);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let serve = Serve::start_command(&command, &self.settings(service), "ready").await;
        let check = words(&self.services[service]["healthcheck"]["test"]);
        let check: Vec<String> = check.iter().map(|word| self.translated(word)).collect();
        let arguments: Vec<&str> = check[2..].iter().map(String::as_str).collect();
        assert_eq!(check[0], "CMD");
        eventually(&format!("{service} is healthy"), async || {
            let output = run_program(&check[1], &arguments, &Settings::new()).await;
            if output.code == Some(0) { Ok(()) } else { Err(output) }
        })
        .await;
        serve
    }

    /// That everything a service waits for comes before it.
    fn assert_order(&self, order: &[&str]) {
        for (at, service) in order.iter().enumerate() {
            let needs = self.services[service]["depends_on"].as_object().cloned().unwrap_or_default();
            for need in needs.keys().filter(|need| !["postgres", "rabbitmq"].contains(&need.as_str())) {
                assert!(order[..at].contains(&need.as_str()), "{service} waits for {need}");
            }
        }
    }
}

/// Where vmacd looks for Postgres: what the service `postgres` sets up.
fn postgres_url(services: &Value) -> String {
    let environment = &services["postgres"]["environment"];
    let [user, password, database] =
        ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"].map(|name| text(environment, name));
    let expected = format!("postgres://{user}:{password}@postgres:5432/{database}");
    assert_eq!(text(&services["vmacd"]["environment"], "VMACD_DATABASE_URL"), expected);
    expected
}

/// Where vmacd looks for RabbitMQ: what the service `rabbitmq` sets up.
fn amqp_url(services: &Value) -> String {
    let environment = &services["rabbitmq"]["environment"];
    let [user, password] = ["RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS"].map(|name| text(environment, name));
    let expected = format!("amqp://{user}:{password}@rabbitmq:5672/%2f");
    assert_eq!(text(&services["vmacd"]["environment"], "VMACD_AMQP_URL"), expected);
    expected
}

#[tokio::test]
async fn what_compose_starts_works_together() {
    let composed = Composed::new().await;
    composed.assert_order(&["migrate", "sim", "sim-import", "vmacd"]);
    composed.run("migrate", None).await.ok();
    let _sim = composed.up("sim").await;
    composed.run("sim-import", None).await.ok();
    let _vmacd = composed.up("vmacd").await;
    // The example in the head of the file.
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("compose.yaml")).expect("compose.yaml");
    let example = page.lines().find_map(|line| line.split_once("docker compose run --rm vmacd "));
    let example = example.expect("an example").1.split("  ").next().unwrap_or_default();
    let example: Vec<&str> = example.split_whitespace().collect();
    let created = composed.run("vmacd", Some(&example)).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let listed = composed.run("vmacd", Some(&["list", "--status", "active", "--json"])).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[test]
fn every_variable_of_the_services_is_a_setting() {
    let (services, settings) = (services(), vmacd::config::variables());
    let services = services.as_object().expect("services");
    let own = services.values().filter_map(|service| service["environment"].as_object());
    let names = own.flat_map(|environment| environment.keys()).filter(|name| name.starts_with("VMACD_"));
    let unknown: Vec<_> = names.filter(|name| !settings.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
