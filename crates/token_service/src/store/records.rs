//! The records that operators read.

use azure_core::time::rfc3339;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A user with an identity, or with one that is being created.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
#[serde(rename_all = "camelCase")]
pub struct UserRecord {
    /// The id of the user.
    #[schema(example = "https://login.contoso.com alice")]
    pub user_id: String,
    /// The raw id of their identity. Absent while it is being created.
    #[schema(example = "8:acs:11111111-1111-1111-1111-111111111111_00000006-19e0-2727-80f5-8b3a0d003502")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The time of the first request for the identity.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// The end of the claim to create the identity. Absent once the identity is there.
    #[serde(skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    pub claimed_until: Option<OffsetDateTime>,
}

/// An identity that is due for deletion.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
#[serde(rename_all = "camelCase")]
pub struct DueDeletion {
    /// The raw id of the identity.
    #[schema(example = "8:acs:11111111-1111-1111-1111-111111111111_00000006-19e0-2727-80f5-8b3a0d003502")]
    pub identity: String,
    /// The id of its former user. Absent if it never had one.
    #[schema(example = "https://login.contoso.com alice")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The time since which it is due, or of the last failed deletion.
    #[serde(with = "rfc3339")]
    pub due_since: OffsetDateTime,
}

/// The place of a deletion among all, the oldest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DuePlace<'p> {
    /// The time since which it is due, in microseconds since 1970.
    pub(crate) micros: i64,
    pub(crate) identity: &'p str,
}

impl DueDeletion {
    /// Returns the place as a text.
    pub(crate) fn place(&self) -> String {
        let micros = self.due_since.unix_timestamp_nanos() / 1000;
        format!("{micros}.{}", self.identity)
    }
}

impl<'p> DuePlace<'p> {
    /// The place before all deletions.
    pub(crate) const FIRST: Self = Self {
        micros: i64::MIN,
        identity: "",
    };

    /// Parses the text of a place.
    pub(crate) fn parse(text: &'p str) -> Option<Self> {
        let (micros, identity) = text.split_once('.')?;
        let micros = micros.parse().ok()?;
        Some(Self { micros, identity })
    }
}
