//! The guard as a layer of tower.

use crate::{bearer::BearerToken, error::GuardError, guard::TokenGuard};
use http::{Request, Response};
use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Passes on only requests that a guard accepts, with the [`Caller`](crate::Caller) among their extensions. The guard
/// responds to the others.
///
/// Put it inside a layer that responds to CORS preflights, as these carry no token. The body of the service's responses must
/// implement `From<String>`, as the guard responds with the same type: axum's `Body`, `String` and `Full<Bytes>` of
/// http-body-util do.
///
/// # Examples
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use token_guard::{Caller, GuardLayer, TokenGuard};
///
/// let guard = TokenGuard::builder("https://contoso.logto.app/oidc", ["https://api.contoso.com"]).build()?;
/// let api: Router = Router::new()
///     .route("/user/info", get(|Extension(caller): Extension<Caller>| async move { caller.subject().to_owned() }))
///     .layer(GuardLayer::new(guard));
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: TokenGuard,
    is_optional: bool,
}

impl GuardLayer {
    /// Creates a layer with this guard.
    #[must_use]
    pub fn new(guard: TokenGuard) -> Self {
        Self {
            guard,
            is_optional: false,
        }
    }

    /// Passes on requests without an `Authorization` header, too, which have no [`Caller`](crate::Caller) among their
    /// extensions. The guard still responds to a request with an invalid token.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            guard: self.guard.clone(),
            is_optional: self.is_optional,
            inner,
        }
    }
}

/// A service behind a guard, created by [`GuardLayer`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: TokenGuard,
    is_optional: bool,
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guarded<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<String>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let (guard, is_optional) = (self.guard.clone(), self.is_optional);
        // Only this service was polled until it was ready; its clone may not be ready.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let token = BearerToken::from_headers(request.headers());
        Box::pin(async move {
            let caller = match token {
                Ok(token) => guard.authenticate_token(token).await,
                Err(error) => Err(error),
            };
            match caller {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(GuardError::HeaderMissing) if is_optional => inner.call(request).await,
                Err(error) => Ok(error.to_response()),
            }
        })
    }
}
