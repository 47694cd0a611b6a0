//! Checks of README.md: its Rust code and its table of failures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use include_file::include_markdown;
use std::{
    collections::BTreeSet,
    fs::{read_dir, read_to_string},
    path::Path,
};

/// The reasons of the libraries that check callers' tokens and call the sidecar. `auth.…` are the guard's, too.
const LIBRARY_REASONS: [&str; 7] = [
    "invalid_token",
    "caller_token_rejected",
    "interaction_required",
    "missing_scope",
    "internal_error",
    "sidecar_failed",
    "sidecar_unavailable",
];

#[test]
fn snippets_are_listed() {
    let readme = include_str!("../README.md");
    let found: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("```rust"))
        .map(str::trim)
        .collect();
    assert_eq!(found, ["service"]);
}

#[tokio::test]
async fn snippet_runs() -> Result<(), Box<dyn std::error::Error>> {
    let connection_string = "endpoint=https://contoso.communication.azure.com;accessKey=c2VjcmV0";
    let database_url = "sqlite::memory:";
    let my_routes = axum::Router::new().route("/hello", axum::routing::get(async || "hello"));
    include_markdown!("README.md", "service", scope);
    Ok(())
}

/// Collects the reasons in the source: the argument between a status and a message.
fn reasons_in(folder: &Path, reasons: &mut BTreeSet<String>) {
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            reasons_in(&path, reasons);
            continue;
        }
        let source = read_to_string(&path).unwrap();
        for (before, _) in source.match_indices("\", message)").map(|(at, _)| source.split_at(at)) {
            reasons.insert(before.rsplit('"').next().unwrap().to_owned());
        }
    }
}

#[test]
fn table_of_failures_has_every_reason() {
    let mut known: BTreeSet<String> = LIBRARY_REASONS.map(str::to_owned).into();
    reasons_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut known);
    let readme = include_str!("../README.md");
    let (_, table) = readme.split_once("| status | reason | cause |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let cells = table.lines().skip(2).map(|row| row.split(" | ").nth(1).unwrap());
    let shown: BTreeSet<String> = cells
        .flat_map(|reasons| reasons.split(", "))
        .map(|reason| reason.trim_matches('`').to_owned())
        .filter(|reason| reason != "auth.…")
        .collect();
    assert_eq!(shown, known);
}
