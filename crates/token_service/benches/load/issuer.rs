//! An issuer of ES256 tokens.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

pub(crate) const AUDIENCE: &str = "https://api.contoso.com";

pub(crate) struct Issuer {
    url: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self { url, key };
        let keys = json!({ "keys": [issuer.jwk()] });
        let discovery = json!({ "issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.url) });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route("/jwks", get(async move || Json(keys)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the public key as a JSON Web Key.
    pub(crate) fn public_key(&self) -> String {
        self.jwk().to_string()
    }

    /// Issues a token that outlasts any run.
    pub(crate) fn token(&self, subject: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let header = encode(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "load" }));
        let claims = encode(json!({
            "iss": self.url, "sub": subject, "aud": AUDIENCE, "client_id": "app", "iat": now, "exp": now + 7200,
        }));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn jwk(&self) -> Value {
        // 0x04, then both coordinates.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "kid": "load", "alg": "ES256", "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}
