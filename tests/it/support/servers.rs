//! Calls `tests/servers`.

use std::process::Command;

/// Runs one verb and returns its standard output; panics with its standard error when it fails.
pub fn call(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    call_through(&[], arguments, variables)
}

/// The same through another program, such as `nsenter` with its arguments.
fn call_through(prefix: &[String], arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers");
    let words: Vec<&str> = prefix.iter().map(String::as_str).chain([script]).collect();
    let output = Command::new(words[0])
        .args(&words[1..])
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

    /// Starts one of that name through another program, which sees its folder.
    pub fn start_through(prefix: &[String], kind: &'static str, name: String) -> Self {
        let mut server = Self { kind, name, url: String::new(), running: true };
        server.url = call_through(prefix, &["start", kind, &server.name], &[]);
        server
    }

    /// Starts it again that way.
    pub fn start_again_through(&mut self, prefix: &[String]) {
        self.running = true;
        call_through(prefix, &["start", self.kind, &self.name], &[]);
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

    /// Starts it again as a server of another kind.
    pub fn start_again_as(&mut self, kind: &'static str, variables: &[(&str, &str)]) {
        (self.kind, self.running) = (kind, true);
        call(&["start", kind, &self.name], variables);
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name} of {}", self.name);
    }

    fn pid(&self) -> String {
        let pid = std::fs::read_to_string(super::run_dir().join("pids").join(&self.name)).unwrap_or_default();
        pid.trim().to_owned()
    }

    /// True until its process has ended.
    pub fn is_running(&self) -> bool {
        // What has ended and was not waited for is a zombie.
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        !status.is_empty() && !status.contains(") Z")
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
