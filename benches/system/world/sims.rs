//! Simulated switches, as processes of their own.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::process::cpu_seconds;
use crate::support::vmacd::{Serve, Settings};
use crate::support::{run_dir, unique};

/// What one process of the simulator may hold.
const PER_PROCESS_MAX: usize = 250;

/// The estate that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Estate {
    pub switches: usize,
    /// Server ports on each, one server a port.
    pub ports: usize,
    /// How long a commit takes, such as `2s`.
    pub commit_time: &'static str,
    /// Further flags of `vmacd sim`, in one text.
    pub sim_flags: &'static str,
}

/// Running switches.
pub struct Sims {
    processes: Vec<Serve>,
    control: PathBuf,
    /// What `vmacd inventory import` takes, of all of them together.
    pub inventory: Value,
}

impl Sims {
    /// Starts fresh ones.
    pub async fn start(estate: Estate) -> Self {
        let control = file("control").with_extension("sock");
        let mut sims = Self { processes: Vec::new(), control, inventory: json!({"switches": [], "servers": []}) };
        let mut left = estate.switches;
        while left > 0 {
            let switches = left.min(PER_PROCESS_MAX);
            sims.add(Estate { switches, ..estate }).await;
            left -= switches;
        }
        sims
    }

    async fn add(&mut self, estate: Estate) {
        let file = file("sim");
        let (switches, ports) = (estate.switches.to_string(), estate.ports.to_string());
        let path = file.display().to_string();
        let numbers = ["sim", "--switches", &switches, "--ports-per-switch", &ports, "--port", "0"];
        let control = self.control.display().to_string();
        let mut arguments = [&numbers[..], &["--commit-time", estate.commit_time, "--inventory", &path]].concat();
        arguments.extend(estate.sim_flags.split_whitespace());
        if self.processes.is_empty() {
            arguments.extend(["--control", &control]);
        }
        let process = Serve::start_command(&arguments, &Settings::new(), "ready").await;
        let text = std::fs::read_to_string(&file).expect("the simulator wrote its inventory");
        let mut inventory: Value = serde_json::from_str(&text).expect("JSON");
        set_apart(&mut inventory, self.processes.len());
        for part in ["switches", "servers"] {
            let more = inventory[part].as_array_mut().map(std::mem::take).unwrap_or_default();
            self.inventory[part].as_array_mut().expect("a list").extend(more);
        }
        self.processes.push(process);
    }

    /// Gives switches of the first process an order over their control socket, such as `sw-001 holds`; returns the answer.
    pub async fn order(&self, order: &str) -> String {
        let mut stream = UnixStream::connect(&self.control).await.expect("the control socket");
        stream.write_all(format!("{order}\n").as_bytes()).await.expect("sent");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await.expect("an answer");
        let answer = answer.trim();
        let rest = answer.strip_prefix("ok").unwrap_or_else(|| panic!("{order}: {answer}"));
        rest.trim_start().to_owned()
    }

    /// Seconds of CPU that the switches have used.
    pub fn cpu_seconds(&self) -> f64 {
        self.processes.iter().map(|process| cpu_seconds(process.pid())).sum()
    }

    /// The inventory in a file.
    pub fn inventory_file(&self) -> PathBuf {
        let path = file("inventory");
        std::fs::write(&path, self.inventory.to_string()).expect("the run directory is writable");
        path
    }
}

/// Each process counts from the same names, numbers and addresses: those of the second and later ones are moved.
fn set_apart(inventory: &mut Value, process: usize) {
    if process == 0 {
        return;
    }
    let named = |value: &Value| json!(format!("s{process}-{}", value.as_str().unwrap_or_default()));
    for switch in inventory["switches"].as_array_mut().into_iter().flatten() {
        switch["name"] = named(&switch["name"]);
    }
    for server in inventory["servers"].as_array_mut().into_iter().flatten() {
        server["id"] = json!(server["id"].as_u64().unwrap_or_default() + process as u64 * 1_000_000);
        let (ip, mac) = (server["primary_ip"].as_str(), server["pxe_mac"].as_str());
        let (ip, mac) = (ip.unwrap_or_default(), mac.unwrap_or_default());
        let moved = [
            ip.replacen("10.", &format!("{}.", 10 + process), 1),
            mac.replacen(":00:", &format!(":{process:02x}:"), 1),
        ];
        [server["primary_ip"], server["pxe_mac"]] = moved.map(|text| json!(text));
        server["ports"][0]["switch"] = named(&server["ports"][0]["switch"]);
    }
}

fn file(name: &str) -> PathBuf {
    run_dir().join(unique(name)).with_extension("json")
}
