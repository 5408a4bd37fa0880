//! Whose fault it is: that decides the exit code.

use std::process::ExitCode;

use super::output::printable_lines;
use crate::broker::ReplayError;
use crate::config::ConfigError;
use crate::domain::{AddressError, Failure, MacError, NameError, VmacNameError};
use crate::store::StoreError;
use crate::worker::WorkerError;

/// Why a verb ended without doing what was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// The input is at fault; exit code 1.
    Input(anyhow::Error),
    /// The service or its environment is at fault; exit code 2.
    Service(anyhow::Error),
}

impl Fault {
    /// The input is at fault, in this sentence.
    pub fn input(text: impl Into<String>) -> Self {
        Self::Input(anyhow::Error::msg(text.into()))
    }

    /// The service is at fault.
    pub fn service(error: impl Into<anyhow::Error>) -> Self {
        Self::Service(error.into())
    }

    /// Prints the fault with its causes to stderr and answers with its exit code.
    pub fn report(&self) -> ExitCode {
        let (error, code) = match self {
            Self::Input(error) => (error, 1),
            Self::Service(error) => (error, 2),
        };
        eprintln!("error: {}", printable_lines(&format!("{error:#}")));
        ExitCode::from(code)
    }
}

macro_rules! fault_of {
    ($($error:ty => $fault:ident),* $(,)?) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::$fault(error.into())
            }
        })*
    };
}

fault_of! {
    ConfigError => Input,
    NameError => Input,
    MacError => Input,
    AddressError => Input,
    VmacNameError => Input,
    Failure => Service,
    WorkerError => Service,
    crate::broker::BrokerError => Service,
    crate::sim::SimError => Service,
    std::io::Error => Service,
    serde_json::Error => Service,
}

impl From<ReplayError> for Fault {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Broker(error) => error.into(),
            ReplayError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if error.is_input() { Self::Input(error.into()) } else { Self::Service(error.into()) }
    }
}
