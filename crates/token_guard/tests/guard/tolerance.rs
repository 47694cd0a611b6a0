//! Claims and members of keys that no rule needs, in any form. Sources: the reports of libraries and issuers that the rows
//! name.

use crate::{
    forge::{self, Key},
    server::Server,
    setup::{AUDIENCE, NOW, Setup, short, with},
};
use axum::{body::Body, response::Response};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use std::time::SystemTime;
use token_guard::{
    Caller, EntraApi, GuardError, LogtoPermissions, TokenGuard, TokenGuardBuilder, TokenType, testing::ManualClock,
};
use tokio::runtime::Builder;

/// Claims that issuers write, and that few rules need.
const UNNEEDED: [&str; 24] = [
    "sub",
    "tfp",
    "scope",
    "scp",
    "roles",
    "permissions",
    "realm_access",
    "groups",
    "client_id",
    "azp",
    "appid",
    "cid",
    "idtyp",
    "tid",
    "oid",
    "organization_id",
    "jti",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "email",
    "name",
    "https://contoso.com/roles",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z :]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

/// Sets members, also to null.
fn set(value: &Value, members: &Value) -> Value {
    let mut value = value.clone();
    let members = members.as_object().unwrap().clone();
    value.as_object_mut().unwrap().extend(members);
    value
}

/// A guard with a header and claims that it accepts, and the claims that its rules need.
struct Case {
    guard: TokenGuard,
    header: Value,
    claims: Value,
    needed: &'static [&'static str],
}

impl Case {
    fn needs(&self, claim: &str) -> bool {
        ALWAYS.contains(&claim) || self.needed.contains(&claim)
    }

    /// Returns the outcome, the subject where it is needed, and the expiry.
    fn decision(&self, outcome: &Result<Caller, GuardError>) -> (String, Option<(Option<String>, SystemTime)>) {
        let subject = |caller: &Caller| self.needs("sub").then(|| caller.subject().to_owned());
        let caller = outcome.as_ref().ok();
        let caller = caller.map(|caller| (subject(caller), caller.expires_at()));
        (short(outcome), caller)
    }
}

/// Claims that every guard needs, and those by which a relaxed type refuses id tokens.
const ALWAYS: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "cnf"];
const KINDS: [&str; 7] = ["sub", "at_hash", "c_hash", "s_hash", "events", "token_use", "typ"];
const CLIENTS: [&str; 5] = ["sub", "client_id", "azp", "appid", "cid"];
const ENTRA: [&str; 6] = ["sub", "tid", "azp", "appid", "scp", "roles"];
const B2C: [&str; 7] = ["sub", "tfp", "acr", "azp", "appid", "scp", "roles"];
const ORGANIZATION: [&str; 2] = ["sub", "organization_id"];

const GUID: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";

fn build(keys: &str, builder: TokenGuardBuilder) -> TokenGuard {
    let clock = ManualClock::at(NOW).clock();
    builder.fixed_keys(keys).clock(clock).build().unwrap()
}

fn standard() -> TokenGuardBuilder {
    TokenGuard::builder("https://issuer.contoso.com", [AUDIENCE])
}

/// A guard, the members of the claims that it accepts, and the claims that its rules need.
type Row = (TokenGuard, Value, &'static [&'static str]);

/// Guards of any issuer, by their settings and requirements, alone and joined.
fn of_settings(keys: &str) -> Vec<Row> {
    let plain = build(keys, standard());
    let (users, daemons) = (plain.requiring_scopes(["read"]), plain.requiring_application());
    let other = build(keys, TokenGuard::builder("https://other.contoso.com", [AUDIENCE]));
    let client_ids = standard().client_ids_in_place_of_audience(["web"]);
    let web = json!({"client_id": "web"});
    let organization = json!({"organization_id": "org1"});
    vec![
        (plain.clone(), json!({}), &["sub"]),
        (users.clone(), json!({"scope": "read"}), &["sub", "scope"]),
        (
            plain.requiring_roles(["admin"]),
            json!({"roles": "admin"}),
            &["sub", "roles"],
        ),
        (daemons.clone(), json!({"client_id": "alice"}), &CLIENTS),
        (plain.requiring_organization("org1"), organization, &ORGANIZATION),
        (build(keys, standard().allowed_clients(["web"])), web.clone(), &CLIENTS),
        (build(keys, standard().subject_claim("client_id")), web, &["client_id"]),
        (
            build(keys, client_ids),
            json!({"aud": null, "client_id": "web"}),
            &["sub", "client_id"],
        ),
        (TokenGuard::any_of([other, plain]), json!({}), &["sub"]),
        (
            TokenGuard::any_of([users, daemons]),
            json!({"scope": "read"}),
            &["sub", "scope", "client_id", "azp", "appid", "cid"],
        ),
    ]
}

