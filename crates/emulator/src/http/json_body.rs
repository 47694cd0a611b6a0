//! Bodies in JSON, read as by the service's stack, ASP.NET Core with the web defaults of System.Text.Json: names match in
//! any case, a text can stand for a number, and of repeated members the last counts.

use crate::{
    auth::signature::Tolerance,
    http::{RequestBody, Service, ServiceError, header_text},
};
use axum::extract::{FromRef, FromRequest, MatchedPath, Request};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{error::Category, value::RawValue};
use std::{
    borrow::Cow,
    fmt::{self, Formatter},
    sync::Arc,
};
use tracing::warn;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The argument of an operation that is sent as a JSON object.
pub(super) trait FromMembers: Sized {
    fn from_members(members: &Members<'_>) -> Result<Self, ServiceError>;
}

/// A JSON object as body; `None` if it is empty, `null`, or not declared to be JSON.
pub(super) struct Json<T>(pub(super) Option<T>);

impl<S: Sync, T: FromMembers> FromRequest<S> for Json<T>
where
    Arc<Service>: FromRef<S>,
{
    type Rejection = ServiceError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let tolerance = Arc::<Service>::from_ref(state).tolerance;
        let (head, body) = request.into_parts();
        let RequestBody(body) = RequestBody::read(body).await?;
        let body = match (tolerance, body.strip_prefix(BYTE_ORDER_MARK)) {
            (Tolerance::OfficialClients, Some(rest)) => rest,
            _ => &body,
        };
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&head.headers, tolerance) {
            // The service ignores it too, but silently, which has misled users (MicrosoftDocs/azure-docs#96255).
            warn!(
                route = head.extensions.get().map(MatchedPath::as_str),
                "the body is ignored: its Content-Type is not application/json"
            );
            return Ok(Self(None));
        }
        let Some(members) = read_object(body)? else {
            return Ok(Self(None));
        };
        Ok(Self(Some(T::from_members(&Members { members, tolerance })?)))
    }
}

/// Returns whether a body is declared as one of ASP.NET's types of JSON, or as the documented one if it must be that.
fn is_json(headers: &HeaderMap, tolerance: Tolerance) -> bool {
    let media_type = header_text(headers, CONTENT_TYPE).and_then(|value| value.split(';').next());
    let media_type = media_type.unwrap_or_default().trim().to_ascii_lowercase();
    let has_json_suffix = || {
        let suffixed = media_type.strip_prefix("application/");
        suffixed
            .and_then(|subtype| subtype.strip_suffix("+json"))
            .is_some_and(|name| !name.is_empty())
    };
    media_type == "application/json"
        || tolerance == Tolerance::OfficialClients && (media_type == "text/json" || has_json_suffix())
}

/// Reads the members of an object, as text; `None` if there is `null` in its place.
fn read_object(body: &[u8]) -> Result<Option<MemberTexts<'_>>, ServiceError> {
    serde_json::from_slice(body).map_err(|error| {
        // Something else than an object is refused at its first byte, after which the text may not be JSON at all.
        let error = serde_json::from_slice::<IgnoredAny>(body).err().unwrap_or(error);
        // serde's own message could contain parts of the body.
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data => malformed("The request body is not an object.".to_owned()),
            Category::Io | Category::Syntax | Category::Eof => {
                let message = format!("The request body is not JSON at line {line}, column {column}.");
                let error = ServiceError::new(StatusCode::UNPROCESSABLE_ENTITY, "InvalidJson", message);
                error.without_versions()
            }
        }
    })
}

fn malformed(message: String) -> ServiceError {
    ServiceError::new(StatusCode::BAD_REQUEST, "ValidationError", message).without_versions()
}

/// The names of an object's members with the texts of their values, in their order.
struct MemberTexts<'a>(Vec<(Name<'a>, &'a RawValue)>);

/// The name of a member, which is part of the body unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for MemberTexts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Vec<(Name<'de>, &'de RawValue)>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(ObjectVisitor).map(Self)
    }
}

/// The members of a JSON object.
pub(super) struct Members<'a> {
    members: MemberTexts<'a>,
    tolerance: Tolerance,
}

impl<'a> Members<'a> {
    /// The value of a member; `None` if it is absent or `null`.
    pub(super) fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, ServiceError> {
        let Some(value) = self.text(name)? else {
            return Ok(None);
        };
        serde_json::from_str(value).map_err(|_| malformed_member(name))
    }

    /// The value of a member that is a number, or a text with a number.
    pub(super) fn get_number(&self, name: &str) -> Result<Option<i32>, ServiceError> {
        let value = self.text(name)?.filter(|value| value.starts_with('"'));
        if value.is_none() || self.tolerance == Tolerance::Strict {
            return self.get(name);
        }
        let text: Option<String> = self.get(name)?;
        let number = text.map(|text| text.parse()).transpose();
        number.map_err(|_| malformed_member(name))
    }

    /// The text of a member's value. Without tolerance, a second member of the name is refused.
    fn text(&self, name: &str) -> Result<Option<&'a str>, ServiceError> {
        let MemberTexts(members) = &self.members;
        let is_strict = self.tolerance == Tolerance::Strict;
        let mut found = members.iter().rev().filter(|(Name(given), _)| {
            if is_strict {
                given == name
            } else {
                given.eq_ignore_ascii_case(name)
            }
        });
        let value = found.next().map(|(_, value)| value.get());
        if is_strict && found.next().is_some() {
            return Err(malformed_member(name));
        }
        Ok(value)
    }
}

fn malformed_member(name: &str) -> ServiceError {
    malformed(format!(
        "The member '{name}' of the request body does not have the expected form."
    ))
}
