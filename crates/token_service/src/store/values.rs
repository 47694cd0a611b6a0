//! Values as the columns hold them.

use crate::store::{Mapping, StoreError, StoreErrorKind};
use azure_communication_identity::CommunicationUserIdentifier;
use time::OffsetDateTime;

/// The longest identity, and the longest list of scopes, in bytes. A key of a PostgreSQL index has at most 2704.
const LONGEST: usize = 512;

pub(super) const IDENTITY: &str = "the identity";
pub(super) const SCOPES: &str = "the list of scopes";

/// Text that both databases hold as it is.
pub(super) fn bounded<'a>(operation: &'static str, what: &str, text: &'a str) -> Result<&'a str, StoreError> {
    if text.len() > LONGEST || text.contains('\0') {
        return Err(StoreError::new(
            operation,
            StoreErrorKind::InvalidValue,
            format!("{what} has more than {LONGEST} bytes, or a NUL character"),
        ));
    }
    Ok(text)
}

/// A time as it is stored: microseconds since 1970, rounded down.
pub(super) fn stored(time: OffsetDateTime) -> i64 {
    let micros = time.unix_timestamp_nanos().div_euclid(1000);
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn time_of(operation: &'static str, micros: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .map_err(|_| StoreError::unreadable(operation, "a time"))
}

pub(super) fn identity_of(operation: &'static str, identity: &str) -> Result<CommunicationUserIdentifier, StoreError> {
    identity
        .parse()
        .map_err(|_| StoreError::unreadable(operation, "an identity"))
}

pub(super) fn mapping_of(operation: &'static str, row: (String, i64)) -> Result<Mapping, StoreError> {
    let (identity, generation) = row;
    Ok(Mapping {
        identity: identity_of(operation, &identity)?,
        generation,
    })
}
