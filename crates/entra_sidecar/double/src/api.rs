//! The APIs that the double is configured with.

use crate::{
    overrides::{ActingAgent, CallOptions},
    token,
};
use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// A token that is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acquisition {
    /// The name of the API.
    pub api: String,
    /// The API's configuration with the request's overrides.
    pub options: CallOptions,
    /// The agent that the token is for.
    pub agent: Option<ActingAgent>,
    /// The caller's token, on whose behalf it is acquired.
    pub caller: Option<String>,
}

/// A request to an API.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DownstreamCall {
    /// The token that it carries, and with it the verb, path, headers and query.
    pub acquisition: Acquisition,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The body, unless there was no media type.
    pub body: Option<String>,
}

/// What an API answers.
#[derive(Clone, Debug)]
pub struct DownstreamAnswer {
    status: u16,
    content: Option<(String, String)>,
}

impl DownstreamAnswer {
    /// A status without content.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, content: None }
    }

    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, content: &Value) -> Self {
        Self::text(status, "application/json", content.to_string())
    }

    /// Content of any type.
    #[must_use]
    pub fn text(status: u16, content_type: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            status,
            content: Some((content_type.into(), content.into())),
        }
    }

    /// `DownstreamApiResult`: the headers are those of the content only, and empty content is null.
    pub(crate) fn result(&self) -> Value {
        match &self.content {
            None => json!({ "statusCode": self.status, "headers": {}, "content": null }),
            Some((content_type, content)) => json!({
                "statusCode": self.status,
                "headers": { "Content-Type": [content_type], "Content-Length": [content.len().to_string()] },
                "content": (!content.is_empty()).then_some(content),
            }),
        }
    }
}

type IssueToken = Arc<dyn Fn(&Acquisition) -> Result<String, String> + Send + Sync>;
type Answer = Arc<dyn Fn(&DownstreamCall) -> DownstreamAnswer + Send + Sync>;

/// An API in the configuration (`DownstreamApis:<name>`), and how it answers.
#[derive(Clone)]
pub struct DownstreamApi {
    pub(crate) options: CallOptions,
    pub(crate) scheme: &'static str,
    pub(crate) issue: IssueToken,
    pub(crate) answer: Answer,
}

impl DownstreamApi {
    /// An API that answers every request with a JSON document that says what it got.
    ///
    /// # Arguments
    ///
    /// * `scopes` - The scopes that are configured.
    #[must_use]
    pub fn new<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self {
            options: CallOptions {
                scopes: Some(scopes.into_iter().map(Into::into).collect()),
                ..CallOptions::initial()
            },
            scheme: "Bearer",
            issue: Arc::new(token::acquire),
            answer: Arc::new(echo),
        }
    }

    /// As much of Microsoft Graph as a profile, a list of messages and a message that is sent take.
    #[must_use]
    pub fn graph() -> Self {
        Self::new(["User.Read", "Mail.Read", "Mail.Send"]).answer(graph)
    }

    /// Has the API called as the application (`RequestAppToken`).
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

    /// Sets where tokens come from. An error is the text of MSAL's.
    #[must_use]
    pub fn tokens(mut self, issue: impl Fn(&Acquisition) -> Result<String, String> + Send + Sync + 'static) -> Self {
        self.issue = Arc::new(issue);
        self
    }

    /// Sets how the API answers.
    #[must_use]
    pub fn answer(mut self, answer: impl Fn(&DownstreamCall) -> DownstreamAnswer + Send + Sync + 'static) -> Self {
        self.answer = Arc::new(answer);
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

fn echo(call: &DownstreamCall) -> DownstreamAnswer {
    let options = &call.acquisition.options;
    DownstreamAnswer::json(
        200,
        &json!({
            "method": options.http_method,
            "path": options.relative_path,
            "accept": options.accept,
            "headers": options.headers,
            "query": options.query,
            "contentType": call.content_type,
            "body": call.body,
        }),
    )
}

fn graph(call: &DownstreamCall) -> DownstreamAnswer {
    let options = &call.acquisition.options;
    let path = options.relative_path.split('?').next().unwrap_or_default();
    match (options.http_method.to_ascii_uppercase().as_str(), path) {
        ("GET", "me") => DownstreamAnswer::json(
            200,
            &json!({ "displayName": "Adele Vance", "userPrincipalName": "adelev@contoso.com" }),
        ),
        ("GET", "me/messages") => DownstreamAnswer::json(
            200,
            &json!({ "value": [{ "subject": "Lunch?", "isRead": false }, { "subject": "Minutes", "isRead": true }] }),
        ),
        ("POST", "me/sendMail") => match sent_message(call.body.as_deref()) {
            Some(_) => DownstreamAnswer::status(202),
            None => DownstreamAnswer::json(400, &json!({ "error": { "code": "ErrorInvalidRequest" } })),
        },
        _ => DownstreamAnswer::json(404, &json!({ "error": { "code": "ResourceNotFound" } })),
    }
}

fn sent_message(body: Option<&str>) -> Option<Value> {
    let body: Value = serde_json::from_str(body?).ok()?;
    body.get("message").filter(|message| message.is_object()).cloned()
}
