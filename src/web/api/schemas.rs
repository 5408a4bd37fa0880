//! The JSON Schemas of the messages, made from the types that read and write them.

use axum::routing::get;
use axum::{Json, Router};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::BASE;
use crate::broker::{CreateBody, RevokeBody};
use crate::store::EventBody;

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
pub(super) fn schemas() -> [(&'static str, Value); 3] {
    let read = || SchemaSettings::draft2020_12().into_generator();
    let written = SchemaSettings::draft2020_12().for_serialize().into_generator();
    [
        ("vmac.create", schema::<CreateBody>(read())),
        ("vmac.revoke", schema::<RevokeBody>(read())),
        ("vmac.event", schema::<EventBody<'_>>(written)),
    ]
}

fn schema<T: JsonSchema>(generator: SchemaGenerator) -> Value {
    let mut schema = generator.into_root_schema_for::<T>();
    let id = format!("urn:vmacd:schema:{}", T::schema_name());
    schema.insert("$id".to_owned(), id.into());
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
    read.subschema_for::<CreateBody>();
    read.subschema_for::<RevokeBody>();
    written.subschema_for::<EventBody<'_>>();
    let mut all = read.take_definitions(true);
    all.extend(written.take_definitions(true));
    all
}
