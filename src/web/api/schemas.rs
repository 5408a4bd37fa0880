//! The JSON Schemas of the messages, made from the types that read and write them.

use axum::routing::get;
use axum::{Json, Router};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::broker::{define_schema, root_schema};
use crate::domain::Action;
use crate::store::EventBody;

/// Where the API begins.
pub(super) const BASE: &str = "/api/v1";
/// The name of the events' schema.
pub(super) const EVENT: &str = "vmac.event";

/// The routes, one for each schema.
pub(super) fn router() -> Router {
    schemas()
        .into_iter()
        .fold(Router::new(), |router, (name, schema)| router.route(&path(name), get(async || Json(schema))))
}

/// Where a schema is served.
pub(super) fn path(name: &str) -> String {
    format!("{BASE}/schemas/{name}.json")
}

/// Every schema by its name, as JSON Schema 2020-12.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let read = || SchemaSettings::draft2020_12().into_generator();
    let written = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let commands = Action::ALL.map(|action| (action.routing_key(), root_schema(action, read())));
    let event = (EVENT, written.into_root_schema_for::<EventBody<'_>>());
    commands.into_iter().chain([event]).map(|(name, schema)| (name, named(name, schema))).collect()
}

/// The bodies of the commands, as OpenAPI 3.1 takes them.
pub(super) fn bodies() -> impl Iterator<Item = (&'static str, Value)> {
    Action::ALL.into_iter().map(|action| {
        let mut schema = root_schema(action, SchemaSettings::draft2020_12().into_generator());
        schema.remove("$schema");
        (action.routing_key(), schema.to_value())
    })
}

fn named(name: &str, mut schema: Schema) -> Value {
    schema.insert("$id".to_owned(), format!("urn:vmacd:schema:{name}").into());
    schema.to_value()
}

/// The same for a document that keeps its schemas under `/components/schemas` and reads draft 07, which says all that is
/// needed here in the same words.
pub(super) fn components() -> serde_json::Map<String, Value> {
    let settings = || {
        SchemaSettings::draft07().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let (mut read, mut written) = (settings().into_generator(), settings().for_serialize().into_generator());
    for action in Action::ALL {
        define_schema(action, &mut read);
    }
    written.subschema_for::<EventBody<'_>>();
    let mut all = read.take_definitions(true);
    all.extend(written.take_definitions(true));
    all
}
