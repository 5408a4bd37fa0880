//! The systemd unit: how much of the machine it leaves exposed, and whether the worker still does its work.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::dns;
use crate::scenario::world::World;
use crate::support::vmacd::{Serve, Settings, run_program};
use crate::support::{eventually, free_port, run_dir, unique};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd/vmacd.service");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/under-systemd");
/// `systemd-analyze security` of systemd 252 says 1.1.
const EXPOSURE_MAX: f64 = 2.0;

/// `tests/run` says it aloud where the machine has no systemd or does not allow namespaces, and sets the variable.
fn is_tested_here(what: &str) -> bool {
    let why = std::env::var("VMACD_TEST_NO_SYSTEMD");
    if let Ok(why) = &why {
        eprintln!("not tested here: {what}: {why}");
    }
    why.is_err()
}

#[test]
fn the_unit_leaves_less_exposed_than_2_0_of_10() {
    if !is_tested_here("systemd-analyze security") {
        return;
    }
    let output =
        Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager", UNIT]).output().expect("run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let overall = text.lines().find_map(|line| line.split_once("Overall exposure level for vmacd.service: "));
    let exposure = overall.and_then(|(_, value)| value.split(' ').next()?.parse::<f64>().ok());
    assert!(exposure.is_some_and(|exposure| exposure < EXPOSURE_MAX), "{text}");
}

/// Services under a systemd of this test's own.
struct Systemd {
    folder: PathBuf,
    units: Serve,
}

impl Systemd {
    async fn start(folder: &Path, names: &[&str]) -> Self {
        let folder_name = folder.display().to_string();
        let arguments = [&[folder_name.as_str(), env!("CARGO_BIN_EXE_vmacd")], names].concat();
        let mut units = Serve::spawn_program(SCRIPT, &arguments, &Settings::new());
        for name in names {
            eventually(&format!("{name} is ready"), async || {
                let log = std::fs::read_to_string(folder.join(name).with_extension("log")).unwrap_or_default();
                match (log.contains("ready"), units.is_running()) {
                    (true, _) => Ok(()),
                    (false, true) => Err(log),
                    (false, false) => panic!("systemd ended: {}{log}", units.log()),
                }
            })
            .await;
        }
        Self { folder: folder.to_owned(), units }
    }

    /// As `systemctl stop` does.
    async fn stop(&self, name: &str) {
        let folder = self.folder.display().to_string();
        run_program(SCRIPT, &["stop", &folder, name], &Settings::new()).await.ok();
    }

    /// The process of that service, as this machine numbers it, by the port it listens on.
    fn status_of(&self, http_port: u16) -> String {
        let output = Command::new("ss").args(["-Hltnp", &format!("sport = :{http_port}")]).output().expect("ss");
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        let pid = line.split("pid=").nth(1).and_then(|rest| rest.split(',').next()).expect(&line);
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process")
    }
}

/// One service: its world, and the variables that differ from the world's.
struct Service {
    name: &'static str,
    world: World,
    http_port: u16,
}

impl Service {
    fn write(&self, folder: &Path, others: &[(&str, String)]) {
        let mut text = String::new();
        let own = [("VMACD_HTTP_ADDR", format!("127.0.0.1:{}", self.http_port))];
        let own = own.iter().chain(others);
        let (of_world, named) = (self.world.settings.all(), own.clone().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, value) in of_world.filter(|(name, _)| !named.contains(name) && *name != "VMACD_SSH_PASSWORD") {
            writeln!(text, "{name}={value}").expect("a string");
        }
        own.for_each(|(name, value)| writeln!(text, "{name}={value}").expect("a string"));
        std::fs::write(folder.join(self.name).with_extension("env"), text).expect("an environment file");
    }

    /// A create and a revoke, each as far as the switch.
    async fn works(&self) {
        let (server, address) = (self.world.server(0).to_string(), self.world.address(0, 9));
        for verb in ["create", "revoke"] {
            self.world.vmacd(&[verb, "--server", &server, "--ip", &address, "--wait"]).await;
        }
        self.world.assert_consistent().await;
    }
}

/// Switches by names that only DNS knows.
async fn by_name(world: &World) {
    let mut inventory = world.inventory.clone();
    for switch in inventory["switches"].as_array_mut().expect("switches") {
        switch["host"] = json!("switch.vmacd.test");
    }
    world.import(&inventory).await;
}

/// The Postgres of this run by its socket, which the services see as /run/postgresql.
fn by_socket(url: &str) -> String {
    let (user, rest) = url.split_once('@').expect("a login");
    let (authority, database) = rest.split_once('/').expect("a database");
    let port = authority.rsplit(':').next().expect("a port");
    format!("{user}@localhost:{port}/{database}?host=/run/postgresql")
}

#[tokio::test]
async fn a_worker_does_all_its_work_with_what_its_unit_leaves_it() {
    if !is_tested_here("the worker under its unit") {
        return;
    }
    let folder = run_dir().join(unique("unit"));
    std::fs::create_dir_all(folder.join("state/sqlite")).expect("a folder");
    std::fs::write(folder.join("secret"), "vmacd").expect("a secret");
    std::fs::write(folder.join("resolv.conf"), format!("nameserver {}\n", dns::ADDRESS)).expect("a file");
    std::os::unix::fs::symlink(run_dir().join("postgres/sock"), folder.join("sock")).expect("a link");
    let _dns = dns::start().await;

    let service = |name, world| Service { name, world, http_port: free_port() };
    let socket = service("socket", World::real(1, 2).await);
    by_name(&socket.world).await;
    let amqp = socket.world.settings.get("VMACD_AMQP_URL").expect("RabbitMQ").replace("127.0.0.1", "broker.vmacd.test");
    let postgres = by_socket(&socket.world.database().url());
    socket.write(&folder, &[("VMACD_AMQP_URL", amqp), ("VMACD_DATABASE_URL", postgres)]);
    let tcp = service("tcp", World::real(1, 2).await);
    tcp.write(&folder, &[]);
    let file = folder.join("state/sqlite/vmacd.db");
    let sqlite = service(
        "sqlite",
        World::embedded_in(
            &file,
            Settings::new(),
            vmacd::sim::Options { switches: 1, ports_per_switch: 2, ..Default::default() },
        )
        .await,
    );
    // Its own default: a file in StateDirectory.
    sqlite.write(&folder, &[("VMACD_DATABASE_URL", "sqlite://vmacd.db".to_owned())]);

    let services = [socket, tcp, sqlite];
    let systemd = Systemd::start(&folder, &services.each_ref().map(|service| service.name)).await;
    for service in &services {
        service.works().await;
        let status = systemd.status_of(service.http_port);
        for (key, value) in [("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapEff", "0000000000000000")] {
            assert!(
                status.lines().any(|line| line == format!("{key}:\t{value}")),
                "{key} of {}: {status}",
                service.name
            );
        }
        systemd.stop(service.name).await;
        let log = std::fs::read_to_string(folder.join(service.name).with_extension("log")).expect("its log");
        assert!(log.contains("stopping: finishing the commits in flight"), "{log}");
    }
    drop(systemd.units);
}
