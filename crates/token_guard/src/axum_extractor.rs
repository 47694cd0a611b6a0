//! The caller as an argument of axum's handlers.

use crate::{caller::Caller, error::GuardError, guard::TokenGuard};
use axum_core::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

/// Asks the guard in the router's state, which can also be a part of that ([`FromRef`]). A request that the guard refuses
/// is answered by it, and does not reach the handler.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use token_guard::{Caller, GuardError, TokenGuard};
///
/// async fn user_info(caller: Caller) -> Result<String, GuardError> {
///     caller.require_scope("read:profile")?;
///     Ok(caller.subject().to_owned())
/// }
///
/// let guard = TokenGuard::builder("https://contoso.logto.app/oidc", ["https://api.contoso.com"]).build()?;
/// let api: Router = Router::new().route("/user/info", get(user_info)).with_state(guard);
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    TokenGuard: FromRef<S>,
{
    type Rejection = GuardError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, GuardError> {
        TokenGuard::from_ref(state).authenticate(&parts.headers).await
    }
}

impl IntoResponse for GuardError {
    fn into_response(self) -> Response {
        self.to_response()
    }
}
