//! No part of a token in any output.

use crate::setup::{AUDIENCE, NOW, Setup};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};
use std::{
    error::Error,
    io,
    sync::{Arc, Mutex},
};
use token_guard::{GuardError, TokenFault};
use tracing_subscriber::fmt::MakeWriter;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn shown(error: &GuardError) -> String {
    let response: http::Response<String> = error.to_response();
    let source = error.source().map(|source| format!("{source} {source:?}"));
    format!("{error} {error:?} {source:?} {response:?}")
}

#[tokio::test]
async fn no_part_of_a_token_is_in_an_error_a_log_or_debug() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // No other test sets one; what they log in the meantime is searched too.
    tracing::subscriber::set_global_default(subscriber).unwrap();

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
        setup.with_unknown_key("a-kid-that-nobody-knows"),
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
    setup.time.advance(std::time::Duration::from_secs(3 * 24 * 3600));
    output.push(shown(&guard.verify(&good).await.unwrap_err()));
    output.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    let output = output.join("\n");

    // What is searched is all of it: the log of accepting, of refusing and of the outage, and the caller.
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
            for start in [0, part.len() / 2 - 6, part.len() - 12] {
                let piece = &part[start..start + 12];
                assert!(!output.contains(piece), "a piece of a token is in the output: {piece}");
            }
        }
    }
    assert!(!output.contains("alice@contoso.com"));
    assert!(!output.contains("a-kid-that-nobody-knows"));
}

#[test]
fn every_fault_says_what_is_wrong_with_the_token() {
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
    let descriptions: std::collections::HashSet<_> = faults.iter().map(|fault| fault.description()).collect();
    assert_eq!(descriptions.len(), faults.len());
    for description in descriptions {
        // A description stands in quotes in a header.
        assert!(description.is_ascii() && !description.contains(['"', '\\']) && description.contains("token"));
    }
}
