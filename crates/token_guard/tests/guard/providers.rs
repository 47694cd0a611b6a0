//! A token and a key set as each provider writes them, with the settings of the README. Sources: the samples in the
//! providers' documents, and tokens that users of Keycloak, Okta and AD FS published.

use crate::{
    forge::Key,
    server::{DISCOVERY, Server},
    setup::{AUDIENCE, NOW, short, with},
};
use serde_json::{Value, json};
use token_guard::{Caller, EntraApi, LogtoPermissions, TokenGuard, TokenGuardBuilder, TokenType, testing::ManualClock};

/// A provider's discovery document, key set and token, and the settings of a guard.
struct Provider {
    name: &'static str,
    /// The settings in the row of the README, for a provider that has one. `guard` has the same.
    readme: Option<&'static str>,
    /// The `iss` of the tokens. `{host}` is the server.
    issuer: &'static str,
    /// The path of the discovery document, and its issuer.
    document: (String, &'static str),
    /// The members of the key beside its type, its numbers, and the id `key`. Null removes one.
    key: Value,
    header: Value,
    claims: Value,
    /// The subject, the client, the scopes, and the roles.
    caller: (
        &'static str,
        Option<&'static str>,
        &'static [&'static str],
        &'static [&'static str],
    ),
    guard: fn(issuer: &str, host: &str) -> TokenGuardBuilder,
    /// Changes of the claims, most of which make another token of the issuer, and their outcomes. `{host}` is the server.
    changes: Vec<(&'static str, Value, &'static str)>,
}

const AUDIENCE_FAULT: &str = "401 invalid_token Audience";
const KIND: &str = "401 invalid_token NotAnAccessToken";

