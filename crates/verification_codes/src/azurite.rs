//! Azurite's queues, and the signature that lets Azure's client use them.

use crate::azure::is_loopback;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::{Engine, prelude::BASE64_STANDARD};
use time::{Duration, OffsetDateTime, macros::format_description};
use tokio::net::TcpStream;
use url::Url;

/// The default URL of the queue, at Azurite's default port.
pub(crate) const QUEUE_URL: &str = "http://127.0.0.1:10001/devstoreaccount1/code-requests";

const ACCOUNT: &str = "devstoreaccount1";

/// The [published key of that account](https://learn.microsoft.com/azure/storage/common/storage-connect-azurite).
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Returns whether a URL is a queue of Azurite's account on this machine.
pub(crate) fn is_azurite(url: &Url) -> bool {
    let account = url.path_segments().and_then(|mut segments| segments.next());
    is_loopback(url) && account == Some(ACCOUNT)
}

/// Adds an [account signature](https://learn.microsoft.com/rest/api/storageservices/create-account-sas) that allows all
/// queue operations for a week. Azure's client takes a signature or a token, but no key.
pub(crate) fn sign_url(mut url: Url, now: OffsetDateTime) -> Url {
    let expiry = (now + Duration::WEEK)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
        .unwrap_or_default();
    let (permissions, version) = ("rwdlacup", "2021-12-02");
    // Account, permissions, services, types, start, expiry, addresses, protocols, version, encryption scope.
    let to_sign = format!("{ACCOUNT}\n{permissions}\nq\nsco\n\n{expiry}\n\nhttps,http\n{version}\n\n");
    let key = Key::new(HMAC_SHA256, &BASE64_STANDARD.decode(KEY).unwrap_or_default());
    url.query_pairs_mut()
        .append_pair("sv", version)
        .append_pair("ss", "q")
        .append_pair("srt", "sco")
        .append_pair("sp", permissions)
        .append_pair("se", &expiry)
        .append_pair("spr", "https,http")
        .append_pair("sig", &BASE64_STANDARD.encode(sign(&key, to_sign.as_bytes())));
    url
}

/// Checks that a server listens at the URL. The error says how to start Azurite.
pub(crate) async fn check_listening(url: &Url) -> Result<(), String> {
    let (host, port) = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default(),
    );
    match TcpStream::connect((host, port)).await {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "nothing listens at {host}:{port}, where Azurite's queues are expected. Start it with\n\n  \
             npx --package azurite@3.35.0 azurite-queue --queuePort {port} --inMemoryPersistence --disableTelemetry\n\n\
             or set STORAGE_QUEUE_URL to another queue."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// The expected signature is from azure-storage-queue for Python.
    #[test]
    fn signature_matches_the_python_client() {
        let url = sign_url(QUEUE_URL.parse().unwrap(), datetime!(2026-08-01 12:00 UTC));
        assert_eq!(url.path(), "/devstoreaccount1/code-requests");
        let signature = url.query_pairs().find(|(name, _)| name == "sig").unwrap().1;
        assert_eq!(signature, "l96KUXsc23Ctodd14l/nxeSbxtHXEQONfEY2OP3MlYY=");
    }

    #[test]
    fn azurite_is_its_account_on_loopback() {
        for (url, expected) in [
            (QUEUE_URL, true),
            ("http://localhost:1234/devstoreaccount1/codes", true),
            ("http://127.0.0.1:10001/another/codes", false),
            ("https://contoso.queue.core.windows.net/devstoreaccount1", false),
        ] {
            assert_eq!(is_azurite(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
