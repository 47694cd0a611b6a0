//! Overrides of an API's configuration: `BindableDownstreamApiOptions` and `DownstreamApiOptionsMerger` of the source.

use std::collections::BTreeMap;

const PREFIX: &str = "optionsoverride.";

/// The routes that honour overrides and agents (`Sidecar:AllowOverrides`).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the sidecar's configuration")]
pub struct AllowOverrides {
    /// `GET /AuthorizationHeader`. Default: `true`.
    pub get_authorization_header: bool,
    /// `GET /AuthorizationHeaderUnauthenticated`. Default: `false`.
    pub get_authorization_header_unauthenticated: bool,
    /// `POST /DownstreamApi`. Default: `true`.
    pub call_downstream_api: bool,
    /// `POST /DownstreamApiUnauthenticated`. Default: `false`.
    pub call_downstream_api_unauthenticated: bool,
}

impl AllowOverrides {
    /// Allows overrides and agents on all routes.
    #[must_use]
    pub fn everywhere() -> Self {
        Self {
            get_authorization_header_unauthenticated: true,
            call_downstream_api_unauthenticated: true,
            ..Self::default()
        }
    }
}

impl Default for AllowOverrides {
    fn default() -> Self {
        Self {
            get_authorization_header: true,
            get_authorization_header_unauthenticated: false,
            call_downstream_api: true,
            call_downstream_api_unauthenticated: false,
        }
    }
}

/// The configuration of an API, or a request's overrides of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownstreamApiOptions {
    /// `Scopes`.
    pub scopes: Option<Vec<String>>,
    /// `RequestAppToken`.
    pub request_app_token: bool,
    /// `RelativePath`.
    pub relative_path: String,
    /// `HttpMethod`.
    pub http_method: String,
    /// `ContentType`.
    pub content_type: String,
    /// `AcceptHeader`.
    pub accept: String,
    /// `ExtraHeaderParameters`.
    pub headers: BTreeMap<String, String>,
    /// `ExtraQueryParameters`.
    pub query: BTreeMap<String, String>,
    /// `AcquireTokenOptions`, by their names in lower case; `forcerefresh` only if it is true.
    pub acquire_token: BTreeMap<String, String>,
}

/// The names in `AcquireTokenOptions` that can be overridden, apart from `ForceRefresh`.
const ACQUIRE_TOKEN: [&str; 7] = [
    "tenant",
    "claims",
    "correlationid",
    "fmipath",
    "longrunningwebapisessionkey",
    "poppublickey",
    "managedidentity.userassignedclientid",
];

impl DownstreamApiOptions {
    /// Returns the values of the source's type before anything is set.
    pub(crate) fn initial() -> Self {
        Self {
            http_method: "Get".to_owned(),
            content_type: "application/json".to_owned(),
            accept: "application/json".to_owned(),
            ..Self::default()
        }
    }

    /// Reads the overrides in a query; `None` if it has no other than `BaseUrl`, which is always ignored.
    pub(crate) fn from_overrides(query: &[(String, String)]) -> Option<Self> {
        let mut found = None;
        for (name, value) in query {
            let Some(path) = strip_prefix(name, PREFIX).filter(|path| !path.eq_ignore_ascii_case("baseurl")) else {
                continue;
            };
            found.get_or_insert_with(Self::initial).bind(path, value);
        }
        found
    }

    /// Sets one override. The last value of a name counts, but scopes add up.
    fn bind(&mut self, path: &str, value: &str) {
        match path.to_ascii_lowercase().as_str() {
            "scopes" => {
                let scopes = self.scopes.get_or_insert_default();
                if !value.trim().is_empty() {
                    scopes.push(value.to_owned());
                }
            }
            "requestapptoken" => set_bool(&mut self.request_app_token, value),
            "relativepath" => value.clone_into(&mut self.relative_path),
            "httpmethod" => value.clone_into(&mut self.http_method),
            "contenttype" => value.clone_into(&mut self.content_type),
            "acceptheader" => value.clone_into(&mut self.accept),
            _ => {
                if let Some(name) = strip_prefix(path, "acquiretokenoptions.") {
                    self.bind_acquire_token(name, value);
                } else if let Some(name) = strip_prefix(path, "extraheaderparameters.") {
                    insert(&mut self.headers, name, value);
                } else if let Some(name) = strip_prefix(path, "extraqueryparameters.") {
                    insert(&mut self.query, name, value);
                }
            }
        }
    }

