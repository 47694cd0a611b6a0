//! Tokens of Entra ID, whose issuers, keys and claims differ from those of other issuers. Sources: Microsoft's references of
//! the claims of access tokens and id tokens, and its rules for the validation of tokens.

use crate::{
    forge::Key,
    server::Server,
    setup::{NOW, short, with},
};
use serde_json::{Value, json};
use token_guard::{EntraApi, TokenGuard, testing::ManualClock};

const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const PARTNER: &str = "bbbbcccc-1111-dddd-2222-eeee3333ffff";
const STRANGER: &str = "ccccdddd-2222-eeee-3333-ffff4444aaaa";
const API: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

struct Entra {
    server: Server,
    key: Key,
}

impl Entra {
    /// Serves the documents of one tenant and of all tenants, and keys for all tenants, for one tenant, and for none.
    async fn start() -> Self {
        let key = Key::rsa();
        let server = Server::start().await;
        let host = server.url("");
        let document =
            |issuer: &str| json!({"issuer": format!("{host}/{issuer}/v2.0"), "jwks_uri": format!("{host}/keys")});
        let path = |tenant: &str| format!("/{tenant}/v2.0/.well-known/openid-configuration");
        server.json(&path(TENANT), &document(TENANT));
        server.json(&path("common"), &document("{tenantid}"));
        let of = |id: &str, issuer: &str| {
            with(
                &key.jwk(id),
                &json!({"use": "sig", "issuer": format!("{host}/{issuer}/v2.0")}),
            )
        };
        let unreadable = |id: &str, issuer: Value| with(&key.jwk(id), &json!({ "issuer": issuer }));
        let keys = json!({"keys": [
            of("shared", "{tenantid}"),
            of("stranger's", STRANGER),
            key.jwk("unbound"),
            unreadable("numbered", json!(7)),
            unreadable("listed", json!([format!("{host}/{STRANGER}/v2.0")])),
        ]});
        server.json("/keys", &keys);
        Self { server, key }
    }

    fn guard(&self, api: EntraApi) -> TokenGuard {
        let api = api.authority(&self.server.url("/"));
        TokenGuard::entra(api)
            .clock(ManualClock::at(NOW).clock())
            .build()
            .unwrap()
    }