/// Guards of the issuers that have constructors.
fn of_providers(keys: &str) -> Vec<Row> {
    let entra = json!({
        "iss": format!("https://login.microsoftonline.com/{GUID}/v2.0"), "aud": GUID, "tid": GUID, "azp": "web", "scp": "read",
    });
    let b2c = json!({
        "iss": format!("https://contoso.b2clogin.com/{GUID}/v2.0/"), "aud": GUID, "tfp": "B2C_1_edit", "azp": "web", "scp": "a",
    });
    let call = json!({"iss": "https://acscallautomation.communication.azure.com", "aud": GUID, "sub": null});
    let policies = ["B2C_1_signin", "B2C_1_edit"].map(|policy| {
        let api = EntraApi::b2c("https://contoso.b2clogin.com", GUID, policy, GUID);
        build(keys, TokenGuard::entra(api))
    });
    let logto = |permissions, members: Value| -> Row {
        let guard = build(keys, TokenGuard::logto("https://contoso.logto.app", permissions));
        let issuer = json!({"iss": "https://contoso.logto.app/oidc"});
        (guard, with(&issuer, &members), &ORGANIZATION)
    };
    let resource = || AUDIENCE.to_owned();
    vec![
        (build(keys, TokenGuard::entra(EntraApi::new(GUID, GUID))), entra, &ENTRA),
        (TokenGuard::any_of(policies), b2c, &B2C),
        (build(keys, TokenGuard::call_automation(GUID)), call, &[]),
        logto(LogtoPermissions::GlobalApi { resource: resource() }, json!({})),
        logto(
            LogtoPermissions::Organization,
            json!({"aud": "urn:logto:organization:org1"}),
        ),
        logto(
            LogtoPermissions::OrganizationApi { resource: resource() },
            json!({"organization_id": "org1"}),
        ),
    ]
}

fn cases(keys: &str) -> Vec<Case> {
    let claims =
        json!({"iss": "https://issuer.contoso.com", "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300});
    let rows = of_settings(keys).into_iter().chain(of_providers(keys));
    let access_tokens = rows.map(|(guard, members, needed)| Case {
        guard,
        header: json!({"alg": "RS256", "typ": "at+jwt", "kid": "key"}),
        claims: with(&claims, &members),
        needed,
    });
    let relaxed = Case {
        guard: build(keys, standard().token_type(TokenType::Jwt)),
        header: json!({"alg": "RS256", "kid": "key"}),
        claims: claims.clone(),
        needed: &KINDS,
    };
    access_tokens.chain([relaxed]).collect()
}

#[test]
fn unneeded_claims_decide_nothing() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let key = Key::rsa();
    let cases = cases(&json!({"keys": [key.jwk("key")]}).to_string());
    // Accepted claims, and claims that are refused for three reasons.
    let changes = [
        json!({}),
        json!({"exp": NOW - 300}),
        json!({"aud": "https://api.fabrikam.com"}),
        json!({"iss": "https://fabrikam.com"}),
    ];
    let name = prop_oneof![
        prop::sample::select(&UNNEEDED[..]).prop_map(str::to_owned),
        "[a-z_]{1,9}"
    ];
    let unneeded = prop::collection::vec((name, any_json()), 1..6);
    let strategy = (unneeded, 0..cases.len(), 0..changes.len());
    let mut runner = TestRunner::new(Config::with_cases(1_500));
    let checked = runner.run(&strategy, |(unneeded, case, change)| {
        let case = &cases[case];
        let base = with(&case.claims, &changes[change]);
        let mut claims = base.clone();
        for (name, value) in unneeded {
            if !case.needs(&name) {
                claims[name] = value;
            }
        }
        let expected = runtime.block_on(case.guard.verify(&key.token(&case.header, &base)));
        let outcome = runtime.block_on(case.guard.verify(&key.token(&case.header, &claims)));
        prop_assert_eq!(expected.is_ok(), change == 0);
        prop_assert_eq!(case.decision(&outcome), case.decision(&expected), "{}", claims);
        Ok(())
    });
    checked.unwrap();
}

#[tokio::test]
async fn claim_read_in_each_form_of_issuers() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    // IdentityServer4 4982, fhir-server 3718: a list. casdoor 3407, data-api-builder 3078: objects, null, a number.
    for (claims, scopes, roles) in [
        (json!({"scope": "read:a write:a"}), &["read:a", "write:a"][..], &[][..]),
        (json!({"scope": ["read:a", "write:a"]}), &["read:a", "write:a"], &[]),
        (json!({"scope": ["read:a", 1, null, "", "admin all"]}), &["read:a"], &[]),
        (json!({"scope": []}), &[], &[]),
        (json!({"scope": null}), &[], &[]),
        (json!({"scope": 7}), &[], &[]),
        (json!({"scope": {"read:a": true}}), &[], &[]),
        (json!({"scope": [["read:a"]]}), &[], &[]),
        (json!({"roles": ["admin", "auditor"]}), &[], &["admin", "auditor"]),
        (json!({"roles": "Domain Admins"}), &[], &["Domain Admins"]),
        (json!({"roles": [{"name": "admin"}]}), &[], &[]),
        (json!({"roles": {"admin": true}}), &[], &[]),
        (json!({"roles": null}), &[], &[]),
        (json!({"roles": 1}), &[], &[]),
    ] {
        let token = setup.issuer.token(set(&json!({"aud": AUDIENCE}), &claims)).unwrap();
        let caller = guard
            .verify(&token)
            .await
            .unwrap_or_else(|error| panic!("{claims}: {error}"));
        assert_eq!(
            (caller.scopes(), caller.roles()),
            (to_owned(scopes).as_slice(), to_owned(roles).as_slice()),
            "{claims}"
        );
    }
}