    fn bind_acquire_token(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        if name == "forcerefresh" {
            let mut force = false;
            set_bool(&mut force, value);
            if force {
                insert(&mut self.acquire_token, &name, "true");
            }
        } else if ACQUIRE_TOKEN.contains(&name.as_str()) {
            insert(&mut self.acquire_token, &name, value);
        }
    }

    /// Replaces the configured values by the overrides that are not empty, including their initial values.
    pub(crate) fn merge(mut self, overrides: Self) -> Self {
        if overrides.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
            self.scopes = overrides.scopes;
        }
        self.request_app_token |= overrides.request_app_token;
        for (value, overriding) in [
            (&mut self.relative_path, overrides.relative_path),
            (&mut self.http_method, overrides.http_method),
            (&mut self.content_type, overrides.content_type),
            (&mut self.accept, overrides.accept),
        ] {
            if !overriding.is_empty() {
                *value = overriding;
            }
        }
        self.acquire_token.remove("forcerefresh");
        self.acquire_token.extend(overrides.acquire_token);
        self.headers.extend(overrides.headers);
        self.query.extend(overrides.query);
        self
    }
}

/// Strips a prefix in any case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (beginning, rest) = text.split_at_checked(prefix.len())?;
    beginning.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Sets a flag as .NET's `bool.TryParse` reads it.
fn set_bool(target: &mut bool, value: &str) {
    if let Ok(parsed) = value.trim().to_ascii_lowercase().parse() {
        *target = parsed;
    }
}

/// Inserts a pair, unless a part of it is empty. Keys of ASP.NET Core's queries are equal in any case: the first key stays,
/// with the last value.
fn insert(pairs: &mut BTreeMap<String, String>, name: &str, value: &str) {
    if name.is_empty() || value.is_empty() {
        return;
    }
    match pairs.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
        Some((_, last)) => value.clone_into(last),
        None => {
            pairs.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// Returns whether a header is left out of a request to an API: `ReservedHeaderNames` of the source, headers that the
/// request already has, and .NET's headers of content.
pub(crate) fn is_reserved_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names = [
        "accept",
        "allow",
        "authorization",
        "cookie",
        "expires",
        "host",
        "last-modified",
        "x-ms-client-principal",
        "x-ms-client-principal-id",
        "x-ms-client-principal-idp",
        "x-ms-client-principal-name",
        "x-original-url",
    ];
    let beginnings = ["content-", "x-forwarded-", "x-ms-token-"];
    names.contains(&name.as_str()) || beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// The agent that a token is acquired for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActingAgent {
    /// The application ID of the agent identity.
    pub identity: String,
    /// The user principal name of the agent's user.
    pub username: Option<String>,
    /// The object ID of the agent's user.
    pub user_id: Option<String>,
}

impl ActingAgent {
    /// Reads the agent in a query; `None` without an identity. A name takes precedence over an object ID.
    pub(crate) fn from_query(query: &[(String, String)]) -> Result<Option<Self>, &'static str> {
        let parameter = |name: &str| {
            let found = query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found
                .map(|(_, value)| value.clone())
                .filter(|value| !value.trim().is_empty())
        };
        let Some(identity) = parameter("AgentIdentity") else {
            return Ok(None);
        };
        let username = parameter("AgentUsername");
        let user_id = parameter("AgentUserId").filter(|_| username.is_none());
        // Since version 4.15.0; earlier versions ignored such an ID.
        if user_id.as_ref().is_some_and(|id| !is_guid(id)) {
            return Err("AgentUserId must be a non-empty GUID.");
        }
        Ok(Some(Self {
            identity,
            username,
            user_id,
        }))
    }

    pub(crate) fn is_user(&self) -> bool {
        self.username.is_some() || self.user_id.is_some()
    }
}

/// Returns whether a text is a GUID in its usual form, and not the empty one.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && text.bytes().any(|byte| byte != b'0' && byte != b'-')
}
