//! A guard in front of a tower service.

use crate::{bearer::BearerToken, guard::TokenGuard};
use http::{Request, Response};
use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Lets only those requests through that a guard lets through; each has its [`Caller`](crate::Caller) among its
/// extensions. The others are answered by the guard.
///
/// Put it within a layer that answers CORS preflights: these carry no token. The service's responses have to have a body
/// that is made `From<String>`, such as axum's, `String`, or `Full<Bytes>` of http-body-util, as the guard's answers are of
/// the same type.
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
}

impl GuardLayer {
    /// A layer of this guard.
    #[must_use]
    pub fn new(guard: TokenGuard) -> Self {
        Self { guard }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            guard: self.guard.clone(),
            inner,
        }
    }
}

/// A service behind a guard. A [`GuardLayer`] makes it.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: TokenGuard,
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
        let guard = self.guard.clone();
        // The service that is ready is the one to call; its clone may not be.
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
                Err(error) => Ok(error.to_response()),
            }
        })
    }
}
