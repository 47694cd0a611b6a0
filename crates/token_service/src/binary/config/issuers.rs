//! `[issuer]` and `[[other_issuers]]`: who signs the tokens of callers.

use super::sections::{IssuerName, IssuerSection, IssuerUrl, Permissions, TokenTypeName};
use reqwest::Client;
use settings::{List, Report, Whole};
use std::time::Duration;
use token_guard::{ConfigurationError, EntraApi, LogtoPermissions, TokenGuard, TokenGuardBuilder, TokenType};
use token_service::UserIdClaims;

/// The issuers of callers' tokens.
#[derive(Debug)]
pub(crate) struct Issuers {
    all: Vec<Issuer>,
    /// The other addresses of the first issuer, whose users are the same.
    aliases: Vec<String>,
    pub(crate) user_id_claims: UserIdClaims,
}

/// The guards of the issuers, which share the keys.
pub(crate) struct Guards {
    pub(crate) users: TokenGuard,
    /// The guard of operators, before their scope or role: that of the first issuer and its aliases.
    pub(crate) operators: TokenGuard,
    /// The guard of each issuer, with its name in the configuration.
    pub(crate) each: Vec<(String, TokenGuard)>,
}

/// An issuer, and the scope and organization that its tokens must have.
#[derive(Clone, Debug)]
struct Issuer {
    kind: IssuerKind,
    scope: Option<String>,
    organization: Option<String>,
    token_type: Option<TokenType>,
    leeway: Duration,
    keys: KeyPlace,
    allow_plain_http_keys: bool,
    scope_claim: Option<String>,
    roles_claim: Option<String>,
    subject_claim: Option<String>,
}

#[derive(Clone, Debug)]
enum IssuerKind {
    Standard {
        url: String,
        audiences: Vec<String>,
        /// The clients whose tokens need no audience.
        client_ids: Vec<String>,
    },
    Logto {
        url: String,
        permissions: LogtoPermissions,
    },
    Entra(EntraApi),
}

/// The place of the keys.
#[derive(Clone, Debug)]
enum KeyPlace {
    Issuer,
    Metadata(String),
    Direct(String),
}

impl Issuers {
    /// Checks all issuers. `http` sends nothing.
    pub(super) fn of(
        first: IssuerSection,
        others: Option<Vec<IssuerSection>>,
        report: &mut Report<'_>,
        http: &Client,
    ) -> Option<Self> {
        let kind = first.kind;
        let aliases = first.aliases.clone();
        let first = Issuer::of("issuer", first, report, http);
        let mut issuers = vec![first];
        for (index, section) in others.into_iter().flatten().enumerate() {
            let path = format!("other_issuers[{index}]");
            if let (Some(kind), Some(other)) = (kind, section.kind)
                && user_id_claims(kind) != user_id_claims(other)
            {
                report.fault(
                    &format!("{path}.kind"),
                    "cannot stand beside issuer.kind: users of \"entra\" and \"external_id\" are known by their object's id, \
                     which other issuers may let them choose; run another service for it",
                );
            }
            report.unused(&format!("{path}.aliases"), "is for [issuer] only; remove it");
            issuers.push(Issuer::of(&path, section, report, http));
        }
        Some(Self {
            user_id_claims: user_id_claims(kind?),
            all: issuers.into_iter().collect::<Option<_>>()?,
            aliases: aliases
                .map(List::into_inner)
                .into_iter()
                .flatten()
                .map(|alias| alias.text)
                .collect(),
        })
    }

    /// Builds the guards, which ask the issuers with this client or else build one.
    pub(crate) fn guards(&self, http: Option<&Client>) -> Result<Guards, ConfigurationError> {
        let section = |index: usize| match index.checked_sub(1) {
            None => "issuer".to_owned(),
            Some(index) => format!("other_issuers[{index}]"),
        };
        let all = self.all.iter().cloned().enumerate();
        let all = all.map(|(index, issuer)| (section(index), issuer));
        let aliases = self.all.first().into_iter().flat_map(|first| {
            let aliases = self.aliases.iter().enumerate();
            aliases.map(|(index, alias)| {
                let issuer = Issuer {
                    kind: first.kind.at(alias),
                    ..first.clone()
                };
                (format!("issuer.aliases[{index}]"), issuer)
            })
        });
        let (mut each, mut operators) = (Vec::new(), Vec::new());
        for (name, issuer) in all.chain(aliases) {
            let (of_users, of_operators) = issuer.guards(http)?;
            // Another issuer, such as one of customers, appoints no operators.
            if name.starts_with("issuer") {
                operators.push(of_operators);
            }
            each.push((name, of_users));
        }
        Ok(Guards {
            users: joined(each.iter().map(|(_, guard)| guard.clone()).collect()),
            operators: joined(operators),
            each,
        })
    }
}

