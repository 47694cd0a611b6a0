//! Pieces of secrets, to look for where none may be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Pieces of a secret that are long enough to be no coincidence, from its beginning, middle and end.
pub(crate) fn fragments(secret: &str) -> Vec<&str> {
    const LEN: usize = 12;
    // All JWTs begin alike.
    let secret = secret.split_once('.').map_or(secret, |(_, rest)| rest);
    let last = secret.len() - LEN;
    [0, last / 3, last / 2, last]
        .map(|start| secret.get(start..start + LEN).unwrap())
        .to_vec()
}
