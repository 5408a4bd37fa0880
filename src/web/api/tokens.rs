//! Tokens: by name, with a role. A secret is in the answer that makes it, and nowhere else.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Path, parsed};
use super::problem::{ApiCode, CommandProblems, LookupProblems, Problem, QueryProblems};
use crate::domain::{Role, TokenName};
use crate::store::{NewToken, Token, TokenSecret};
use crate::web::access::caller;
use crate::web::app_state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(rotate)).routes(routes!(revoke))
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    #[schema(example = "billing")]
    name: String,
    /// `viewer`, `producer`, `operator` or `admin`.
    role: String,
    created_at: DateTime<Utc>,
    /// Who made it.
    created_by: String,
    /// From when on it is refused.
    expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to a minute.
    last_used_at: Option<DateTime<Utc>>,
    /// From which address.
    last_used_from: Option<String>,
    /// When it was revoked.
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            name: token.name.to_string(),
            role: token.role.to_string(),
            created_at: token.created_at,
            created_by: token.created_by,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            last_used_from: token.last_used_from,
            revoked_at: token.revoked_at,
        }
    }
}

/// A token with its secret, which is not shown again.
#[derive(Serialize, ToSchema)]
struct NewTokenView {
    #[serde(flatten)]
    token: TokenView,
    /// What goes behind `Authorization: Bearer`.
    secret: String,
}

/// Lists the tokens there are or were.
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "access",
    responses(
        (status = 200, body = Vec<TokenView>),
        QueryProblems,
    ))]
async fn list(State(app): State<AppState>) -> Result<Json<Vec<TokenView>>, Problem> {
    Ok(Json(app.store.tokens().list().await?.into_iter().map(TokenView::from).collect()))
}

/// The token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// Its name, which the log shows; never given twice.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._@-]{0,39}$", example = "billing")]
    name: String,
    /// `viewer`, `producer`, `operator` or `admin`.
    #[schema(pattern = "^(viewer|producer|operator|admin)$", example = "producer")]
    role: String,
    /// From when on it is refused; without it, when it is revoked.
    expires_at: Option<DateTime<Utc>>,
}

/// Makes a token. The answer has its secret, which is not shown again.
#[utoipa::path(post, path = "/tokens", operation_id = "create_token", tag = "access", request_body = TokenBody,
    responses(
        (status = 201, body = NewTokenView),
        CommandProblems,
    ))]
async fn create(
    State(app): State<AppState>,
    Body(body): Body<TokenBody>,
) -> Result<(StatusCode, Json<NewTokenView>), Problem> {
    let invalid = |field: &str, error: String| Problem::new(ApiCode::InvalidBody, format!("{field}: {error}"));
    let name: TokenName = body.name.parse().map_err(|error| invalid("name", format!("{error}")))?;
    let role: Role = body.role.parse().map_err(|error| invalid("role", format!("{error}")))?;
    if body.expires_at.is_some_and(|end| end <= app.store.best_known_time()) {
        return Err(invalid("expires_at", "it is in the past".to_owned()));
    }
    let created_by = caller::current().map_or_else(String::new, |caller| caller.who().to_owned());
    let secret = TokenSecret::generate();
    let token = NewToken { name, role, expires_at: body.expires_at, created_by };
    let token = app.store.tokens().add(&token, &secret).await?.into();
    Ok((StatusCode::CREATED, Json(NewTokenView { token, secret: secret.reveal().to_owned() })))
}

/// Gives a token another secret, which the answer has; the one before is refused from now on.
#[utoipa::path(post, path = "/tokens/{name}/rotate", operation_id = "rotate_token", tag = "access",
    params(("name" = String, Path, description = "its name")),
    responses(
        (status = 200, body = NewTokenView),
        LookupProblems,
    ))]
async fn rotate(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<NewTokenView>, Problem> {
    let secret = TokenSecret::generate();
    let token = app.store.tokens().rotate(&parsed("name", &name)?, &secret).await?.into();
    Ok(Json(NewTokenView { token, secret: secret.reveal().to_owned() }))
}

/// Revokes a token: it is refused from now on, and logins with it end.
#[utoipa::path(delete, path = "/tokens/{name}", operation_id = "revoke_token", tag = "access",
    params(("name" = String, Path, description = "its name")),
    responses(
        (status = 200, body = TokenView),
        LookupProblems,
    ))]
async fn revoke(State(app): State<AppState>, Path(name): Path<String>) -> Result<Json<TokenView>, Problem> {
    Ok(Json(app.store.tokens().revoke(&parsed("name", &name)?).await?.into()))
}