/// Joins the guards of issuers. The guard of one issuer says more in its challenges.
fn joined(mut guards: Vec<TokenGuard>) -> TokenGuard {
    match (guards.pop(), guards.is_empty()) {
        (Some(only), true) => only,
        (last, _) => TokenGuard::any_of(guards.into_iter().chain(last)),
    }
}

impl Issuers {
    /// Returns the first issuer and its aliases, as tokens have them in `iss`, if it has aliases.
    pub(crate) fn aliases(&self) -> Option<(String, Vec<String>)> {
        let kind = &self.all.first()?.kind;
        let aliases: Vec<_> = self.aliases.iter().filter_map(|alias| kind.at(alias).name()).collect();
        (!aliases.is_empty()).then_some((kind.name()?, aliases))
    }
}

fn user_id_claims(kind: IssuerName) -> UserIdClaims {
    match kind {
        IssuerName::Entra | IssuerName::ExternalId => UserIdClaims::EntraObject,
        IssuerName::Oidc | IssuerName::Logto | IssuerName::B2c => UserIdClaims::Subject,
    }
}

/// The keys that only some kinds of issuers have.
const SPECIAL_KEYS: [(&str, &[IssuerName]); 7] = [
    ("aliases", &[IssuerName::Oidc, IssuerName::Logto]),
    (
        "tenant_id",
        &[IssuerName::Entra, IssuerName::ExternalId, IssuerName::B2c],
    ),
    (
        "client_id",
        &[IssuerName::Entra, IssuerName::ExternalId, IssuerName::B2c],
    ),
    ("policy", &[IssuerName::B2c]),
    ("permissions", &[IssuerName::Logto]),
    ("organization", &[IssuerName::Logto]),
    ("client_ids", &[IssuerName::Oidc]),
];

impl Issuer {
    /// Checks the section at a path.
    fn of(path: &str, section: IssuerSection, report: &mut Report<'_>, http: &Client) -> Option<Self> {
        let key = |name: &str| format!("{path}.{name}");
        report.missing(
            &key("kind"),
            "it is \"oidc\", \"logto\", \"entra\", \"external_id\" or \"b2c\", for those who sign the tokens of your users",
        );
        let kind = section.kind?;
        for (name, kinds) in SPECIAL_KEYS {
            if !kinds.contains(&kind) {
                report.unused(&key(name), "is for other kinds of issuers only; remove it");
            }
        }
        let allow_plain_http_keys = section.allow_plain_http_keys == Some(true);
        report.contradiction(&key("keys_url"), &key("metadata_url"));
        for (name, url) in [
            ("metadata_url", &section.metadata_url),
            ("keys_url", &section.keys_url),
            ("url", &section.url),
        ] {
            // An issuer whose keys are elsewhere is a name, which is not fetched.
            let is_name = name == "url" && (section.keys_url.is_some() || section.metadata_url.is_some());
            if url.as_ref().is_some_and(|url| url.is_plain) && !is_name && !allow_plain_http_keys {
                report.fault(
                    &key(name),
                    format!(
                        "must begin with https://, as http:// lets anyone on the way replace the keys, and sign any token; set \
                         {} = true only in a network that you trust as you trust the issuer",
                        key("allow_plain_http_keys")
                    ),
                );
            }
        }
        let mut aliases = section.aliases.clone().map(List::into_inner).into_iter().flatten();
        if aliases.any(|alias| alias.is_plain) && !allow_plain_http_keys {
            report.fault(&key("aliases"), "must begin with https://");
        }
        let keys = match (&section.keys_url, &section.metadata_url) {
            (Some(url), _) => KeyPlace::Direct(url.text.clone()),
            (None, Some(url)) => KeyPlace::Metadata(url.text.clone()),
            (None, None) => KeyPlace::Issuer,
        };
        let issuer = Self {
            scope: section.scope.clone(),
            organization: section.organization.clone(),
            token_type: section.token_type.map(|name| match name {
                TokenTypeName::AccessToken => TokenType::AccessToken,
                TokenTypeName::Jwt => TokenType::Jwt,
            }),
            leeway: Duration::from_secs(section.leeway_seconds.map_or(30, Whole::get).into()),
            keys,
            allow_plain_http_keys,
            scope_claim: section.scope_claim.clone(),
            roles_claim: section.roles_claim.clone(),
            subject_claim: section.subject_claim.clone(),
            kind: IssuerKind::of(kind, path, section, report)?,
        };
        if ["metadata_url", "keys_url", "url"]
            .iter()
            .any(|name| report.has_fault(&key(name)))
        {
            return None;
        }
        match issuer.guard(Some(http)) {
            Ok(_) => Some(issuer),
            Err(error) => {
                report.add(settings::Fault::new(format!("[{path}]"), error.to_string()));
                None
            }
        }
    }

