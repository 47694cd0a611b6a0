//! Tokens that must be refused, each with its fault. Sources: RFC 8725, RFC 9068 and RFC 7515, and the tokens that JWT
//! libraries are known to accept by default.

use crate::{
    forge::{Key, base64, hmac_sha256, hmac_sha384, token},
    server::Server,
    setup::{AUDIENCE, NOW, Setup, short, with},
};
use serde_json::{Value, json};
use token_guard::{Algorithm, TokenGuard, TokenGuardBuilder, TokenType};

/// The issuer's key, the attacker's key, and the parts of a token that is accepted.
struct Parts {
    key: Key,
    attacker: Key,
    header: Value,
    claims: Value,
    /// The address of the attacker's key.
    attacker_url: String,
}

impl Parts {
    fn new(issuer: &str) -> Self {
        Self {
            attacker_url: String::new(),
            key: Key::p384(),
            attacker: Key::p384(),
            header: json!({"alg": "ES384", "typ": "at+jwt", "kid": "key"}),
            claims: json!({"iss": issuer, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300}),
        }
    }

    fn header(&self, members: &Value) -> String {
        self.key.token(&with(&self.header, members), &self.claims)
    }

    fn claims(&self, members: &Value) -> String {
        self.key.token(&self.header, &with(&self.claims, members))
    }

    /// Signs a header and claims in text form with the issuer's key.
    fn raw(&self, header: &str, claims: &str) -> String {
        token(header, claims, |message| self.key.sign("ES384", message))
    }

    fn signed(&self, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        token(&with(&self.header, header).to_string(), &self.claims.to_string(), sign)
    }
}

const OK: &str = "200";

fn rows(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let good = parts.header(&json!({}));
    let mut rows = vec![("nothing is wrong with it", good, OK)];
    rows.extend(claims(parts));
    rows.extend(times(parts));
    rows.extend(headers(parts));
    rows.extend(algorithms(parts));
    rows.extend(brought_keys(parts));
    rows.extend(shapes(parts));
    rows
}

fn claims(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let issuer = parts.claims["iss"].as_str().unwrap();
    let claims = |members: Value| parts.claims(&members);
    vec![
        ("no iss", claims(json!({"iss": null})), "401 invalid_token Issuer"),
        (
            "another iss",
            claims(json!({"iss": "https://fabrikam.com"})),
            "401 invalid_token Issuer",
        ),
        (
            "iss with one more slash",
            claims(json!({"iss": format!("{issuer}/")})),
            "401 invalid_token Issuer",
        ),
        (
            "iss in capitals",
            claims(json!({"iss": issuer.to_uppercase()})),
            "401 invalid_token Issuer",
        ),
        (
            "iss is an array with ours",
            claims(json!({"iss": [issuer, "https://fabrikam.com"]})),
            "401 invalid_token Malformed",
        ),
        ("iss is empty", claims(json!({"iss": ""})), "401 invalid_token Issuer"),
        ("no aud", claims(json!({"aud": null})), "401 invalid_token Audience"),
        (
            "another aud",
            claims(json!({"aud": "https://api.fabrikam.com"})),
            "401 invalid_token Audience",
        ),
        (
            "aud goes on behind ours",
            claims(json!({"aud": format!("{AUDIENCE}.evil.com")})),
            "401 invalid_token Audience",
        ),
        (
            "aud is a part of ours",
            claims(json!({"aud": "https://api.contoso"})),
            "401 invalid_token Audience",
        ),
        (
            "aud is an empty array",
            claims(json!({"aud": []})),
            "401 invalid_token Audience",
        ),
        (
            "aud is an array of others",
            claims(json!({"aud": ["a", "b"]})),
            "401 invalid_token Audience",
        ),
        ("aud is an array with ours", claims(json!({"aud": ["a", AUDIENCE]})), OK),
        (
            "aud has a number",
            claims(json!({"aud": [AUDIENCE, 1]})),
            "401 invalid_token Malformed",
        ),
        (
            "aud is an object",
            claims(json!({"aud": {AUDIENCE: true}})),
            "401 invalid_token Malformed",
        ),
        ("no sub", claims(json!({"sub": null})), "401 invalid_token Subject"),
        ("sub is empty", claims(json!({"sub": ""})), "401 invalid_token Subject"),
        (
            "sub is a number",
            claims(json!({"sub": 1})),
            "401 invalid_token Malformed",
        ),
        (
            "bound to a certificate of its sender",
            claims(json!({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}})),
            "401 invalid_token SenderConstrained",
        ),
        (
            "bound to no key that it names",
            claims(json!({"cnf": {}})),
            "401 invalid_token SenderConstrained",
        ),
        (
            "bound to a DPoP key of its sender",
            claims(json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})),
            "401 invalid_token SenderConstrained",
        ),
    ]
}

