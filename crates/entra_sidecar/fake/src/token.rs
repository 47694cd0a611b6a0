//! Fake tokens of Entra ID.

use crate::overrides::{ActingAgent, DownstreamApiOptions};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The tenant of every token.
pub const TENANT_ID: &str = "3c7a1c8e-5f0a-4d5e-8d0b-6f5f0f0c9a11";

/// The application ID of the sidecar, which its tokens carry unless they are an agent's.
pub const CLIENT_ID: &str = "8b1f9d3e-0c53-4a53-9a51-2f3f7a1d5c22";

/// The object ID of that application.
const PRINCIPAL_ID: &str = "c0a2c9d7-6f0e-4b0a-9a55-7f64c1a9e733";

/// The lifetime of a token, in seconds.
const LIFETIME: u64 = 3600;

/// MSAL returns no cached token that expires within this time, in seconds.
const EXPIRY_BUFFER: u64 = 300;

/// The options with which MSAL looks for no cached token.
const BYPASSING: [&str; 2] = ["forcerefresh", "claims"];

/// An acquisition of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acquisition {
    /// The name of the API.
    pub api: String,
    /// The API's configuration with the request's overrides.
    pub options: DownstreamApiOptions,
    /// The agent that the token is for.
    pub agent: Option<ActingAgent>,
    /// The token of the caller on whose behalf it is acquired.
    pub caller: Option<String>,
}

impl Acquisition {
    /// Returns the part by which MSAL finds a cached token.
    fn key(&self) -> Self {
        let mut acquire_token = self.options.acquire_token.clone();
        for name in BYPASSING.into_iter().chain(["correlationid"]) {
            acquire_token.remove(name);
        }
        Self {
            options: DownstreamApiOptions {
                scopes: self.options.scopes.clone(),
                request_app_token: self.options.request_app_token,
                acquire_token,
                ..DownstreamApiOptions::default()
            },
            ..self.clone()
        }
    }

    /// Returns whether it must get a new token.
    fn bypasses_cache(&self) -> bool {
        BYPASSING
            .iter()
            .any(|name| self.options.acquire_token.contains_key(*name))
    }
}

/// The cached tokens of MSAL.
#[derive(Debug, Default)]
pub(crate) struct TokenCache(Vec<(Acquisition, String)>);

impl TokenCache {
    /// Returns the cached token, unless it expires soon or a new one must be acquired.
    pub(crate) fn get(&self, acquisition: &Acquisition) -> Option<String> {
        if acquisition.bypasses_cache() {
            return None;
        }
        let key = acquisition.key();
        let (_, token) = self.0.iter().find(|(cached, _)| *cached == key)?;
        let expires_on = claims(token)?.get("exp")?.as_u64()?;
        (expires_on > now() + EXPIRY_BUFFER).then(|| token.clone())
    }

    pub(crate) fn insert(&mut self, acquisition: &Acquisition, token: String) {
        let key = acquisition.key();
        self.0.retain(|(cached, _)| *cached != key);
        self.0.push((key, token));
    }
}

/// Creates a JSON Web Token without a valid signature.
///
/// # Arguments
///
/// * `claims` - The payload.
#[must_use]
pub fn unsigned_token(claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let [header, claims] = [&header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.dW5zaWduZWQ")
}

/// Returns the claims of a token; `None` if the text is not a token.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Creates the token of a user who calls the API beside the sidecar.
pub(crate) fn caller(object_id: &str) -> String {
    let now = now();
    unsigned_token(&json!({
        "aud": format!("api://{CLIENT_ID}"),
        "iss": issuer(),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "oid": object_id,
        "tid": TENANT_ID,
        "scp": "access_as_user",
        "ver": "1.0",
    }))
}

/// Returns a token for an API.
///
/// # Errors
///
/// There is no user, who is needed; the error is the text of MSAL's.
pub(crate) fn acquire(acquisition: &Acquisition) -> Result<String, String> {
    let now = now();
    let scopes = acquisition.options.scopes.as_deref().unwrap_or_default();
    let agent = acquisition.agent.as_ref();
    let (object_id, username) = match agent.filter(|agent| agent.is_user()) {
        Some(user) => (user.user_id.clone(), user.username.clone()),
        None if acquisition.options.request_app_token => (Some(PRINCIPAL_ID.to_owned()), None),
        None => (Some(caller_id(acquisition)?), None),
    };
    let is_app = acquisition.options.request_app_token && !agent.is_some_and(ActingAgent::is_user);
    Ok(unsigned_token(&json!({
        "aud": scopes.first().map(|scope| resource(scope)),
        "iss": issuer(),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "tid": TENANT_ID,
        "appid": agent.map_or(CLIENT_ID, |agent| &agent.identity),
        "oid": object_id,
        "upn": username,
        "idtyp": if is_app { "app" } else { "user" },
        "scp": (!is_app).then(|| permissions(scopes)),
        "ver": "1.0",
    })))
}

/// Returns the object ID of the user on whose behalf a token is acquired.
fn caller_id(acquisition: &Acquisition) -> Result<String, String> {
    let claims = acquisition.caller.as_deref().and_then(claims);
    let object_id = claims.as_ref().and_then(|claims| claims.get("oid")?.as_str());
    let object_id = object_id
        .ok_or("No account or login hint was passed to the AcquireTokenSilent call. See https://aka.ms/msal")?;
    Ok(object_id.to_owned())
}

/// Returns the part of a scope that names the API.
fn resource(scope: &str) -> &str {
    match scope.rsplit_once('/') {
        Some((resource, _)) if resource.contains("://") => resource,
        _ => "https://graph.microsoft.com",
    }
}

/// Returns the parts of scopes that name permissions.
fn permissions(scopes: &[String]) -> String {
    let names: Vec<&str> = scopes
        .iter()
        .filter_map(|scope| scope.rsplit('/').next())
        .filter(|name| *name != ".default")
        .collect();
    names.join(" ")
}

fn issuer() -> String {
    format!("https://sts.windows.net/{TENANT_ID}/")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
