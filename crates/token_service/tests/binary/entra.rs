//! A tenant of Entra ID: its metadata, keys and tokens.

use acs_identity_emulator::Uuid;
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use token_guard::testing::TestIssuer;
use tokio::{net::TcpListener, task::AbortHandle};

pub(crate) const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
/// The registration of the service's API.
pub(crate) const CLIENT: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

pub(crate) struct Entra {
    /// The signer of the tenant's tokens.
    issuer: TestIssuer,
    authority: String,
    server: AbortHandle,
}

impl Entra {
    pub(crate) async fn start() -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let authority = format!("http://{}", listener.local_addr().unwrap());
        let document = json!({
            "issuer": format!("{authority}/{TENANT}/v2.0"),
            "jwks_uri": format!("{authority}/{TENANT}/discovery/v2.0/keys"),
        });
        let keys = json!({"keys": [issuer.public_key()]});
        let serve = |value: Value| get(async move || Json(value));
        let router = Router::new()
            .route(
                &format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
                serve(document),
            )
            .route(&format!("/{TENANT}/discovery/v2.0/keys"), serve(keys));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            issuer,
            authority,
            server: server.abort_handle(),
        }
    }

    /// Returns a configuration for this tenant. `sections` come after its own.
    pub(crate) fn configuration(&self, connection_string: &str, sections: &str) -> String {
        format!(
            "listen = '127.0.0.1:0'\n[acs]\nconnection_string = '{connection_string}'\n[issuer]\nkind = 'entra'\n\
             url = '{}'\ntenant_id = '{TENANT}'\nclient_id = '{CLIENT}'\n{sections}\n",
            self.authority
        )
    }

    /// Issues a user's token for the service, with the [documented claims][claims]. `sub` differs between applications.
    ///
    /// [claims]: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    pub(crate) fn token(&self, subject: &str, object_id: Uuid) -> String {
        let claims = json!({
            "iss": format!("{}/{TENANT}/v2.0", self.authority),
            "aud": CLIENT,
            "azp": "33334444-dddd-5555-eeee-6666ffff7777",
            "ver": "2.0",
            "tid": TENANT,
            "oid": object_id,
            "sub": subject,
            "scp": "access_as_user",
        });
        self.issuer.token(claims).unwrap()
    }

    /// Issues a token of an application that acts for no user, with roles and without a scope.
    pub(crate) fn application_token(&self, roles: &[&str]) -> String {
        let claims = json!({
            "iss": format!("{}/{TENANT}/v2.0", self.authority),
            "aud": CLIENT,
            "azp": "33334444-dddd-5555-eeee-6666ffff7777",
            "ver": "2.0",
            "tid": TENANT,
            "oid": Uuid::from_u128(7),
            "sub": Uuid::from_u128(7),
            "roles": roles,
        });
        self.issuer.token(claims).unwrap()
    }
}

impl Drop for Entra {
    fn drop(&mut self) {
        self.server.abort();
    }
}
