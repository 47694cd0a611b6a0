//! The page that shows the control surface to people: three static files, which load nothing from elsewhere.

use crate::http::Endpoint;
use axum::{Router, response::Redirect, routing::get};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// What a browser lets the page do: use its own files and the control surface, and not be framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Endpoint> {
    let html = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    let css = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    let js = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    Router::new()
        .route("/_emulator", get(async || Redirect::permanent("/_emulator/")))
        .route("/_emulator/", get(async move || (html, include_str!("page.html"))))
        .route(
            "/_emulator/page.css",
            get(async move || (css, include_str!("page.css"))),
        )
        .route("/_emulator/page.js", get(async move || (js, include_str!("page.js"))))
}

#[cfg(test)]
mod tests {
    use crate::operation::Operation;

    #[test]
    fn every_operation_can_be_chosen() {
        let page = include_str!("page.html");
        let options: Vec<_> = page
            .lines()
            .filter_map(|line| line.trim().strip_prefix("<option>")?.strip_suffix("</option>"))
            .collect();
        assert_eq!(options, Operation::ALL.map(|operation| operation.to_string()));
    }
}