fn times(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let claims = |members: Value| parts.claims(&members);
    vec![
        ("no exp", claims(json!({"exp": null})), "401 invalid_token Expired"),
        (
            "exp is 30 s past",
            claims(json!({"exp": NOW - 30})),
            "401 invalid_token Expired",
        ),
        (
            "exp is the leeway past",
            claims(json!({"exp": NOW - 30})),
            "401 invalid_token Expired",
        ),
        ("exp is within the leeway", claims(json!({"exp": NOW - 29})), OK),
        ("exp has a fraction", claims(json!({"exp": 1_800_000_300.5})), OK),
        (
            "exp is a text",
            claims(json!({"exp": (NOW + 300).to_string()})),
            "401 invalid_token Malformed",
        ),
        (
            "exp is negative",
            claims(json!({"exp": -1})),
            "401 invalid_token Expired",
        ),
        (
            "exp is beyond time",
            claims(json!({"exp": 1e300})),
            "401 invalid_token Malformed",
        ),
        (
            "exp is the largest number",
            claims(json!({"exp": u64::MAX})),
            "401 invalid_token Malformed",
        ),
        (
            "exp is the largest time",
            claims(json!({"exp": i64::MAX})),
            "401 invalid_token Malformed",
        ),
        (
            "nbf is in the future",
            claims(json!({"nbf": NOW + 60})),
            "401 invalid_token NotYetValid",
        ),
        (
            "nbf is past the leeway",
            claims(json!({"nbf": NOW + 31})),
            "401 invalid_token NotYetValid",
        ),
        ("nbf is within the leeway", claims(json!({"nbf": NOW + 30})), OK),
        (
            "nbf is a text",
            claims(json!({"nbf": "0"})),
            "401 invalid_token Malformed",
        ),
        (
            "iat is in the far future",
            claims(json!({"iat": NOW + 100_000_000})),
            "401 invalid_token NotYetValid",
        ),
        (
            "iat is a text",
            claims(json!({"iat": "now"})),
            "401 invalid_token Malformed",
        ),
    ]
}

