//! OpenSSH's own server in front of a simulated switch, with the algorithms that a test allows.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::net::{TcpListener, TcpStream};
use vmacd::sim::SimHandle;

use super::{eventually, free_port, run_dir, unique};

/// Hands standard input and output to a TCP port, with nothing but bash.
const BRIDGE: &str = "exec 3<>/dev/tcp/127.0.0.1/$1; cat <&3 & reader=$!; cat >&3; kill $reader";

/// What the server offers.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    pub kex: &'static str,
    pub cipher: &'static str,
    pub mac: &'static str,
    pub host_key: &'static str,
    /// Whether NETCONF is a subsystem, or only a command.
    pub subsystem: bool,
}

/// A running server; ends with the value.
pub struct Sshd {
    child: Child,
    dir: PathBuf,
    pub port: u16,
}

impl Sshd {
    /// Starts one whose NETCONF is that of the switch. It takes [`Self::client_key`] for [`Self::user`].
    pub async fn start(sim: &SimHandle, offer: Offer) -> Self {
        let dir = run_dir().join(unique("sshd"));
        std::fs::DirBuilder::new().mode(0o700).create(&dir).expect("a folder");
        let key_type = if offer.host_key.contains("rsa") { "rsa" } else { "ed25519" };
        make_key(&dir.join("host"), key_type);
        make_key(&dir.join("client"), "rsa");
        std::fs::write(dir.join("bridge"), BRIDGE).expect("a file");
        let port = free_port();
        std::fs::write(dir.join("config"), config(&dir, port, bridge(sim.clone()).await, offer)).expect("a file");
        // Debian's server insists on it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let log = std::fs::File::create(dir.join("log")).expect("a file");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(dir.join("config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("openssh-server is installed by tests/run");
        let sshd = Self { child, dir, port };
        eventually("sshd listens", async || TcpStream::connect(("127.0.0.1", port)).await).await;
        sshd
    }

    /// `SHA256:...` of its host key.
    pub fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen").arg("-lf").arg(self.dir.join("host.pub")).output().expect("ssh-keygen");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    pub fn client_key(&self) -> PathBuf {
        self.dir.join("client")
    }

    /// The user that runs the tests: no other can be logged in without being root.
    pub fn user() -> String {
        let output = Command::new("id").arg("-un").output().expect("id");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn make_key(file: &Path, key_type: &str) {
    // The length counts for RSA alone: short enough to be made quickly.
    let made = Command::new("ssh-keygen").args(["-q", "-b", "2048", "-t", key_type, "-N", "", "-f"]).arg(file).status();
    assert!(made.is_ok_and(|status| status.success()), "ssh-keygen makes a key");
}

fn config(dir: &Path, port: u16, bridge_port: u16, offer: Offer) -> String {
    let Offer { kex, cipher, mac, host_key, subsystem } = offer;
    let dir = dir.display();
    // The client's key is an RSA key: old servers take it with SHA-1 alone.
    let signature = if host_key == "ssh-rsa" { "ssh-rsa" } else { "rsa-sha2-256" };
    let netconf = format!("/bin/bash {dir}/bridge {bridge_port}");
    let netconf = match subsystem {
        true => format!("Subsystem netconf {netconf}"),
        false => format!("ForceCommand {netconf}"),
    };
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/client.pub\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nKexAlgorithms {kex}\n\
         Ciphers {cipher}\nMACs {mac}\nHostKeyAlgorithms {host_key}\nPubkeyAcceptedAlgorithms {signature}\n\
         {netconf}\n"
    )
}

/// A TCP port behind which the switch speaks NETCONF without SSH.
pub async fn bridge(sim: SimHandle) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("a port").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sim = sim.clone();
            tokio::spawn(async move { sim.serve("vmacd", stream).await });
        }
    });
    port
}
