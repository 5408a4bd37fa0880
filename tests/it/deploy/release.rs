//! What a release is made of besides its binaries: the SBOM, the check for known vulnerabilities and the sums.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{beside_python, ok, root};

fn sbom() -> String {
    ok(Command::new(root().join("deploy/sbom")).output().expect("deploy/sbom, with python3 of 3.11 or newer"))
}

#[test]
fn the_sbom_is_valid_cyclonedx() {
    let mut python = beside_python("python");
    let script = root().join("tests/deploy/sbom.py");
    let mut validator = python.arg(script).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python");
    validator.stdin.take().expect("a pipe").write_all(sbom().as_bytes()).expect("written");
    ok(validator.wait_with_output().expect("an end"));
}

#[test]
fn the_sbom_has_what_is_shipped_with_its_hash_and_licence_and_nothing_of_the_tests() {
    let sbom: Value = serde_json::from_str(&sbom()).expect("JSON");
    assert_eq!(sbom["metadata"]["component"]["name"], "vmacd");
    let components = sbom["components"].as_array().expect("a list");
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    for crate_name in ["lapin", "russh", "sqlx", "libsqlite3-sys", "cc"] {
        assert!(has(crate_name), "{crate_name} is compiled into vmacd or builds it");
    }
    for crate_name in ["fantoccini", "proptest", "stateright"] {
        assert!(!has(crate_name), "{crate_name} is for tests alone");
    }
    let unclear = components.iter().filter(|component| {
        component["hashes"][0]["alg"] != "SHA-256" || component["licenses"][0]["expression"].is_null()
    });
    let unclear: Vec<_> = unclear.map(|component| component["purl"].to_string()).collect();
    assert!(unclear.is_empty(), "without a hash or a licence: {unclear:?}");
}

/// The image is made by docker, podman or buildah, of base images from a registry; `.ci/check-compose` and the chart's tests
/// hold what can be held without.
#[test]
fn the_release_script_makes_all_that_is_named_in_operating() {
    let script = std::fs::read_to_string(root().join("deploy/release")).expect("deploy/release");
    for part in ["deploy/debian/build", "build_image", "deploy/sbom", ".ci/advisories", "sha256sum"] {
        assert!(script.contains(part), "{part}");
    }
    let page = std::fs::read_to_string(root().join("docs/OPERATING.md")).expect("docs/OPERATING.md");
    assert!(page.contains("    deploy/release\n"));
}
