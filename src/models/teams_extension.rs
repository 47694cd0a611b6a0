//! Assignments of Teams Phone extensibility.

use super::json::{decode, required};
use azure_core::{
    Result, Uuid,
    http::{DeserializeWith, JsonFormat, response::ResponseBody},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};
use std::{convert::Infallible, fmt, str::FromStr};

/// The ID of an assignment of Teams Phone extensibility. A principal of a tenant has one at most.
///
/// The fields have names because the two IDs are easily swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TeamsExtensionAssignmentId {
    /// The Entra tenant of the principal.
    pub tenant_id: Uuid,
    /// The Entra object ID of the principal.
    pub object_id: Uuid,
}

/// The principal that an assignment admits.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
///
/// let principal = TeamsExtensionPrincipal {
///     principal_type: TeamsExtensionPrincipalType::User,
///     client_ids: vec!["1d7e5dfb-7f3a-4a25-8bd8-9d2bd0e1a1b5".to_owned()],
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamsExtensionPrincipal {
    /// The kind of the principal.
    pub principal_type: TeamsExtensionPrincipalType,
    /// The client IDs of the Entra applications that a user may sign in with. A resource account has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
}

/// The kind of a principal.
///
/// Microsoft's documents disagree on the name of a resource account: its specification has `resourceAccount`, its
/// [how-to][] `teamsResourceAccount`. If the service refuses one, try the other.
///
/// A later version of this crate may turn a value that is [`UnknownValue`](Self::UnknownValue) today into a variant: compare
/// by [`as_str`](Self::as_str), and let a `match` have a wildcard arm.
///
/// [how-to]: https://learn.microsoft.com/azure/communication-services/quickstarts/tpe/teams-phone-extensibility-access-teams-phone
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TeamsExtensionPrincipalType {
    /// `resourceAccount`: a Teams resource account, as the specification names it.
    ResourceAccount,
    /// `teamsResourceAccount`: a Teams resource account, as the how-to names it.
    TeamsResourceAccount,
    /// `user`: a Teams user.
    User,
    /// A kind that this crate does not know.
    #[serde(untagged)]
    UnknownValue(String),
}

impl TeamsExtensionPrincipalType {
    /// Returns the kind as the service writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ResourceAccount => "resourceAccount",
            Self::TeamsResourceAccount => "teamsResourceAccount",
            Self::User => "user",
            Self::UnknownValue(kind) => kind,
        }
    }
}

impl From<&str> for TeamsExtensionPrincipalType {
    fn from(kind: &str) -> Self {
        match kind {
            "resourceAccount" => Self::ResourceAccount,
            "teamsResourceAccount" => Self::TeamsResourceAccount,
            "user" => Self::User,
            unknown => Self::UnknownValue(unknown.to_owned()),
        }
    }
}

impl FromStr for TeamsExtensionPrincipalType {
    type Err = Infallible;

    fn from_str(kind: &str) -> std::result::Result<Self, Self::Err> {
        Ok(kind.into())
    }
}

impl AsRef<str> for TeamsExtensionPrincipalType {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TeamsExtensionPrincipalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An assignment of Teams Phone extensibility, which admits a principal of a Teams tenant to the resource.
///
/// # Examples
///
/// A fake in your unit test returns one:
///
/// ```
/// use azure_communication_identity::{
///     TeamsExtensionAssignment, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
/// };
/// use azure_core::Uuid;
///
/// let id = TeamsExtensionAssignmentId { tenant_id: Uuid::nil(), object_id: Uuid::nil() };
/// let principal = TeamsExtensionPrincipal {
///     principal_type: TeamsExtensionPrincipalType::ResourceAccount,
///     client_ids: Vec::new(),
/// };
/// let assignment = TeamsExtensionAssignment::new(id, principal);
/// assert_eq!(assignment.id, id);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TeamsExtensionAssignment {
    /// The ID of the assignment.
    pub id: TeamsExtensionAssignmentId,
    /// The principal that it admits.
    pub principal: TeamsExtensionPrincipal,
}

impl TeamsExtensionAssignment {
    /// Creates an assignment, for your unit tests.
    ///
    /// # Arguments
    ///
    /// * `id` - The ID of the assignment.
    /// * `principal` - The principal that it admits.
    #[must_use]
    pub fn new(id: TeamsExtensionAssignmentId, principal: TeamsExtensionPrincipal) -> Self {
        Self { id, principal }
    }
}

impl DeserializeWith<JsonFormat> for TeamsExtensionAssignment {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            #[serde(default, deserialize_with = "uuid")]
            tenant_id: Option<Uuid>,
            #[serde(default, deserialize_with = "uuid")]
            object_id: Option<Uuid>,
            principal_type: Option<TeamsExtensionPrincipalType>,
            client_ids: Option<Vec<String>>,
        }

        let body: Body = decode(&body)?;
        Ok(Self {
            id: TeamsExtensionAssignmentId {
                tenant_id: required(body.tenant_id, "", "tenantId")?,
                object_id: required(body.object_id, "", "objectId")?,
            },
            principal: TeamsExtensionPrincipal {
                principal_type: required(body.principal_type, "", "principalType")?,
                client_ids: body.client_ids.unwrap_or_default(),
            },
        })
    }
}

/// Reads a UUID or `null`. The error comes from within the value, so that it has the value's place.
fn uuid<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Uuid>, D::Error> {
    struct UuidVisitor;

    impl Visitor<'_> for UuidVisitor {
        type Value = Option<Uuid>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a UUID")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
            text.parse().map(Some).map_err(E::custom)
        }

        fn visit_unit<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(UuidVisitor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn principal_types_are_those_of_the_documents() {
        for (kind, text) in [
            (TeamsExtensionPrincipalType::ResourceAccount, "resourceAccount"),
            (
                TeamsExtensionPrincipalType::TeamsResourceAccount,
                "teamsResourceAccount",
            ),
            (TeamsExtensionPrincipalType::User, "user"),
            (TeamsExtensionPrincipalType::UnknownValue("bot".to_owned()), "bot"),
        ] {
            assert_eq!(serde_json::to_value(&kind).unwrap(), json!(text));
            assert_eq!(kind.to_string(), text);
            assert_eq!(TeamsExtensionPrincipalType::from(text), kind);
            assert_eq!(
                serde_json::from_value::<TeamsExtensionPrincipalType>(json!(text)).unwrap(),
                kind
            );
        }
    }
}