    /// Builds the guards of users and of operators, which share the keys.
    ///
    /// Operators need no `scope` of the issuer, which the tokens of applications lack at Entra ID. Tokens without an audience
    /// need it always, as nothing else shows that they are for this API.
    fn guards(&self, http: Option<&Client>) -> Result<(TokenGuard, TokenGuard), ConfigurationError> {
        let guard = self.guard(http)?;
        let users = match &self.scope {
            Some(scope) => guard.requiring_scopes([scope]),
            None => guard.clone(),
        };
        let operators = if self.kind.accepts_other_audiences() {
            users.clone()
        } else {
            guard
        };
        Ok((users, operators))
    }

    fn guard(&self, http: Option<&Client>) -> Result<TokenGuard, ConfigurationError> {
        let mut builder = self.kind.builder().leeway(self.leeway);
        if let Some(http) = http {
            builder = builder.http_client(http.clone());
        }
        if let Some(token_type) = self.token_type {
            builder = builder.token_type(token_type);
        }
        builder = match &self.keys {
            KeyPlace::Issuer => builder,
            KeyPlace::Metadata(url) => builder.metadata_at(url),
            KeyPlace::Direct(url) => builder.keys_at(url),
        };
        if self.allow_plain_http_keys {
            builder = builder.allow_forgeable_keys_over_http();
        }
        if let Some(claim) = &self.scope_claim {
            builder = builder.scope_claim(claim);
        }
        if let Some(claim) = &self.roles_claim {
            builder = builder.roles_claim(claim);
        }
        if let Some(claim) = &self.subject_claim {
            builder = builder.subject_claim(claim);
        }
        let mut guard = builder.build()?;
        if let Some(organization) = &self.organization {
            guard = guard.requiring_organization(organization);
        }
        Ok(guard)
    }
}

impl IssuerKind {
    fn of(kind: IssuerName, path: &str, section: IssuerSection, report: &mut Report<'_>) -> Option<Self> {
        match kind {
            IssuerName::Oidc => Self::standard(path, section, report),
            IssuerName::Logto => Self::logto(path, section, report),
            IssuerName::Entra | IssuerName::ExternalId | IssuerName::B2c => Self::entra(kind, path, section, report),
        }
    }

    fn standard(path: &str, section: IssuerSection, report: &mut Report<'_>) -> Option<Self> {
        let url = url(path, section.url, "the issuer, as its tokens have it in `iss`", report);
        if !report.has(&format!("{path}.client_ids")) {
            report.missing(
                &format!("{path}.audience"),
                "it is this API's name at the issuer, as tokens have it in `aud`",
            );
        }
        if section.client_ids.is_some() && section.scope.is_none() {
            report.missing(
                &format!("{path}.scope"),
                "it is a scope of this API, as tokens without `aud` are for all APIs of the issuer",
            );
        }
        let (audiences, client_ids) = (texts(section.audience), texts(section.client_ids));
        if audiences.is_empty() && client_ids.is_empty() {
            return None;
        }
        Some(Self::Standard {
            url: url?,
            audiences,
            client_ids,
        })
    }