fn to_owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[tokio::test]
async fn null_is_an_absent_claim() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    for (claims, expected) in [
        (json!({"nbf": null}), "200"),
        (json!({"iat": null}), "200"),
        (json!({"cnf": null}), "200"),
        (json!({"exp": null}), "401 invalid_token Expired"),
        (json!({"aud": null}), "401 invalid_token Audience"),
        (json!({"sub": null}), "401 invalid_token Subject"),
        (json!({"iss": null}), "401 invalid_token Issuer"),
    ] {
        let token = setup.issuer.token(set(&json!({"aud": AUDIENCE}), &claims)).unwrap();
        assert_eq!(short(&guard.verify(&token).await), expected, "{claims}");
    }
}

/// JSON that parsers refuse: half a surrogate pair, a number beyond all floating-point numbers, and nesting beyond 128.
fn unreadable() -> [String; 3] {
    [
        r#""A\ud83d""#.to_owned(),
        "1e400".to_owned(),
        format!("{}{}", "[".repeat(200), "]".repeat(200)),
    ]
}

/// Adds a member in its raw form to an object. The last member of a name counts.
fn with_raw(object: &Value, name: &str, value: &str) -> String {
    let object = object.to_string();
    format!(r#"{},"{name}":{value}}}"#, object.strip_suffix('}').unwrap())
}

#[tokio::test]
async fn unreadable_value_decides_only_where_needed() {
    let setup = Setup::new().await;
    let key = Key::rsa();
    setup.issuer.serve_keys(&[key.jwk("key")]);
    let guard = setup.builder().token_type(TokenType::Jwt).build().unwrap();
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "key"});
    let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
    let malformed = "401 invalid_token Malformed";
    let sign = |header: &str, claims: &str| forge::token(header, claims, |message| key.sign("RS256", message));
    for value in unreadable() {
        for (name, expected) in [
            ("name", "200"),
            ("scope", "200"),
            ("roles", "200"),
            ("cnf", "401 invalid_token SenderConstrained"),
            ("at_hash", "401 invalid_token NotAnAccessToken"),
            ("events", "401 invalid_token NotAnAccessToken"),
            ("iss", malformed),
            ("aud", malformed),
            ("exp", malformed),
            ("nbf", malformed),
        ] {
            let outcome = guard
                .verify(&sign(&header.to_string(), &with_raw(&claims, name, &value)))
                .await;
            assert_eq!(short(&outcome), expected, "{name}: {value}");
            if let Ok(caller) = outcome {
                assert!(
                    caller.scopes().is_empty() && caller.roles().is_empty(),
                    "{name}: {value}"
                );
                assert_eq!(caller.claim(name), Some(&json!({})), "{name}: {value}");
            }
        }
        for (name, expected) in [
            ("jwk", "200"),
            ("x5t", "200"),
            ("crit", "401 invalid_token CriticalHeader"),
        ] {
            let token = sign(&with_raw(&header, name, &value), &claims.to_string());
            assert_eq!(short(&guard.verify(&token).await), expected, "{name}: {value}");
        }
        let sub = sign(&header.to_string(), &with_raw(&claims, "sub", &value));
        assert_eq!(short(&guard.verify(&sub).await), malformed, "{value}");
    }
}

