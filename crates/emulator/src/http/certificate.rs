//! The certificate of the https listener.

use crate::{
    http::Addresses,
    storage::{Changes, Contents, DataFileError, SETTINGS},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// The validity of certificates: the longest that platforms accept of a leaf.
const VALIDITY: Duration = Duration::days(397);

/// The time before its expiry at which a stored certificate is renewed.
const RENEWAL_PERIOD: Duration = Duration::days(30);

/// The name of the record.
const SETTING: &str = "certificate";

/// A certificate for the names of the emulator and the CA that signed it, both generated for one emulator. The CA's private key is
/// dropped, so that it signs nothing else.
pub(crate) struct Certificate {
    ca_pem: String,
    leaf: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
    expires: OffsetDateTime,
    /// The names and addresses that the leaf is valid for.
    names: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    ca_pem: String,
    /// In DER and base64, as is the key.
    leaf: String,
    key: String,
    /// Seconds since 1970.
    expires: i64,
    /// Absent in files of earlier versions.
    #[serde(default = "names_on_loopback")]
    names: Vec<String>,
}

fn names_on_loopback() -> Vec<String> {
    ["localhost", "127.0.0.1", "::1"].map(ToOwned::to_owned).into()
}

impl Certificate {
    /// Loads the certificate, so that its CA must be trusted only once; `None` if the data file has none, if it expires
    /// soon, or if it lacks one of the names.
    pub(crate) fn load(
        contents: &Contents,
        names: &Addresses,
        now: OffsetDateTime,
    ) -> Result<Option<Self>, DataFileError> {
        let Some(record) = contents.setting::<Record>(SETTING)? else {
            return Ok(None);
        };
        let certificate = Self::read(record).ok_or_else(|| contents.damaged(SETTING))?;
        let is_current = (RENEWAL_PERIOD..=VALIDITY).contains(&(certificate.expires - now));
        let has_names = names
            .names()
            .all(|name| certificate.names.iter().any(|known| known == name));
        Ok(Some(certificate).filter(|_| is_current && has_names))
    }

    /// Adds the certificate to changes.
    pub(crate) fn put(&self, changes: &mut Changes) {
        changes.put(SETTINGS, SETTING, &self.record());
    }

    fn read(record: Record) -> Option<Self> {
        Some(Self {
            ca_pem: record.ca_pem,
            leaf: BASE64_STANDARD.decode(record.leaf).ok()?.into(),
            key: BASE64_STANDARD.decode(record.key).ok()?.into(),
            expires: OffsetDateTime::from_unix_timestamp(record.expires).ok()?,
            names: record.names,
        })
    }

    fn record(&self) -> Record {
        Record {
            ca_pem: self.ca_pem.clone(),
            leaf: BASE64_STANDARD.encode(&self.leaf),
            key: BASE64_STANDARD.encode(self.key.secret_pkcs8_der()),
            expires: self.expires.unix_timestamp(),
            names: self.names.clone(),
        }
    }

    /// Generates a certificate, which is not [put](Self::put) into the store yet.
    pub(crate) fn generate(names: &Addresses, now: OffsetDateTime) -> Result<Self, Error> {
        let mut params = params_for(Vec::new(), "ACS Identity emulator CA", now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let names: Vec<_> = names.names().map(ToOwned::to_owned).collect();
        let mut params = params_for(names.clone(), "ACS Identity emulator", now)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Required by Python 3.13 and newer.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &ca)?;

        Ok(Self {
            ca_pem: ca.pem(),
            leaf: leaf.into(),
            key: key.serialize_der().into(),
            expires: params.not_after,
            names,
        })
    }

    /// The CA certificate, for clients to trust.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The configuration of a TLS server with this certificate.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        // Named, so that it does not matter which provider the process has installed, if any.
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.leaf.clone()], self.key.clone_key().into())
    }
}

fn params_for(names: Vec<String>, common_name: &str, now: OffsetDateTime) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = now - Duration::DAY;
    params.not_after = params.not_before + VALIDITY;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Hosts;
    use std::path::PathBuf;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);

    fn addresses(names: &[&str]) -> Addresses {
        let hosts = Hosts {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            ..Hosts::default()
        };
        hosts.addresses(80, 443).unwrap()
    }

    /// The contents of a data file with this certificate.
    fn contents(certificate: &Certificate) -> Contents {
        let json = serde_json::to_vec(&certificate.record()).unwrap();
        Contents::new(PathBuf::new(), [(format!("{SETTINGS}/{SETTING}"), json)].into())
    }

    #[test]
    fn stored_certificate_is_used_for_its_names() {
        let generated = Certificate::generate(&addresses(&["a.test", "10.0.0.1"]), NOW).unwrap();
        for (names, is_reused) in [
            (&[][..], true),
            (&["10.0.0.1"], true),
            (&["A.test", "10.0.0.1"], true),
            (&["b.test"], false),
            (&["a.test", "10.0.0.2"], false),
        ] {
            let loaded = Certificate::load(&contents(&generated), &addresses(names), NOW).unwrap();
            assert_eq!(loaded.is_some(), is_reused, "{names:?}");
        }
    }

    /// Files of earlier versions have no names.
    #[test]
    fn certificate_without_names_is_for_loopback() {
        let mut record = serde_json::to_value(Certificate::generate(&addresses(&[]), NOW).unwrap().record()).unwrap();
        record.as_object_mut().unwrap().remove("names");
        let json = serde_json::to_vec(&record).unwrap();
        let contents = Contents::new(PathBuf::new(), [(format!("{SETTINGS}/{SETTING}"), json)].into());
        for (names, is_reused) in [(&[][..], true), (&["a.test"], false)] {
            let loaded = Certificate::load(&contents, &addresses(names), NOW).unwrap();
            assert_eq!(loaded.is_some(), is_reused, "{names:?}");
        }
    }

    #[test]
    fn stored_certificate_is_renewed_in_time() {
        let names = addresses(&[]);
        let generated = Certificate::generate(&names, NOW).unwrap();
        let loaded = |days| {
            let now = NOW + Duration::days(days);
            let restored = Certificate::load(&contents(&generated), &names, now).unwrap();
            restored.unwrap_or_else(|| Certificate::generate(&names, now).unwrap())
        };
        for (days, is_reused) in [
            (-2, false),
            (-1, true),
            (0, true),
            (366, true),
            (367, false),
            (500, false),
        ] {
            assert_eq!(loaded(days).ca_pem == generated.ca_pem, is_reused, "{days}");
        }
        assert_eq!(loaded(0).leaf, generated.leaf);
        assert_eq!(loaded(0).key, generated.key);
    }
}
