//! The code that a user is shown.

use aws_lc_rs::{
    error::Unspecified,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The bytes below this bound are as many times each letter, so that every letter is as likely as any other.
const FAIR: u8 = u8::MAX - u8::MAX % 52;

/// A code such as `ojE-161-pTv`. It has no `Debug`: it is shown to nobody but the user.
pub(crate) struct VerificationCode(Zeroizing<String>);

impl VerificationCode {
    /// A code around a number, with letters from the system's source of randomness for keys.
    ///
    /// # Errors
    ///
    /// If the system gives no randomness.
    pub(crate) fn generate(number: u32) -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        Self::around(number, |byte| random.fill(byte))
    }

    fn around<E>(number: u32, mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let first = letters(&mut fill)?;
        let last = letters(&mut fill)?;
        Ok(Self(format!("{}-{number}-{}", *first, *last).into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for VerificationCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Three letters.
fn letters<E>(fill: &mut impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Zeroizing<String>, E> {
    let mut letters = Zeroizing::new(String::with_capacity(3));
    while letters.len() < 3 {
        let mut byte = [0];
        fill(&mut byte)?;
        letters.extend(byte.into_iter().filter_map(letter));
    }
    Ok(letters)
}

fn letter(byte: u8) -> Option<char> {
    (byte < FAIR)
        .then(|| LETTERS.get(usize::from(byte % 52)))
        .flatten()
        .copied()
        .map(char::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// The code that these random bytes make.
    fn of(bytes: &[u8]) -> Option<String> {
        let mut bytes = bytes.iter();
        let code = VerificationCode::around(161, |byte| {
            byte[0] = *bytes.next().ok_or(())?;
            Ok::<_, ()>(())
        });
        code.ok().map(|code| code.as_str().to_owned())
    }

    #[test]
    fn letters_come_from_the_source_of_randomness() {
        assert_eq!(of(&[0, 25, 26, 51, 1, 27]).as_deref(), Some("AZa-161-zBb"));
        assert_eq!(of(&[52, 77, 78, 207, 1, 27]).as_deref(), Some("AZa-161-zBb"));
    }

    #[test]
    fn a_byte_that_would_favour_some_letters_is_drawn_again() {
        assert_eq!(of(&[208, 0, 255, 0, 230, 0, 0, 0, 0]).as_deref(), Some("AAA-161-AAA"));
    }

    #[test]
    fn each_letter_is_as_likely_as_any_other() {
        let mut counts = HashMap::new();
        for letter in (0..=u8::MAX).filter_map(letter) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 52);
        assert!(counts.values().all(|count| *count == 4));
    }

    #[test]
    fn without_randomness_there_is_no_code() {
        assert_eq!(of(&[0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn codes_differ() {
        let codes: HashSet<String> = (0..100)
            .map(|_| VerificationCode::generate(7).unwrap().as_str().to_owned())
            .collect();
        assert_eq!(codes.len(), 100);
    }
}
