//! `/api/v1`: everything that the command line can do to commands, dead letters, switches and backups, described by an
//! OpenAPI document that is made from the code.
//!
//! A request that changes something on a switch publishes the same command as a producer would over AMQP; nothing here writes a
//! row that the worker writes. One file a resource; `views` are the shapes, `problem` the refusals, `paging` the lists;
//! `schemas` and `asyncapi` describe the messages over AMQP.

mod asyncapi;
mod audit_log;
mod commands;
mod dead_letter_views;
mod dead_letters;
mod deliveries;
pub(super) mod docs;
pub(super) mod dry_run;
pub(super) mod extract;
mod freezes;
pub(super) mod health;
mod history;
mod inventory;
mod moves_and_rotations;
mod paging;
mod pools;
pub(super) mod problem;
pub(super) mod queue;
pub(super) mod replays;
mod reservations;
mod schemas;
mod switches;
mod tokens;
mod views;
mod vmacs;
mod webhook_views;
mod webhooks;

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::schemas::BASE;
use crate::web::access::permissions;
use crate::web::app_state::AppState;
use crate::web::health::HealthSource;

pub use dry_run::{DryRunChange, DryRunReport, DryRunSwitch, DryRunner};

#[derive(OpenApi)]
#[openapi(
    info(title = "vmacd", description = "Virtual MAC addresses for extra IP addresses on Juniper switch ports"),
    tags(
        (name = "vmacs", description = "Virtual MACs and the requests for them"),
        (name = "dead letters", description = "Requests that failed"),
        (name = "pools", description = "MACs: how many are free, and which are reserved"),
        (name = "switches", description = "Switches, their pushes and backups"),
        (name = "freezes", description = "Frozen sites: nothing is committed on their switches"),
        (name = "access", description = "Tokens, and the log of who changed what"),
        (name = "webhooks", description = "Where events are sent to over HTTP, and what was delivered"),
        (name = "health", description = "Database, broker, workers and switches"),
    )
)]
struct Document;

fn described() -> (Router<AppState>, Value) {
    let resources = [
        vmacs::router(),
        moves_and_rotations::router(),
        history::router(),
        commands::router(),
        dead_letters::router(),
        pools::router(),
        reservations::router(),
        switches::router(),
        inventory::router(),
        freezes::router(),
        webhooks::router(),
        deliveries::router(),
        health::router(),
        tokens::router(),
        audit_log::router(),
    ];
    let api = resources.into_iter().fold(OpenApiRouter::new(), OpenApiRouter::merge);
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi()).nest(BASE, api).split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    // The bodies of requests are those of messages: one description serves both.
    for (name, schema) in schemas::bodies() {
        document["components"]["schemas"][name] = schema;
    }
    secure(&mut document);
    permissions::describe(&mut document);
    (router, document)
}

/// The ids of all operations.
#[cfg(test)]
pub(super) fn documented_operations() -> Vec<String> {
    let (_, document) = described();
    let methods = document["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let operations = methods.filter_map(Value::as_object).flat_map(|methods| methods.values());
    operations.filter_map(|operation| Some(operation["operationId"].as_str()?.to_owned())).collect()
}

/// Says that the API asks for a token, and what every request is answered without it.
fn secure(document: &mut Value) {
    let scheme = json!({"type": "http", "scheme": "bearer", "description":
        "A token that `vmacd tokens create` or `POST /api/v1/tokens` made, or the setting `api.token`, which is an admin's. If \
         that is not set, the service listens only on a loopback address and needs no token. `x-roles` says of each operation \
         which roles may use it."});
    document["components"]["securitySchemes"] = json!({"token": scheme});
    document["security"] = json!([{"token": []}]);
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let refused = json!({"description": "The token is missing or wrong",
        "content": {"application/problem+json": {"schema": problem}}});
    let methods = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in methods.filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut()) {
        operation["responses"]["401"] = refused.clone();
    }
}

/// The API.
pub(super) struct Api {
    /// Its routes.
    pub routes: Router,
    /// The routes of the documents that describe it, and the messages.
    pub documents: Router,
    /// The OpenAPI document.
    pub document: Value,
}

impl Api {
    /// `vitals` knows how the service is.
    pub fn new(app: AppState, health_source: Arc<dyn HealthSource>) -> Self {
        let (routes, document) = described();
        let served = document.clone();
        let openapi = Router::new().route(&format!("{BASE}/openapi.json"), get(async || Json(served)));
        let documents = openapi.merge(schemas::router()).merge(asyncapi::router());
        Self { routes: routes.with_state(app).layer(Extension(health_source)), documents, document }
    }
}
