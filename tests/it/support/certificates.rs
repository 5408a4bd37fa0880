//! A private CA and a server's certificate for 127.0.0.1 and localhost.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{run_dir, unique};

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// The files, in PEM form.
pub struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    pub fn make() -> Self {
        let dir = run_dir().join(unique("certificates"));
        std::fs::create_dir(&dir).expect("a folder");
        let ca = ["-x509", "-days", "2", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(&dir, &[&["req"], &NEW_KEY[..], &ca].concat());
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        let request = ["-subj", "/CN=localhost", "-addext", names, "-keyout", "server.key", "-out", "server.csr"];
        openssl(&dir, &[&["req"], &NEW_KEY[..], &request].concat());
        let sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy"];
        openssl(&dir, &[&["x509", "-req", "-in", "server.csr", "-out", "server.pem"], &sign[..]].concat());
        Self { dir }
    }

    /// The folder with `ca.pem`, `server.pem` and `server.key`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// The CA's certificate as text.
    pub fn ca(&self) -> String {
        std::fs::read_to_string(self.file("ca.pem")).expect("the CA")
    }
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(dir).args(arguments).output().expect("openssl is installed");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
