//! The check that a token is for the requested scope, agent and caller, by its unverified claims.
//!
//! The sidecar is trusted to return genuine tokens. It ignores the parts of a request that its configuration does not allow, so
//! a token may be for something else.

use super::scope::SidecarScope;
use crate::{
    error::{SidecarError, SidecarErrorKind},
    models::{Agent, AuthorizationHeader, InboundToken},
};
use azure_core::{Error, Result, Uuid, credentials::AccessToken, error::ErrorKind, time::OffsetDateTime};
use client_core::jwt::{numeric_date, unverified_claims};
use serde_json::Value;

/// Returns the access token in a header, if it is for the scope, the agent and the caller.
pub(super) fn access_token(
    header: &AuthorizationHeader,
    scope: &SidecarScope,
    agent: Option<&Agent>,
    caller: Option<&InboundToken>,
    now: OffsetDateTime,
) -> Result<AccessToken> {
    if !header.scheme().eq_ignore_ascii_case("Bearer") {
        return Err(unexpected(
            scope,
            "is no bearer token, and clients of Azure services take no other",
        ));
    }
    let claims = TokenClaims::read(header.token().secret())
        .ok_or_else(|| unexpected(scope, "is no JSON Web Token, so there is no telling what it is for"))?;
    if !claims.audiences.iter().any(|audience| scope.accepts(audience)) {
        return Err(unexpected(
            scope,
            "has another audience than the scope; check the API's Scopes in the sidecar's configuration, or add the \
             audience with SidecarScope::audience",
        ));
    }
    if let Some(agent) = agent {
        check_agent(&claims, agent).map_err(|fault| unexpected(scope, fault))?;
    }
    if let Some(caller) = caller.filter(|_| agent.is_none_or(Agent::acts_for_caller)) {
        check_user(&claims, caller).map_err(|fault| unexpected(scope, fault))?;
    }
    let expires_on = claims
        .expires_on
        .ok_or_else(|| unexpected(scope, "does not say when it expires"))?;
    if expires_on <= now {
        return Err(unexpected(
            scope,
            "has already expired; check the clocks of this machine and of the sidecar's",
        ));
    }
    Ok(AccessToken::new(header.token().clone(), expires_on))
}

/// Checks that a token is the agent's. The sidecar ignores agents where its configuration does not allow overrides.
fn check_agent(claims: &TokenClaims, agent: &Agent) -> std::result::Result<(), &'static str> {
    if !is_id(claims.application.as_deref(), agent.agent_id()) {
        return Err(
            "is not the agent's; allow overrides on the route in the sidecar's configuration (Sidecar:AllowOverrides)",
        );
    }
    let is_right_user = match agent {
        Agent::Autonomous { .. } => true,
        Agent::UserById { user_id, .. } => is_id(claims.object_id.as_deref(), *user_id),
        Agent::UserByName { username, .. } => {
            let found = claims.username.as_deref().unwrap_or_default();
            found.to_lowercase() == username.to_lowercase()
        }
    };
    if is_right_user {
        Ok(())
    } else {
        Err("is another user's than the agent's")
    }
}

/// Checks that a token is the caller's. An API that is configured with `RequestAppToken` gets a token of the application,
/// which may do more than the caller.
fn check_user(claims: &TokenClaims, caller: &InboundToken) -> std::result::Result<(), &'static str> {
    let Some(user) = TokenClaims::read(caller.token().secret()).and_then(|claims| claims.object_id) else {
        return Err("cannot be told to be the caller's, because the caller's token names no user (`oid`)");
    };
    let Some(found) = &claims.object_id else {
        return Err("names no user (`oid`), so there is no telling whether it is the caller's");
    };
    if user == *found {
        Ok(())
    } else {
        Err("is not the caller's; check that the API's RequestAppToken is not set in the sidecar's configuration")
    }
}

/// The claims of Entra ID's tokens that say what a token is for.
#[derive(Debug, Default, PartialEq, Eq)]
struct TokenClaims {
    /// The APIs that the token is for (`aud`).
    audiences: Vec<String>,
    /// The expiry of the token (`exp`).
    expires_on: Option<OffsetDateTime>,
    /// The application that acquired the token (`appid`, in version 2 `azp`).
    application: Option<String>,
    /// The user, or the application's principal (`oid`).
    object_id: Option<String>,
    /// The name of the user (`upn`, in version 2 `preferred_username`).
    username: Option<String>,
}

