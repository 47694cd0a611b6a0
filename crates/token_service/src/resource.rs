//! The Azure Communication Services resource of a database.

use azure_communication_identity::CommunicationUserIdentifier;
use std::fmt::{self, Display, Formatter};
use url::Url;

/// The id of a resource, which is part of each of its identities.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ResourceId(String);

/// A database with the identities of another Azure Communication Services resource than the configured one.
///
/// Start the service with the database's resource. To give the database to the configured resource, and every user another
/// identity, use [`Store::move_resource`](crate::Store::move_resource).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResourceMismatch {
    pub(crate) recorded: ResourceId,
    pub(crate) configured: ResourceId,
}

/// Returns the text by which a database knows an endpoint, without a query.
pub(crate) fn endpoint_name(endpoint: &Url) -> String {
    format!("{}{}", endpoint.origin().ascii_serialization(), endpoint.path())
}

impl ResourceId {
    /// Returns the resource of an identity: `GUID` in `8:acs:GUID_…`.
    pub(crate) fn of(identity: &CommunicationUserIdentifier) -> Self {
        let raw = identity.as_str();
        let last = raw.rsplit_once(':').map_or(raw, |(_, last)| last);
        Self::new(last.split_once('_').map_or(last, |(resource, _)| resource))
    }

    pub(crate) fn new(id: &str) -> Self {
        Self(id.to_ascii_lowercase())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for ResourceId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for ResourceMismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { recorded, configured } = self;
        write!(
            f,
            "the database has the identities of resource {recorded}, and acs.* names resource {configured}: correct acs.* or \
             database.url; to give every user a new identity, stop the service and run \
             `token_service move-resource {recorded} {configured}`"
        )
    }
}

impl std::error::Error for ResourceMismatch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_a_part_of_the_identity() {
        for prefix in ["8:acs:", "8:dod-acs:", "8:gcch-acs:"] {
            let raw = format!("{prefix}ABCDEF00-0000-4000-8000-000000000000_00000006-19e0-2727-80f5-8b3a0d003502");
            let identity = raw.parse().unwrap();
            assert_eq!(
                ResourceId::of(&identity).as_str(),
                "abcdef00-0000-4000-8000-000000000000",
                "{raw}"
            );
        }
    }
}
