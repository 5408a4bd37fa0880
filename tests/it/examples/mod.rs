//! The programs of `examples/`, run as they stand against a real worker, RabbitMQ and simulated switches.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::scenario::world::World;
use crate::support::vmacd::{Output, Serve};

/// A server that no inventory has.
const UNKNOWN: &str = "999999";

/// Runs an example with these words before its own arguments: server, address and a reference.
async fn example(world: &World, serve: &Serve, program: &[&str], server: &str, address: &str) -> Output {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args([server, address, "order 7781"]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let amqp = world.settings.get("VMACD_AMQP_URL").expect("RabbitMQ");
    command
        .env("VMACD_AMQP_URL", amqp)
        .env("VMACD_BROKER_NAMESPACE", &world.namespace)
        .env("VMAC_URL", serve.http_url());
    let finished = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = finished.unwrap_or_else(|error| panic!("{}: {error}", program[0]));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The file of an example.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

/// What every example promises: the MAC of an address that is bound, and the reason of a refusal.
async fn binds_and_tells(program: &[&str]) {
    let world = World::real(1, 2).await;
    let serve = world.serve().await;
    let (server, address) = (world.server(0).to_string(), world.address(0, 1));
    let printed = example(&world, &serve, program, &server, &address).await.ok();
    let row = &world.until("active", 1).await[0];
    assert_eq!((row["ip_address"].as_str(), row["mac_address"].as_str()), (Some(&*address), Some(printed.trim())));
    assert_eq!((row["requested_by"].as_str(), row["reference"].as_str()), (Some("example"), Some("order 7781")));
    world.assert_consistent().await;

    let again = example(&world, &serve, program, &server, &address).await.ok();
    assert_eq!(again, printed, "asking again is answered with the same MAC");

    let refused = example(&world, &serve, program, UNKNOWN, &address).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("failed: unknown_server: "), "{refused:?}");
}

#[tokio::test]
async fn the_python_example_binds_an_address_and_tells_of_a_refusal() {
    let folder = file("python");
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/venv");
    let made = Command::new(venv).arg(folder.join("requirements.txt")).stderr(Stdio::inherit()).output();
    let made = made.await.expect("tests/clients/venv");
    assert!(made.status.success(), "pika is not installed");
    let python = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    binds_and_tells(&[&python, &folder.join("create.py").display().to_string()]).await;
}

#[tokio::test]
async fn the_php_example_binds_an_address_and_tells_of_a_refusal() {
    binds_and_tells(&["php", &file("php/create.php").display().to_string()]).await;
}

#[tokio::test]
async fn the_amqp_tools_example_binds_an_address_and_tells_of_a_refusal() {
    binds_and_tells(&[&file("shell/amqp.sh").display().to_string()]).await;
}

#[tokio::test]
async fn the_curl_example_binds_an_address_and_tells_of_a_refusal() {
    let program = file("shell/api.sh").display().to_string();
    binds_and_tells(&[&program]).await;
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    let refused = example(&world, &serve, &[&program], &world.server(0).to_string(), "224.0.0.1").await;
    assert_eq!(refused.code, Some(1), "what is refused at once is told too: {refused:?}");
    assert!(refused.stderr.starts_with("invalid_address: "), "{refused:?}");
}

#[test]
fn every_example_stands_in_the_index() {
    let index = std::fs::read_to_string(file("README.md")).expect("examples/README.md");
    for folder in ["php", "python", "shell"] {
        let files =
            std::fs::read_dir(file(folder)).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let programs = files.map(|name| name.to_string_lossy().into_owned());
        for program in programs.filter(|name| [".php", ".py", ".sh"].iter().any(|ending| name.ends_with(ending))) {
            assert!(index.contains(&format!("({folder}/{program})")), "{folder}/{program}");
        }
    }
}
