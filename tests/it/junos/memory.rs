//! A large configuration is read without holding more than a small multiple of it.

use std::fmt::Write as _;

use crate::support::vmacd::{Serve, Settings};
use crate::support::{free_port, run_dir, unique};
use vmacd::domain::Inventory;
use vmacd::switch::{Credential, SwitchClient};

const BYTES: usize = 5_000_000;
/// Wire, text and tree at once, and the allocator's slack.
const MULTIPLE_MAX: usize = 6;

#[tokio::test]
async fn a_configuration_of_five_megabytes_is_read_in_a_small_multiple_of_its_size() {
    let file = run_dir().join(unique("large")).with_extension("conf");
    std::fs::write(&file, large_configuration()).expect("a file");
    let inventory = file.with_extension("json");
    let port = free_port().to_string();
    let [file, inventory] = [&file, &inventory].map(|path| path.display().to_string());
    // In a process of its own, so that this one holds nothing but the client.
    let arguments = ["--config", &file, "sim", "--port", &port, "--inventory", &inventory];
    let _sim = Serve::start_command(&arguments, &Settings::new(), "ready").await;
    let inventory: Inventory =
        serde_json::from_str(&std::fs::read_to_string(&inventory).expect("written")).expect("an inventory");
    let login = Credential { user: "vmacd".into(), password: Some("vmacd".into()), ..Credential::default() };
    let timeouts = crate::switch::bench::timeouts();
    let mut client = SwitchClient::connect(&inventory.switches[0], None, &login, &timeouts).await.expect("a session");
    let before = peak_bytes();
    let text = client.committed_text().await.expect("its configuration");
    assert!(text.len() > BYTES, "{} bytes", text.len());
    let ports = ["xe-0/0/1.0".parse().expect("a name")];
    client.port_vlans(ports.iter()).await.expect("read");
    let held = peak_bytes() - before;
    assert!(held < MULTIPLE_MAX * text.len(), "{held} bytes were held for {} read", text.len());
}

fn large_configuration() -> String {
    let mut text = String::from("system {\n    host-name large;\n}\ninterfaces {\n");
    let mut number = 0;
    while text.len() < BYTES {
        let _ = writeln!(text, "    xe-{}/0/{} {{\n        vlan-tagging;", number / 48, number % 48);
        for unit in 0..100 {
            let _ = writeln!(
                text,
                "        unit {unit} {{\n            description \"customer {number}, cabinet {unit}\";"
            );
            let _ = writeln!(text, "            vlan-id {};\n        }}", unit + 1);
        }
        text.push_str("    }\n");
        number += 1;
    }
    text.push_str("}\n");
    text
}

/// The most memory that this process ever held.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    let kilobytes: usize = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    kilobytes * 1024
}
