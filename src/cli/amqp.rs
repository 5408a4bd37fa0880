//! Where RabbitMQ is by the settings, with the files that they name.

use std::path::Path;

use crate::broker::{AmqpTarget, AmqpTls, ClientIdentity};
use crate::cli::fault::Fault;
use crate::config::AmqpSettings;

/// None for the embedded queue.
pub fn amqp_target(settings: &AmqpSettings) -> Result<Option<AmqpTarget>, Fault> {
    if settings.url.is_empty() {
        return Ok(None);
    }
    Ok(Some(AmqpTarget::new(&settings.url, AmqpTls { ca: ca(settings)?, identity: identity(settings)? })))
}

fn ca(settings: &AmqpSettings) -> Result<Option<String>, Fault> {
    let file = &settings.ca_file;
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    std::fs::read_to_string(file).map(Some).map_err(|error| wrong("amqp.ca_file", file, error))
}

fn identity(settings: &AmqpSettings) -> Result<Option<ClientIdentity>, Fault> {
    let file = &settings.cert_file;
    let Some(certificate) = bytes("amqp.cert_file", file)? else { return Ok(None) };
    let key = bytes("amqp.key_file", &settings.key_file)?;
    let identity = ClientIdentity::new(certificate, key, settings.key_passphrase.reveal());
    identity.map(Some).map_err(|error| wrong("amqp.cert_file", file, error))
}

fn bytes(setting: &str, file: &Path) -> Result<Option<Vec<u8>>, Fault> {
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    std::fs::read(file).map(Some).map_err(|error| wrong(setting, file, error))
}

fn wrong(setting: &str, file: &Path, problem: impl std::fmt::Display) -> Fault {
    Fault::input(format!("{setting} {}: {problem}", file.display()))
}
