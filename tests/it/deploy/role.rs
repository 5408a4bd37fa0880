//! The Ansible role: linted, and what it writes read by the program and by a shell.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use super::{PYTHON, beside_python, ok, root};
use crate::support::vmacd::{Settings, run};
use crate::support::{run_dir, unique};

#[test]
fn the_role_passes_the_linter_with_the_rules_for_production() {
    let folder = root().join("deploy/ansible");
    let mut lint = beside_python("ansible-lint");
    let lint =
        lint.args(["--offline", "--profile", "production", "--nocolor", "site.yml", "roles"]).current_dir(&folder);
    ok(lint.output().expect("ansible-lint"));
    let mut syntax = beside_python("ansible-playbook");
    let syntax = syntax.args(["--syntax-check", "--inventory", "localhost,", "site.yml"]).current_dir(folder);
    ok(syntax.output().expect("ansible-playbook"));
}

/// The role without its handlers, which restart a service: the playbook of the test has one that does not.
fn role_without_handlers() -> std::path::PathBuf {
    let roles = run_dir().join(unique("roles"));
    fs::create_dir_all(roles.join("vmacd")).expect("a folder");
    for part in ["defaults", "tasks", "templates", "meta"] {
        let part_of_role = root().join("deploy/ansible/roles/vmacd").join(part);
        std::os::unix::fs::symlink(part_of_role, roles.join("vmacd").join(part)).expect("a link");
    }
    roles
}

#[tokio::test]
async fn what_the_role_writes_is_read_by_vmacd_and_by_a_shell() {
    let folder = run_dir().join(unique("role"));
    let token = "a\"b$c`d\\e f'g";
    let variables = json!({
        "ansible_python_interpreter": PYTHON.display().to_string(),
        "vmacd_config_folder": folder.display().to_string(),
        "vmacd_settings": {
            "drift": {"mode": "enforce"}, "limits": {"site_pushes_max": 3},
            "pools": {"customers": {"prefix": "02:4f:9a", "vlans": ["VLAN.13", "VLAN.14"]}},
        },
        "vmacd_secrets": {"VMACD_API_TOKEN": token, "VMACD_DATABASE_URL": "postgres://u:p@h/db"},
        "vmacd_ssh_key": "not a key\n",
    });
    let mut playbook = beside_python("ansible-playbook");
    let playbook = playbook.args(["--inventory", "localhost,", "tests/deploy/role.yml", "--extra-vars"]);
    let playbook = playbook.arg(variables.to_string()).env("ANSIBLE_ROLES_PATH", role_without_handlers());
    let told = ok(playbook.output().expect("ansible-playbook"));
    assert!(told.contains("failed=0") && !told.contains(token), "{told}");
    let mode = |name: &str| fs::metadata(folder.join(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!([mode("vmacd.toml"), mode("environment"), mode("ssh_key")], [0o644, 0o600, 0o600]);

    let file = folder.join("vmacd.toml").display().to_string();
    let config = run(&["config", "--config", &file, "--json"], &Settings::new()).await.json();
    assert_eq!((&config["drift"]["mode"], &config["limits"]["site_pushes_max"]), (&json!("enforce"), &json!(3)));
    assert_eq!(config["database"]["migrate"], "never", "{config}");

    let script = format!("set -a; . {}/environment; printf %s \"$VMACD_API_TOKEN\"", folder.display());
    let read = Command::new("sh").args(["-c", &script]).output().expect("sh");
    assert_eq!(String::from_utf8_lossy(&read.stdout), token);
}
