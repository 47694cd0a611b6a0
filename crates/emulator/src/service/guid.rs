//! GUIDs in requests.

use crate::service::ServiceError;
use uuid::Uuid;

/// The length of a GUID in its usual form, `350adb03-7be9-4846-b078-35adb0d0e119`. The other forms that [`Uuid`] reads,
/// without hyphens, in braces and as a URN, have other lengths.
const LENGTH: usize = 36;

/// Parses a GUID. The error names the field as the model does, and its target as the JSON or the path does.
pub(super) fn parse(text: &str, field: &'static str, target: &'static str) -> Result<Uuid, ServiceError> {
    let guid = Uuid::try_parse(text).ok().filter(|_| text.len() == LENGTH);
    guid.ok_or_else(|| ServiceError::validation(target, format!("Provided {field} has invalid format.")))
}

/// Parses a GUID that has to be there. The error names a missing one as the model does.
pub(super) fn required(text: Option<String>, field: &'static str, target: &'static str) -> Result<Uuid, ServiceError> {
    let text = text.filter(|text| !text.is_empty());
    parse(&text.ok_or_else(|| ServiceError::required(field))?, field, target)
}