    fn logto(path: &str, section: IssuerSection, report: &mut Report<'_>) -> Option<Self> {
        let url = url(
            path,
            section.url,
            "your Logto endpoint, such as https://contoso.logto.app",
            report,
        );
        let audience = format!("{path}.audience");
        let permissions = section.permissions.unwrap_or(Permissions::Api);
        let mut resource = || {
            report.missing(&audience, "it is the indicator of the API resource at Logto");
            let mut audiences = texts(section.audience.clone());
            if audiences.len() > 1 {
                report.fault(&audience, "must be one, as an API resource of Logto has one indicator");
            }
            audiences.pop()
        };
        let permissions = match permissions {
            Permissions::Api => LogtoPermissions::GlobalApi { resource: resource()? },
            Permissions::OrganizationApi => LogtoPermissions::OrganizationApi { resource: resource()? },
            Permissions::Organization => {
                report.unused(
                    &audience,
                    "is not used with permissions of \"organization\", whose tokens are for the organization; remove it",
                );
                LogtoPermissions::Organization
            }
        };
        Some(Self::Logto { url: url?, permissions })
    }

    fn entra(kind: IssuerName, path: &str, section: IssuerSection, report: &mut Report<'_>) -> Option<Self> {
        let key = |name: &str| format!("{path}.{name}");
        report.missing(&key("tenant_id"), "it is the id of your directory (tenant)");
        report.missing(
            &key("client_id"),
            "it is the application (client) id of this API's registration",
        );
        if kind == IssuerName::B2c {
            report.missing(
                &key("policy"),
                "it is the user flow or custom policy, such as B2C_1_signin",
            );
        }
        let authority = match (kind, section.url) {
            (IssuerName::Entra, url) => url.map(|url| url.text),
            (IssuerName::B2c, given) => url(
                path,
                given,
                "the address of the tenant, such as https://contoso.b2clogin.com",
                report,
            ),
            (_, given) => url(
                path,
                given,
                "the address of the tenant, such as https://contoso.ciamlogin.com",
                report,
            ),
        };
        let (tenant_id, client_id) = (section.tenant_id?.0, section.client_id?.0);
        let mut api = match (kind, authority) {
            (IssuerName::Entra, None) => EntraApi::new(&tenant_id, &client_id),
            (IssuerName::Entra, Some(authority)) => EntraApi::new(&tenant_id, &client_id).authority(&authority),
            (IssuerName::B2c, Some(authority)) => EntraApi::b2c(&authority, &tenant_id, &section.policy?, &client_id),
            (_, Some(authority)) => EntraApi::external_id(&authority, &tenant_id, &client_id),
            (_, None) => return None,
        };
        for audience in texts(section.audience) {
            api = api.audience(&audience);
        }
        Some(Self::Entra(api))
    }

    /// Returns whether tokens of some clients need no audience.
    fn accepts_other_audiences(&self) -> bool {
        matches!(self, Self::Standard { client_ids, .. } if !client_ids.is_empty())
    }

    /// Returns the same issuer at another address.
    fn at(&self, alias: &str) -> Self {
        let mut other = self.clone();
        if let Self::Standard { url, .. } | Self::Logto { url, .. } = &mut other {
            alias.clone_into(url);
        }
        other
    }

    /// Returns the issuer as tokens have it in `iss`. `None` for Entra ID, whose users have no issuer in their ids.
    fn name(&self) -> Option<String> {
        match self {
            Self::Standard { url, .. } => Some(url.clone()),
            Self::Logto { url, .. } => Some(format!("{}/oidc", url.trim_end_matches('/'))),
            Self::Entra(_) => None,
        }
    }

    fn builder(&self) -> TokenGuardBuilder {
        match self {
            Self::Standard {
                url,
                audiences,
                client_ids,
            } => {
                let builder = TokenGuard::builder(url, audiences);
                if client_ids.is_empty() {
                    builder
                } else {
                    builder.client_ids_in_place_of_audience(client_ids)
                }
            }
            Self::Logto { url, permissions } => TokenGuard::logto(url, permissions.clone()),
            Self::Entra(api) => TokenGuard::entra(api.clone()),
        }
    }
}

/// Returns the text of a URL that must be given.
fn url(path: &str, url: Option<IssuerUrl>, meaning: &str, report: &mut Report<'_>) -> Option<String> {
    report.missing(&format!("{path}.url"), &format!("it is {meaning}"));
    url.map(|url| url.text)
}

fn texts(list: Option<List<String>>) -> Vec<String> {
    list.map(List::into_inner).unwrap_or_default()
}