    /// An access token of version 2 for a user.
    fn v2(&self, tenant: &str) -> Value {
        json!({
            "iss": self.server.url(&format!("/{tenant}/v2.0")),
            "aud": API, "tid": tenant, "azp": "client", "scp": "access_as_user", "ver": "2.0",
            "sub": "pairwise", "oid": "object", "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        })
    }

    /// An access token of version 1 for a user.
    fn v1(&self, tenant: &str) -> Value {
        let v1 = json!({
            "iss": format!("https://sts.windows.net/{tenant}/"),
            "aud": format!("api://{API}"), "azp": null, "appid": "client", "ver": "1.0",
        });
        with(&self.v2(tenant), &v1)
    }

    fn token(&self, key: &str, claims: &Value) -> String {
        self.key
            .token(&json!({"alg": "RS256", "typ": "JWT", "kid": key}), claims)
    }
}

/// A token, the key that signs it, its claims, and the outcomes of guards of one tenant and of two.
type Row = (&'static str, &'static str, Value, [&'static str; 2]);

/// Tokens by tenant, version, key and issuer.
fn rows(entra: &Entra) -> Vec<Row> {
    let (ok, issuer, audience) = ("200", "401 invalid_token Issuer", "401 invalid_token Audience");
    let unknown = "401 invalid_token UnknownKey";
    let v2 = |members: Value| with(&entra.v2(TENANT), &members);
    let v1 = |members: Value| with(&entra.v1(TENANT), &members);
    vec![
        ("version 2", "shared", v2(json!({})), [ok, ok]),
        ("version 1", "shared", v1(json!({})), [ok, ok]),
        ("a key without issuer", "unbound", v2(json!({})), [ok, ok]),
        (
            "a key with a number as its issuer",
            "numbered",
            v2(json!({})),
            [unknown, unknown],
        ),
        (
            "a key with a list as its issuer",
            "listed",
            v2(json!({})),
            [unknown, unknown],
        ),
        ("another tenant on the list", "shared", entra.v2(PARTNER), [issuer, ok]),
        (
            "another tenant on the list, version 1",
            "shared",
            entra.v1(PARTNER),
            [issuer, ok],
        ),
        (
            "a tenant not on the list",
            "shared",
            entra.v2(STRANGER),
            [issuer, issuer],
        ),
        (
            "a tenant not on the list, version 1",
            "shared",
            entra.v1(STRANGER),
            [issuer, issuer],
        ),
        ("a key of another tenant", "stranger's", v2(json!({})), [issuer, issuer]),
        (
            "a key of another tenant, version 1",
            "stranger's",
            v1(json!({})),
            [issuer, issuer],
        ),
        ("no tid", "shared", v2(json!({"tid": null})), [issuer, issuer]),
        (
            "the tid of another tenant",
            "shared",
            v2(json!({"tid": PARTNER})),
            [issuer, issuer],
        ),
        (
            "the issuer with a placeholder",
            "shared",
            v2(json!({"iss": entra.server.url("/{tenantid}/v2.0")})),
            [issuer, issuer],
        ),
        (
            "the issuer of another cloud",
            "shared",
            v1(json!({"iss": format!("https://sts.chinacloudapi.cn/{TENANT}/")})),
            [issuer, issuer],
        ),
        (
            "another API",
            "shared",
            v2(json!({"aud": "00000003-0000-0000-c000-000000000000"})),
            [audience, audience],
        ),
    ]
}

/// Tokens by scopes and roles, and id tokens.
fn permissions(entra: &Entra) -> Vec<Row> {
    let (ok, forbidden, audience, no_access) = (
        "200",
        "403 auth.forbidden",
        "401 invalid_token Audience",
        "401 invalid_token NotAnAccessToken",
    );
    let v2 = |members: Value| with(&entra.v2(TENANT), &members);
    vec![
        (
            "an application with a role",
            "shared",
            v2(json!({"scp": null, "roles": ["Calls.All"]})),
            [ok, ok],
        ),
        (
            "neither scope nor role",
            "shared",
            v2(json!({"scp": null})),
            [forbidden, forbidden],
        ),
        (
            "an empty scope",
            "shared",
            v2(json!({"scp": ""})),
            [forbidden, forbidden],
        ),
        (
            "neither scope nor role, expired",
            "shared",
            v2(json!({"scp": null, "exp": NOW - 60})),
            ["401 invalid_token Expired"; 2],
        ),
        (
            "neither scope nor role, for another API",
            "shared",
            v2(json!({"scp": null, "aud": "00000003-0000-0000-c000-000000000000"})),
            [audience, audience],
        ),
        (
            "scope in place of scp",
            "shared",
            v2(json!({"scp": null, "scope": "access_as_user"})),
            [forbidden, forbidden],
        ),
        (
            "an id token",
            "shared",
            v2(json!({"scp": null, "azp": null, "nonce": "n"})),
            [no_access, no_access],
        ),
        (
            "an id token with roles",
            "shared",
            v2(json!({"scp": null, "azp": null, "roles": ["a"]})),
            [no_access, no_access],
        ),
    ]
}

#[tokio::test]
async fn tokens_accepted_by_version_and_tenant() {
    let entra = Entra::start().await;
    let single = entra.guard(EntraApi::new(TENANT, API));
    let several = entra.guard(EntraApi::new(&TENANT.to_uppercase(), &API.to_uppercase()).allow_tenant(PARTNER));
    for (name, key, claims, expected) in rows(&entra).into_iter().chain(permissions(&entra)) {
        let token = entra.token(key, &claims);
        let outcomes = [
            short(&single.verify(&token).await),
            short(&several.verify(&token).await),
        ];
        assert_eq!(outcomes, expected, "{name}");
    }
}

#[tokio::test]
async fn caller_has_the_claims_of_entra() {
    let entra = Entra::start().await;
    let guard = entra.guard(EntraApi::new(TENANT, API).audience("https://contoso.com/api"));
    for claims in [
        entra.v2(TENANT),
        entra.v1(TENANT),
        with(&entra.v1(TENANT), &json!({"aud": "https://contoso.com/api"})),
    ] {
        let claims = with(
            &claims,
            &json!({"scp": "access_as_user Calls.Read", "client_id": "not this"}),
        );
        let caller = guard.verify(&entra.token("shared", &claims)).await.unwrap();
        assert_eq!(caller.client_id(), Some("client"));
        assert_eq!(caller.tenant_id(), Some(TENANT));
        assert_eq!(caller.object_id(), Some("object"));
        assert_eq!(caller.scopes(), ["access_as_user", "Calls.Read"]);
        assert!(caller.roles().is_empty());
    }
    let application = with(&entra.v2(TENANT), &json!({"scp": null, "roles": ["Calls.All"]}));
    let token = entra.token("shared", &application);
    assert_eq!(short(&guard.requiring_roles(["Calls.All"]).verify(&token).await), "200");
    assert_eq!(
        short(&guard.requiring_scopes(["access_as_user"]).verify(&token).await),
        "403 auth.forbidden"
    );
}

#[tokio::test]
async fn users_and_daemons_distinguished() {
    let entra = Entra::start().await;
    let guard = entra.guard(EntraApi::new(TENANT, API)).requiring_roles(["Calls.All"]);
    let daemons = guard.requiring_application();
    // Microsoft's reference of optional claims: idtyp is app for tokens of applications alone, and user for others if asked.
    for (members, daemon) in [
        (json!({"scp": null}), true),
        (json!({"scp": null, "idtyp": "app"}), true),
        (json!({"scp": "access_as_user"}), false),
        (json!({"scp": "access_as_user", "idtyp": "user"}), false),
        (json!({"scp": null, "idtyp": "user"}), false),
        (json!({"scp": "access_as_user", "idtyp": "app"}), true),
    ] {
        let claims = with(&with(&entra.v2(TENANT), &json!({"roles": ["Calls.All"]})), &members);
        let token = entra.token("shared", &claims);
        let caller = guard.verify(&token).await.unwrap();
        assert_eq!(caller.is_application(), daemon, "{members}");
        assert_eq!(caller.require_application().is_ok(), daemon, "{members}");
        let expected = if daemon { "200" } else { "403 auth.forbidden" };
        assert_eq!(short(&daemons.verify(&token).await), expected, "{members}");
    }
}

#[tokio::test]
async fn discovery_document_of_another_tenant_refused() {
    let entra = Entra::start().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    entra.server.json(
        &path,
        &json!({"issuer": entra.server.url("/{tenantid}/v2.0"), "jwks_uri": entra.server.url("/keys")}),
    );
    let guard = entra.guard(EntraApi::new(TENANT, API));
    let token = entra.token("shared", &entra.v2(TENANT));
    assert_eq!(short(&guard.verify(&token).await), "503 auth.keys_unavailable");
}
