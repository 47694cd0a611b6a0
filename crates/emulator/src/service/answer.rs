//! Responses of operations that succeed.

use crate::service::ServiceError;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

/// The id of the identity in a response, for requests whose path does not name it. It is an extension of the response.
#[derive(Clone)]
pub(crate) struct ConcernedIdentity(pub(crate) String);

/// A status and a JSON body, with the content length and charset that errors lack.
pub(crate) struct Answer<T>(pub(crate) StatusCode, pub(crate) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self(status, value) = self;
        match serde_json::to_vec(&value) {
            Ok(json) => (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], json).into_response(),
            Err(error) => ServiceError::internal().because(&error).into_response(),
        }
    }
}