/// From <https://gist.github.com/phacman/bd288c7abac1d3fc1694b7e191e27e4c>.
fn keycloak() -> Provider {
    Provider {
        name: "Keycloak",
        readme: Some(r#".token_type(TokenType::Jwt).roles_claim("realm_access.roles")"#),
        issuer: "{host}/realms/contoso",
        document: (format!("/realms/contoso{DISCOVERY}"), "{host}/realms/contoso"),
        key: json!({"alg": "RS256", "use": "sig", "x5c": ["MIICnzCC"], "x5t": "Wn", "x5t#S256": "Gp"}),
        header: json!({"alg": "RS256", "typ": "JWT", "kid": "key"}),
        claims: json!({
            "jti": "onrtac:0e2c", "aud": [AUDIENCE, "account"], "sub": "36fa0f91-f94d-4a0c-afed-6b7d952e47da",
            "typ": "Bearer", "azp": "web", "sid": "2a88c258", "acr": "1", "allowed-origins": ["https://app.contoso.com"],
            "realm_access": {"roles": ["offline_access", "admin"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid email profile", "email_verified": true, "preferred_username": "alice",
        }),
        caller: (
            "36fa0f91-f94d-4a0c-afed-6b7d952e47da",
            Some("web"),
            &["openid", "email", "profile"],
            &["offline_access", "admin"],
        ),
        guard: |issuer, _| {
            TokenGuard::builder(issuer, [AUDIENCE])
                .token_type(TokenType::Jwt)
                .roles_claim("realm_access.roles")
        },
        changes: vec![
            (
                "an id token for another client",
                json!({"typ": "ID", "aud": "web", "at_hash": "a"}),
                KIND,
            ),
            (
                "an id token for a client named as the API",
                json!({"typ": "ID", "aud": AUDIENCE}),
                KIND,
            ),
            ("a refresh token", json!({"typ": "Refresh", "aud": AUDIENCE}), KIND),
            (
                "a logout token",
                json!({"typ": "Logout", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
                KIND,
            ),
            ("no audience of the API", json!({"aud": "account"}), AUDIENCE_FAULT),
        ],
    }
}

/// From <https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles>.
fn auth0() -> Provider {
    Provider {
        name: "Auth0",
        readme: Some(r#".token_type(TokenType::Jwt).roles_claim("permissions")"#),
        issuer: "{host}/",
        document: (DISCOVERY.to_owned(), "{host}/"),
        key: json!({"alg": "RS256", "use": "sig", "x5c": ["MIIDBTCC"], "x5t": "RJ"}),
        header: json!({"alg": "RS256", "typ": "JWT", "kid": "key"}),
        claims: json!({
            "sub": "auth0|123456", "aud": [AUDIENCE, "https://my-domain.auth0.com/userinfo"], "azp": "my_client_id",
            "scope": "openid profile read:patients", "permissions": ["read:patients"],
        }),
        caller: (
            "auth0|123456",
            Some("my_client_id"),
            &["openid", "profile", "read:patients"],
            &["read:patients"],
        ),
        guard: |issuer, _| {
            TokenGuard::builder(issuer, [AUDIENCE])
                .token_type(TokenType::Jwt)
                .roles_claim("permissions")
        },
        changes: vec![
            (
                "an id token",
                json!({"aud": "my_client_id", "azp": null, "nonce": "n", "sid": "s"}),
                AUDIENCE_FAULT,
            ),
            (
                "a token for userinfo",
                json!({"aud": "https://my-domain.auth0.com/userinfo"}),
                AUDIENCE_FAULT,
            ),
        ],
    }
}

/// From <https://groups.google.com/g/rabbitmq-users/c/O3GdCKf8soM/m/ZsjMcizrAgAJ>.
fn okta() -> Provider {
    Provider {
        name: "Okta",
        readme: Some(r#".token_type(TokenType::Jwt).scope_claim("scp")"#),
        issuer: "{host}/oauth2/default",
        document: (format!("/oauth2/default{DISCOVERY}"), "{host}/oauth2/default"),
        key: json!({"alg": "RS256", "use": "sig"}),
        header: json!({"kid": "key", "alg": "RS256"}),
        claims: json!({
            "ver": 1, "jti": "AT.MNAoEQ_jbKqoinrQo1D0XKjMX28U5d7ZszBceot7-Ts", "aud": AUDIENCE, "cid": "0oa1", "uid": "00u1",
            "scp": ["openid", "read:messages"], "auth_time": NOW - 5, "sub": "bob@fabrikam.com", "groups": ["Everyone"],
        }),
        caller: ("bob@fabrikam.com", Some("0oa1"), &["openid", "read:messages"], &[]),
        guard: |issuer, _| {
            TokenGuard::builder(issuer, [AUDIENCE])
                .token_type(TokenType::Jwt)
                .scope_claim("scp")
        },
        changes: vec![
            (
                "an id token",
                json!({"aud": "0oa1", "cid": null, "scp": null, "jti": "ID.r", "sub": "00u1", "uid": "00u1"}),
                AUDIENCE_FAULT,
            ),
            ("a token of a client", json!({"uid": null, "sub": "0oa1"}), "200"),
            (
                "an id token with a hash",
                json!({"at_hash": "fPlsvVszI29LU2UhDyJ9vg"}),
                KIND,
            ),
        ],
    }
}

/// Okta with the users' ids as subjects.
fn okta_users() -> Provider {
    Provider {
        readme: Some(r#"`.subject_claim("uid")` for users"#),
        caller: ("00u1", Some("0oa1"), &["openid", "read:messages"], &[]),
        guard: |issuer, host| (okta().guard)(issuer, host).subject_claim("uid"),
        changes: vec![(
            "a token of a client",
            json!({"uid": null, "sub": "0oa1"}),
            "401 invalid_token Subject",
        )],
        ..okta()
    }
}

/// From <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>.
fn cognito() -> Provider {
    Provider {
        name: "Cognito",
        readme: Some(
            r#".client_ids_in_place_of_audience([client]).token_type(TokenType::Jwt).roles_claim("cognito:groups")"#,
        ),
        issuer: "{host}/us-east-1_example",
        document: (format!("/us-east-1_example{DISCOVERY}"), "{host}/us-east-1_example"),
        key: json!({"alg": "RS256", "use": "sig"}),
        header: json!({"kid": "key", "alg": "RS256"}),
        claims: json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "device_key": "aaaaaaaa", "cognito:groups": ["testgroup"],
            "version": 2, "client_id": "xxxxxxxxxxxxexample", "origin_jti": "aaaa", "event_id": "bbbb", "token_use": "access",
            "scope": "phone openid", "auth_time": NOW - 5, "jti": "cccc", "username": "my-test-user",
        }),
        caller: (
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            Some("xxxxxxxxxxxxexample"),
            &["phone", "openid"],
            &["testgroup"],
        ),
        guard: |issuer, _| {
            TokenGuard::builder(issuer, None::<&str>)
                .client_ids_in_place_of_audience(["xxxxxxxxxxxxexample"])
                .token_type(TokenType::Jwt)
                .roles_claim("cognito:groups")
        },
        changes: vec![
            (
                "another client",
                json!({"client_id": "yyyyyyyyyyyyexample"}),
                AUDIENCE_FAULT,
            ),
            ("no client", json!({"client_id": null}), AUDIENCE_FAULT),
            (
                "the client in another claim",
                json!({"client_id": null, "azp": "xxxxxxxxxxxxexample"}),
                AUDIENCE_FAULT,
            ),
            (
                "the client in a list",
                json!({"client_id": ["xxxxxxxxxxxxexample"]}),
                AUDIENCE_FAULT,
            ),
            (
                "an id token",
                json!({"token_use": "id", "aud": "xxxxxxxxxxxxexample", "client_id": null, "scope": null}),
                KIND,
            ),
            (
                "an id token that does not say so",
                json!({"token_use": null, "aud": "xxxxxxxxxxxxexample"}),
                AUDIENCE_FAULT,
            ),
            (
                "a token for another API",
                json!({"aud": "https://api.fabrikam.com"}),
                AUDIENCE_FAULT,
            ),
            ("an empty list of audiences", json!({"aud": []}), AUDIENCE_FAULT),
        ],
    }
}

/// From <https://github.com/DuendeArchive/IdentityServer4/issues/812>.
fn ad_fs() -> Provider {
    Provider {
        name: "AD FS",
        readme: Some(
            r#".token_type(TokenType::Jwt).scope_claim("scp").roles_claim("role").subject_claim("primarysid")"#,
        ),
        issuer: "http://adfs.contoso.com/adfs/services/trust",
        document: (format!("/adfs{DISCOVERY}"), "{host}/adfs"),
        key: json!({"alg": "RS256", "use": "sig", "kid": "jeeQjLUam_O5jJgqWq1jVLfYl8G", "x5t": "jeeQjLUam_O5jJgqWq1jVLfYl8G", "x5c": ["MIIC"]}),
        header: json!({"typ": "JWT", "alg": "RS256", "x5t": "jeeQjLUam_O5jJgqWq1jVLfYl8G"}),
        claims: json!({
            "aud": "microsoft:identityserver:60b3d106-d155-4f9f-ba75-84b8078829fa", "primarysid": "S-1-5-21-1",
            "email": "admin@test.loc", "role": "Domain Users", "apptype": "Confidential", "appid": "the-app",
            "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            "auth_time": "2017-02-13T08:27:46.918Z", "ver": "1.0", "scp": "profile openid",
        }),
        caller: ("S-1-5-21-1", Some("the-app"), &["profile", "openid"], &["Domain Users"]),
        guard: |issuer, host| {
            let api = "microsoft:identityserver:60b3d106-d155-4f9f-ba75-84b8078829fa";
            TokenGuard::builder(issuer, [api])
                .metadata_at(&format!("{host}/adfs/.well-known/openid-configuration"))
                .token_type(TokenType::Jwt)
                .subject_claim("primarysid")
                .scope_claim("scp")
                .roles_claim("role")
        },
        changes: vec![
            (
                "an id token, of its other issuer",
                json!({"iss": "https://adfs.contoso.com/adfs"}),
                "401 invalid_token Issuer",
            ),
            ("no subject", json!({"primarysid": null}), "401 invalid_token Subject"),
            (
                "another API",
                json!({"aud": "microsoft:identityserver:another"}),
                AUDIENCE_FAULT,
            ),
        ],
    }
}

fn identity_server() -> Provider {
    Provider {
        name: "Duende IdentityServer",
        readme: Some(r#".roles_claim("role")"#),
        issuer: "{host}",
        document: (DISCOVERY.to_owned(), "{host}"),
        key: json!({"alg": "RS256", "use": "sig"}),
        header: json!({"alg": "RS256", "kid": "key", "typ": "at+jwt"}),
        claims: json!({
            "nbf": NOW - 1, "aud": AUDIENCE, "scope": ["openid", "read:messages"], "amr": ["pwd"], "client_id": "web",
            "sub": "182jmm199", "auth_time": NOW - 5, "idp": "local", "sid": "s", "jti": "j", "role": ["admin"],
        }),
        caller: ("182jmm199", Some("web"), &["openid", "read:messages"], &["admin"]),
        guard: |issuer, _| TokenGuard::builder(issuer, [AUDIENCE]).roles_claim("role"),
        changes: vec![
            (
                "an id token",
                json!({"aud": "web", "scope": null, "client_id": null}),
                AUDIENCE_FAULT,
            ),
            ("a token of a client", json!({"sub": null}), "401 invalid_token Subject"),
        ],
    }
}

fn logto() -> Provider {
    Provider {
        name: "Logto",
        readme: None,
        issuer: "{host}/oidc",
        document: (format!("/oidc{DISCOVERY}"), "{host}/oidc"),
        key: json!({"use": "sig"}),
        header: json!({"alg": "RS256", "typ": "at+jwt", "kid": "key"}),
        claims: json!({
            "jti": "j", "sub": "alice", "scope": "read:messages", "client_id": "web", "aud": AUDIENCE,
        }),
        caller: ("alice", Some("web"), &["read:messages"], &[]),
        guard: |_, host| {
            let resource = AUDIENCE.to_owned();
            TokenGuard::logto(host, LogtoPermissions::GlobalApi { resource })
        },
        changes: vec![(
            "a token for an organization",
            json!({"organization_id": "org_1"}),
            "403 auth.forbidden",
        )],
    }
}

const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const API: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

fn external_id() -> Provider {
    Provider {
        name: "Entra External ID",
        readme: None,
        issuer: "https://aaaabbbb-0000-cccc-1111-dddd2222eeee.ciamlogin.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
        document: (
            format!("/{TENANT}/v2.0{DISCOVERY}"),
            "https://aaaabbbb-0000-cccc-1111-dddd2222eeee.ciamlogin.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
        ),
        key: json!({
            "use": "sig", "x5t": "t", "x5c": ["MIIC"],
            "issuer": "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
        }),
        header: json!({"typ": "JWT", "alg": "RS256", "kid": "key"}),
        claims: json!({
            "aud": API, "azp": "web", "azpacr": "0", "oid": "object", "rh": "1.A", "scp": "access_as_user", "sub": "pairwise",
            "tid": TENANT, "uti": "u", "ver": "2.0", "nbf": NOW - 1,
        }),
        caller: ("pairwise", Some("web"), &["access_as_user"], &[]),
        guard: |_, host| TokenGuard::entra(EntraApi::external_id(host, TENANT, API)),
        changes: vec![
            ("an id token", json!({"azp": null, "scp": null, "nonce": "n"}), KIND),
            (
                "another tenant",
                json!({"tid": "bbbbcccc-1111-dddd-2222-eeee3333ffff"}),
                "401 invalid_token Issuer",
            ),
            (
                "another tenant's issuer",
                json!({"iss": "https://bbbbcccc-1111-dddd-2222-eeee3333ffff.ciamlogin.com/bbbbcccc-1111-dddd-2222-eeee3333ffff/v2.0"}),
                "401 invalid_token Issuer",
            ),
            (
                "the tenant's name as its host",
                json!({"iss": format!("https://contoso.ciamlogin.com/{TENANT}/v2.0")}),
                "401 invalid_token Issuer",
            ),
            ("no scope", json!({"scp": null}), "403 auth.forbidden"),
        ],
    }
}

fn b2c() -> Provider {
    Provider {
        name: "Azure AD B2C",
        readme: None,
        issuer: "{host}/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0/",
        document: (
            format!("/{TENANT}/B2C_1_signin/v2.0{DISCOVERY}"),
            "{host}/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0/",
        ),
        key: json!({"use": "sig", "nbf": 1_493_763_266}),
        header: json!({"typ": "JWT", "alg": "RS256", "kid": "key"}),
        claims: json!({
            "ver": "1.0", "aud": API, "sub": "alice", "tfp": "B2C_1_signin", "scp": "access_as_user", "azp": "web",
            "auth_time": NOW - 5, "nbf": NOW - 1,
        }),
        caller: ("alice", Some("web"), &["access_as_user"], &[]),
        guard: |_, host| TokenGuard::entra(EntraApi::b2c(host, TENANT, "B2C_1_signin", API)),
        changes: vec![
            (
                "an id token",
                json!({"azp": null, "scp": null, "nonce": "n", "acr": "b2c_1_signin"}),
                KIND,
            ),
            (
                "another policy",
                json!({"tfp": "B2C_1_without_mfa"}),
                "401 invalid_token Issuer",
            ),
            ("no policy", json!({"tfp": null}), "401 invalid_token Issuer"),
            (
                "the policy in a list",
                json!({"tfp": ["B2C_1_signin"]}),
                "401 invalid_token Issuer",
            ),
            (
                "a tid of another tenant is not needed",
                json!({"tid": "bbbbcccc-1111-dddd-2222-eeee3333ffff"}),
                "200",
            ),
            (
                "the policy in the issuer only",
                json!({"tfp": null, "iss": format!("{{host}}/tfp/{TENANT}/b2c_1_signin/v2.0/")}),
                "200",
            ),
            (
                "another policy than the issuer's",
                json!({"tfp": "B2C_1_without_mfa", "iss": format!("{{host}}/tfp/{TENANT}/b2c_1_signin/v2.0/")}),
                "401 invalid_token Issuer",
            ),
            (
                "another policy in the issuer",
                json!({"iss": format!("{{host}}/tfp/{TENANT}/b2c_1_without_mfa/v2.0/")}),
                "401 invalid_token Issuer",
            ),
            (
                "another tenant in the issuer",
                json!({"iss": "{host}/bbbbcccc-1111-dddd-2222-eeee3333ffff/v2.0/"}),
                "401 invalid_token Issuer",
            ),
            ("the policy in capitals", json!({"tfp": "B2C_1_SIGNIN"}), "200"),
            ("the policy as acr", json!({"tfp": null, "acr": "b2c_1_signin"}), "200"),
            ("neither scope nor role", json!({"scp": null}), "403 auth.forbidden"),
        ],
    }
}

fn caller_of(caller: &Caller) -> (&str, Option<&str>, Vec<&str>, Vec<&str>) {
    (
        caller.subject(),
        caller.client_id(),
        caller.scopes().iter().map(String::as_str).collect(),
        caller.roles().iter().map(String::as_str).collect(),
    )
}

fn providers() -> Vec<Provider> {
    vec![
        keycloak(),
        auth0(),
        okta(),
        okta_users(),
        cognito(),
        ad_fs(),
        identity_server(),
        logto(),
        external_id(),
        b2c(),
    ]
}

#[test]
fn readme_has_the_settings_of_each_provider() {
    let readme = include_str!("../../README.md");
    for Provider {
        name, readme: settings, ..
    } in providers()
    {
        let Some(settings) = settings else { continue };
        let row = readme.lines().find(|line| line.starts_with(&format!("| {name} |")));
        assert!(row.is_some_and(|row| row.contains(settings)), "{name}: {row:?}");
    }
}

#[tokio::test]
async fn token_of_each_provider_accepted() {
    let key = Key::rsa();
    for provider in providers() {
        let name = provider.name;
        let server = Server::start().await;
        let host = server.url("");
        let at_host = |text: &str| text.replace("{host}", &host);
        let mut document = json!({"issuer": at_host(provider.document.1), "jwks_uri": server.url("/keys")});
        if name == "AD FS" {
            document["access_token_issuer"] = json!(provider.issuer);
        }
        server.json(&provider.document.0, &document);
        // Beside a key for encryption, as Keycloak and AD FS have one.
        let encryption = with(&Key::p256().jwk("encryption"), &json!({"use": "enc", "alg": "ECDH-ES"}));
        server.json(
            "/keys",
            &json!({"keys": [encryption, with(&key.jwk("key"), &provider.key)]}),
        );

        let issuer = at_host(provider.issuer);
        let guard = (provider.guard)(&issuer, &host);
        let guard = guard.clock(ManualClock::at(NOW).clock()).build().unwrap();
        let base = with(&json!({"iss": issuer, "iat": NOW, "exp": NOW + 300}), &provider.claims);
        let caller = guard
            .verify(&key.token(&provider.header, &base))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let (subject, client, scopes, roles) = provider.caller;
        assert_eq!(
            caller_of(&caller),
            (subject, client, scopes.to_vec(), roles.to_vec()),
            "{name}"
        );
        assert!(!caller.is_application(), "{name}");
        for (change, members, expected) in provider.changes {
            let members: Value = serde_json::from_str(&at_host(&members.to_string())).unwrap();
            let token = key.token(&provider.header, &with(&base, &members));
            assert_eq!(short(&guard.verify(&token).await), expected, "{name}: {change}");
        }
    }
}

#[tokio::test]
async fn applications_of_each_provider_recognized() {
    let key = Key::rsa();
    let keys = json!({"keys": [key.jwk("key")]}).to_string();
    let builder = || {
        TokenGuard::builder("https://issuer.contoso.com", [AUDIENCE])
            .fixed_keys(&keys)
            .clock(ManualClock::at(NOW).clock())
    };
    let plain = builder().build().unwrap();
    let keycloak = builder().application_claim("preferred_username", "service-account-worker");
    let auth0 = builder().application_claim("gty", "client-credentials");
    let identity_server = builder().subject_claim("client_id").build().unwrap();
    let identity_server = TokenGuard::any_of([plain.clone(), identity_server.requiring_application()]);
    for (name, guard, claims, subject, is_application) in [
        (
            "RFC 9068",
            &plain,
            json!({"sub": "worker", "client_id": "worker"}),
            "worker",
            true,
        ),
        (
            "Auth0",
            &plain,
            json!({"sub": "worker@clients", "azp": "worker"}),
            "worker@clients",
            true,
        ),
        (
            "Auth0, a user named as clients are",
            &plain,
            json!({"sub": "eve@clients", "azp": "worker"}),
            "eve@clients",
            false,
        ),
        ("Okta", &plain, json!({"sub": "0oa1", "cid": "0oa1"}), "0oa1", true),
        (
            "Auth0 by its claim",
            &auth0.build().unwrap(),
            json!({"sub": "a", "gty": "client-credentials"}),
            "a",
            true,
        ),
        (
            "Keycloak",
            &keycloak.build().unwrap(),
            json!({"sub": "f1", "azp": "worker", "preferred_username": "service-account-worker"}),
            "f1",
            true,
        ),
        (
            "IdentityServer",
            &identity_server,
            json!({"client_id": "worker"}),
            "worker",
            true,
        ),
        (
            "a user of IdentityServer",
            &identity_server,
            json!({"sub": "alice", "client_id": "web"}),
            "alice",
            false,
        ),
    ] {
        let claims = with(
            &json!({"iss": "https://issuer.contoso.com", "aud": AUDIENCE, "exp": NOW + 300}),
            &claims,
        );
        let token = key.token(&json!({"alg": "RS256", "typ": "at+jwt", "kid": "key"}), &claims);
        let caller = guard
            .verify(&token)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(
            (caller.subject(), caller.is_application()),
            (subject, is_application),
            "{name}"
        );
    }
}

#[tokio::test]
async fn user_is_no_application_where_clients_are_subjects() {
    let key = Key::rsa();
    let daemons = TokenGuard::builder("https://issuer.contoso.com", [AUDIENCE])
        .fixed_keys(&json!({"keys": [key.jwk("key")]}).to_string())
        .clock(ManualClock::at(NOW).clock())
        .subject_claim("client_id")
        .build()
        .unwrap()
        .requiring_application();
    let claims = json!({"iss": "https://issuer.contoso.com", "aud": AUDIENCE, "exp": NOW + 300, "client_id": "web"});
    let forbidden = "403 auth.forbidden";
    for (members, expected) in [
        (json!({}), "200"),
        (json!({"sub": "web"}), "200"),
        (json!({"sub": "alice"}), forbidden),
        (json!({"sub": 7}), forbidden),
        (json!({"sub": ""}), forbidden),
        (json!({"sub": ["web"]}), forbidden),
    ] {
        let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": "key"});
        let token = key.token(&header, &with(&claims, &members));
        assert_eq!(short(&daemons.verify(&token).await), expected, "{members}");
    }
}
