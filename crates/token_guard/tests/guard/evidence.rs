//! The log of refused tokens, which has the expected and the received values, and the response, which has none of them.

use crate::{
    forge::Key,
    log::Log,
    setup::{AUDIENCE, NOW, Setup, with},
};
use serde_json::{Value, json};
use std::time::Duration;
use token_guard::{EntraApi, GuardError, TokenGuard, TokenType};
use tracing::subscriber::{DefaultGuard, set_default};

const WARNING: &str = "every token is refused for one reason";

/// A log of this thread, in which quotes are not escaped.
struct Captured {
    log: Log,
    _subscriber: DefaultGuard,
}

impl Captured {
    fn start() -> Self {
        let log = Log::default();
        let subscriber = set_default(log.subscriber());
        Self {
            log,
            _subscriber: subscriber,
        }
    }

    fn text(&self) -> String {
        self.log.text().replace("\\\"", "\"")
    }

    /// Returns the lines of the level WARN about refused tokens.
    fn warnings(&self) -> Vec<String> {
        let text = self.text();
        let lines = text
            .lines()
            .filter(|line| line.contains("WARN") && line.contains(WARNING));
        lines.map(str::to_owned).collect()
    }
}

fn response(error: &GuardError) -> String {
    let response: http::Response<String> = error.to_response();
    format!("{error} {response:?}")
}

