//! The real binary, run as its users run it.

use super::{eventually, free_port, run_dir, unique};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The environment of one `vmacd`: nothing of the tests' own environment gets in.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: BTreeMap<String, String>,
    /// Put before each program, such as `nsenter` and its arguments.
    prefix: Vec<String>,
}

impl Settings {
    /// No settings at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable, such as `VMACD_AMQP_URL`.
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.insert(name.to_string(), value.to_string());
        self
    }

    /// Takes a variable away.
    pub fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Runs every program through this one, which must `exec` it: its process is the program's.
    pub fn through(mut self, prefix: Vec<String>) -> Self {
        self.prefix = prefix;
        self
    }

    /// Every variable with its value.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value that was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let words: Vec<&str> = self.prefix.iter().map(String::as_str).chain([program]).collect();
        let mut command = Command::new(words[0]);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // TEST_RUN is how tests/run finds a process that a test forgot.
        command.args(&words[1..]).args(arguments).env_clear().env("PATH", path).env("TEST_RUN", run_dir());
        command.envs(&self.variables);
        command.current_dir(run_dir()).stdin(Stdio::null());
        command
    }
}

/// What a finished command left.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Messages.
    pub stderr: String,
}

impl Output {
    /// Standard output, of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard output as JSON, of a command that must have succeeded.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
    }
}

/// Runs `vmacd` with these arguments to its end, in the run directory.
pub async fn run(arguments: &[&str], settings: &Settings) -> Output {
    run_program(env!("CARGO_BIN_EXE_vmacd"), arguments, settings).await
}

