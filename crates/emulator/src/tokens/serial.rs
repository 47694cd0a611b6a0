//! Serial numbers of tokens, written where no reader looks.
//!
//! Times in claims are whole seconds and RS256 has no randomness, so two tokens of one second would be one and the
//! same, and a token from before a revocation could not be told from one after it. No claim of the service could number
//! them. White space is in no claim, is allowed after them (RFC 7519, section 3.1), and no reader sees it.

/// Writes a serial number in white space, lowest bit first: a tab is a one, a space a zero.
pub(super) fn to_whitespace(serial: u64) -> impl Iterator<Item = u8> {
    let bits = u64::BITS - serial.leading_zeros();
    (0..bits).map(move |bit| if serial >> bit & 1 == 1 { b'\t' } else { b' ' })
}

/// Reads the serial number behind the claims; `None` if there are more bits than one can have.
pub(super) fn behind(claims: &[u8]) -> Option<u64> {
    let whitespace = claims.iter().rev().take_while(|byte| byte.is_ascii_whitespace());
    whitespace.zip(1..).try_fold(0, |serial, (byte, bits)| {
        (bits <= u64::BITS).then_some(serial << 1 | u64::from(*byte == b'\t'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_survives_its_way_through_white_space() {
        for serial in [0, 1, 2, 3, 255, 1_000_000, u64::MAX] {
            let mut claims = b"{}".to_vec();
            claims.extend(to_whitespace(serial));
            assert_eq!(behind(&claims), Some(serial));
            assert!(serde_json::from_slice::<serde_json::Value>(&claims).is_ok());
        }
    }

    #[test]
    fn the_first_token_of_an_identity_has_no_white_space() {
        assert_eq!(to_whitespace(0).count(), 0);
    }

    #[test]
    fn more_white_space_than_a_number_has_bits_is_none() {
        assert_eq!(behind(&[b' '; 65]), None);
    }
}
