//! The scopes of access tokens.

use crate::error::invalid_argument;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{convert::Infallible, fmt, str::FromStr};

/// A scope: a permission of an access token.
///
/// The service's [identity model][model] has a table of what each scope permits. Chat ends on
/// [2028-09-30][retirement], and the chat scopes have no use after that; calling stays, for services that work with Teams.
///
/// A scope that this crate does not know is sent and read as [`UnknownValue`](Self::UnknownValue). A later version may
/// turn it into a variant: compare by [`as_str`](Self::as_str), and let a `match` have a wildcard arm.
///
/// [retirement]: https://learn.microsoft.com/azure/communication-services/acs-retirement-and-breaking-changes-guide
/// [model]: https://learn.microsoft.com/azure/communication-services/concepts/identity-model#access-tokens
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationTokenScope;
///
/// assert_eq!(CommunicationTokenScope::ChatJoin.as_str(), "chat.join");
/// assert_eq!(CommunicationTokenScope::from("voip"), CommunicationTokenScope::Voip);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CommunicationTokenScope {
    /// `chat`: all of chat, until 2028-09-30.
    Chat,
    /// `chat.join`: take part in chats, but neither create, delete nor update threads; until 2028-09-30.
    ChatJoin,
    /// `chat.join.limited`: as `chat.join`, and neither add nor remove participants; until 2028-09-30.
    ChatJoinLimited,
    /// `voip`: all of calling.
    Voip,
    /// `voip.join`: join calls, but start none.
    VoipJoin,
    /// A scope that this crate does not know.
    UnknownValue(String),
}

impl CommunicationTokenScope {
    /// Returns the scope as the service writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Chat => "chat",
            Self::ChatJoin => "chat.join",
            Self::ChatJoinLimited => "chat.join.limited",
            Self::Voip => "voip",
            Self::VoipJoin => "voip.join",
            Self::UnknownValue(scope) => scope,
        }
    }
}

impl From<&str> for CommunicationTokenScope {
    fn from(scope: &str) -> Self {
        match scope {
            "chat" => Self::Chat,
            "chat.join" => Self::ChatJoin,
            "chat.join.limited" => Self::ChatJoinLimited,
            "voip" => Self::Voip,
            "voip.join" => Self::VoipJoin,
            unknown => Self::UnknownValue(unknown.to_owned()),
        }
    }
}

impl FromStr for CommunicationTokenScope {
    type Err = Infallible;

    fn from_str(scope: &str) -> Result<Self, Self::Err> {
        Ok(scope.into())
    }
}

impl AsRef<str> for CommunicationTokenScope {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for CommunicationTokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CommunicationTokenScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CommunicationTokenScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|scope| scope.as_str().into())
    }
}

/// Refuses an empty list of scopes.
pub(crate) fn require_scopes(scopes: &[CommunicationTokenScope]) -> azure_core::Result<()> {
    if scopes.is_empty() {
        return Err(invalid_argument(
            "scopes is empty; name what the token is for, such as CommunicationTokenScope::Chat",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_the_specification() {
        for (scope, text) in [
            (CommunicationTokenScope::Chat, "chat"),
            (CommunicationTokenScope::ChatJoin, "chat.join"),
            (CommunicationTokenScope::ChatJoinLimited, "chat.join.limited"),
            (CommunicationTokenScope::Voip, "voip"),
            (CommunicationTokenScope::VoipJoin, "voip.join"),
            (CommunicationTokenScope::UnknownValue("sms".to_owned()), "sms"),
        ] {
            assert_eq!(serde_json::to_value(&scope).unwrap(), text);
            assert_eq!(
                serde_json::from_value::<CommunicationTokenScope>(text.into()).unwrap(),
                scope
            );
            assert_eq!(text.parse(), Ok(scope));
        }
    }
}
