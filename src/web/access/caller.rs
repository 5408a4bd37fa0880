//! Who makes the request that is being answered.

use axum::extract::Request;
use axum::http::header;

use crate::domain::{Role, Via};
use crate::store::Token;
use crate::web::server::connections::ActiveRequest;

/// The name of whoever shows the token of the setting `api.token`.
const FIRST_ADMIN: &str = "admin";
/// The name of whoever asks where no token is set.
const LOCAL: &str = "local";

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Caller {
    /// The token's name; none where no token is asked for.
    name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// By which way.
    pub via: Via,
    /// From which address.
    pub address: String,
    /// True for a login to the pages, which can be ended.
    pub is_logged_in: bool,
}

/// What a request shows of who makes it.
#[derive(Debug, Clone)]
pub(in crate::web) struct Credentials {
    /// What stands behind `Authorization:`.
    pub authorization: Option<String>,
    /// From which address.
    pub address: String,
    /// By which way.
    pub via: Via,
}

tokio::task_local! {
    static CALLER: Caller;
}

/// Answers a request of that caller.
pub(in crate::web) async fn scope<T>(caller: Caller, answer: impl Future<Output = T>) -> T {
    CALLER.scope(caller, answer).await
}

/// Who makes the request that is being answered; none outside of one.
pub(in crate::web) fn current() -> Option<Caller> {
    CALLER.try_with(Clone::clone).ok()
}

/// The name of their token, for what has no name of its own yet.
pub(in crate::web) fn token_name() -> Option<String> {
    current().and_then(|caller| caller.name)
}

impl Credentials {
    /// Those of a request.
    pub fn of(request: &Request, via: Via) -> Self {
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default().to_owned());
        let address = request.extensions().get::<ActiveRequest>().map(|active| active.client().to_string());
        Self { authorization, address: address.unwrap_or_default(), via }
    }

    /// The bearer token (RFC 6750 section 2.1); an empty one where there is something else in its place.
    pub fn bearer(&self) -> Option<&str> {
        let shown = self.authorization.as_deref()?.split_once(' ');
        let bearer = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Some(bearer.map_or("", |(_, token)| token.trim()))
    }

    /// Whoever shows the token of the settings.
    pub fn as_first_admin(&self) -> Caller {
        self.caller(Some(FIRST_ADMIN.to_owned()), Role::Admin)
    }

    /// Anybody, where no token is set: the service listens on a loopback address alone.
    pub fn as_local(&self) -> Caller {
        self.caller(None, Role::Admin)
    }

    /// Whoever shows a token.
    pub fn as_token(&self, token: &Token) -> Caller {
        self.caller(Some(token.name.to_string()), token.role)
    }

    fn caller(&self, name: Option<String>, role: Role) -> Caller {
        Caller { name, role, via: self.via, address: self.address.clone(), is_logged_in: false }
    }
}

impl Caller {
    /// The same as a login to the pages.
    pub fn logged_in(self) -> Self {
        Self { is_logged_in: true, ..self }
    }

    /// What the log calls them.
    pub fn who(&self) -> &str {
        self.name.as_deref().unwrap_or(LOCAL)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_bearer_token_is_told_from_other_credentials() {
        for (header, expected) in [
            (Some("Bearer s3cret"), Some("s3cret")),
            (Some("bearer  s3cret "), Some("s3cret")),
            (Some("Bearer"), Some("")),
            (Some("Basic czNjcmV0OnMzY3JldA=="), Some("")),
            (None, None),
        ] {
            let start = Request::builder();
            let request = header.into_iter().fold(start, |request, value| request.header("authorization", value));
            let request = request.body(Body::empty()).expect("a request");
            assert_eq!(Credentials::of(&request, Via::Api).bearer(), expected, "{header:?}");
        }
    }
}