fn headers(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let header = |members: Value| parts.header(&members);
    let claims = parts.claims.to_string();
    vec![
        (
            "an unknown crit",
            header(json!({"crit": ["exp"], "exp": NOW})),
            "401 invalid_token CriticalHeader",
        ),
        (
            "crit of an unencoded payload",
            header(json!({"crit": ["b64"], "b64": false})),
            "401 invalid_token CriticalHeader",
        ),
        (
            "crit is empty",
            header(json!({"crit": []})),
            "401 invalid_token CriticalHeader",
        ),
        (
            "crit is null",
            parts.raw(r#"{"alg":"ES384","typ":"at+jwt","kid":"key","crit":null}"#, &claims),
            "401 invalid_token CriticalHeader",
        ),
        (
            "typ of an id token",
            header(json!({"typ": "JWT"})),
            "401 invalid_token Type",
        ),
        (
            "typ of a logout token",
            header(json!({"typ": "logout+jwt"})),
            "401 invalid_token Type",
        ),
        (
            "typ of a DPoP proof",
            header(json!({"typ": "dpop+jwt"})),
            "401 invalid_token Type",
        ),
        ("no typ", header(json!({"typ": null})), "401 invalid_token Type"),
        (
            "typ is a number",
            header(json!({"typ": 1})),
            "401 invalid_token Malformed",
        ),
        ("typ as a media type", header(json!({"typ": "application/at+jwt"})), OK),
        ("typ in capitals", header(json!({"typ": "AT+JWT"})), OK),
        (
            "an unknown kid",
            header(json!({"kid": "another"})),
            "401 invalid_token UnknownKey",
        ),
        (
            "kid is a path",
            header(json!({"kid": "../../dev/null"})),
            "401 invalid_token UnknownKey",
        ),
        (
            "kid is a query",
            header(json!({"kid": "key' OR '1'='1"})),
            "401 invalid_token UnknownKey",
        ),
        (
            "no kid, where there are several keys",
            header(json!({"kid": null})),
            "401 invalid_token UnknownKey",
        ),
        (
            "kid of a key for encryption",
            header(json!({"kid": "encryption"})),
            "401 invalid_token UnknownKey",
        ),
        (
            "alg twice",
            parts.raw(r#"{"alg":"none","alg":"ES384","typ":"at+jwt","kid":"key"}"#, &claims),
            "401 invalid_token Malformed",
        ),
        (
            "the header is an array",
            parts.raw(r#"["ES384","key","at+jwt"]"#, &claims),
            "401 invalid_token Malformed",
        ),
        (
            "the header is an array, with crit",
            parts.raw(r#"["ES384","key","at+jwt",false]"#, &claims),
            "401 invalid_token Malformed",
        ),
        (
            "the header is not JSON",
            parts.raw("ES384", &claims),
            "401 invalid_token Malformed",
        ),
    ]
}

fn algorithms(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let jwk = parts.key.jwk("key").to_string();
    let public = parts.key.public_forms();
    let hs256 = |secret: &[u8]| parts.signed(&json!({"alg": "HS256"}), |message| hmac_sha256(secret, message));
    vec![
        (
            "alg none, no signature",
            parts.signed(&json!({"alg": "none"}), |_| Vec::new()),
            "401 invalid_token Algorithm",
        ),
        (
            "alg None",
            parts.signed(&json!({"alg": "None"}), |_| Vec::new()),
            "401 invalid_token Algorithm",
        ),
        (
            "alg NONE",
            parts.signed(&json!({"alg": "NONE"}), |_| Vec::new()),
            "401 invalid_token Algorithm",
        ),
        (
            "alg none, a valid signature",
            parts.header(&json!({"alg": "none"})),
            "401 invalid_token Algorithm",
        ),
        (
            "no alg",
            parts.header(&json!({"alg": null})),
            "401 invalid_token Malformed",
        ),
        (
            "alg is empty",
            parts.header(&json!({"alg": ""})),
            "401 invalid_token Algorithm",
        ),
        (
            "HS256 with the JWK as the secret",
            hs256(jwk.as_bytes()),
            "401 invalid_token Algorithm",
        ),
        (
            "HS256 with the point as the secret",
            hs256(&public[0]),
            "401 invalid_token Algorithm",
        ),
        (
            "HS256 with the DER as the secret",
            hs256(&public[1]),
            "401 invalid_token Algorithm",
        ),
        (
            "HS384 with the point as the secret",
            parts.signed(&json!({"alg": "HS384"}), |message| hmac_sha384(&public[0], message)),
            "401 invalid_token Algorithm",
        ),
        (
            "ES384 with an HMAC for a signature",
            parts.signed(&json!({}), |message| hmac_sha384(&public[0], message)),
            "401 invalid_token Signature",
        ),
        (
            "another algorithm of the family",
            parts.header(&json!({"alg": "ES256"})),
            "401 invalid_token Algorithm",
        ),
        (
            "an algorithm of another family",
            parts.header(&json!({"alg": "RS256"})),
            "401 invalid_token Algorithm",
        ),
        (
            "alg of Edwards curves",
            parts.header(&json!({"alg": "EdDSA"})),
            "401 invalid_token Algorithm",
        ),
        (
            "alg in lower case",
            parts.header(&json!({"alg": "es384"})),
            "401 invalid_token Algorithm",
        ),
        (
            "an algorithm that is not supported",
            parts.header(&json!({"alg": "ES512"})),
            "401 invalid_token Algorithm",
        ),
    ]
}

fn brought_keys(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let forged = |members: Value| parts.attacker.token(&with(&parts.header, &members), &parts.claims);
    let brought = parts.attacker.jwk("key");
    let address = &parts.attacker_url;
    vec![
        (
            "signed with another key",
            forged(json!({})),
            "401 invalid_token Signature",
        ),
        (
            "brings its key as jwk",
            forged(json!({"jwk": brought})),
            "401 invalid_token Signature",
        ),
        (
            "brings its key as jwk, no kid",
            forged(json!({"jwk": brought, "kid": null})),
            "401 invalid_token UnknownKey",
        ),
        (
            "brings its key at jku",
            forged(json!({"jku": address})),
            "401 invalid_token Signature",
        ),
        (
            "brings its key at x5u",
            forged(json!({"x5u": address})),
            "401 invalid_token Signature",
        ),
        (
            "brings its key as x5c",
            forged(json!({"x5c": ["AAAA"]})),
            "401 invalid_token Signature",
        ),
        (
            "valid, with a jku, x5u, jwk and x5c to be ignored",
            parts.header(&json!({"jku": address, "x5u": address, "jwk": "none", "x5c": 1})),
            OK,
        ),
    ]
}

fn shapes(parts: &Parts) -> Vec<(&'static str, String, &'static str)> {
    let good = parts.header(&json!({}));
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let changed = base64(with(&parts.claims, &json!({"sub": "admin"})).to_string());
    let long = parts.claims(&json!({"padding": "a".repeat(16 * 1024)}));
    vec![
        (
            "the claims are others",
            format!("{header}.{changed}.{signature}"),
            "401 invalid_token Signature",
        ),
        (
            "no signature",
            format!("{header}.{claims}."),
            "401 invalid_token Signature",
        ),
        (
            "no part for the signature",
            format!("{header}.{claims}"),
            "401 invalid_token NotAJwt",
        ),
        (
            "the signature of zeros",
            parts.signed(&json!({}), |_| vec![0; 96]),
            "401 invalid_token Signature",
        ),
        (
            "the signature of another message",
            format!("{header}.{claims}.{}", base64(parts.key.sign("ES384", b"a"))),
            "401 invalid_token Signature",
        ),
        (
            "the signature in ASN.1",
            parts.signed(&json!({}), |message| parts.key.sign_asn1(message)),
            "401 invalid_token Signature",
        ),
        (
            "the signature goes on",
            format!("{good}AAAA"),
            "401 invalid_token Signature",
        ),
        (
            "the signature is padded",
            format!("{good}="),
            "401 invalid_token Malformed",
        ),
        (
            "the signature is not base64url",
            format!("{header}.{claims}.++//"),
            "401 invalid_token Malformed",
        ),
        (
            "five parts, as if encrypted",
            format!("{good}.AAAA.AAAA"),
            "401 invalid_token NotAJwt",
        ),
        ("a part before it", format!("AAAA.{good}"), "401 invalid_token NotAJwt"),
        (
            "opaque",
            "qUFMNwqnmo6VdPuKQHSfDvAZUkBWxzXBgyCSHIaVlBv".to_owned(),
            "401 invalid_token NotAJwt",
        ),
        ("dots", "..".to_owned(), "401 invalid_token Malformed"),
        ("empty", String::new(), "401 invalid_token NotAJwt"),
        (
            "not ASCII",
            format!("{header}.{claims}.é"),
            "401 invalid_token Malformed",
        ),
        ("longer than any token", long, "401 invalid_token NotAJwt"),
        (
            "the claims are an array",
            parts.raw(&parts.header.to_string(), "[]"),
            "401 invalid_token Malformed",
        ),
        (
            "the claims are not JSON",
            parts.raw(&parts.header.to_string(), "alice"),
            "401 invalid_token Malformed",
        ),
        (
            "the claims are nested deeply",
            parts.raw(&parts.header.to_string(), &"[".repeat(9_000)),
            "401 invalid_token Malformed",
        ),
    ]
}

#[tokio::test]
async fn every_attack_is_refused_with_its_fault() {
    let setup = Setup::new().await;
    let mut parts = Parts::new(setup.issuer.url());
    let attacker = Server::start().await;
    attacker.json("/keys", &json!({"keys": [parts.attacker.jwk("key")]}));
    parts.attacker_url = attacker.url("/keys");
    // Beside the issuer's key: one for encryption, and keys of unknown or unsupported types.
    setup.issuer.serve_keys(&[
        with(&parts.key.jwk("encryption"), &json!({"use": "enc"})),
        json!({"kty": "AKP", "kid": "key", "alg": "ML-DSA-44", "pub": "AAAA"}),
        json!({"kty": "EC", "kid": "p521", "crv": "P-521", "alg": "ES512", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}),
        json!({"kty": "EC", "kid": "no coordinates", "crv": "P-256"}),
        parts.attacker.jwk("a key that no token names"),
        parts.key.jwk("key"),
    ]);
    let guard = setup.guard();
    for (name, token, expected) in rows(&parts) {
        assert_eq!(short(&guard.verify(&token).await), expected, "{name}");
    }
    // Once for the keys, once for the unknown kids, and never at the address in the tokens.
    assert_eq!(setup.issuer.key_requests(), 2);
    assert!(attacker.requests().is_empty());
}

#[tokio::test]
async fn algorithm_verified_with_its_own_keys_only() {
    let setup = Setup::new().await;
    let parts = Parts::new(setup.issuer.url());
    let (p256, p384, ed25519, rsa) = (Key::p256(), Key::p384(), Key::ed25519(), Key::rsa());
    let rsa_alg = |alg: &str| with(&rsa.jwk(alg), &json!({"alg": alg}));
    setup.issuer.serve_keys(&[
        p256.jwk("p256"),
        p384.jwk("p384"),
        ed25519.jwk("ed25519"),
        rsa.jwk("rsa"),
        rsa_alg("RS384"),
        rsa_alg("RS512"),
        rsa_alg("PS256"),
        rsa_alg("PS384"),
        rsa_alg("PS512"),
        // One id with two algorithms.
        with(&rsa.jwk("twice"), &json!({"alg": "PS256"})),
        with(&rsa.jwk("twice"), &json!({"alg": "RS256"})),
    ]);
    let guard = setup.guard();
    for (key, id, alg, expected) in [
        (&p256, "p256", "ES256", OK),
        (&p384, "p384", "ES384", OK),
        (&ed25519, "ed25519", "EdDSA", OK),
        (&ed25519, "ed25519", "Ed25519", OK),
        (&rsa, "rsa", "RS256", OK),
        (&rsa, "RS384", "RS384", OK),
        (&rsa, "RS512", "RS512", OK),
        (&rsa, "PS256", "PS256", OK),
        (&rsa, "PS384", "PS384", OK),
        (&rsa, "PS512", "PS512", OK),
        (&rsa, "twice", "RS256", OK),
        (&rsa, "twice", "PS256", OK),
        (&rsa, "twice", "RS384", "401 invalid_token Algorithm"),
        (&rsa, "rsa", "PS256", OK),
        (&rsa, "rsa", "PS512", OK),
        (&rsa, "rsa", "RS512", OK),
        (&rsa, "PS256", "RS256", "401 invalid_token Algorithm"),
        (&p256, "p384", "ES384", "401 invalid_token Signature"),
        (&p384, "p256", "ES256", "401 invalid_token Signature"),
        (&ed25519, "p256", "ES256", "401 invalid_token Signature"),
    ] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": id});
        let outcome = guard.verify(&key.token(&header, &parts.claims)).await;
        assert_eq!(short(&outcome), expected, "{id} {alg}");
    }
}

#[tokio::test]
async fn token_without_kid_uses_the_only_key() {
    let setup = Setup::new().await;
    let parts = Parts::new(setup.issuer.url());
    setup.issuer.serve_keys(&[parts.key.jwk("key")]);
    let guard = setup.guard();
    assert_eq!(short(&guard.verify(&parts.header(&json!({"kid": null}))).await), OK);
    let forged = parts
        .attacker
        .token(&with(&parts.header, &json!({"kid": null})), &parts.claims);
    assert_eq!(short(&guard.verify(&forged).await), "401 invalid_token Signature");
}

#[tokio::test]
async fn leeway_bounds_clock_differences() {
    let setup = Setup::new().await;
    let parts = Parts::new(setup.issuer.url());
    setup.issuer.serve_keys(&[parts.key.jwk("key")]);
    let expired = "401 invalid_token Expired";
    let early = "401 invalid_token NotYetValid";
    for (members, expected) in [
        (json!({"exp": NOW + 1}), [OK, OK]),
        (json!({"exp": NOW}), [expired, OK]),
        (json!({"exp": NOW - 299}), [expired, OK]),
        (json!({"exp": NOW - 300}), [expired, expired]),
        (json!({"nbf": NOW}), [OK, OK]),
        (json!({"nbf": NOW + 1}), [early, OK]),
        (json!({"nbf": NOW + 300}), [early, OK]),
        (json!({"nbf": NOW + 301}), [early, early]),
        (json!({"iat": NOW + 1}), [early, OK]),
        (json!({"iat": NOW + 301}), [early, early]),
    ] {
        let token = parts.claims(&members);
        for (seconds, expected) in [0, 300].into_iter().zip(expected) {
            let builder = setup.builder().leeway(std::time::Duration::from_secs(seconds));
            let outcome = builder.build().unwrap().verify(&token).await;
            assert_eq!(short(&outcome), expected, "{members} {seconds}");
        }
    }
}

#[tokio::test]
async fn jwt_type_accepted_if_configured() {
    let setup = Setup::new().await;
    let parts = Parts::new(setup.issuer.url());
    setup.issuer.serve_keys(&[parts.key.jwk("key")]);
    let guard = setup.builder().token_type(TokenType::Jwt).build().unwrap();
    for (typ, expected) in [
        (json!("JWT"), OK),
        (json!("jwt"), OK),
        (json!("at+jwt"), OK),
        (json!("application/at+jwt"), OK),
        (json!("logout+jwt"), "401 invalid_token Type"),
        (json!(""), "401 invalid_token Type"),
        (json!("none"), "401 invalid_token Type"),
        (json!(null), OK),
    ] {
        let outcome = guard.verify(&parts.header(&json!({"typ": typ}))).await;
        assert_eq!(short(&outcome), expected, "{typ}");
    }
}

/// An attack that a tolerance could invite: the guard with it, the token, and the fault.
type Invited = (&'static str, TokenGuardBuilder, String, &'static str);

const KIND: &str = "401 invalid_token NotAnAccessToken";
const TYPE: &str = "401 invalid_token Type";
const AUDIENCE_FAULT: &str = "401 invalid_token Audience";
const ISSUER_FAULT: &str = "401 invalid_token Issuer";
const FORBIDDEN: &str = "403 auth.forbidden";

/// Other tokens of the issuer, which have the same type.
fn other_kinds(setup: &Setup, parts: &Parts) -> Vec<Invited> {
    let guard = || setup.builder().token_type(TokenType::Jwt);
    let untyped = with(&parts.header, &json!({"typ": null}));
    let claims = |members: Value| parts.key.token(&untyped, &with(&parts.claims, &members));
    let typed = |typ: &str| parts.header(&json!({"typ": typ}));
    vec![
        (
            "an id token with at_hash",
            guard(),
            claims(json!({"at_hash": "a"})),
            KIND,
        ),
        ("an id token with c_hash", guard(), claims(json!({"c_hash": "a"})), KIND),
        ("an id token with s_hash", guard(), claims(json!({"s_hash": 7})), KIND),
        (
            "an id token for a client",
            guard(),
            claims(json!({"aud": "client", "nonce": "n"})),
            AUDIENCE_FAULT,
        ),
        (
            "a logout token",
            guard(),
            claims(json!({"events": {"logout": {}}})),
            KIND,
        ),
        (
            "an id token of Cognito",
            guard(),
            claims(json!({"token_use": "id"})),
            KIND,
        ),
        ("an id token of Keycloak", guard(), claims(json!({"typ": "id"})), KIND),
        (
            "a refresh token of Keycloak",
            guard(),
            claims(json!({"typ": "Refresh"})),
            KIND,
        ),
        (
            "an offline token of Keycloak",
            guard(),
            claims(json!({"typ": "Offline"})),
            KIND,
        ),
        (
            "a logout token of Keycloak",
            guard(),
            claims(json!({"typ": "Logout"})),
            KIND,
        ),
        ("a security event", guard(), typed("secevent+jwt"), TYPE),
        ("a DPoP proof", guard(), typed("dpop+jwt"), TYPE),
        ("a request object", guard(), typed("oauth-authz-req+jwt"), TYPE),
        (
            "a response of introspection",
            guard(),
            typed("token-introspection+jwt"),
            TYPE,
        ),
        ("an empty type", guard(), typed(""), TYPE),
        (
            "an access token by its type, which may have events",
            guard(),
            parts.claims(&json!({"events": {}})),
            OK,
        ),
    ]
}

/// Issuers as text, and clients in place of an audience.
fn relaxed_names(setup: &Setup, parts: &Parts) -> Vec<Invited> {
    let keys = format!("{}/jwks", setup.issuer.url());
    let text = || {
        let guard = TokenGuard::builder("contoso", [AUDIENCE]).keys_at(&keys);
        guard.clock(setup.time.clock())
    };
    let claims = |members: Value| parts.claims(&members);
    let no_audience = |client: &str| claims(json!({"aud": null, "client_id": client}));
    let clients = || setup.builder().client_ids_in_place_of_audience(["public-client"]);
    vec![
        (
            "an issuer that is a text",
            text(),
            claims(json!({"iss": "contoso"})),
            OK,
        ),
        (
            "its issuer in capitals",
            text(),
            claims(json!({"iss": "Contoso"})),
            ISSUER_FAULT,
        ),
        (
            "a longer issuer",
            text(),
            claims(json!({"iss": "contoso.com"})),
            ISSUER_FAULT,
        ),
        (
            "the issuer at the address of the keys",
            text(),
            claims(json!({})),
            ISSUER_FAULT,
        ),
        ("a listed client", clients(), no_audience("public-client"), OK),
        (
            "a client that is not listed",
            clients(),
            no_audience("another"),
            AUDIENCE_FAULT,
        ),
        ("no client", clients(), claims(json!({"aud": null})), AUDIENCE_FAULT),
        (
            "a listed client with a token for another API",
            clients(),
            claims(json!({"aud": "https://api.fabrikam.com", "client_id": "public-client"})),
            AUDIENCE_FAULT,
        ),
        (
            "a listed client as the audience, as of an id token",
            clients(),
            claims(json!({"aud": "public-client", "client_id": "public-client"})),
            AUDIENCE_FAULT,
        ),
        (
            "a listed client with an audience that cannot be read",
            clients(),
            claims(json!({"aud": 7, "client_id": "public-client"})),
            "401 invalid_token Malformed",
        ),
        (
            "a listed client as azp only",
            clients(),
            claims(json!({"aud": null, "azp": "public-client"})),
            AUDIENCE_FAULT,
        ),
        (
            "no list of clients",
            setup.builder(),
            no_audience("public-client"),
            AUDIENCE_FAULT,
        ),
    ]
}

/// Allowed clients.
fn clients(setup: &Setup, parts: &Parts) -> Vec<Invited> {
    let claims = |members: Value| parts.claims(&members);
    let allowed = || setup.builder().allowed_clients(["ours"]);
    vec![
        ("an allowed client", allowed(), claims(json!({"client_id": "ours"})), OK),
        (
            "an allowed client as azp",
            allowed(),
            claims(json!({"azp": "ours"})),
            OK,
        ),
        (
            "an allowed client as appid",
            allowed(),
            claims(json!({"appid": "ours"})),
            OK,
        ),
        (
            "another client",
            allowed(),
            claims(json!({"client_id": "theirs"})),
            FORBIDDEN,
        ),
        (
            "an allowed client beside another",
            allowed(),
            claims(json!({"client_id": "theirs", "azp": "ours"})),
            FORBIDDEN,
        ),
        (
            "allowed clients, and no client",
            allowed(),
            claims(json!({})),
            FORBIDDEN,
        ),
        (
            "an allowed client in a list",
            allowed(),
            claims(json!({"client_id": ["ours"]})),
            FORBIDDEN,
        ),
        (
            "an allowed client as subject",
            allowed(),
            claims(json!({"sub": "ours"})),
            FORBIDDEN,
        ),
    ]
}

#[tokio::test]
async fn attacks_on_tolerances_are_refused() {
    let setup = Setup::new().await;
    let parts = Parts::new(setup.issuer.url());
    setup.issuer.serve_keys(&[parts.key.jwk("key")]);
    let rows = [
        other_kinds(&setup, &parts),
        relaxed_names(&setup, &parts),
        clients(&setup, &parts),
    ];
    // One client for all, as each loads the certificates of the system.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, guard, token, expected) in rows.into_iter().flatten() {
        let guard = guard.http_client(client.clone()).build().unwrap();
        let outcome = guard.verify(&token).await;
        assert_eq!(short(&outcome), expected, "{name}");
    }
}

#[tokio::test]
async fn listed_client_without_scope_of_the_api_refused() {
    let setup = Setup::new().await;
    let guard = setup
        .builder()
        .client_ids_in_place_of_audience(["public-client"])
        .build()
        .unwrap();
    let guard = guard.requiring_scopes(["contoso/read"]);
    for (scope, expected) in [
        ("aws.cognito.signin.user.admin", FORBIDDEN),
        ("aws.cognito.signin.user.admin contoso/read", OK),
    ] {
        let token = setup
            .issuer
            .token(json!({"client_id": "public-client", "scope": scope}))
            .unwrap();
        assert_eq!(short(&guard.verify(&token).await), expected, "{scope}");
    }
}

#[tokio::test]
async fn confused_scopes_and_roles_grant_nothing() {
    let setup = Setup::new().await;
    let guard = setup.builder().scope_claim("scp").roles_claim("realm_access.roles");
    let guard = guard.build().unwrap();
    let (scopes, roles) = (guard.requiring_scopes(["admin"]), guard.requiring_roles(["admin"]));
    for (claims, expected) in [
        (json!({"scp": "read admin"}), [OK, FORBIDDEN]),
        (json!({"scp": ["read", "admin"]}), [OK, FORBIDDEN]),
        (json!({"scope": "admin"}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": "read", "scope": "admin"}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": "read,admin"}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": "read\tadmin"}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": "read\u{a0}admin"}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": "Admin"}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": ["read admin"]}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": [["admin"]]}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": {"admin": true}}), [FORBIDDEN, FORBIDDEN]),
        (json!({"scp": true}), [FORBIDDEN, FORBIDDEN]),
        (json!({"realm_access": {"roles": ["admin"]}}), [FORBIDDEN, OK]),
        (json!({"realm_access": {"roles": "read admin"}}), [FORBIDDEN, FORBIDDEN]),
        (
            json!({"realm_access": {"roles": [{"name": "admin"}]}}),
            [FORBIDDEN, FORBIDDEN],
        ),
        (json!({"realm_access": [{"roles": ["admin"]}]}), [FORBIDDEN, FORBIDDEN]),
        (json!({"realm_access": ["admin"]}), [FORBIDDEN, FORBIDDEN]),
        (json!({"roles": ["admin"]}), [FORBIDDEN, FORBIDDEN]),
        (
            json!({"resource_access": {"realm_access": {"roles": ["admin"]}}}),
            [FORBIDDEN, FORBIDDEN],
        ),
    ] {
        let token = setup.issuer.token(with(&json!({"aud": AUDIENCE}), &claims)).unwrap();
        let outcomes = [short(&scopes.verify(&token).await), short(&roles.verify(&token).await)];
        assert_eq!(outcomes, expected, "{claims}");
    }
}

