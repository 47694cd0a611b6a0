//! The warning about an API version that the service no longer lists.

use crate::{error::header, service::SUPPORTED_VERSIONS};
use azure_core::http::headers::Headers;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tracing::warn;

/// The API version of a client, and whether a warning about it was logged. Clones share that.
#[derive(Clone, Debug)]
pub(crate) struct SupportedVersion {
    api_version: Arc<str>,
    warned: Arc<AtomicBool>,
}

impl SupportedVersion {
    pub(crate) fn new(api_version: &str) -> Self {
        Self {
            api_version: api_version.into(),
            warned: Arc::default(),
        }
    }

    /// Warns, once for the client and its clones, if a response lists the supported versions and this one is not among
    /// them.
    pub(crate) fn check(&self, headers: &Headers) {
        let Some(supported) = header(headers, &SUPPORTED_VERSIONS) else {
            return;
        };
        let is_listed = supported.split(',').any(|version| version.trim() == &*self.api_version);
        if !is_listed && !self.warned.swap(true, Ordering::Relaxed) {
            warn!(
                api_version = &*self.api_version,
                supported,
                "the service no longer lists this client's API version; set api_version to one that it lists"
            );
        }
    }
}
