//! Sending spans to an OpenTelemetry collector: OTLP over HTTP, protobuf
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! Spans are handed to a thread of the exporter's own, which sends them by the batch; the work never waits for it.
//! When the collector does not take them they are lost, and that is logged once until it does again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Layer, Registry};

use super::spans::SPANS;
use crate::config::TelemetrySettings;
use crate::domain::chain;

/// Longest time for one batch to be sent.
const SEND_MAX: Duration = Duration::from_secs(2);
/// Longest time that a shutdown waits for the last batch.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// Time that a span waits for others to be sent with.
const GATHER: Duration = Duration::from_secs(1);
/// Spans that wait to be sent; more are dropped.
const QUEUE_MAX: usize = 1 << 15;
/// Links of one span: a push carries as many messages as `worker.changes_per_commit_max` and more.
const LINKS_MAX: u32 = 1 << 14;

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.otlp_endpoint: no traces can be sent to {endpoint}")]
pub struct TelemetryError {
    endpoint: String,
    source: Box<opentelemetry_otlp::ExporterBuildError>,
}

/// The running export. When it is dropped, what is left is sent within two seconds.
#[derive(Debug)]
pub struct Exporting(Option<SdkTracerProvider>);

impl Exporting {
    /// No export at all.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    /// What turns the spans of [`SPANS`], and no others, into exported ones.
    pub(super) fn layer(&self) -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
        let tracer = self.0.as_ref()?.tracer("vmacd");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let lean = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        Some(Box::new(lean.with_filter(Targets::new().with_target(SPANS, Level::TRACE))))
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        // That the last spans could not be sent was logged by whoever tried.
        let _ = self.0.take().map(|provider| provider.shutdown_with_timeout(FLUSH_MAX));
    }
}

/// Starts the export.
pub(super) fn to(settings: &TelemetrySettings) -> Result<Exporting, TelemetryError> {
    let endpoint = format!("{}/v1/traces", settings.otlp_endpoint.reveal().trim_end_matches('/'));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&endpoint)
        .with_timeout(SEND_MAX)
        .build()
        .map_err(|source| TelemetryError { endpoint: endpoint.clone(), source: Box::new(source) })?;
    let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE_MAX).with_scheduled_delay(GATHER).build();
    let exporter = ToldOnce { exporter, endpoint, is_failing: AtomicBool::new(false) };
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(sampler)
        .with_max_links_per_span(LINKS_MAX)
        .with_resource(Resource::builder().with_service_name(settings.service_name.clone()).build())
        .build();
    Ok(Exporting(Some(provider)))
}

/// Logs that spans cannot be sent, once until they can be again.
#[derive(Debug)]
struct ToldOnce {
    exporter: opentelemetry_otlp::SpanExporter,
    endpoint: String,
    is_failing: AtomicBool,
}

impl ToldOnce {
    fn tell(&self, result: &OTelSdkResult) {
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                tracing::warn!(
                    endpoint = self.endpoint,
                    error = chain(error),
                    "traces are not exported; spans are lost"
                );
            }
            Ok(()) if was_failing => tracing::info!(endpoint = self.endpoint, "traces are exported again"),
            _ => {}
        }
    }
}

impl SpanExporter for ToldOnce {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        self.tell(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The HTTP client of the exporter's thread, which may block.
#[derive(Debug)]
struct Client(ureq::Agent);

impl Client {
    fn new() -> Self {
        let config =
            ureq::Agent::config_builder().timeout_global(Some(SEND_MAX)).http_status_as_error(false).proxy(None);
        Self(config.build().new_agent())
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let (head, mut body) = self.0.run(Request::from_parts(head, &body[..]))?.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}
