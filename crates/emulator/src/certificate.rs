//! The certificate of the https listener.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How long certificates are valid: as long as platforms accept of a leaf.
const VALIDITY: Duration = Duration::days(397);

/// A certificate for loopback and the CA that signed it, both generated for one emulator.
pub(crate) struct Certificate {
    ca_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut params = params_for(&[], "ACS Identity emulator CA")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut params = params_for(&["localhost", "127.0.0.1", "::1"], "ACS Identity emulator")?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Required by Python 3.13 and newer.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &ca)?;

        Ok(Self {
            ca_pem: ca.pem(),
            chain: vec![leaf.into()],
            key: key.into(),
        })
    }

    /// The CA certificate, for clients to trust.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The configuration of a TLS server with this certificate.
    pub(crate) fn into_server_config(self) -> Result<ServerConfig, rustls::Error> {
        // Named, so that it does not matter which provider the process has installed, if any.
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
    }
}

fn params_for(names: &[&str], common_name: &str) -> Result<CertificateParams, Error> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::DAY;
    params.not_after = params.not_before + VALIDITY;
    Ok(params)
}