impl TokenClaims {
    /// Reads the claims of a token; `None` for other texts. A claim of another form than documented is left out.
    fn read(token: &str) -> Option<Self> {
        let claims = unverified_claims(token).ok()?;
        let text = |name| claims.get(name).and_then(non_empty);
        let audiences = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().filter_map(non_empty).collect(),
            _ => text("aud").into_iter().collect(),
        };
        Some(Self {
            audiences,
            expires_on: claims.get("exp").and_then(numeric_date),
            application: text("appid").or_else(|| text("azp")),
            object_id: text("oid"),
            username: text("upn").or_else(|| text("preferred_username")),
        })
    }
}

fn non_empty(claim: &Value) -> Option<String> {
    claim.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_id(text: Option<&str>, id: Uuid) -> bool {
    text.and_then(|text| Uuid::parse_str(text).ok()) == Some(id)
}

fn unexpected(scope: &SidecarScope, fault: &str) -> Error {
    let text = format!("the token that the sidecar gave for {} {fault}", scope.api_name);
    SidecarError::new(SidecarErrorKind::UnexpectedToken, text).into_error(ErrorKind::Credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::time::Duration;
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::json;

    /// The longest token that is read.
    const MAX_LEN: usize = 64 * 1024;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    fn claims(payload: &Value) -> TokenClaims {
        TokenClaims::read(&token(&payload.to_string())).unwrap()
    }

    #[test]
    fn tokens_of_both_versions_are_read() {
        // Claims and their forms: learn.microsoft.com, "Access token claims reference".
        let v1 = claims(&json!({
            "aud": "https://graph.microsoft.com", "exp": 1_700_000_000, "appid": "a", "oid": "o", "upn": "u@contoso.com",
            "ver": "1.0",
        }));
        let v2 = claims(&json!({
            "aud": ["https://graph.microsoft.com"], "exp": 1_700_000_000.9, "azp": "a", "oid": "o",
            "preferred_username": "u@contoso.com", "ver": "2.0",
        }));
        let expected = TokenClaims {
            audiences: vec!["https://graph.microsoft.com".to_owned()],
            expires_on: Some(OffsetDateTime::UNIX_EPOCH + Duration::seconds(1_700_000_000)),
            application: Some("a".to_owned()),
            object_id: Some("o".to_owned()),
            username: Some("u@contoso.com".to_owned()),
        };
        assert_eq!(v1, expected);
        assert_eq!(v2, expected);
    }

    #[test]
    fn claims_of_another_form_are_left_out() {
        for payload in [
            json!({}),
            json!({ "aud": null, "exp": "1700000000", "appid": 7, "azp": "", "oid": [], "upn": {} }),
            json!({ "aud": [1, null, ""], "exp": 1e300 }),
            json!({ "aud": { "a": "b" }, "exp": i64::MAX }),
        ] {
            assert_eq!(claims(&payload), TokenClaims::default(), "{payload}");
        }
    }

    #[test]
    fn other_texts_have_no_claims() {
        for token in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "a.e30=.b.c",
            "e30.e30+.c",
            "e30.W10.c",
            "..",
            &token("7"),
        ] {
            // {} and [] are e30 and W10.
            assert_eq!(TokenClaims::read(token), None, "{token}");
        }
        assert!(TokenClaims::read("e30.e30.c2ln").is_some());
        assert_eq!(TokenClaims::read(&token(&" ".repeat(MAX_LEN))), None);
        assert_eq!(TokenClaims::read(&token(&format!("{{{}}}", " ".repeat(MAX_LEN)))), None);
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in ".*") {
            TokenClaims::read(&text);
            TokenClaims::read(&token(&text));
        }

        #[test]
        fn dates_are_read_or_left_out(exp in any::<f64>(), seconds in -60_000_000_000_i64..200_000_000_000) {
            if let Some(number) = serde_json::Number::from_f64(exp) {
                TokenClaims::read(&token(&format!(r#"{{"exp":{number}}}"#)));
            }
            let expected = OffsetDateTime::from_unix_timestamp(seconds).ok();
            prop_assert_eq!(claims(&json!({ "exp": seconds })).expires_on, expected);
        }
    }
}
