//! Claims and members of keys that no rule needs, in any form. Sources: the reports of libraries and issuers that the rows
//! name.

use crate::{
    forge::Key,
    setup::{AUDIENCE, NOW, Setup, short, with},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use token_guard::{Caller, GuardError};
use tokio::runtime::Builder;

/// Claims that the default rules do not need.
const UNNEEDED: [&str; 22] = [
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

fn decision(outcome: &Result<Caller, GuardError>) -> (String, Option<String>) {
    let subject = outcome.as_ref().ok().map(|caller| caller.subject().to_owned());
    (short(outcome), subject)
}

#[test]
fn unneeded_claims_decide_nothing() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let setup = runtime.block_on(Setup::new());
    let key = Key::p384();
    setup.issuer.serve_keys(&[key.jwk("key")]);
    let guard = setup.guard();
    let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": "key"});
    let base = json!({"iss": setup.issuer.url(), "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300});
    let bases = [
        base.clone(),
        with(&base, &json!({"exp": NOW - 300})),
        with(&base, &json!({"aud": "https://api.fabrikam.com"})),
        with(&base, &json!({"sub": null})),
    ];
    let names = prop::sample::subsequence(UNNEEDED.to_vec(), 1..6);
    let strategy = (names, prop::collection::vec(any_json(), 6), 0..bases.len());
    let mut runner = TestRunner::new(Config::with_cases(300));
    let checked = runner.run(&strategy, |(names, values, base)| {
        let base = &bases[base];
        let mut claims = base.clone();
        for (name, value) in names.iter().zip(values) {
            claims[name] = value;
        }
        let expected = runtime.block_on(guard.verify(&key.token(&header, base)));
        let outcome = runtime.block_on(guard.verify(&key.token(&header, &claims)));
        prop_assert_eq!(decision(&outcome), decision(&expected), "{}", claims);
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
