//! What `deploy/` has: the unit, the chart, the role and what a release is made of, run or rendered for real.

mod chart;
mod dns;
mod release;
mod role;
mod unit;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python of tests/deploy/requirements.txt.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let venv = root().join("tests/clients/venv");
    let made = Command::new(venv).arg(root().join("tests/deploy/requirements.txt")).stderr(Stdio::inherit()).output();
    let made = made.expect("tests/clients/venv");
    assert!(made.status.success(), "tests/deploy/requirements.txt cannot be installed: see above");
    String::from_utf8(made.stdout).expect("a path").trim().into()
});

/// A program that came with those packages.
fn beside_python(name: &str) -> Command {
    let mut command = Command::new(PYTHON.with_file_name(name));
    // What it calls is there too; nothing of whoever runs the tests is read or written.
    let path = std::env::var("PATH").unwrap_or_default();
    let here = PYTHON.parent().expect("a folder").display().to_string();
    command.env("PATH", format!("{here}:{path}")).env("ANSIBLE_HOME", crate::support::run_dir().join("ansible"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root());
    command
}

/// Standard output of a program that must have succeeded.
#[track_caller]
fn ok(output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
