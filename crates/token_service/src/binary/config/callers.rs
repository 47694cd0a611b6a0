//! `[tokens]` and `[teams]`: the tokens of callers.

use super::sections::{IssuerName, RuleTable, Scope, TeamsSection, TokensSection};
use azure_communication_identity::CommunicationTokenScope;
use azure_core::time::Duration;
use settings::{List, Report, SecretText, Whole};
use token_service::{PolicyError, RuleHolder, SealingKeys, TokenPolicy, TokenRule};

/// The sealing key of `token_service.toml`, which is not a secret.
const EXAMPLE_SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The tokens of users.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) default_scopes: Vec<CommunicationTokenScope>,
    pub(crate) allowed_scopes: Vec<CommunicationTokenScope>,
    pub(crate) lifetime: Duration,
    pub(crate) rules: Vec<TokenRule>,
    /// Tokens are stored, sealed, if there are keys.
    pub(crate) sealing_keys: Option<SealingKeys>,
}

impl Tokens {
    pub(super) fn of(mut section: TokensSection, report: &mut Report<'_>) -> Option<Self> {
        let sealing_keys = sealing_keys(&mut section, report);
        let default_scopes = scopes("tokens.default_scopes", section.default_scopes, report);
        let allowed_scopes = scopes("tokens.allowed_scopes", section.allowed_scopes, report);
        let rules: Vec<_> = section
            .rules
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, table)| rule(&format!("tokens.rules[{index}]"), table, report))
            .collect();
        let default_scopes =
            default_scopes.unwrap_or_else(|| vec![CommunicationTokenScope::Chat, CommunicationTokenScope::Voip]);
        let allowed_scopes = allowed_scopes.unwrap_or_else(|| default_scopes.clone());
        if default_scopes.iter().any(|scope| !allowed_scopes.contains(scope)) {
            report.fault(
                "tokens.allowed_scopes",
                "must have every scope of tokens.default_scopes, which are \"chat\" and \"voip\" unless set",
            );
        }
        Some(Self {
            default_scopes,
            allowed_scopes,
            lifetime: Duration::minutes(section.lifetime_minutes.map_or(1440, Whole::get).into()),
            rules: rules.into_iter().collect::<Option<_>>()?,
            sealing_keys,
        })
    }

    /// Builds the policy.
    pub(crate) fn policy(&self) -> Result<TokenPolicy, PolicyError> {
        let policy = TokenPolicy::new(self.default_scopes.clone(), self.allowed_scopes.clone(), self.lifetime)?;
        self.rules.iter().cloned().try_fold(policy, TokenPolicy::rule)
    }
}

/// Returns the scopes of a key, if it was given.
fn scopes(key: &str, given: Option<List<Scope>>, report: &mut Report<'_>) -> Option<Vec<CommunicationTokenScope>> {
    let scopes: Vec<_> = given?.into_inner().into_iter().map(|Scope(scope)| scope).collect();
    if scopes.is_empty() {
        report.fault(key, "must have a scope or more, such as [\"chat\", \"voip\"]");
    }
    (!scopes.is_empty()).then_some(scopes)
}

fn rule(path: &str, table: RuleTable, report: &mut Report<'_>) -> Option<TokenRule> {
    let holders = ["client_id", "scope", "role"].map(|name| report.has(&format!("{path}.{name}")));
    if holders.iter().filter(|has| **has).count() != 1 {
        report.fault(
            path,
            "must have one of client_id, scope and role, which says whose rule it is",
        );
    }
    let key = format!("{path}.scopes");
    report.missing(&key, "it is what the callers of the rule may ask for");
    let scopes = scopes(&key, table.scopes, report);
    let holder = match (table.client_id, table.scope, table.role) {
        (Some(client_id), None, None) => RuleHolder::ClientId(client_id),
        (None, Some(scope), None) => RuleHolder::Scope(scope),
        (None, None, Some(role)) => RuleHolder::Role(role),
        _ => return None,
    };
    Some(TokenRule {
        holder,
        scopes: scopes?,
        lifetime: table
            .lifetime_minutes
            .map(|minutes| Duration::minutes(minutes.get().into())),
    })
}

/// Returns the keys that stored tokens are sealed with, if any were given.
fn sealing_keys(section: &mut TokensSection, report: &mut Report<'_>) -> Option<SealingKeys> {
    const KEY: &str = "tokens.sealing_keys";
    let path = section.sealing_keys_file.take();
    let from_file = report.secret(KEY, None, path.as_deref());
    let (key, texts): (_, Vec<_>) = match (section.sealing_keys.take(), from_file) {
        (Some(keys), _) => (KEY, keys.into_inner().into_iter().map(SecretText::into_inner).collect()),
        (None, Some(text)) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            ("tokens.sealing_keys_file", lines.map(str::to_owned).collect())
        }
        (None, None) => return None,
    };
    if texts.iter().any(|text| text == EXAMPLE_SEALING_KEY) {
        report.fault(
            key,
            "is the key of the documentation, which everyone knows; `openssl rand -base64 32` makes one",
        );
        return None;
    }
    let keys = SealingKeys::new(&texts).ok();
    if keys.is_none() {
        report.fault(
            key,
            "must be the base64 of 32 random bytes, or several, one per line in a file, the newest first; \
             `openssl rand -base64 32` makes one",
        );
    }
    keys
}

/// The exchanges of Teams users' tokens.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Teams {
    /// The application of tokens of Teams users. Absent if Teams is disabled.
    pub(crate) client_id: Option<String>,
    /// The API of the sidecar that acquires the tokens of Teams users, where they do not send them.
    pub(crate) sidecar_api: Option<String>,
    /// Set for tokens of Teams Phone.
    pub(crate) phone: bool,
    /// The same API for Teams Phone.
    pub(crate) phone_sidecar_api: Option<String>,
}

impl Teams {
    /// Checks the section, which can be left out. `is_encrypted` is set if the resource is reached by https.
    pub(super) fn of(
        section: TeamsSection,
        issuer: Option<IssuerName>,
        is_encrypted: bool,
        report: &mut Report<'_>,
    ) -> Self {
        let phone = section.phone == Some(true);
        let keys = [
            "teams.client_id",
            "teams.sidecar_api",
            "teams.phone",
            "teams.phone_sidecar_api",
        ];
        // `false` is the default, which every issuer has.
        let is_used = |key: &&str| report.has(key) && (phone || *key != "teams.phone");
        if let Some(key) = keys.into_iter().find(is_used)
            && issuer.is_some_and(|issuer| issuer != IssuerName::Entra)
        {
            report.fault(
                key,
                "is for issuer.kind = \"entra\" only; remove it, as other issuers may let users choose their oid",
            );
        }
        if report.has("teams.sidecar_api") {
            report.missing(
                "teams.client_id",
                "it is the application (client) id that the Teams tokens are issued to",
            );
        }
        if !phone && !report.has_fault("teams.phone") {
            report.unused(
                "teams.phone_sidecar_api",
                "is to be used with teams.phone = true only; remove it",
            );
        }
        if phone && !is_encrypted {
            report.fault(
                "teams.phone",
                "needs a resource that is reached by https, as Entra tokens must not travel in plain text; give acs.* an \
                 endpoint of https",
            );
        }
        Self {
            client_id: section.client_id.map(|id| id.0),
            sidecar_api: section.sidecar_api,
            phone,
            phone_sidecar_api: section.phone_sidecar_api,
        }
    }
}
