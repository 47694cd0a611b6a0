//! The control page: three static files, which load nothing from elsewhere, with the lists of the program filled in.

use crate::{
    faults::EffectName,
    http::{API_VERSIONS, Endpoint},
    operation::Operation,
};
use axum::{Router, body::Bytes, response::Redirect, routing::get};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// The content security policy: the page may use its own files and the control surface, and may not be framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Endpoint> {
    let html_headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    let html = Bytes::from(html());
    let css = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    let js = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    Router::new()
        .route("/_emulator", get(async || Redirect::permanent("/_emulator/")))
        .route("/_emulator/", get(async move || (html_headers, html)))
        .route(
            "/_emulator/page.css",
            get(async move || (css, include_str!("page.css"))),
        )
        .route("/_emulator/page.js", get(async move || (js, include_str!("page.js"))))
}

/// The page with a line for each effect, operation and api-version in place of their names in braces.
fn html() -> String {
    let effects =
        EffectName::ALL.map(|effect| format!(r#"<option value="{effect}">{}</option>"#, effect.description()));
    let operations = Operation::ALL.map(|operation| format!("<option>{operation}</option>"));
    let versions = API_VERSIONS.map(|version| {
        format!(r#"<label><input type="checkbox" name="withdrawnVersions" value="{version}"> {version}</label>"#)
    });
    include_str!("page.html")
        .replace("{{effects}}", &effects.join("\n"))
        .replace("{{operations}}", &operations.join("\n"))
        .replace("{{versions}}", &versions.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_can_be_chosen() {
        let page = html();
        let options: Vec<_> = page
            .lines()
            .filter_map(|line| line.trim().strip_prefix("<option>")?.strip_suffix("</option>"))
            .collect();
        assert_eq!(options, Operation::ALL.map(|operation| operation.to_string()));
    }

    #[test]
    fn every_list_is_filled_in() {
        assert!(!html().contains("{{"));
    }
}
