//! Sends requests to webhooks: over HTTP or HTTPS with the system's roots, by no proxy, following no redirect.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use super::answer::{ANSWER_BYTES_MAX, Answer};
use super::message::{OutgoingEvent, WebhookMessage};
use super::resolver::CheckedResolver;
use crate::domain::{AllowedNets, InternalAddress, WebhookForm, WebhookSecret, WebhookUrl, chain};

/// How long a connection is kept for the next request.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// How many are kept.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    agent: Agent,
    answer_max: Duration,
}

impl WebhookClient {
    /// A client that reaches internal addresses in these nets alone, and waits for an answer this long, connecting included.
    pub fn new(allowed: AllowedNets, answer_max: Duration) -> Self {
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let config = Agent::config_builder()
            .timeout_global(Some(answer_max))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_age(IDLE_MAX)
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .proxy(None)
            .user_agent(concat!("vmacd/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build())
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), CheckedResolver { allowed });
        Self { agent, answer_max }
    }

    /// Sends the event of a test and waits for its answer.
    pub async fn send_test(
        &self,
        url: &WebhookUrl,
        form: WebhookForm,
        secrets: &[&WebhookSecret],
        now: DateTime<Utc>,
    ) -> Answer {
        self.send(url.clone(), WebhookMessage::new(&OutgoingEvent::test(now), form, secrets, now)).await
    }

    /// Sends a request and waits for its answer, in a thread of its own: one that is no longer waited for still ends in time.
    pub async fn send(&self, url: WebhookUrl, message: WebhookMessage) -> Answer {
        let client = self.clone();
        let sent = tokio::task::spawn_blocking(move || client.send_blocking(&url, &message)).await;
        sent.unwrap_or_else(|_| Answer::none("the request was broken off"))
    }

    fn send_blocking(&self, url: &WebhookUrl, message: &WebhookMessage) -> Answer {
        let request = self.agent.post(url.reveal()).content_type("application/json");
        let request =
            request.header("webhook-id", &message.id).header("webhook-timestamp", message.timestamp.to_string());
        match request.header("webhook-signature", &message.signature).send(&message.body) {
            Ok(mut response) => {
                let mut beginning = Vec::new();
                // The status says it all: a body that breaks off changes nothing.
                let _ = response.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut beginning);
                Answer::of_status(response.status().as_u16(), &beginning)
            }
            Err(error) => self.unanswered(&error),
        }
    }

    fn unanswered(&self, error: &ureq::Error) -> Answer {
        match error {
            ureq::Error::Other(source) if source.is::<InternalAddress>() => Answer::internal(&source.to_string()),
            ureq::Error::Timeout(_) => Answer::none(&format!("no answer within {} ms", self.answer_max.as_millis())),
            ureq::Error::HostNotFound => Answer::none("the name of the host cannot be resolved"),
            error => Answer::none(&chain(error)),
        }
    }
}
