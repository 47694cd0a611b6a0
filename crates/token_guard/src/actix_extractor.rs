//! The caller as an argument of actix-web's handlers.

use crate::{bearer::BearerToken, caller::Caller, error::GuardError, guard::TokenGuard};
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
use futures::{FutureExt, future::LocalBoxFuture};

/// Asks the guard in the application's data. A request that the guard refuses is answered by it, and does not reach the
/// handler. Without a guard, the answer is 500.
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
