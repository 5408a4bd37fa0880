//! Calls `tests/servers`.

use std::process::Command;

/// Runs one verb and returns its standard output; panics with its standard error when it fails.
pub fn call(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers");
    let output = Command::new(script)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("{script} could not be run: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/servers {}: {errors}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// A server of one test alone, with data that outlives a crash; killed when dropped.
#[derive(Debug)]
pub struct Private {
    kind: &'static str,
    name: String,
    /// Its URL, the same after each start.
    pub url: String,
    running: bool,
}

impl Private {
    /// Starts a server of that kind (`rabbitmq`, `postgres`) and waits until it answers.
    pub fn start(kind: &'static str, variables: &[(&str, &str)]) -> Self {
        let name = super::unique(kind);
        let mut server = Self { kind, name, url: String::new(), running: true };
        server.url = call(&["start", kind, &server.name], variables);
        server
    }

    /// SIGKILL, as a crash would; returns when the process is gone.
    pub fn kill9(&mut self) {
        self.running = false;
        call(&["kill", &self.name], &[]);
    }

    /// A clean stop; returns when the process is gone.
    pub fn stop(&mut self) {
        self.running = false;
        call(&["stop", &self.name], &[]);
    }

    /// Starts it again on the same data and port.
    pub fn start_again(&mut self) {
        self.running = true;
        call(&["start", self.kind, &self.name], &[]);
    }

    /// Its name in the run directory.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Not kill9(): a panic while panicking would hide the first. tests/run reports what is left.
        if self.running {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers");
            let _ = Command::new(script).args(["kill", &self.name]).status();
        }
    }
}
