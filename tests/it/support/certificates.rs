//! A private CA and a server's certificate for 127.0.0.1 and localhost.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{run_dir, unique};

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

const SIGN: [&str; 9] =
    ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy"];

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
        openssl(&dir, &[&["x509", "-req", "-in", "server.csr", "-out", "server.pem"], &SIGN[..]].concat());
        Self { dir }
    }

    /// Makes a client's certificate of this name by the same CA: `NAME.pem` and `NAME.key`, and both in `NAME.p12` with the
    /// passphrase `sesame`.
    pub fn client(&self, name: &str) {
        let file = |ending: &str| format!("{name}.{ending}");
        let (key, csr, pem, subject) = (file("key"), file("csr"), file("pem"), format!("/CN={name}"));
        // Without any extension it would be a certificate of X.509 version 1.
        let usage = ["-subj", &subject, "-addext", "extendedKeyUsage=clientAuth", "-keyout", &key, "-out", &csr];
        openssl(&self.dir, &[&["req"], &NEW_KEY[..], &usage].concat());
        openssl(&self.dir, &[&["x509", "-req", "-in", &csr, "-out", &pem], &SIGN[..]].concat());
        let whole = ["pkcs12", "-export", "-inkey", &key, "-in", &pem, "-passout", "pass:sesame", "-out", &file("p12")];
        openssl(&self.dir, &whole);
    }

    /// What a file holds.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).expect("a file")
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