#[tokio::test]
async fn key_without_alg_serves_its_own_type_only() {
    let setup = Setup::new().await;
    let parts = Parts::new(setup.issuer.url());
    let (rsa, other) = (Key::rsa(), Key::rsa());
    let modulus = rsa.jwk("key")["n"].as_str().unwrap().to_owned();
    let algorithm = "401 invalid_token Algorithm";
    let hmac = |header: &Value| {
        token(&header.to_string(), &parts.claims.to_string(), |message| {
            hmac_sha256(modulus.as_bytes(), message)
        })
    };
    let header = |members: Value| with(&json!({"alg": "PS256", "typ": "at+jwt", "kid": "key"}), &members);
    let ps256 = rsa.token(&header(json!({})), &parts.claims);
    for (keys, algorithms, token, expected) in [
        (vec![rsa.jwk("key")], &[][..], ps256.clone(), OK),
        (vec![rsa.jwk("key")], &[Algorithm::Rs256], ps256.clone(), algorithm),
        (
            vec![rsa.jwk("key")],
            &[],
            hmac(&header(json!({"alg": "HS256"}))),
            algorithm,
        ),
        (
            vec![rsa.jwk("key")],
            &[],
            hmac(&header(json!({}))),
            "401 invalid_token Signature",
        ),
        (
            vec![rsa.jwk("key")],
            &[],
            parts.key.token(&header(json!({"alg": "ES384"})), &parts.claims),
            algorithm,
        ),
        // The signature is PKCS#1's, and the header says PSS.
        (
            vec![rsa.jwk("key")],
            &[],
            forge_with(&rsa, "RS256", &header(json!({})), &parts.claims),
            "401 invalid_token Signature",
        ),
        // Without kid, of two keys that fit, none is tried.
        (
            vec![rsa.jwk("key"), other.jwk("other")],
            &[],
            rsa.token(&header(json!({"kid": null})), &parts.claims),
            "401 invalid_token UnknownKey",
        ),
        (
            vec![
                with(&rsa.jwk("key"), &json!({"alg": "PS256"})),
                with(&other.jwk("other"), &json!({"alg": "RS256"})),
            ],
            &[],
            rsa.token(&header(json!({"kid": null})), &parts.claims),
            OK,
        ),
        (
            vec![rsa.jwk("key"), parts.key.jwk("ec")],
            &[],
            other.token(&header(json!({"kid": null})), &parts.claims),
            "401 invalid_token Signature",
        ),
    ] {
        setup.issuer.serve_keys(&keys);
        let guard = match algorithms {
            [] => setup.builder(),
            allowed => setup.builder().algorithms(allowed.iter().copied()),
        };
        let outcome = guard.build().unwrap().verify(&token).await;
        assert_eq!(short(&outcome), expected, "{} keys, {token}", keys.len());
    }
}

/// Signs with another algorithm than the header's.
fn forge_with(key: &Key, algorithm: &str, header: &Value, claims: &Value) -> String {
    token(&header.to_string(), &claims.to_string(), |message| {
        key.sign(algorithm, message)
    })
}
