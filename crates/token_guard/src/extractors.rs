//! The caller as an argument of handlers, and the guard's errors as their responses, in axum and actix-web.

#[cfg(feature = "actix")]
use crate::bearer::BearerToken;
use crate::{caller::Caller, error::GuardError, guard::TokenGuard};
#[cfg(feature = "actix")]
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    dev::Payload,
    error::ErrorInternalServerError,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderValue},
    },
    web::Data,
};
#[cfg(feature = "axum")]
use axum_core::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
#[cfg(feature = "actix")]
use futures::{FutureExt, future::LocalBoxFuture};
#[cfg(feature = "axum")]
use http::request::Parts;

/// Asks the guard in the router's state, or in a part of it ([`FromRef`]). If the guard refuses the request, it responds,
/// and the handler is not called.
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
#[cfg(feature = "axum")]
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

/// `Option<Caller>` is `None` for a request without an `Authorization` header. The guard still responds to one with an
/// invalid token.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use token_guard::{Caller, TokenGuard};
///
/// async fn greeting(caller: Option<Caller>) -> String {
///     caller.map_or("hello".to_owned(), |caller| format!("hello, {}", caller.subject()))
/// }
///
/// let guard = TokenGuard::builder("https://contoso.logto.app/oidc", ["https://api.contoso.com"]).build()?;
/// let api: Router = Router::new().route("/greeting", get(greeting)).with_state(guard);
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[cfg(feature = "axum")]
impl<S> OptionalFromRequestParts<S> for Caller
where
    S: Send + Sync,
    TokenGuard: FromRef<S>,
{
    type Rejection = GuardError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, GuardError> {
        match TokenGuard::from_ref(state).authenticate(&parts.headers).await {
            Err(GuardError::HeaderMissing) => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}

#[cfg(feature = "axum")]
impl IntoResponse for GuardError {
    fn into_response(self) -> Response {
        self.to_response()
    }
}

/// Asks the guard in the application's data. If the guard refuses the request, it responds, and the handler is not called.
/// Without a guard, the response is a 500.
///
/// For an optional caller take [`OptionalCaller`]: actix-web's own `Option<Caller>` is `None` for an invalid token.
///
/// # Examples
///
/// ```
/// use actix_web::{App, web};
/// use token_guard::{Caller, GuardError, TokenGuard};
///
/// async fn user_info(caller: Caller) -> Result<String, GuardError> {
///     caller.require_scope("read:profile")?;
///     Ok(caller.subject().to_owned())
/// }
///
/// let guard = TokenGuard::builder("https://contoso.logto.app/oidc", ["https://api.contoso.com"]).build()?;
/// let app = App::new().app_data(web::Data::new(guard)).route("/user/info", web::get().to(user_info));
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[cfg(feature = "actix")]
impl FromRequest for Caller {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let guard = request.app_data::<Data<TokenGuard>>().cloned();
        let values = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
        let token = BearerToken::from_values(values);
        async move {
            let guard = guard.ok_or_else(|| ErrorInternalServerError("the application has no Data<TokenGuard>"))?;
            Ok(guard.authenticate_token(token?).await?)
        }
        .boxed_local()
    }
}

/// The caller, or `None` for a request without an `Authorization` header, as an extractor of actix-web. The guard still
/// responds to a request with an invalid token.
///
/// actix-web's own `Option<Caller>` is `None` for an invalid token, too. In axum, take `Option<Caller>`.
///
/// # Examples
///
/// ```
/// use actix_web::{App, web};
/// use token_guard::{OptionalCaller, TokenGuard};
///
/// async fn greeting(OptionalCaller(caller): OptionalCaller) -> String {
///     caller.map_or("hello".to_owned(), |caller| format!("hello, {}", caller.subject()))
/// }
///
/// let guard = TokenGuard::builder("https://contoso.logto.app/oidc", ["https://api.contoso.com"]).build()?;
/// let app = App::new().app_data(web::Data::new(guard)).route("/greeting", web::get().to(greeting));
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[cfg(feature = "actix")]
#[derive(Clone, Debug)]
pub struct OptionalCaller(pub Option<Caller>);

#[cfg(feature = "actix")]
impl FromRequest for OptionalCaller {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        async move {
            match caller.await {
                Ok(caller) => Ok(Self(Some(caller))),
                Err(error) => match error.as_error() {
                    Some(GuardError::HeaderMissing) => Ok(Self(None)),
                    _ => Err(error),
                },
            }
        }
        .boxed_local()
    }
}

#[cfg(feature = "actix")]
impl ResponseError for GuardError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        for (name, value) in self.headers() {
            response.append_header((name.as_str(), value.as_bytes()));
        }
        response.body(self.problem())
    }
}
