//! The snippets of `docs/ON-THE-SERVER.md`, run in network namespaces by `tests/on-the-server`.

use std::process::Command;

/// Runs that script; `tests/run` says it aloud where the machine does not allow namespaces, and sets the variable.
fn run(way: &str) {
    if let Ok(why) = std::env::var("VMACD_TEST_NO_NAMESPACES") {
        eprintln!("not tested here: {way}: {why}");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/on-the-server");
    let output = Command::new(script).arg(way).output().unwrap_or_else(|error| panic!("{script}: {error}"));
    assert!(output.status.success(), "{way}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_guarded_port_drops_the_extra_address_with_the_pxe_mac() {
    run("pxe_mac");
    run("pxe_mac_v6");
}

#[test]
fn a_guarded_port_passes_what_the_iproute2_snippets_send() {
    run("iproute2");
    run("iproute2_v6");
}

#[test]
fn a_guarded_port_passes_what_the_ifupdown_snippets_send() {
    run("ifupdown");
    run("ifupdown_v6");
}

#[test]
fn a_guarded_port_passes_what_the_networkd_snippets_send() {
    run("networkd");
    run("networkd_v6");
}
