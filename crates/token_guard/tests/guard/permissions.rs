//! Permissions of a valid token: scopes, roles, and the permission models of Logto.

use crate::setup::{AUDIENCE, NOW, Setup, short};
use serde_json::{Value, json};
use token_guard::{LogtoPermissions, TokenGuard, TokenGuardBuilder};

/// Builds a guard for Logto tokens of the test's issuer. The address of the keys is set, as the issuer serves no `/oidc`.
fn logto(setup: &Setup, permissions: LogtoPermissions) -> TokenGuardBuilder {
    TokenGuard::logto(setup.issuer.url(), permissions)
        .keys_at(&format!("{}/jwks", setup.issuer.url()))
        .clock(setup.time.clock())
}

fn token(setup: &Setup, claims: Value) -> String {
    let mut claims = claims;
    claims["iss"] = json!(format!("{}/oidc", setup.issuer.url()));
    setup.issuer.token(claims).unwrap()
}

#[tokio::test]
async fn logto_model_accepts_its_own_tokens() {
    let setup = Setup::new().await;
    let resource = || AUDIENCE.to_owned();
    let global = logto(&setup, LogtoPermissions::GlobalApi { resource: resource() })
        .build()
        .unwrap();
    let organization = logto(&setup, LogtoPermissions::Organization).build().unwrap();
    let organization_api = logto(&setup, LogtoPermissions::OrganizationApi { resource: resource() })
        .build()
        .unwrap();
    let forbidding = logto(&setup, LogtoPermissions::Organization)
        .forbid_other_audiences()
        .build()
        .unwrap();
    let (ok, audience, forbidden) = ("200", "401 invalid_token Audience", "403 auth.forbidden");
    // The audience and organization_id of each model, by Logto's documentation.
    for (claims, expected) in [
        (json!({"aud": AUDIENCE}), [ok, audience, forbidden, forbidden]),
        (
            json!({"aud": AUDIENCE, "organization_id": "org1"}),
            [forbidden, audience, ok, forbidden],
        ),
        (
            json!({"aud": AUDIENCE, "organization_id": ""}),
            [forbidden, audience, forbidden, forbidden],
        ),
        (
            json!({"aud": "urn:logto:organization:org1"}),
            [audience, ok, audience, ok],
        ),
        (
            json!({"aud": "urn:logto:organization:org1", "organization_id": "org1"}),
            [audience, ok, audience, ok],
        ),
        (
            json!({"aud": "urn:logto:organization:org1", "organization_id": "org2"}),
            [audience, forbidden, audience, forbidden],
        ),
        (
            json!({"aud": "urn:logto:organization:"}),
            [audience, audience, audience, forbidden],
        ),
        (
            json!({"aud": ["urn:logto:organization:org1", "urn:logto:organization:org2"]}),
            [audience, audience, audience, forbidden],
        ),
        (
            json!({"aud": "https://api.fabrikam.com"}),
            [audience, audience, audience, forbidden],
        ),
    ] {
        let token = token(&setup, claims.clone());
        let mut outcomes = Vec::new();
        for guard in [&global, &organization, &organization_api, &forbidding] {
            outcomes.push(short(&guard.verify(&token).await));
        }
        assert_eq!(outcomes, expected, "{claims}");
    }
}

#[tokio::test]
async fn organization_of_the_request_required() {
    let setup = Setup::new().await;
    for (permissions, claims) in [
        (
            LogtoPermissions::Organization,
            json!({"aud": "urn:logto:organization:org1"}),
        ),
        (
            LogtoPermissions::OrganizationApi {
                resource: AUDIENCE.to_owned(),
            },
            json!({"aud": AUDIENCE, "organization_id": "org1"}),
        ),
    ] {
        let guard = logto(&setup, permissions).build().unwrap();
        let token = token(&setup, claims);
        let caller = guard.verify(&token).await.unwrap();
        assert_eq!(caller.organization_id(), Some("org1"));
        assert!(caller.require_organization("org1").is_ok());
        let refused = caller.require_organization("org2").unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (403, "auth.forbidden"));
        assert_eq!(short(&guard.requiring_organization("org1").verify(&token).await), "200");
        assert_eq!(
            short(&guard.requiring_organization("org2").verify(&token).await),
            "403 auth.forbidden"
        );
        for both in [["org1", "org2"], ["org2", "org1"]] {
            let guard = guard.requiring_organization(both[0]).requiring_organization(both[1]);
            assert_eq!(short(&guard.verify(&token).await), "403 auth.forbidden", "{both:?}");
        }
    }
}

