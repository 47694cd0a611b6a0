//! The tokens of issuers that are in use.

use crate::{
    process::Process,
    refused::{faults, faults_of},
    setup::Setup,
    support::http,
};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use token_guard::testing::TestIssuer;

const API: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";
const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";

/// Returns a configuration with these issuers.
fn configuration(setup: &Setup, issuers: &str) -> String {
    let connection_string = setup.emulator.connection_string();
    format!("listen = '127.0.0.1:0'\n[acs]\nconnection_string = '{connection_string}'\n[issuer]\n{issuers}\n")
}

/// Signs a token with claims that override the usual ones, and are left out if they are null.
fn token(issuer: &TestIssuer, typ: Option<&str>, claims: &Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut all = json!({"iss": issuer.url(), "sub": "alice", "iat": now - 1, "exp": now + 300});
    let mut header = json!({"alg": "ES384", "kid": issuer.key_id(), "typ": typ});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    for part in [&mut all, &mut header] {
        part.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    issuer.sign(&header, &all).unwrap()
}

async fn status(process: &Process, token: &str) -> u16 {
    let request = http().post(process.url("api/user")).bearer_auth(token);
    match request.send().await.unwrap().status().as_u16() {
        200 | 201 => 200,
        other => other,
    }
}

/// The tokens of one configuration, with the responses to them.
struct Row {
    issuer: String,
    tokens: Vec<(Option<&'static str>, Value, u16)>,
}

/// Issuers that follow a standard more or less.
fn standard(url: &str) -> Vec<Row> {
    let (access, jwt) = (Some("at+jwt"), Some("JWT"));
    vec![
        Row {
            issuer: format!("kind = 'oidc'\nurl = '{url}'\naudience = ['one', 'two']"),
            tokens: vec![
                (access, json!({"aud": "one"}), 200),
                (access, json!({"aud": ["other", "two"]}), 200),
                (access, json!({"aud": "one,two"}), 401),
                (access, json!({"aud": null}), 401),
                (jwt, json!({"aud": "one"}), 401),
                (None, json!({"aud": "one"}), 401),
            ],
        },
        Row {
            issuer: format!("kind = 'oidc'\nurl = '{url}'\naudience = 'one'\ntoken_type = 'jwt'"),
            tokens: vec![
                (access, json!({"aud": "one"}), 200),
                (jwt, json!({"aud": "one"}), 200),
                (None, json!({"aud": "one"}), 200),
                (jwt, json!({"aud": "one", "at_hash": "aGFzaA"}), 401),
            ],
        },
        Row {
            issuer: format!("kind = 'oidc'\nurl = '{url}'\nclient_ids = ['web']\nscope = 'calls'\ntoken_type = 'jwt'"),
            tokens: vec![
                (
                    None,
                    json!({"client_id": "web", "token_use": "access", "scope": "calls"}),
                    200,
                ),
                (
                    None,
                    json!({"client_id": "web", "token_use": "access", "scope": "other"}),
                    403,
                ),
                (
                    None,
                    json!({"client_id": "other", "token_use": "access", "scope": "calls"}),
                    401,
                ),
                (None, json!({"aud": "web", "token_use": "id", "scope": "calls"}), 401),
            ],
        },
        Row {
            issuer: format!(
                "kind = 'oidc'\nurl = '{url}'\naudience = 'one'\nscope = 'calls'\nscope_claim = 'permissions'\n\
                 subject_claim = 'user.id'"
            ),
            tokens: vec![
                (
                    access,
                    json!({"aud": "one", "permissions": ["calls"], "user": {"id": "7"}}),
                    200,
                ),
                (
                    access,
                    json!({"aud": "one", "scope": "calls", "user": {"id": "7"}}),
                    403,
                ),
                (access, json!({"aud": "one", "permissions": ["calls"]}), 401),
            ],
        },
    ]
}

/// Issuers with keys elsewhere.
fn elsewhere(url: &str) -> Vec<Row> {
    let access = Some("at+jwt");
    vec![
        Row {
            issuer: format!(
                "kind = 'oidc'\nurl = 'http://adfs.contoso.com/adfs/services/trust'\naudience = 'one'\n\
                 keys_url = '{url}/jwks'"
            ),
            tokens: vec![
                (
                    access,
                    json!({"aud": "one", "iss": "http://adfs.contoso.com/adfs/services/trust"}),
                    200,
                ),
                (access, json!({"aud": "one"}), 401),
            ],
        },
        Row {
            issuer: format!(
                "kind = 'oidc'\nurl = '{url}'\naudience = 'one'\nmetadata_url = '{url}/.well-known/openid-configuration'"
            ),
            tokens: vec![(access, json!({"aud": "one"}), 200)],
        },
        Row {
            issuer: format!(
                "kind = 'logto'\nurl = 'https://contoso.logto.app'\naudience = 'one'\nkeys_url = '{url}/jwks'\n\
                 permissions = 'organization_api'\norganization = 'org_1'"
            ),
            tokens: vec![
                (
                    access,
                    json!({"iss": "https://contoso.logto.app/oidc", "aud": "one", "organization_id": "org_1"}),
                    200,
                ),
                (
                    access,
                    json!({"iss": "https://contoso.logto.app/oidc", "aud": "one", "organization_id": "org_2"}),
                    403,
                ),
                (
                    access,
                    json!({"iss": "https://contoso.logto.app/oidc", "aud": "one"}),
                    403,
                ),
            ],
        },
        Row {
            issuer: format!(
                "kind = 'logto'\nurl = 'https://contoso.logto.app'\nkeys_url = '{url}/jwks'\npermissions = 'organization'"
            ),
            tokens: vec![
                (
                    access,
                    json!({"iss": "https://contoso.logto.app/oidc", "aud": "urn:logto:organization:org_1"}),
                    200,
                ),
                (
                    access,
                    json!({"iss": "https://contoso.logto.app/oidc", "aud": "one"}),
                    401,
                ),
            ],
        },
    ]
}

/// Issuers for customers, by Microsoft.
fn customers(url: &str) -> Vec<Row> {
    let entra = json!({
        "ver": "2.0", "tid": TENANT, "oid": "11112222-bbbb-3333-cccc-4444dddd5555", "azp": "web", "aud": API,
        "scp": "access_as_user",
    });
    let entra = |changes: Value| {
        let mut claims = entra.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        claims
    };
    let external = format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0");
    let b2c = format!("https://contoso.b2clogin.com/{TENANT}/v2.0/");
    let jwt = Some("JWT");
    vec![
        Row {
            issuer: format!(
                "kind = 'external_id'\nurl = 'https://contoso.ciamlogin.com'\ntenant_id = '{TENANT}'\nclient_id = '{API}'\n\
                 keys_url = '{url}/jwks'"
            ),
            tokens: vec![
                (jwt, entra(json!({"iss": external})), 200),
                (jwt, entra(json!({"iss": external, "tid": API})), 401),
                (jwt, entra(json!({"iss": external, "aud": "other"})), 401),
            ],
        },
        Row {
            issuer: format!(
                "kind = 'b2c'\nurl = 'https://contoso.b2clogin.com'\ntenant_id = '{TENANT}'\nclient_id = '{API}'\n\
                 policy = 'B2C_1_signin'\nkeys_url = '{url}/jwks'"
            ),
            tokens: vec![
                (
                    jwt,
                    entra(json!({"iss": b2c, "ver": "1.0", "tfp": "B2C_1_signin"})),
                    200,
                ),
                (jwt, entra(json!({"iss": b2c, "ver": "1.0", "tfp": "B2C_1_other"})), 401),
            ],
        },
    ]
}

#[tokio::test]
async fn tokens_of_real_issuers_are_accepted() {
    let setup = Setup::new().await;
    let url = setup.issuer.url();
    for Row { issuer, tokens } in [standard(url), elsewhere(url), customers(url)].into_iter().flatten() {
        let process = setup.start(&configuration(&setup, &issuer)).await;
        for (typ, claims, expected) in tokens {
            let found = status(&process, &token(&setup.issuer, typ, &claims)).await;
            assert_eq!(found, expected, "{issuer}: {typ:?} {claims}");
        }
    }
}

#[tokio::test]
async fn clock_of_an_issuer_can_be_off() {
    let setup = Setup::new().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expired = now.as_secs() - 120;
    for (leeway, expected) in [("", 401), ("leeway_seconds = 300", 200)] {
        let url = setup.issuer.url();
        let issuer = format!("kind = 'oidc'\nurl = '{url}'\naudience = 'one'\n{leeway}");
        let process = setup.start(&configuration(&setup, &issuer)).await;
        let token = token(&setup.issuer, Some("at+jwt"), &json!({"aud": "one", "exp": expired}));
        assert_eq!(status(&process, &token).await, expected, "{leeway}");
    }
}

#[tokio::test]
async fn users_of_several_issuers_are_distinct() {
    let setup = Setup::new().await;
    let (other, stranger) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let issuers = format!(
        "kind = 'oidc'\nurl = '{}'\naudience = 'one'\n[[other_issuers]]\nkind = 'oidc'\nurl = '{}'\naudience = 'two'\n\
         token_type = 'jwt'\nscope = 'calls'\n",
        setup.issuer.url(),
        other.url()
    );
    let process = setup.start(&configuration(&setup, &issuers)).await;
    for (issuer, typ, claims, expected) in [
        (&setup.issuer, "at+jwt", json!({"aud": "one"}), 200),
        (&setup.issuer, "at+jwt", json!({"aud": "two"}), 401),
        (&other, "JWT", json!({"aud": "two", "scope": "calls"}), 200),
        (&other, "JWT", json!({"aud": "two"}), 403),
        (&other, "JWT", json!({"aud": "one", "scope": "calls"}), 401),
        (&stranger, "at+jwt", json!({"aud": "one"}), 401),
    ] {
        let found = status(&process, &token(issuer, Some(typ), &claims)).await;
        assert_eq!(found, expected, "{typ} {claims}");
    }
    // Both tokens have the subject alice.
    assert_eq!(setup.emulator.identity_count(), 2);
}

#[tokio::test]
async fn impossible_issuers_are_refused() {
    let acs = "[acs]\nconnection_string = 'endpoint=https://contoso.com;accesskey=c2VjcmV0'\n";
    let oidc = "kind = 'oidc'\nurl = 'https://login.contoso.com'\naudience = 'one'\n";
    let entra = format!("kind = 'entra'\ntenant_id = '{TENANT}'\nclient_id = '{API}'\n");
    for (issuer, subject, part) in [
        (
            "kind = 'oidc'\nurl = 'http://login.contoso.com'\naudience = 'one'".to_owned(),
            "issuer.url",
            "must begin with https://",
        ),
        (
            format!("{oidc}keys_url = 'http://login.contoso.com/keys'"),
            "issuer.keys_url",
            "issuer.allow_plain_http_keys = true",
        ),
        (
            format!("{oidc}keys_url = 'https://a.contoso.com'\nmetadata_url = 'https://b.contoso.com'"),
            "issuer.keys_url",
            "contradicts issuer.metadata_url",
        ),
        (
            format!("{oidc}token_type = 'JWT'"),
            "issuer.token_type",
            "\"at+jwt\" or \"jwt\"",
        ),
        (
            format!("{oidc}leeway_seconds = 301"),
            "issuer.leeway_seconds",
            "0 to 300",
        ),
        (format!("{oidc}policy = 'B2C_1_signin'"), "issuer.policy", "remove it"),
        (
            "kind = 'oidc'\nurl = 'https://login.contoso.com'\nclient_ids = 'web'".to_owned(),
            "issuer.scope",
            "is missing",
        ),
        (
            format!("kind = 'b2c'\nurl = 'https://contoso.b2clogin.com'\ntenant_id = '{TENANT}'\nclient_id = '{API}'"),
            "issuer.policy",
            "is missing",
        ),
        (
            format!("{oidc}[[other_issuers]]\n{entra}"),
            "other_issuers[0].kind",
            "cannot stand beside issuer.kind",
        ),
        (
            format!("{oidc}[[other_issuers]]\nkind = 'oidc'\nurl = 'https://b.contoso.com'"),
            "other_issuers[0].audience",
            "is missing",
        ),
        (
            format!("{oidc}[[other_issuers]]\n{oidc}kee = 1"),
            "other_issuers[0].kee",
            "there is no such key",
        ),
    ] {
        let found = faults(&format!("{acs}[issuer]\n{issuer}\n"), &[]).await;
        assert_eq!(faults_of(&found), [subject], "{issuer}: {found:?}");
        assert!(found[0].contains(part), "{found:?}");
    }
}

#[tokio::test]
async fn keys_over_plain_http_are_allowed_explicitly() {
    let setup = Setup::new().await;
    let url = setup.issuer.url();
    // Nothing is sent to this host before a token comes.
    let issuer = format!(
        "kind = 'oidc'\nurl = '{url}'\naudience = 'one'\nkeys_url = 'http://keys.invalid/jwks'\nallow_plain_http_keys = true"
    );
    let process = setup.start(&configuration(&setup, &issuer)).await;
    let health = http().get(process.url("healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200);
}
