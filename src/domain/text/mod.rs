//! Text made safe to show: from outside, of URLs with passwords, of configurations with secrets.

pub(super) mod configuration;
pub(super) mod service_url;
pub(super) mod service_urls;
pub(super) mod shown;
