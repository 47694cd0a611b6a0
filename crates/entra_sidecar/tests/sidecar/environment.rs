//! The client of the sidecar that the environment names.

use crate::child::is_child;
use entra_sidecar::SidecarClient;
use std::env;

/// The values of the variable, and the base URLs of the client; `None` where the value is refused.
const ROWS: [(Option<&str>, Option<&str>); 7] = [
    (Some("http://localhost:5178/"), Some("http://localhost:5178/")),
    (None, Some("http://localhost:5000/")),
    (Some(""), Some("http://localhost:5000/")),
    (Some(" "), Some("http://localhost:5000/")),
    (Some("localhost:5000"), None),
    (Some("http://SECRET@localhost"), None),
    (Some("https://sidecar.contoso.com"), None),
];

#[test]
fn environment_names_the_sidecar() {
    for (row, (value, _)) in ROWS.into_iter().enumerate() {
        let variables = [("SIDECAR_URL", value), ("ROW", Some(&*row.to_string()))];
        if is_child("environment::environment_names_the_sidecar", &variables) {
            let row: usize = env::var("ROW").unwrap().parse().unwrap();
            return assert_base_url(ROWS[row].1);
        }
    }
}

fn assert_base_url(expected: Option<&str>) {
    match (SidecarClient::from_env(None), expected) {
        (Ok(client), Some(url)) => assert_eq!(client.base_url().as_str(), url),
        (Err(error), None) => {
            let text = error.to_string();
            assert!(text.starts_with("invalid SIDECAR_URL: "), "{text}");
            assert!(!text.contains("SECRET") && !text.contains("contoso"), "{text}");
        }
        (result, expected) => panic!("{result:?}, and not {expected:?}"),
    }
    // The constructor that names its sidecar does not read the variable.
    let named = SidecarClient::new("http://127.0.0.1:7", None).unwrap();
    assert_eq!(named.base_url().as_str(), "http://127.0.0.1:7/");
}
