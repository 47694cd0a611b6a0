//! Numbers in tokens, as white space after the claims.
//!
//! They decide whether a token is revoked, so that no token has to be stored, and tell tokens apart: times in claims are
//! whole seconds and RS256 is deterministic, so two tokens issued in the same second would be equal.
//!
//! None of the service's claims could carry them, but JSON allows white space after the claims (RFC 8259, section 2),
//! and readers ignore it.

/// Writes numbers as white space with a newline between them, each with its lowest bit first: a tab is a one, a space is
/// a zero.
pub(super) fn to_whitespace(numbers: &[u64]) -> Vec<u8> {
    let mut whitespace = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            whitespace.push(b'\n');
        }
        let bits = u64::BITS - number.leading_zeros();
        whitespace.extend((0..bits).map(|bit| if number >> bit & 1 == 1 { b'\t' } else { b' ' }));
    }
    whitespace
}

/// Reads the numbers after the claims; `None` if they are not as many, or if one has more than 64 bits.
pub(super) fn from_trailing_whitespace<const N: usize>(claims: &[u8]) -> Option<[u64; N]> {
    let text = claims.len()
        - claims
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
    let numbers: Option<Vec<u64>> = claims.get(text..)?.split(|byte| *byte == b'\n').map(number).collect();
    numbers?.try_into().ok()
}

fn number(bits: &[u8]) -> Option<u64> {
    if bits.len() > u64::BITS as usize {
        return None;
    }
    let bits = bits.iter().rev();
    Some(bits.fold(0, |number, bit| number << 1 | u64::from(*bit == b'\t')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_from_white_space() {
        for numbers in [
            [0, 0, 0],
            [1, 2, 3],
            [255, 0, 1_000_000],
            [0, u64::MAX, 0],
            [u64::MAX; 3],
        ] {
            let mut claims = b"{}".to_vec();
            claims.extend(to_whitespace(&numbers));
            assert_eq!(from_trailing_whitespace(&claims), Some(numbers));
            assert!(serde_json::from_slice::<serde_json::Value>(&claims).is_ok());
        }
    }

    #[test]
    fn more_or_fewer_numbers_are_refused() {
        let claims = to_whitespace(&[1, 2]);
        assert_eq!(from_trailing_whitespace::<1>(&claims), None);
        assert_eq!(from_trailing_whitespace::<3>(&claims), None);
    }

    #[test]
    fn more_white_space_than_a_number_has_bits_is_refused() {
        assert_eq!(from_trailing_whitespace::<1>(&[b' '; 65]), None);
        assert_eq!(from_trailing_whitespace(&[b'\t'; 64]), Some([u64::MAX]));
    }
}
