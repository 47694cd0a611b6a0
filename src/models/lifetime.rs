//! When a token expires.

use crate::{error::invalid_argument, service::TOKEN_LIFETIME_MINUTES};
use azure_core::{Result, time::Duration};

/// The minutes that the service is asked for; `None` leaves the choice to it.
///
/// # Errors
///
/// The lifetime is not a whole number of minutes from 60 to 1440. The service would refuse it too, but only after
/// rounding that each of its other clients does in another way.
pub(crate) fn lifetime_in_minutes(lifetime: Option<Duration>) -> Result<Option<i64>> {
    let Some(lifetime) = lifetime else {
        return Ok(None);
    };
    let minutes = lifetime.whole_minutes();
    if Duration::minutes(minutes) != lifetime || !TOKEN_LIFETIME_MINUTES.contains(&minutes) {
        return Err(invalid_argument(format!(
            "token_expires_in is {lifetime}; it has to be a whole number of minutes from 1 hour to 24 hours \
             (60 to 1440 minutes)"
        )));
    }
    Ok(Some(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_minutes_within_the_documented_bounds_pass() {
        for minutes in [60, 61, 720, 1439, 1440] {
            assert_eq!(
                lifetime_in_minutes(Some(Duration::minutes(minutes))).unwrap(),
                Some(minutes)
            );
        }
        assert_eq!(lifetime_in_minutes(None).unwrap(), None);
    }

    #[test]
    fn anything_else_is_refused_with_the_bounds_in_the_text() {
        for lifetime in [
            Duration::ZERO,
            Duration::minutes(59),
            Duration::minutes(1441),
            Duration::minutes(60) + Duration::nanoseconds(1),
            Duration::minutes(1440) - Duration::seconds(1),
            Duration::hours(1) + Duration::seconds(59),
            -Duration::hours(2),
            Duration::MAX,
            Duration::MIN,
        ] {
            let error = lifetime_in_minutes(Some(lifetime)).unwrap_err().to_string();
            assert!(error.contains("60 to 1440 minutes"), "{error}");
        }
    }
}
