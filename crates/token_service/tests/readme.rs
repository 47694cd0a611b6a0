//! The Rust snippet of README.md compiles and runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use include_file::include_markdown;

#[test]
fn every_snippet_is_included() {
    let readme = include_str!("../README.md");
    let found: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("```rust"))
        .map(str::trim)
        .collect();
    assert_eq!(found, ["service"]);
}

#[tokio::test]
async fn the_snippet_runs() -> Result<(), Box<dyn std::error::Error>> {
    let connection_string = "endpoint=https://contoso.communication.azure.com;accessKey=c2VjcmV0";
    let database_url = "sqlite::memory:";
    let my_routes = axum::Router::new().route("/hello", axum::routing::get(async || "hello"));
    include_markdown!("README.md", "service", scope);
    Ok(())
}
