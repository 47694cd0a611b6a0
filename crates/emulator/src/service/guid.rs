//! GUIDs in requests.

use crate::service::ServiceError;
use uuid::Uuid;

/// Parses a GUID. The error names the field as the model does, and its target as the JSON or the path does.
pub(super) fn parse(text: &str, field: &'static str, target: &'static str) -> Result<Uuid, ServiceError> {
    let malformed = |_| ServiceError::validation(target, format!("Provided {field} has invalid format."));
    Uuid::try_parse(text).map_err(malformed)
}

/// Parses a GUID that has to be there. The error names a missing one as the model does.
pub(super) fn required(text: Option<String>, field: &'static str, target: &'static str) -> Result<Uuid, ServiceError> {
    let text = text.filter(|text| !text.is_empty());
    parse(&text.ok_or_else(|| ServiceError::required(field))?, field, target)
}
