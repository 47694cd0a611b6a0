//! The requests of the client's operations, as pure functions of the base URL and the arguments.
//!
//! The rule: the source of the sidecar, `AzureAD/microsoft-identity-web`, `src/Microsoft.Identity.Web.Sidecar`.

use crate::{
    error::invalid_argument,
    models::{Agent, DownstreamRequest, InboundToken, TokenOverrides},
};
use azure_core::{
    Result,
    http::{
        Method, Request, Url,
        headers::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
    },
};

/// A route of the sidecar.
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

    /// Returns whether requests carry the token of a caller.
    pub(crate) fn has_caller(self) -> bool {
        matches!(self, Self::AuthorizationHeader | Self::DownstreamApi | Self::Validate)
    }
}

/// A request to the sidecar, and its route.
pub(crate) struct SidecarRequest {
    pub(crate) route: Route,
    /// `true` if the sidecar acquires a token of the caller, or validates theirs.
    pub(crate) is_for_caller: bool,
    pub(crate) request: Request,
}

/// The agent and the overrides of a request.
pub(crate) struct Overrides<'a> {
    pub(crate) agent: Option<&'a Agent>,
    pub(crate) token: &'a TokenOverrides,
}

impl Overrides<'_> {
    /// Returns whether the sidecar acquires a token of the caller.
    fn are_for_caller(&self, caller: Option<&InboundToken>) -> bool {
        caller.is_some() && self.agent.is_none_or(Agent::acts_for_caller) && !self.token.request_app_token
    }

    /// Returns the parameters of the query, including those of the request to the API.
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

/// `GET /AuthorizationHeader/{apiName}`, or `/AuthorizationHeaderUnauthenticated/{apiName}` without a caller.
pub(crate) fn authorization_header(
    base_url: &Url,
    api_name: &str,
    caller: Option<&InboundToken>,
    overrides: &Overrides<'_>,
    request: Option<&DownstreamRequest>,
) -> Result<SidecarRequest> {
    let route = match caller {
        Some(_) => Route::AuthorizationHeader,
        None => Route::AuthorizationHeaderUnauthenticated,
    };
    let parameters = match request {
        Some(request) => overrides.parameters(request)?,
        None if overrides.token.parameters()?.is_empty() => overrides.parameters(&DownstreamRequest::as_configured())?,
        // The verb that the overrides would set anyway.
        None => overrides.parameters(&DownstreamRequest::get(""))?,
    };
    let url = url(base_url, route, Some(api_name), &parameters)?;
    let request = with_caller(Request::new(url, Method::Get), caller);
    let is_for_caller = overrides.are_for_caller(caller);
    Ok(SidecarRequest {
        route,
        is_for_caller,
        request,
    })
}

/// `POST /DownstreamApi/{apiName}`, or `/DownstreamApiUnauthenticated/{apiName}` without a caller. The verb of the request to
/// the API is a parameter.
pub(crate) fn downstream_api(
    base_url: &Url,
    api_name: &str,
    caller: Option<&InboundToken>,
    overrides: &Overrides<'_>,
    downstream_request: DownstreamRequest,
) -> Result<SidecarRequest> {
    let route = match caller {
        Some(_) => Route::DownstreamApi,
        None => Route::DownstreamApiUnauthenticated,
    };
    let parameters = overrides.parameters(&downstream_request)?;
    let url = url(base_url, route, Some(api_name), &parameters)?;
    let mut request = with_caller(Request::new(url, Method::Post), caller);
    if let Some((content_type, content)) = downstream_request.into_content() {
        request.insert_header(CONTENT_TYPE, content_type);
        request.set_body(content);
    }
    let is_for_caller = overrides.are_for_caller(caller);
    Ok(SidecarRequest {
        route,
        is_for_caller,
        request,
    })
}

/// `GET /Validate`
pub(crate) fn validate(base_url: &Url, caller: &InboundToken) -> Result<SidecarRequest> {
    let route = Route::Validate;
    let url = url(base_url, route, None, &[])?;
    let request = with_caller(Request::new(url, Method::Get), Some(caller));
    Ok(SidecarRequest {
        route,
        is_for_caller: true,
        request,
    })
}

/// `GET /healthz`
pub(crate) fn health(base_url: &Url) -> Result<SidecarRequest> {
    let route = Route::Health;
    let request = Request::new(url(base_url, route, None, &[])?, Method::Get);
    Ok(SidecarRequest {
        route,
        is_for_caller: false,
        request,
    })
}

fn with_caller(mut request: Request, caller: Option<&InboundToken>) -> Request {
    request.insert_header(ACCEPT, "application/json");
    if let Some(caller) = caller {
        request.insert_header(AUTHORIZATION, caller.header_value());
    }
    request
}

/// Returns the URL of a route. The name of an API is percent-encoded as one segment.
fn url(base_url: &Url, route: Route, api_name: Option<&str>, parameters: &[(String, String)]) -> Result<Url> {
    let mut url = base_url.clone();
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
