//! TLS configuration from a certificate and its key, in PEM.

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// A fault of a certificate or its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TlsFault {
    /// The certificate is missing.
    Certificate,
    /// The key is missing.
    Key,
    /// The certificate is not X.509, the key is not supported, or they do not match.
    Pair,
}

impl TlsFault {
    /// Returns whether the fault is the key's.
    pub(crate) fn is_of_key(self) -> bool {
        self == Self::Key
    }
}

impl Display for TlsFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => {
                "the file has no certificate: it needs -----BEGIN CERTIFICATE-----, the service's own one first"
            }
            Self::Key => "the file has no private key: it needs -----BEGIN PRIVATE KEY-----, without a password",
            Self::Pair => "the certificate is not that of tls.key, or one of them cannot be used for TLS",
        })
    }
}

impl Error for TlsFault {}

/// Returns a hash of the files of a certificate and its key.
pub(crate) fn contents_hash(certificate: &[u8], key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (certificate, key).hash(&mut hasher);
    hasher.finish()
}

/// Returns the configuration of connections: TLS 1.2 and 1.3, HTTP/1.1.
pub(crate) fn server_config(certificate: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsFault> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsFault::Certificate)?;
    if chain.is_empty() {
        return Err(TlsFault::Certificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsFault::Key)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|_| TlsFault::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn certificate_needs_its_own_key() {
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        let config = server_config(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(config.alpn_protocols, [b"http/1.1"]);
        for (certificate, key, fault) in [
            (certificate.as_str(), other_key.as_str(), TlsFault::Pair),
            (certificate.as_str(), certificate.as_str(), TlsFault::Key),
            (certificate.as_str(), "", TlsFault::Key),
            (key.as_str(), key.as_str(), TlsFault::Certificate),
            ("", key.as_str(), TlsFault::Certificate),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                key.as_str(),
                TlsFault::Pair,
            ),
        ] {
            let refused = server_config(certificate.as_bytes(), key.as_bytes()).unwrap_err();
            assert_eq!(refused, fault, "{certificate} {key}");
        }
    }
}
