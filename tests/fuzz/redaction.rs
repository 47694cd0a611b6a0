//! A secret in the seeds and dictionaries, and so in the inputs that the fuzzer derives from them.

#![allow(dead_code, reason = "part of several targets, and each uses some of it")]

/// An access key that appears in no text of the code under test.
pub(crate) const SECRET: &str = "zN3qLx0vT5Yw8Kc1Rb7GfHjP2mXsUo4EdAi6QtWy9Ck=";

/// Asserts that a text shows no piece of the secret of this length.
#[track_caller]
pub(crate) fn assert_hidden(shown: &str, length: usize) {
    for piece in SECRET.as_bytes().windows(length) {
        let is_shown = shown.as_bytes().windows(length).any(|window| window == piece);
        assert!(!is_shown, "a piece of the secret is in: {shown}");
    }
}
