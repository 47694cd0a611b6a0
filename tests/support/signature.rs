//! The emulator's check of a signature. It was written from the service's documents, and not from the client.

use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
use azure_core::{
    Bytes,
    http::{Request, headers::HeaderName},
    time::OffsetDateTime,
};

/// The parts of a request that a server receives.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) date: String,
    pub(crate) content_hash: String,
    pub(crate) authorization: String,
    pub(crate) body: Vec<u8>,
}

impl From<&Request> for Received {
    fn from(request: &Request) -> Self {
        let header = |name| {
            let name = HeaderName::from_static(name);
            request.headers().get_optional_string(&name).unwrap()
        };
        let url = request.url();
        let host = url.host_str().unwrap();
        Self {
            method: request.method().as_str().to_owned(),
            target: request.path_and_query(),
            host: url.port().map_or(host.to_owned(), |port| format!("{host}:{port}")),
            date: header("x-ms-date"),
            content_hash: header("x-ms-content-sha256"),
            authorization: header("authorization"),
            body: Bytes::from(request.body()).to_vec(),
        }
    }
}

impl Received {
    /// Checks the signature, for the present.
    pub(crate) fn verify(&self, key: &str) -> Result<(), SignatureError> {
        let request = SignedRequest {
            method: &self.method,
            target: &self.target,
            host: Some(&self.host),
            x_ms_date: Some(&self.date),
            date: None,
            content_sha256: Some(&self.content_hash),
            authorization: Some(&self.authorization),
            body: &self.body,
        };
        let key: AccessKey = key.parse().unwrap();
        verify(&request, &key, OffsetDateTime::now_utc(), Tolerance::Strict)
    }
}
