//! A failure at one switch as a fault, with what to do about it there.

use crate::cli::fault::Fault;
use crate::cli::fault::hints::{DEFAULT_LOGIN, of_failure};
use crate::domain::{Code, Failure, Switch};

/// The fault; its hint names this switch in place of examples.
pub fn switch_fault(failure: Failure, switch: &Switch) -> Fault {
    let (name, host, port) = (&switch.name, &switch.host, switch.port);
    let hint = match failure.code {
        Code::Unreachable | Code::ConnectionLost => Some(format!(
            "the inventory has {host} port {port} for {name}: is it running, can this machine reach it, and does it have `set system \
             services netconf ssh`? `ssh -p {port} {host}` tests the same connection"
        )),
        Code::LoginRefused | Code::CredentialMissing if switch.credential.is_default() => {
            Some(format!("{name} uses the default login: {DEFAULT_LOGIN}; `vmacd config` shows what is set"))
        }
        Code::LoginRefused | Code::CredentialMissing => Some(format!(
            "{name} uses the credential `{0}`: section `[credentials.{0}]` of the settings file holds it, with `user` and \
             `password` or `key_file`",
            switch.credential.0
        )),
        code => of_failure(code).map(|hint| hint.replace("NAME", name.as_str())),
    };
    let fault = Fault::from(failure);
    match hint {
        Some(hint) => fault.with_hint(hint),
        None => fault,
    }
}
