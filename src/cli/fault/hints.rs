//! What to do about an error, if that is known. The error itself says what is wrong.

use crate::broker::BrokerError;
use crate::config::ConfigError;
use crate::domain::Code;
use crate::store::StoreError;

const DATABASE: &str =
    "check `database.url` (VMACD_DATABASE_URL): is the database running, and can this machine reach it?";

/// What sets the default login.
pub const DEFAULT_LOGIN: &str =
    "VMACD_SSH_USER with VMACD_SSH_PASSWORD, VMACD_SSH_KEY_FILE or VMACD_SSH_AGENT (section `[ssh]`)";

/// For the settings.
pub fn of_config(error: &ConfigError) -> Option<String> {
    let hint = match error {
        ConfigError::Unreadable { .. } => {
            "the settings file is named by --config or VMACD_CONFIG; without them it is ./vmacd.toml or /etc/vmacd/vmacd.toml, if there is one"
        }
        ConfigError::UnreadableSecret { .. } => "give the path of a file that vmacd can read",
        ConfigError::Invalid { setting, .. } if setting == "api.token" => {
            "set VMACD_API_TOKEN, or VMACD_API_TOKEN_FILE, to a long random text"
        }
        ConfigError::Malformed { .. } | ConfigError::WrongForm { .. } | ConfigError::Invalid { .. } => {
            "docs/SETTINGS.md lists every setting with its range; `vmacd config` prints the current values"
        }
        ConfigError::UnknownVariable { nearest: Some(nearest), .. } => return Some(format!("did you mean {nearest}?")),
        ConfigError::UnknownVariable { nearest: None, .. } => {
            "`vmacd config --example` prints every setting; each is also a variable VMACD_<SECTION>_<KEY>"
        }
    };
    Some(hint.to_owned())
}

/// For the database.
pub fn of_store(error: &StoreError) -> Option<String> {
    let hint = match error {
        StoreError::Connect { url, .. } if url.scheme() == Some("sqlite") => {
            "check that this user may read and write the file and its folder"
        }
        StoreError::Connect { .. } | StoreError::Timeout { .. } => DATABASE,
        StoreError::TablesMissing | StoreError::TablesOld { .. } => "`vmacd migrate` brings the tables up to date",
        StoreError::TablesNew { .. } | StoreError::Migrate(_) => {
            "install the version of vmacd that these tables belong to"
        }
        StoreError::Unpack { .. } => "`backups.key_file` must contain the key that the backup was encrypted with",
        StoreError::NotFound { what: "virtual MAC", .. } => "`vmacd list` lists all virtual MACs",
        StoreError::NotFrozen(_) => "`vmacd freezes` lists what is frozen",
        StoreError::NotFound { what: "reservation", .. } => "`vmacd reservations` lists all reservations",
        StoreError::Refused(failure) => return of_failure(failure.code).map(str::to_owned),
        StoreError::NotFound { what: "dead letter", .. } => "`vmacd dead-letters list` lists those that are waiting",
        StoreError::NotFound { what: "backup", .. } => "`vmacd backups list SWITCH` lists a switch's backups",
        error if error.is_transient() => DATABASE,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// For the broker.
pub fn of_broker(error: &BrokerError) -> Option<String> {
    let hint = match error {
        BrokerError::Amqp { .. } | BrokerError::Timeout { .. } => {
            "check `amqp.url` (VMACD_AMQP_URL): is RabbitMQ running, and is amqp or amqps right for its port? If it resets the connection, it may want another client certificate (`amqp.cert_file`): its log says so"
        }
        BrokerError::Certificate { .. } => {
            "the host in `amqp.url` must be a name in the certificate, and `amqp.ca_file` (VMACD_AMQP_CA_FILE) its CA if the system does not trust it"
        }
        BrokerError::ClientCertificate { .. } => {
            "`amqp.cert_file` (VMACD_AMQP_CERT_FILE) must be signed by a CA that RabbitMQ trusts, be valid now, and go with its key; RabbitMQ's log says what it refused"
        }
        BrokerError::Refused { what, code, .. } => of_refusal(what, *code),
        BrokerError::Missing { .. } => {
            "start `vmacd serve` once with a login that may configure: it declares everything; or grant this login the permission (docs/OPERATING.md, \"RabbitMQ permissions\")"
        }
        BrokerError::ArchiveEnded => {
            "try again; `rabbitmqctl list_queues name type` shows whether vmac.archive is there, a stream"
        }
        BrokerError::NotTaken { .. } => "check RabbitMQ's alarms and the length of its queues",
        BrokerError::Store(error) => return of_store(error),
    };
    Some(hint.to_owned())
}

/// For what RabbitMQ refuses by this reply code.
fn of_refusal(what: &str, code: u16) -> &'static str {
    match (what, code) {
        ("connect", 403) => {
            "check user and password in `amqp.url` (VMACD_AMQP_URL); special characters of a password are percent-encoded there. A client certificate logs in with the plugin rabbitmq_auth_mechanism_ssl, as a user of the certificate's name (docs/OPERATING.md, \"A RabbitMQ cluster\")"
        }
        (_, 403) => {
            "an administrator of RabbitMQ must grant this login the permission: `rabbitmqctl set_permissions` (docs/OPERATING.md, \"RabbitMQ permissions\")"
        }
        (_, 406) => {
            "a queue or exchange of this name exists with other arguments: delete it when it is empty, or set `broker.namespace`"
        }
        (_, 530) => {
            "the virtual host at the end of `amqp.url` must exist, and the login must have permissions there: `rabbitmqctl list_permissions -p VHOST`"
        }
        _ => "`rabbitmqctl list_queues` and `rabbitmqctl list_exchanges` list what RabbitMQ has",
    }
}

/// For a failure; docs/ERRORS.md says more about each code.
pub fn of_failure(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::UnknownPool | Code::PoolExhausted => "`vmacd pools` shows the pools and how full they are",
        Code::ReservedDifferently => "`vmacd reservations` shows what is reserved; `vmacd release` ends a reservation",
        Code::HostKeyMissing => "`vmacd switches trust NAME` shows the switch's key and pins it",
        Code::HostKeyChanged => {
            "find out why; if the switch was replaced, `vmacd switches trust NAME` pins the new key"
        }
        Code::LoginRefused => {
            "`vmacd switches check NAME` tests the login; the default one is VMACD_SSH_USER with VMACD_SSH_PASSWORD or VMACD_SSH_KEY_FILE"
        }
        Code::CredentialMissing => {
            "the default login is VMACD_SSH_USER with VMACD_SSH_PASSWORD or VMACD_SSH_KEY_FILE (section `[ssh]`); another one that \
             the inventory names has a section `[credentials.NAME]` in the settings file"
        }
        Code::Unreachable | Code::ConnectionLost => "`vmacd switches check NAME` tests each step of the connection",
        Code::WorkerTrouble => {
            "this host has too few open files, memory or local ports; `ulimit -n` shows the limit of open files"
        }
        Code::LockedByOther => "wait until they have finished, or ask them",
        Code::CandidateDirty => "whoever made the edits must commit or discard them on the switch",
        Code::ConfirmPending => "wait until it is confirmed or rolled back",
        Code::Frozen => "`vmacd thaw SITE` ends the freeze; `backups restore` ignores it with --despite-freeze",
        Code::LeaseHeld => "wait until the worker is done, or give --timeout more time",
        Code::CommitUnanswered => {
            "check `show system commit` on the switch: it rolls back by itself unless it was confirmed"
        }
        Code::PermissionDenied => "the login's class on the switch must have permission to configure and to commit",
        _ => return None,
    })
}
