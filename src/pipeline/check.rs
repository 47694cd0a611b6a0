//! The check of a client's options.

use crate::{client::CommunicationIdentityClientOptions, error::invalid_argument};
use azure_core::{Result, time::Duration};

/// Refuses options that azure_core would panic over, and bounds that nothing can keep.
pub(super) fn options(options: &CommunicationIdentityClientOptions) -> Result<()> {
    if let Some(id) = &options.client_options.user_agent.application_id {
        let is_token = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if id.len() > 24 || !is_token {
            return Err(invalid_argument(
                "application_id has more than 24 characters, or others than letters, digits and !#$%&'*+-.^_`|~",
            ));
        }
    }
    if options.timeout.is_some_and(|timeout| timeout <= Duration::ZERO) {
        return Err(invalid_argument("timeout is not positive; set None for no bound"));
    }
    if options.max_retry_after.is_negative() {
        return Err(invalid_argument(
            "max_retry_after is negative; set Duration::ZERO to wait for nothing that the service asks for",
        ));
    }
    Ok(())
}