#[tokio::test]
async fn debug_has_expected_and_received_values() {
    let setup = Setup::new().await;
    let (key, other) = (Key::p384(), Key::p256());
    setup.issuer.serve_keys(&[key.jwk("key"), other.jwk("other")]);
    let issuer = setup.issuer.url();
    let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": "key"});
    let claims = json!({"iss": issuer, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
    let long = "x".repeat(5_000);
    for (header_members, claims_members, expected) in [
        (
            json!({}),
            json!({"iss": "https://fabrikam.com"}),
            format!(r#"iss: expected "{issuer}", got "https://fabrikam.com""#),
        ),
        (
            json!({}),
            json!({"aud": ["https://fabrikam.com", 7]}),
            format!(r#"aud: expected "{AUDIENCE}", got ["https://fabrikam.com" or "(not a text)"]"#),
        ),
        (
            json!({}),
            json!({"aud": null}),
            format!(r#"aud: expected "{AUDIENCE}", got none"#),
        ),
        (
            json!({"typ": "id+jwt"}),
            json!({}),
            r#"typ: expected at+jwt, got "id+jwt""#.to_owned(),
        ),
        (
            json!({"kid": "fabrikam"}),
            json!({}),
            r#"kid: expected "key" or "other", got "fabrikam""#.to_owned(),
        ),
        (
            json!({"alg": "PS512"}),
            json!({}),
            r#"alg: expected ES384, got "PS512""#.to_owned(),
        ),
        (
            json!({}),
            json!({"aud": long}),
            format!(r#"got "{}"…"#, "x".repeat(128)),
        ),
    ] {
        let guard = setup.guard();
        guard.load_keys().await.unwrap();
        let captured = Captured::start();
        let header = with(&header, &header_members);
        let token = key.token(&header, &with(&claims, &claims_members));
        let error = guard.verify(&token).await.unwrap_err();
        let text = captured.text();
        let line = text.lines().find(|line| line.contains("a token was refused")).unwrap();
        assert!(line.contains("DEBUG") && line.contains(&expected), "{line}");
        let shown = response(&error);
        for value in [issuer, AUDIENCE, "fabrikam", "id+jwt", "PS512", "xxx", "\"key\""] {
            assert!(!shown.contains(value), "{shown}");
        }
    }
}

#[tokio::test]
async fn one_warning_a_minute_while_all_are_refused() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let good = setup.token();
    let refused = setup
        .issuer
        .token(json!({"aud": "https://fabrikam.com", "exp": NOW + 9_000}))
        .unwrap();
    guard.load_keys().await.unwrap();
    let captured = Captured::start();
    let refuse = async |seconds: u64| {
        setup.time.advance(Duration::from_secs(seconds));
        // The guards of a stricter route warn together.
        let stricter = guard.requiring_scopes(["read:messages"]);
        stricter.verify(&refused).await.unwrap_err();
        captured.warnings().len()
    };
    // Rows of seconds that pass, a token that is accepted then, and all warnings after one more refusal.
    for (row, (seconds, accepted, warnings)) in [
        (0, false, 0),
        (0, false, 0),
        (0, false, 1),
        (30, false, 1),
        (29, false, 1),
        (1, false, 2),
        (1, true, 2),
        (30, false, 2),
        (29, false, 3),
        (0, false, 3),
        // After a minute without a token, the count begins anew.
        (60, false, 3),
        (0, false, 3),
        (0, false, 4),
    ]
    .into_iter()
    .enumerate()
    {
        if accepted {
            guard.verify(&good).await.unwrap();
        }
        assert_eq!(refuse(seconds).await, warnings, "row {row}");
    }
    let expected = format!(r#"for another audience: expected "{AUDIENCE}", got "https://fabrikam.com""#);
    let warning = &captured.warnings()[0];
    assert!(warning.contains(&expected) && warning.contains("tokens=3"), "{warning}");
}

#[tokio::test]
async fn no_warning_for_several_reasons_or_an_outage() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    guard.load_keys().await.unwrap();
    let captured = Captured::start();
    let token = |claims: Value| setup.issuer.token(with(&json!({"aud": AUDIENCE}), &claims)).unwrap();
    let (audience, expired) = (token(json!({"aud": "a"})), token(json!({"exp": NOW - 300})));
    for _ in 0..5 {
        for token in [&audience, &audience, &expired] {
            guard.verify(token).await.unwrap_err();
        }
    }
    setup.issuer.set_available(false);
    setup.time.advance(Duration::from_secs(3 * 24 * 3600));
    for _ in 0..5 {
        assert_eq!(guard.verify(&setup.token()).await.unwrap_err().status(), 503);
    }
    assert_eq!(captured.warnings(), [""; 0]);
}

#[tokio::test]
async fn tokens_of_a_scanner_hide_no_warning() {
    let setup = Setup::new().await;
    let refused = setup.issuer.token(json!({"aud": "https://fabrikam.com"})).unwrap();
    let header = json!({"alg": "none", "typ": "at+jwt"});
    let without_algorithm = setup.issuer.sign(&header, &json!({"iss": setup.issuer.url()})).unwrap();
    let other_issuer = setup.issuer.token(json!({"iss": "https://fabrikam.com"})).unwrap();
    let unknown_key = setup.with_unknown_key("unknown");
    for scanned in ["a.b.c", &other_issuer, &unknown_key, &without_algorithm] {
        let guard = setup.guard();
        guard.load_keys().await.unwrap();
        let captured = Captured::start();
        for _ in 0..10 {
            guard.verify(&refused).await.unwrap_err();
            guard.verify(scanned).await.unwrap_err();
        }
        let warnings = captured.warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains("for another audience"),
            "{scanned}: {warnings:?}"
        );
    }
}

#[tokio::test]
async fn warning_names_the_values_of_the_fault() {
    const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
    const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    let setup = Setup::new().await;
    let entra = TokenGuard::entra(EntraApi::new(TENANT, TENANT))
        .fixed_keys(KEYS)
        .build()
        .unwrap();
    let cognito = TokenGuard::builder(setup.issuer.url(), None::<&str>)
        .client_ids_in_place_of_audience(["app-client"])
        .clock(setup.time.clock())
        .build()
        .unwrap();
    let both = TokenGuard::any_of([entra.clone(), setup.guard()]);
    let relaxed = setup.builder().token_type(TokenType::Jwt).build().unwrap();
    let mixed = TokenGuard::any_of([setup.guard(), relaxed]);
    let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": setup.issuer.key_id()});
    let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
    let url = setup.issuer.url();
    let v2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    for (guard, header_members, claims_members, expected) in [
        (
            &entra,
            json!({}),
            json!({}),
            format!(r#"from another issuer: expected "{v2}" or "https://sts.windows.net/{TENANT}/", got "{url}""#),
        ),
        (
            &entra,
            json!({"kid": "b", "typ": "JWT", "alg": "EdDSA"}),
            json!({"iss": v2}),
            r#"signed with an unknown key: expected "a", got "b""#.to_owned(),
        ),
        (
            &entra,
            json!({"kid": "a", "typ": "JWT", "alg": "RS256"}),
            json!({"iss": v2}),
            r#"signed with another algorithm: expected EdDSA, got "RS256""#.to_owned(),
        ),
        (
            &entra,
            json!({"typ": "dpop+jwt"}),
            json!({"iss": v2}),
            r#"of another type: expected at+jwt, JWT or none, got "dpop+jwt""#.to_owned(),
        ),
        (
            &cognito,
            json!({}),
            json!({"aud": null, "client_id": "another-client"}),
            r#"expected none, or no aud with the client_id "app-client", got none with the client_id "another-client""#
                .to_owned(),
        ),
        (
            &mixed,
            json!({"typ": "id+jwt"}),
            json!({}),
            r#"of another type: expected at+jwt, JWT or none, got "id+jwt""#.to_owned(),
        ),
        // Of several issuers, the values are those of the token's issuer.
        (
            &both,
            json!({}),
            json!({"aud": "https://fabrikam.com"}),
            format!(r#"for another audience: expected "{AUDIENCE}", got "https://fabrikam.com""#),
        ),
        (
            &both,
            json!({}),
            json!({"iss": "https://fabrikam.com"}),
            format!(r#"or "{url}", got "https://fabrikam.com""#),
        ),
    ] {
        // A guard that is joined counts anew.
        let guard = TokenGuard::any_of([guard.clone()]);
        let captured = Captured::start();
        let token = setup
            .issuer
            .sign(&with(&header, &header_members), &with(&claims, &claims_members))
            .unwrap();
        for _ in 0..3 {
            guard.verify(&token).await.unwrap_err();
        }
        let warnings = captured.warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains(&expected),
            "{expected}: {warnings:?}"
        );
    }
}

#[tokio::test]
async fn skipped_keys_named_with_their_reason() {
    let setup = Setup::new().await;
    let (key, other) = (Key::p384(), Key::rsa());
    let captured = Captured::start();
    setup.issuer.serve_keys(&[
        with(&other.jwk("encryption"), &json!({"use": "enc"})),
        with(&other.jwk("post-quantum"), &json!({"kty": "AKP"})),
        with(&other.jwk("broken"), &json!({"n": "?"})),
        json!(7),
        key.jwk("key"),
    ]);
    setup.guard().load_keys().await.unwrap();
    let text = captured.text();
    let skipped: Vec<_> = text
        .lines()
        .filter(|line| line.contains("a key of the issuer is skipped"))
        .collect();
    assert_eq!(skipped.len(), 4, "{text}");
    for (line, kid, reason) in [
        (skipped[0], r#""encryption""#, "it is not for signatures"),
        (skipped[1], r#""post-quantum""#, "its type or curve is not supported"),
        (skipped[2], r#""broken""#, "a number of the key is not base64url"),
        (skipped[3], r#""""#, "it is not an object"),
    ] {
        assert!(
            line.contains("DEBUG") && line.contains(kid) && line.contains(reason),
            "{line}"
        );
    }
}
