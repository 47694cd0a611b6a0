//! The requests of the client's operations, as pure functions of the sidecar's address and the arguments.
//!
//! The rule: the source of the sidecar, `AzureAD/microsoft-identity-web`, `src/Microsoft.Identity.Web.Sidecar`.

use crate::{
    agent::Agent,
    error::invalid_argument,
    inbound_token::InboundToken,
    models::{DownstreamRequest, TokenOverrides},
};
use azure_core::{
    Result,
    http::{
        Method, Request, Url,
        headers::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
    },
};

/// The sidecar's routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    AuthorizationHeader,
    AuthorizationHeaderUnauthenticated,
    DownstreamApi,
    DownstreamApiUnauthenticated,
    Validate,
    Health,
}

impl Route {
    fn path(self) -> &'static str {
        match self {
            Self::AuthorizationHeader => "AuthorizationHeader",
            Self::AuthorizationHeaderUnauthenticated => "AuthorizationHeaderUnauthenticated",
            Self::DownstreamApi => "DownstreamApi",
            Self::DownstreamApiUnauthenticated => "DownstreamApiUnauthenticated",
            Self::Validate => "Validate",
            Self::Health => "healthz",
        }
    }

    /// Whether requests carry the token of a caller.
    pub(crate) fn names_a_caller(self) -> bool {
        matches!(self, Self::AuthorizationHeader | Self::DownstreamApi | Self::Validate)
    }
}

/// What to change of a call's configuration.
pub(crate) struct Overrides<'a> {
    pub(crate) agent: Option<&'a Agent>,
    pub(crate) token: &'a TokenOverrides,
}

impl Overrides<'_> {
    /// The parameters of the query for a request to an API.
    fn parameters(&self, request: &DownstreamRequest) -> Result<Vec<(String, String)>> {
        let agent = self.agent.map(Agent::parameters).transpose()?.unwrap_or_default();
        let token = self.token.parameters()?;
        let request = request.parameters(!token.is_empty())?;
        let named = agent
            .into_iter()
            .chain(token)
            .map(|(name, value)| (name.to_owned(), value));
        Ok(named.chain(request).collect())
    }
}

/// Asks for the header of a request to an API.
pub(crate) fn authorization_header(
    base: &Url,
    api_name: &str,
    caller: Option<&InboundToken>,
    overrides: &Overrides<'_>,
    request: Option<&DownstreamRequest>,
) -> Result<Request> {
    let route = match caller {
        Some(_) => Route::AuthorizationHeader,
        None => Route::AuthorizationHeaderUnauthenticated,
    };
    let parameters = match request {
        Some(request) => overrides.parameters(request)?,
        None if overrides.token.parameters()?.is_empty() => overrides.parameters(&DownstreamRequest::as_configured())?,
        // The verb that the overrides set anyway, said aloud.
        None => overrides.parameters(&DownstreamRequest::get(""))?,
    };
    let url = url(base, route, Some(api_name), &parameters)?;
    Ok(with_caller(Request::new(url, Method::Get), caller))
}

/// Has a request sent to an API: always by POST, whatever the verb that the API gets.
pub(crate) fn downstream_api(
    base: &Url,
    api_name: &str,
    caller: Option<&InboundToken>,
    overrides: &Overrides<'_>,
    request: DownstreamRequest,
) -> Result<Request> {
    let route = match caller {
        Some(_) => Route::DownstreamApi,
        None => Route::DownstreamApiUnauthenticated,
    };
    let url = url(base, route, Some(api_name), &overrides.parameters(&request)?)?;
    let mut sent = with_caller(Request::new(url, Method::Post), caller);
    if let Some((content_type, content)) = request.into_content() {
        sent.insert_header(CONTENT_TYPE, content_type);
        sent.set_body(content);
    }
    Ok(sent)
}

/// Has a caller's token checked.
pub(crate) fn validate(base: &Url, caller: &InboundToken) -> Result<Request> {
    let url = url(base, Route::Validate, None, &[])?;
    Ok(with_caller(Request::new(url, Method::Get), Some(caller)))
}

/// Asks how the sidecar is.
pub(crate) fn health(base: &Url) -> Result<Request> {
    Ok(Request::new(url(base, Route::Health, None, &[])?, Method::Get))
}

fn with_caller(mut request: Request, caller: Option<&InboundToken>) -> Request {
    request.insert_header(ACCEPT, "application/json");
    if let Some(caller) = caller {
        request.insert_header(AUTHORIZATION, caller.header_value());
    }
    request
}

/// The address of a route. The name of an API is one segment of it, whatever its characters.
fn url(base: &Url, route: Route, api_name: Option<&str>, parameters: &[(String, String)]) -> Result<Url> {
    let mut url = base.clone();
    {
        let mut path = url
            .path_segments_mut()
            .map_err(|()| invalid_argument("the sidecar's base URL has no path"))?;
        path.pop_if_empty().push(route.path());
        if let Some(name) = api_name {
            if matches!(name.trim(), "" | "." | "..") {
                return Err(invalid_argument(
                    "the name of the API is empty or made of dots; pass a name of the sidecar's configuration \
                     (DownstreamApis)",
                ));
            }
            path.push(name);
        }
    }
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    Ok(url)
}
