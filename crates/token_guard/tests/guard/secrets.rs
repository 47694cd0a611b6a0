//! Output that must not show a token.

use crate::{
    log::Log,
    secret_fragments::fragments,
    setup::{AUDIENCE, NOW, Setup},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};
use std::{collections::HashSet, error::Error, time::Duration};
use token_guard::{GuardError, TokenFault};

fn shown(error: &GuardError) -> String {
    let response: http::Response<String> = error.to_response();
    let source = error.source().map(|source| format!("{source} {source:?}"));
    format!("{error} {error:?} {source:?} {response:?}")
}

#[tokio::test]
async fn no_error_log_or_debug_shows_a_token() {
    let log = Log::default();
    // The only subscriber of this binary, so that the log of other tests is searched, too.
    tracing::subscriber::set_global_default(log.subscriber()).unwrap();

    let setup = Setup::new().await;
    let guard = setup.guard().requiring_scopes(["read:messages"]);
    let secret = json!({"sub": "alice", "aud": AUDIENCE, "scope": "read:messages", "email": "alice@contoso.com"});
    let claims = |members: Value| {
        let mut claims = secret.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        setup.issuer.token(claims).unwrap()
    };
    let good = claims(json!({}));
    let tokens = [
        good.clone(),
        claims(json!({"exp": NOW - 60})),
        claims(json!({"aud": "https://fabrikam.com"})),
        claims(json!({"scope": "write:messages"})),
        claims(json!({"iss": "https://fabrikam.com"})),
        claims(json!({"exp": "soon"})),
        setup.with_unknown_key("a-kid-that-is-unknown"),
        format!("{good}x"),
        good.replacen("ey", "ex", 1),
        "opaque-tokens-are-secret-too".to_owned(),
        format!("{good}, {good}"),
    ];
    let mut output = Vec::new();
    for token in &tokens {
        let mut headers = HeaderMap::new();
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
        match guard.authenticate(&headers).await {
            Ok(caller) => output.push(format!("{caller:?} {:?} {guard:?}", caller.token())),
            Err(error) => output.push(shown(&error)),
        }
    }
    setup.issuer.set_available(false);
    setup.time.advance(Duration::from_secs(3 * 24 * 3600));
    output.push(shown(&guard.verify(&good).await.unwrap_err()));
    let shown = output.join("\n");
    assert!(
        !shown.contains("a-kid-that-is-unknown") && !shown.contains("fabrikam"),
        "{shown}"
    );
    let output = format!("{shown}\n{}", log.text());

    // The output is complete: a token accepted, tokens refused, the outage, and the caller.
    for expected in [
        "a token was accepted",
        "a token was refused",
        "could not be fetched",
        "BearerToken",
        "alice",
    ] {
        assert!(output.contains(expected), "{expected} is not in the output");
    }
    for token in &tokens {
        for part in token.split(['.', ',', ' ']).filter(|part| part.len() >= 12) {
            for fragment in fragments(part) {
                assert!(
                    !output.contains(fragment),
                    "a fragment of a token is in the output: {fragment}"
                );
            }
        }
    }
    assert!(!output.contains("alice@contoso.com"));
}

#[test]
fn every_fault_has_its_description() {
    let faults = [
        TokenFault::NotAJwt,
        TokenFault::Malformed,
        TokenFault::CriticalHeader,
        TokenFault::Type,
        TokenFault::Algorithm,
        TokenFault::UnknownKey,
        TokenFault::Signature,
        TokenFault::Issuer,
        TokenFault::Audience,
        TokenFault::Subject,
        TokenFault::Expired,
        TokenFault::NotYetValid,
        TokenFault::NotAnAccessToken,
        TokenFault::SenderConstrained,
    ];
    let descriptions: HashSet<_> = faults.iter().map(|fault| fault.description()).collect();
    assert_eq!(descriptions.len(), faults.len());
    for description in descriptions {
        // The challenge has the description in quotes.
        assert!(description.is_ascii() && !description.contains(['"', '\\']) && description.contains("token"));
    }
}