/// Runs any program that way.
pub async fn run_program(program: &str, arguments: &[&str], settings: &Settings) -> Output {
    let log = run_dir().join(unique("run"));
    let [out, err] = ["out", "err"].map(|ending| log.with_extension(ending));
    let mut command = settings.command(program, arguments);
    command.stdout(File::create(&out).expect("a file for stdout")).stderr(File::create(&err).expect("a file"));
    let mut child = Reaped(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")));
    let what = format!("{program} {} ends", arguments.join(" "));
    let status = eventually(&what, async || child.0.try_wait().expect("our own child")).await;
    let read = |path| std::fs::read_to_string(path).expect("captured output is UTF-8");
    Output { code: status.code(), stdout: read(out), stderr: read(err) }
}

/// Runs `vmacd` on a terminal of this many columns, with `typed` at its keyboard; its stdout holds all that the terminal
/// got. `script` (util-linux) makes the terminal.
pub async fn run_on_terminal(arguments: &[&str], settings: &Settings, columns: u16, typed: &str) -> Output {
    let log = run_dir().join(unique("terminal"));
    let line =
        format!("stty cols {columns} rows 30 -echo; exec {} {}", env!("CARGO_BIN_EXE_vmacd"), arguments.join(" "));
    let keyboard = log.with_extension("in");
    std::fs::write(&keyboard, typed).expect("a file");
    let mut command = settings.command("script", &["-qefc", &line, "/dev/null"]);
    let out = log.with_extension("out");
    command.env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(File::open(&keyboard).expect("a file"));
    command.stdout(File::create(&out).expect("a file")).stderr(Stdio::null());
    let mut child = Reaped(command.spawn().expect("script, of util-linux"));
    let what = format!("vmacd {} ends", arguments.join(" "));
    let status = eventually(&what, async || child.0.try_wait().expect("our own child")).await;
    let stdout = std::fs::read_to_string(out).expect("captured output is UTF-8");
    Output { code: status.code(), stdout, stderr: String::new() }
}

/// A child that does not outlive the test, however that ends.
#[derive(Debug)]
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that runs until it is told to stop: `vmacd serve`, or another that says when it is ready.
/// Its log is printed when the test fails.
#[derive(Debug)]
pub struct Serve {
    child: Reaped,
    log: PathBuf,
    name: String,
    http_port: u16,
}

impl Serve {
    /// Starts `vmacd serve` on a reserved HTTP port and waits for the line that says `ready`.
    pub async fn start(settings: &Settings) -> Self {
        Self::start_version(env!("CARGO_BIN_EXE_vmacd"), settings).await
    }

    /// The same of another version's binary.
    pub async fn start_version(program: &str, settings: &Settings) -> Self {
        let mut serve = Self::spawn_version(program, settings);
        serve.wait_for_line("ready").await;
        serve
    }

    /// Starts `vmacd serve` and does not wait: it may find its servers away, and end.
    pub fn spawn(settings: &Settings) -> Self {
        Self::spawn_version(env!("CARGO_BIN_EXE_vmacd"), settings)
    }

    /// The same of another version's binary.
    pub fn spawn_version(program: &str, settings: &Settings) -> Self {
        let http_port = free_port();
        let settings = settings.clone().set("VMACD_HTTP_ADDR", format!("127.0.0.1:{http_port}"));
        let mut serve = Self::launch(program, &["serve"], &settings);
        serve.http_port = http_port;
        serve
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        self.child.0.try_wait().expect("our own child").is_none()
    }

    /// Starts another verb that runs on, such as `sim`, and waits until its output has a line with `ready`.
    pub async fn start_command(arguments: &[&str], settings: &Settings, ready: &str) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_vmacd"), arguments, settings, ready).await
    }

    /// Starts any program that way.
    pub async fn start_program(program: &str, arguments: &[&str], settings: &Settings, ready: &str) -> Self {
        let mut serve = Self::launch(program, arguments, settings);
        serve.wait_for_line(ready).await;
        serve
    }

    /// Starts another verb and does not wait.
    pub fn spawn_command(arguments: &[&str], settings: &Settings) -> Self {
        Self::launch(env!("CARGO_BIN_EXE_vmacd"), arguments, settings)
    }

    /// Starts any program and does not wait.
    pub fn spawn_program(program: &str, arguments: &[&str], settings: &Settings) -> Self {
        Self::launch(program, arguments, settings)
    }

    fn launch(program: &str, arguments: &[&str], settings: &Settings) -> Self {
        let name = arguments.first().copied().unwrap_or(program).to_string();
        let log = run_dir().join(unique("serve")).with_extension("log");
        let file = File::create(&log).expect("the run directory is writable");
        let mut command = settings.command(program, arguments);
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let child = Reaped(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")));
        Self { child, log, name, http_port: 0 }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// The base URL of its API and page.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Asks its HTTP side for a path: the status and the body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let address = format!("127.0.0.1:{}", self.http_port);
        let mut stream = TcpStream::connect(&address).await.expect("its HTTP port takes connections");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// The most memory it has held at once, in MB of 1,000,000 bytes.
    pub fn peak_memory_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel keeps count");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024 / 1_000_000
    }

    /// All it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until its log has a line with `text` and returns that line; panics when the program ends before.
    pub async fn wait_for_line(&mut self, text: &str) -> String {
        let what = format!("{} logs {text:?}", self.name);
        eventually(&what, async || {
            let ended = self.child.0.try_wait().expect("our own child");
            // The log is read after the look at the process: a last line of one that ended is not missed.
            match (self.log().lines().find(|line| line.contains(text)), ended) {
                (Some(line), _) => Ok(line.to_string()),
                (None, Some(status)) => panic!("{what}: it ended first, {status}"),
                (None, None) => Err("no such line"),
            }
        })
        .await
    }

    /// SIGKILL, as a crash would; returns when it is gone.
    pub fn kill9(&mut self) {
        self.child.0.kill().expect("our own child");
        self.child.0.wait().expect("our own child");
    }

    /// Asks it to stop, as an operator would.
    pub fn sigterm(&self) {
        self.signal("TERM");
    }

    /// Sends any signal by name: `STOP` and `CONT` make a worker that lost its lease without knowing.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name} {}", self.pid());
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(&what, async || self.child.0.try_wait().expect("our own child")).await
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of {} (pid {}) ----\n{}----", self.name, self.pid(), self.log());
        }
    }
}
