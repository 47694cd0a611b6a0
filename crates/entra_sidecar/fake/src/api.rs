//! The downstream APIs in a sidecar's configuration.

use crate::{
    overrides::DownstreamApiOptions,
    token::{self, Acquisition},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A request to a downstream API.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApiRequest {
    /// The acquisition of its token, with the verb, path, headers and query of the request.
    pub acquisition: Acquisition,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The body; `None` without a media type.
    pub body: Option<String>,
}

/// A response of a downstream API.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    status: u16,
    content: Option<(String, String)>,
    headers: BTreeMap<String, String>,
}

impl ApiResponse {
    /// Creates a response without content.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            content: None,
            headers: BTreeMap::new(),
        }
    }

    /// Creates a response with a JSON document.
    #[must_use]
    pub fn json(status: u16, content: &Value) -> Self {
        Self::text(status, "application/json", content.to_string())
    }

    /// Creates a response with content of any type.
    #[must_use]
    pub fn text(status: u16, content_type: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            content: Some((content_type.into(), content.into())),
            ..Self::status(status)
        }
    }

    /// Adds a header. The sidecar passes it on only if
    /// [`pass_on_headers`](crate::FakeSidecarBuilder::pass_on_headers) is set.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Returns the `DownstreamApiResult`: its headers are those of the content only, and empty content is null.
    pub(crate) fn to_result(&self, passes_on_headers: bool) -> Value {
        let mut headers = Map::new();
        if passes_on_headers {
            headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), json!([value]))));
        }
        let content = self.content.as_ref().map(|(content_type, content)| {
            headers.insert("Content-Type".to_owned(), json!([content_type]));
            headers.insert("Content-Length".to_owned(), json!([content.len().to_string()]));
            content
        });
        let content = content.filter(|content| !content.is_empty());
        json!({ "statusCode": self.status, "headers": headers, "content": content })
    }
}

type IssueToken = Arc<dyn Fn(&Acquisition) -> Result<String, String> + Send + Sync>;
type Respond = Arc<dyn Fn(&ApiRequest) -> ApiResponse + Send + Sync>;

/// A downstream API: its configuration (`DownstreamApis:<name>`) and its behaviour.
#[derive(Clone)]
pub struct DownstreamApi {
    pub(crate) options: DownstreamApiOptions,
    pub(crate) scheme: &'static str,
    pub(crate) issue: IssueToken,
    pub(crate) challenge: Option<String>,
    pub(crate) respond: Respond,
}

impl DownstreamApi {
    /// Creates an API that responds to every request with a JSON document that echoes it.
    ///
    /// # Arguments
    ///
    /// * `scopes` - The configured scopes.
    #[must_use]
    pub fn new<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self {
            options: DownstreamApiOptions {
                scopes: Some(scopes.into_iter().map(Into::into).collect()),
                ..DownstreamApiOptions::initial()
            },
            scheme: "Bearer",
            issue: Arc::new(token::acquire),
            challenge: None,
            respond: Arc::new(echo),
        }
    }

    /// Creates an API with three operations of Microsoft Graph: `me`, `me/messages` and `me/sendMail`.
    #[must_use]
    pub fn graph() -> Self {
        Self::new(["User.Read", "Mail.Read", "Mail.Send"]).respond(graph)
    }

    /// Makes the sidecar call the API as the application (`RequestAppToken`).
    #[must_use]
    pub fn request_app_token(mut self) -> Self {
        self.options.request_app_token = true;
        self
    }

    /// Configures the verb and path.
    #[must_use]
    pub fn request(mut self, http_method: &str, relative_path: &str) -> Self {
        http_method.clone_into(&mut self.options.http_method);
        relative_path.clone_into(&mut self.options.relative_path);
        self
    }

    /// Sets the scheme of the authorization header.
    #[must_use]
    pub fn scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
        self
    }

    /// Sets the source of tokens. Its errors are texts of MSAL.
    #[must_use]
    pub fn tokens(mut self, issue: impl Fn(&Acquisition) -> Result<String, String> + Send + Sync + 'static) -> Self {
        self.issue = Arc::new(issue);
        self
    }

    /// Adds a `WWW-Authenticate` header to the response for a failed acquisition. The source adds none, and leaves out the claims
    /// that MSAL's error has.
    #[must_use]
    pub fn challenge(mut self, www_authenticate: impl Into<String>) -> Self {
        self.challenge = Some(www_authenticate.into());
        self
    }

    /// Sets the responses of the API.
    #[must_use]
    pub fn respond(mut self, respond: impl Fn(&ApiRequest) -> ApiResponse + Send + Sync + 'static) -> Self {
        self.respond = Arc::new(respond);
        self
    }
}

impl fmt::Debug for DownstreamApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownstreamApi")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

fn echo(request: &ApiRequest) -> ApiResponse {
    let options = &request.acquisition.options;
    ApiResponse::json(
        200,
        &json!({
            "method": options.http_method,
            "path": options.relative_path,
            "accept": options.accept,
            "headers": options.headers,
            "query": options.query,
            "contentType": request.content_type,
            "body": request.body,
        }),
    )
}

fn graph(request: &ApiRequest) -> ApiResponse {
    let options = &request.acquisition.options;
    let path = options.relative_path.split('?').next().unwrap_or_default();
    match (options.http_method.to_ascii_uppercase().as_str(), path) {
        ("GET", "me") => ApiResponse::json(
            200,
            &json!({ "displayName": "Adele Vance", "userPrincipalName": "adelev@contoso.com" }),
        ),
        ("GET", "me/messages") => ApiResponse::json(
            200,
            &json!({ "value": [{ "subject": "Lunch?", "isRead": false }, { "subject": "Minutes", "isRead": true }] }),
        ),
        ("POST", "me/sendMail") => match sent_message(request.body.as_deref()) {
            Some(_) => ApiResponse::status(202),
            None => ApiResponse::json(400, &json!({ "error": { "code": "ErrorInvalidRequest" } })),
        },
        _ => ApiResponse::json(404, &json!({ "error": { "code": "ResourceNotFound" } })),
    }
}

fn sent_message(body: Option<&str>) -> Option<Value> {
    let body: Value = serde_json::from_str(body?).ok()?;
    body.get("message").filter(|message| message.is_object()).cloned()
}
