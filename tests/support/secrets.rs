//! Pieces of secrets, which no output may contain.

/// Returns pieces of a secret that are too long for a coincidence: its beginning, two of its middle, and its end.
pub(crate) fn fragments(secret: &str) -> Vec<&str> {
    const LEN: usize = 12;
    // All JWTs have the same beginning.
    let secret = secret.split_once('.').map_or(secret, |(_, rest)| rest);
    let last = secret.len() - LEN;
    [0, last / 3, last / 2, last]
        .map(|start| secret.get(start..start + LEN).unwrap())
        .to_vec()
}