#[tokio::test]
async fn unreadable_member_of_a_key_hides_no_key() {
    let (setup, server) = (Setup::new().await, Server::start().await);
    let (key, neighbour, broken) = (Key::p256(), Key::p256(), Key::p256());
    let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
    for value in unreadable() {
        let neighbour_text = with_raw(&neighbour.jwk("neighbour"), "x5c", &format!("[{value}]"));
        let broken_text = with_raw(&broken.jwk("broken"), "x", &value);
        let keys = format!(
            r#"{{"keys":[{broken_text},{value},{neighbour_text},{}]}}"#,
            key.jwk("key")
        );
        server.respond("/jwks", move || Response::new(Body::from(keys.clone())));
        let guard = setup.builder().keys_at(&server.url("/jwks")).build().unwrap();
        for (key, id, expected) in [
            (&key, "key", "200"),
            (&neighbour, "neighbour", "200"),
            (&broken, "broken", "401 invalid_token UnknownKey"),
        ] {
            let token = key.token(&json!({"alg": "ES256", "typ": "at+jwt", "kid": id}), &claims);
            assert_eq!(short(&guard.verify(&token).await), expected, "{id}: {value}");
        }
    }
}

#[tokio::test]
async fn times_may_have_fractions() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let now = 1_800_000_000.0_f64;
    for (claims, expected) in [
        (json!({"exp": now + 300.25, "nbf": now - 0.5, "iat": now - 0.5}), "200"),
        (json!({"exp": now - 29.5}), "200"),
        (json!({"exp": now - 30.5}), "401 invalid_token Expired"),
        (json!({"nbf": now + 29.5}), "200"),
        (json!({"nbf": now + 30.5}), "401 invalid_token NotYetValid"),
        (json!({"iat": now + 29.5}), "200"),
        (json!({"iat": now + 30.5}), "401 invalid_token NotYetValid"),
        (json!({"nbf": -1, "iat": -0.5}), "200"),
        (json!({"exp": -1}), "401 invalid_token Expired"),
    ] {
        let token = setup.issuer.token(set(&json!({"aud": AUDIENCE}), &claims)).unwrap();
        assert_eq!(short(&guard.verify(&token).await), expected, "{claims}");
    }
}

#[tokio::test]
async fn key_read_with_odd_members() {
    let setup = Setup::new().await;
    let (key, neighbour) = (Key::rsa(), Key::p256());
    let padded = |name: &str| {
        let number = key.jwk("key")[name].as_str().unwrap().to_owned();
        format!("{number}{}", "=".repeat((4 - number.len() % 4) % 4))
    };
    for (members, expected) in [
        (json!({}), "200"),
        (json!({"use": null, "alg": null, "key_ops": null}), "200"),
        (json!({"x5c": null, "x5t": 7, "x5u": [], "x5t#S256": {}}), "200"),
        (json!({"x5c": "MIIC", "nbf": 1, "exp": "never", "unknown": [{}]}), "200"),
        (json!({"n": padded("n"), "e": padded("e")}), "200"),
        (json!({"use": 7}), "401 invalid_token UnknownKey"),
        (json!({"alg": ["RS256"]}), "401 invalid_token UnknownKey"),
        (json!({"key_ops": "verify"}), "401 invalid_token UnknownKey"),
        (json!({"kid": 7}), "401 invalid_token UnknownKey"),
        (json!({"n": 7}), "401 invalid_token UnknownKey"),
        (json!({"kty": null}), "401 invalid_token UnknownKey"),
    ] {
        setup.issuer.serve_keys(&[
            set(&key.jwk("key"), &members),
            json!(null),
            json!([7]),
            neighbour.jwk("neighbour"),
        ]);
        let guard = setup.guard();
        let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
        let token = key.token(&json!({"alg": "RS256", "typ": "at+jwt", "kid": "key"}), &claims);
        assert_eq!(short(&guard.verify(&token).await), expected, "{members}");
        let token = neighbour.token(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "neighbour"}), &claims);
        assert_eq!(short(&guard.verify(&token).await), "200", "beside {members}");
    }
}

#[tokio::test]
async fn key_without_id_serves_tokens_without_kid() {
    let setup = Setup::new().await;
    let key = Key::p256();
    setup.issuer.serve_keys(&[set(&key.jwk("key"), &json!({"kid": null}))]);
    let claims = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300});
    let token = key.token(&json!({"alg": "ES256", "typ": "at+jwt"}), &claims);
    assert_eq!(short(&setup.guard().verify(&token).await), "200");
}
