//! The Rust snippets of README.md, compiled and run with a fake sidecar.

use include_file::include_markdown;
use std::collections::BTreeSet;

include!("../support/doctest.rs");

/// The included snippets.
const SNIPPETS: [&str; 6] = ["call", "client", "credential", "handler", "header", "send"];

#[test]
fn every_snippet_is_included() {
    let readme = include_str!("../../README.md");
    let found: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("```rust"))
        .map(str::trim)
        .collect();
    assert_eq!(found, SNIPPETS.into());
}

#[tokio::test]
#[allow(unused_variables, reason = "snippets end with what they show")]
async fn snippets_run() -> Outcome {
    include_markdown!("README.md", "client", scope);
    let (sidecar, client, caller) = start().await?;
    let authorization = &format!("Bearer {}", caller.token().secret());
    include_markdown!("README.md", "call", scope);
    assert_eq!(sidecar.api_requests().len(), 1);
    include_markdown!("README.md", "send", scope);
    assert_eq!(sidecar.api_requests().len(), 2);
    include_markdown!("README.md", "header", scope);
    include_markdown!("README.md", "credential", scope);
    Ok(())
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn the_handler_compiles() {
    include_markdown!("README.md", "handler");
    let _router: axum::Router<SidecarClient> = axum::Router::new().route("/api/profile", axum::routing::get(profile));
}
