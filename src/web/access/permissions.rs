//! What each request needs: the operations of the API by their ids in the OpenAPI document, and the pages by their method.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::domain::Permission;

/// Each operation of the API. One that is missing here needs what tokens need, so that nothing is open by mistake.
const OPERATIONS: &[(&str, Permission)] = &[
    ("list_vmacs", Permission::Read),
    ("show_vmac", Permission::LookUp),
    ("timeline", Permission::LookUp),
    ("show_history", Permission::LookUp),
    ("create", Permission::Order),
    ("revoke", Permission::Order),
    ("take", Permission::Order),
    ("rotate", Permission::Order),
    ("show_command", Permission::LookUp),
    ("list_dead_letters", Permission::Read),
    ("causes", Permission::Read),
    ("show_dead_letter", Permission::Read),
    ("replay_one", Permission::Operate),
    ("replay_many", Permission::Operate),
    ("progress", Permission::Read),
    ("discard_one", Permission::Operate),
    ("discard_many", Permission::Operate),
    ("list_pools", Permission::Read),
    ("list_reservations", Permission::Read),
    ("reserve", Permission::Operate),
    ("release", Permission::Operate),
    ("list_switches", Permission::Read),
    ("show_switch", Permission::Read),
    ("pushes", Permission::Read),
    ("push", Permission::Read),
    ("backups", Permission::Read),
    ("backup", Permission::Read),
    ("backup_diff", Permission::Read),
    ("remove_switch", Permission::Operate),
    ("remove_server", Permission::Operate),
    ("list_freezes", Permission::Read),
    ("show_freeze", Permission::Read),
    ("freeze", Permission::Operate),
    ("thaw", Permission::Operate),
    ("show_health", Permission::Read),
    ("list_webhooks", Permission::Read),
    ("show_webhook", Permission::Read),
    ("list_webhook_deliveries", Permission::Read),
    ("pause_webhook", Permission::Operate),
    ("resume_webhook", Permission::Operate),
    ("test_webhook", Permission::Operate),
    ("replay_webhook_deliveries", Permission::Operate),
    // Where events go, and the secrets that sign them.
    ("add_webhook", Permission::Administer),
    ("remove_webhook", Permission::Administer),
    ("rotate_webhook", Permission::Administer),
    ("list_tokens", Permission::Administer),
    ("create_token", Permission::Administer),
    ("rotate_token", Permission::Administer),
    ("revoke_token", Permission::Administer),
    ("read_audit_log", Permission::Operate),
    ("check_audit_log", Permission::Operate),
];

/// Where the API begins.
const API: &str = "/api/";
/// The page of the log, which has more than other pages.
const LOG: &str = "/log";

/// What a request does, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Needed {
    /// The operation's id; of a page's button its path, such as `dead-letters discard`.
    pub action: String,
    /// What the caller must be permitted.
    pub permission: Permission,
}

/// The operations of the API, by method and path as the routes are written.
#[derive(Debug, Default)]
pub(in crate::web) struct Permissions(BTreeMap<(String, String), Needed>);

impl Permissions {
    /// Those that the OpenAPI document names.
    pub fn documented(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(move |(method, operation)| {
                let id = operation["operationId"].as_str().unwrap_or_default();
                ((method.to_uppercase(), path.clone()), Needed { action: id.to_owned(), permission: of_operation(id) })
            })
        });
        Self(operations.collect())
    }

    /// What a request needs.
    pub fn of(&self, method: &Method, path: &str) -> Needed {
        let documented = self.0.get(&(method.to_string(), path.to_owned())).cloned();
        documented.unwrap_or_else(|| Needed {
            action: path.trim_matches('/').replace('/', " "),
            permission: match method.is_safe() {
                // The documents that describe the API.
                true if path.starts_with(API) => Permission::LookUp,
                true if path == LOG => Permission::Operate,
                true => Permission::Read,
                false => Permission::Operate,
            },
        })
    }
}

fn of_operation(id: &str) -> Permission {
    OPERATIONS.iter().find(|(known, _)| *known == id).map_or(Permission::Administer, |(_, permission)| *permission)
}

/// Says of each operation in the document which roles may use it.
pub(in crate::web) fn describe(document: &mut Value) {
    let methods = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in methods.filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut()) {
        let permission = of_operation(operation["operationId"].as_str().unwrap_or_default());
        operation["x-roles"] = json!(permission.roles());
        operation["responses"]["403"] = json!({"description": "The token's role does not permit it",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::documented_operations;

    #[test]
    fn every_operation_has_its_row_and_no_row_is_without_one() {
        let documented = documented_operations();
        let listed: Vec<&str> = OPERATIONS.iter().map(|(id, _)| *id).collect();
        let missing: Vec<_> = documented.iter().filter(|id| !listed.contains(&id.as_str())).collect();
        let gone: Vec<_> = listed.iter().filter(|id| !documented.contains(&(**id).to_owned())).collect();
        assert!(missing.is_empty() && gone.is_empty(), "missing: {missing:?}, gone: {gone:?}");
    }

    #[test]
    fn what_is_not_documented_needs_more_the_more_it_does() {
        let permissions = Permissions::default();
        let of = |method, path| permissions.of(&method, path).permission;
        assert_eq!(of(Method::GET, "/switches"), Permission::Read);
        assert_eq!(of(Method::GET, "/log"), Permission::Operate);
        assert_eq!(of(Method::GET, "/api/v1/openapi.json"), Permission::LookUp);
        assert_eq!(of(Method::POST, "/dead-letters/discard"), Permission::Operate);
        assert_eq!(permissions.of(&Method::POST, "/dead-letters/discard").action, "dead-letters discard");
    }
}
