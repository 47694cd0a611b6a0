//! The OpenAPI description of the API.

use crate::error::ErrorBody;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Description, Ref, RefOr, Response, ResponseBuilder,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

/// The general part of the description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trusted service for Azure Communication Services",
        description = "Users of an app get their chat and calling tokens. Callers are users, with a token of the app's issuer.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(ErrorBody)),
    tags(
        (name = "users", description = "The identities of callers"),
        (name = "tokens", description = "The tokens of callers"),
    ),
)]
struct Base;

/// The name of the security scheme: the caller's token.
const BEARER: &str = "bearer";

/// The failures that every operation can return.
const FAILURES: [(&str, &str); 7] = [
    ("400", "The request is malformed"),
    ("401", "The caller's token is missing or not valid"),
    ("403", "The caller may not do this"),
    (
        "429",
        "There are too many requests: `retry-after` says when to try again",
    ),
    (
        "500",
        "Something went wrong in this service: its log has the `x-request-id`",
    ),
    (
        "502",
        "Azure Communication Services or the sidecar refused what this service asked for",
    ),
    (
        "503",
        "Something that this service needs is away: `retry-after` says when to try again",
    ),
];

pub(super) fn base() -> Description {
    Base::openapi()
}

/// Adds the security scheme and the common failures to every operation.
pub(super) fn complete(mut description: Description) -> Description {
    let components = description.components.get_or_insert_default();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.security_schemes.insert(BEARER.to_owned(), RefOr::T(scheme));
    for path in description.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.put, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            operation.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
            for (status, text) in FAILURES {
                let response = operation.responses.responses.entry(status.to_owned());
                response.or_insert_with(|| RefOr::T(failure(text)));
            }
        }
    }
    description
}

fn failure(description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Error")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
}
