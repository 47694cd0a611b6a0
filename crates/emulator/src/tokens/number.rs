//! Numbers in tokens, as white space after the claims.
//!
//! The number of an identity's token tells it apart from the identity's others. Times in claims are whole seconds and
//! RS256 is deterministic, so two tokens issued in the same second would be equal, and revocation could not treat them
//! differently. The number in an assigned user's token is that of the assignment that admitted the user.
//!
//! None of the service's claims could carry a number, but JSON allows white space after the claims (RFC 8259,
//! section 2), and readers ignore it.

/// Writes a number as white space, lowest bit first: a tab is a one, a space is a zero.
pub(super) fn to_whitespace(number: u64) -> impl Iterator<Item = u8> {
    let bits = u64::BITS - number.leading_zeros();
    (0..bits).map(move |bit| if number >> bit & 1 == 1 { b'\t' } else { b' ' })
}

/// Reads the number after the claims; `None` if it has more than 64 bits.
pub(super) fn from_trailing_whitespace(claims: &[u8]) -> Option<u64> {
    let whitespace = claims.iter().rev().take_while(|byte| byte.is_ascii_whitespace());
    whitespace.zip(1..).try_fold(0, |number, (byte, bits)| {
        (bits <= u64::BITS).then_some(number << 1 | u64::from(*byte == b'\t'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_back_from_white_space() {
        for number in [0, 1, 2, 3, 255, 1_000_000, u64::MAX] {
            let mut claims = b"{}".to_vec();
            claims.extend(to_whitespace(number));
            assert_eq!(from_trailing_whitespace(&claims), Some(number));
            assert!(serde_json::from_slice::<serde_json::Value>(&claims).is_ok());
        }
    }

    #[test]
    fn zero_takes_no_white_space() {
        assert_eq!(to_whitespace(0).count(), 0);
    }

    #[test]
    fn more_white_space_than_a_number_has_bits_is_refused() {
        assert_eq!(from_trailing_whitespace(&[b' '; 65]), None);
    }
}
