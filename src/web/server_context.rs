//! What the server needs beside what it serves.

use std::sync::Arc;

use super::access::guard::Access;
use super::health::HealthSource;
use crate::config::HttpSettings;
use crate::metrics::Metrics;

/// Health, access, limits and metrics.
pub struct ServerContext {
    /// The health of the process.
    pub health_source: Arc<dyn HealthSource>,
    /// Who may ask.
    pub access: Access,
    /// Its bounds.
    pub settings: HttpSettings,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
}
