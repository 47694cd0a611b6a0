//! Counters hidden in a token as white space after its claims.
//!
//! They decide whether a token is revoked, so that no token is stored, and make tokens differ: times in claims are whole
//! seconds and RS256 is deterministic, so two tokens issued in the same second would be equal.
//!
//! The service's tokens have no claim that could carry them, and a claim of ours would not be in the service's tokens.
//! JSON allows white space after the claims (RFC 8259, section 2), and readers ignore it.

/// Writes counters as white space with a newline between them, each with its lowest bit first: a tab is a one, a space is
/// a zero.
pub(super) fn to_whitespace(counters: &[u64]) -> Vec<u8> {
    let mut whitespace = Vec::new();
    for (index, counter) in counters.iter().enumerate() {
        if index > 0 {
            whitespace.push(b'\n');
        }
        let bits = u64::BITS - counter.leading_zeros();
        whitespace.extend((0..bits).map(|bit| if counter >> bit & 1 == 1 { b'\t' } else { b' ' }));
    }
    whitespace
}

/// Reads the counters after the claims; `None` if there are more or fewer, or if one has more than 64 bits.
pub(super) fn from_trailing_whitespace<const N: usize>(claims: &[u8]) -> Option<[u64; N]> {
    let text = claims.len()
        - claims
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
    let whitespace = claims.get(text..)?;
    let counters: Option<Vec<u64>> = whitespace.split(|byte| *byte == b'\n').map(counter).collect();
    counters?.try_into().ok()
}

fn counter(bits: &[u8]) -> Option<u64> {
    if bits.len() > u64::BITS as usize {
        return None;
    }
    let bits = bits.iter().rev();
    Some(bits.fold(0, |counter, bit| counter << 1 | u64::from(*bit == b'\t')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_back_from_white_space() {
        for counters in [
            [0, 0, 0],
            [1, 2, 3],
            [255, 0, 1_000_000],
            [0, u64::MAX, 0],
            [u64::MAX; 3],
        ] {
            let mut claims = b"{}".to_vec();
            claims.extend(to_whitespace(&counters));
            assert_eq!(from_trailing_whitespace(&claims), Some(counters));
            assert!(serde_json::from_slice::<serde_json::Value>(&claims).is_ok());
        }
    }

    #[test]
    fn more_or_fewer_counters_are_refused() {
        let claims = to_whitespace(&[1, 2]);
        assert_eq!(from_trailing_whitespace::<1>(&claims), None);
        assert_eq!(from_trailing_whitespace::<3>(&claims), None);
    }

    #[test]
    fn more_white_space_than_bits_is_refused() {
        assert_eq!(from_trailing_whitespace::<1>(&[b' '; 65]), None);
        assert_eq!(from_trailing_whitespace(&[b'\t'; 64]), Some([u64::MAX]));
    }
}
