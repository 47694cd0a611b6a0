//! The certificate of an application in Entra ID, and the assertions that it signs.

use ::aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair,
    signature::RSA_PSS_SHA256,
};
use async_trait::async_trait;
use azure_core::{
    error::ErrorKind,
    http::{ClientMethodOptions, Url},
};
use azure_identity::ClientAssertion;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use serde_json::{Value, json};
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// The lifetime of an assertion, in seconds. Entra ID recommends five to ten minutes.
const LIFETIME: i64 = 600;

/// A certificate with its RSA key. That of `azure_identity` needs OpenSSL.
#[derive(Clone)]
pub(crate) struct ClientCertificate {
    key: Arc<KeyPair>,
    /// The SHA-256 of the certificate, in base64url.
    thumbprint: String,
}

impl ClientCertificate {
    /// Parses a PEM file with the certificate and its key. The error is the fault and its remedy.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let certificate = CertificateDer::from_pem_slice(pem)
            .map_err(|_| "the file has no certificate: it needs -----BEGIN CERTIFICATE-----")?;
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "the file has no private key: it needs -----BEGIN PRIVATE KEY-----, without a password")?;
        let pair = CertifiedKey::from_der(
            vec![certificate.clone()],
            key.clone_key(),
            &aws_lc_rs::default_provider(),
        );
        pair.map_err(|_| "the certificate is not that of the private key")?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("the private key must be one of RSA"),
        };
        Ok(Self {
            key: Arc::new(key.map_err(|_| "the private key must be one of RSA, with 2048 bits or more")?),
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)),
        })
    }

    /// Signs an assertion, in the [documented format][format].
    ///
    /// [format]: https://learn.microsoft.com/entra/identity-platform/certificate-credentials
    fn sign(&self, audience: &str, client_id: &str, now: i64) -> azure_core::Result<String> {
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": Uuid::new_v4(),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| azure_core::Error::with_message(ErrorKind::Credential, "the certificate's key cannot sign"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Debug for ClientCertificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// The assertions of an application for the token endpoint of its tenant.
#[derive(Debug)]
pub(crate) struct CertificateAssertion {
    certificate: ClientCertificate,
    audience: String,
    client_id: String,
}

impl CertificateAssertion {
    /// Creates the assertions of an application. `authority` is the address of its cloud.
    pub(crate) fn new(certificate: ClientCertificate, authority: &Url, tenant_id: &str, client_id: &str) -> Self {
        let authority = authority.as_str().trim_end_matches('/');
        Self {
            certificate,
            audience: format!("{authority}/{tenant_id}/oauth2/v2.0/token"),
            client_id: client_id.to_owned(),
        }
    }
}

#[async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        self.certificate.sign(&self.audience, &self.client_id, now)
    }
}
