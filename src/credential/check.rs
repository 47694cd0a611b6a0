//! The checks of tokens.

use crate::{error::invalid_argument, models::CommunicationAccessToken};
use azure_core::{Error, Result, error::ErrorKind, time::OffsetDateTime};

/// Refuses an empty token that a caller passes.
pub(super) fn passed(token: &CommunicationAccessToken) -> Result<()> {
    if token.token.secret().is_empty() {
        return Err(invalid_argument("the token is empty"));
    }
    Ok(())
}

/// Refuses an empty or expired token that a source gives, which the error names.
pub(super) fn obtained(
    token: CommunicationAccessToken,
    now: OffsetDateTime,
    source: &str,
) -> Result<CommunicationAccessToken> {
    let refused = |text| Err(Error::with_message(ErrorKind::Credential, text));
    if token.token.secret().is_empty() {
        return refused(format!("{source} gave an empty token"));
    }
    if token.expires_on <= now {
        return refused(format!(
            "{source} gave a token that has already expired, on {}, and it is {now} here: a new one is needed each time, \
             and this machine's clock must be right",
            token.expires_on
        ));
    }
    Ok(token)
}