#[tokio::test]
async fn all_required_scopes_and_roles_needed() {
    let setup = Setup::new().await;
    let guard = setup.guard();
    let claims = json!({"aud": AUDIENCE, "scope": "read:a  write:a", "roles": ["admin", "auditor"]});
    let token = setup.issuer.token(claims).unwrap();
    for (scopes, roles, expected) in [
        (&[][..], &[][..], "200"),
        (&["read:a"], &[], "200"),
        (&["write:a", "read:a"], &["admin"], "200"),
        (&["read:a", "read:b"], &[], "403 auth.forbidden"),
        (&["read"], &[], "403 auth.forbidden"),
        (&["READ:A"], &[], "403 auth.forbidden"),
        (&[""], &[], "403 auth.forbidden"),
        (&["read:a  write:a"], &[], "403 auth.forbidden"),
        (&["admin"], &[], "403 auth.forbidden"),
        (&[], &["read:a"], "403 auth.forbidden"),
        (&[], &["admin", "auditor"], "200"),
        (&[], &["admin", "owner"], "403 auth.forbidden"),
    ] {
        let guard = guard
            .requiring_scopes(scopes.iter().copied())
            .requiring_roles(roles.iter().copied());
        assert_eq!(short(&guard.verify(&token).await), expected, "{scopes:?} {roles:?}");
    }
    // Guards with other requirements share the keys.
    assert_eq!(setup.issuer.key_requests(), 1);
}

#[tokio::test]
async fn application_is_its_own_subject() {
    let setup = Setup::new().await;
    let guard = setup.guard().requiring_application();
    for (claims, expected) in [
        (json!({"aud": AUDIENCE, "sub": "app", "client_id": "app"}), "200"),
        (
            json!({"aud": AUDIENCE, "sub": "alice", "client_id": "app"}),
            "403 auth.forbidden",
        ),
        (json!({"aud": AUDIENCE, "sub": "app"}), "403 auth.forbidden"),
        (
            json!({"aud": AUDIENCE, "sub": "alice", "idtyp": "app"}),
            "403 auth.forbidden",
        ),
    ] {
        let token = setup.issuer.token(claims.clone()).unwrap();
        assert_eq!(short(&guard.verify(&token).await), expected, "{claims}");
    }
}

#[tokio::test]
async fn caller_has_the_claims_of_the_token() {
    let setup = Setup::new().await;
    let claims = json!({
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "app",
        "scope": "read:a write:a",
        "roles": ["admin"],
        "exp": NOW + 300,
        "tid": "tenant",
        "oid": "object",
        "picture": "https://contoso.com/alice.png",
    });
    let token = setup.issuer.token(claims).unwrap();
    let caller = setup.guard().verify(&token).await.unwrap();
    assert_eq!(caller.subject(), "alice");
    assert_eq!(caller.client_id(), Some("app"));
    assert_eq!(caller.organization_id(), None);
    assert_eq!(caller.scopes(), ["read:a", "write:a"]);
    assert_eq!(caller.roles(), ["admin"]);
    assert_eq!(caller.tenant_id(), Some("tenant"));
    assert_eq!(caller.object_id(), Some("object"));
    assert_eq!(caller.claim("picture").unwrap(), "https://contoso.com/alice.png");
    assert_eq!(caller.claim("email"), None);
    assert_eq!(caller.token().secret(), token);
    let expires_in = caller.expires_at().duration_since(setup.time.clock().now()).unwrap();
    assert_eq!(expires_in.as_secs(), 300);
    assert!(caller.require_scope("read:a").is_ok());
    assert!(caller.require_role("admin").is_ok());
    let challenge = |error: token_guard::GuardError| {
        let response: http::Response<String> = error.to_response();
        response.headers()["www-authenticate"].to_str().unwrap().to_owned()
    };
    assert_eq!(
        challenge(caller.require_scope("read:b").unwrap_err()),
        r#"Bearer realm="api", error="insufficient_scope", scope="read:b""#
    );
    assert_eq!(
        challenge(caller.require_role("owner").unwrap_err()),
        r#"Bearer realm="api", error="insufficient_scope""#
    );
}
