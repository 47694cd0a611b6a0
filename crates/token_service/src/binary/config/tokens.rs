//! `[tokens]`: the scopes and lifetimes of users' tokens.

use super::{
    given::{self, Faulty, Given},
    keys::RULES,
};
use azure_communication_identity::CommunicationTokenScope;
use azure_core::time::Duration;
use std::ops::RangeInclusive;
use token_service::{PolicyError, RuleHolder, SealingKeys, TokenPolicy, TokenRule};
use toml::{Table, Value};

const LIFETIME_MINUTES: RangeInclusive<i64> = 60..=1440;
const SCOPES: &str = "has to be a list of one or more of \"chat\", \"chat.join\", \"chat.join.limited\", \"voip\" and \
                      \"voip.join\"";

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
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        let chat_and_voip = || vec![CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];
        let default_scopes = scopes_of(given, "tokens.default_scopes");
        let default_scopes = default_scopes.map(|scopes| scopes.unwrap_or_else(chat_and_voip));
        let allowed_scopes = scopes_of(given, "tokens.allowed_scopes");
        if let (Ok(default), Ok(Some(allowed))) = (&default_scopes, &allowed_scopes)
            && default.iter().any(|scope| !allowed.contains(scope))
        {
            given.fault(
                "tokens.allowed_scopes",
                "has to have every scope of tokens.default_scopes, which are \"chat\" and \"voip\" unless set",
            );
        }
        let lifetime = given.number("tokens.lifetime_minutes", LIFETIME_MINUTES, 1440);
        let rules = rules(given);
        let sealing_keys = sealing_keys(given);
        let default_scopes = default_scopes.ok()?;
        Some(Self {
            allowed_scopes: allowed_scopes.ok()?.unwrap_or_else(|| default_scopes.clone()),
            default_scopes,
            lifetime: Duration::minutes(lifetime),
            rules,
            sealing_keys: sealing_keys.ok()?,
        })
    }

    /// Builds the policy.
    pub(crate) fn policy(&self) -> Result<TokenPolicy, PolicyError> {
        let policy = TokenPolicy::new(self.default_scopes.clone(), self.allowed_scopes.clone(), self.lifetime)?;
        self.rules.iter().cloned().try_fold(policy, TokenPolicy::rule)
    }
}

/// The scopes of a key, if it was given.
fn scopes_of(given: &mut Given<'_>, key: &str) -> Result<Option<Vec<CommunicationTokenScope>>, Faulty> {
    if !given.has(key) {
        return Ok(None);
    }
    let names = given.list(key).ok_or(Faulty)?;
    let scopes = scopes(&names).ok_or_else(|| given.fault(key, SCOPES))?;
    Ok(Some(scopes))
}

/// Scopes that the service knows, at least one.
fn scopes(names: &[String]) -> Option<Vec<CommunicationTokenScope>> {
    let known = |name: &String| match CommunicationTokenScope::from(name.as_str()) {
        CommunicationTokenScope::UnknownValue(_) => None,
        scope => Some(scope),
    };
    let scopes: Option<Vec<_>> = names.iter().map(known).collect();
    scopes.filter(|scopes| !scopes.is_empty())
}

fn rules(given: &mut Given<'_>) -> Vec<TokenRule> {
    let mut rules = Vec::new();
    for (index, value) in given.take_rules().into_iter().enumerate() {
        let name = format!("{RULES}[{index}]");
        match value {
            Value::Table(table) => rules.extend(rule(given, &name, table)),
            _ => {
                given.fault_of(&name, format!("has to be a table of its own, `[[{RULES}]]`"));
            }
        }
    }
    rules
}

/// A rule; `None` after a fault.
fn rule(given: &mut Given<'_>, rule: &str, mut table: Table) -> Option<TokenRule> {
    let holder = holder(given, rule, &mut table);
    let scopes = match table.remove("scopes") {
        Some(value) => {
            let scopes = given::texts(value).ok().and_then(|names| scopes(&names));
            scopes.ok_or_else(|| given.fault_of(&format!("{rule}.scopes"), SCOPES))
        }
        None => Err(given.fault_of(
            &format!("{rule}.scopes"),
            "is missing: it is what the callers of the rule may ask for",
        )),
    };
    let lifetime = match table.remove("lifetime_minutes") {
        Some(Value::Integer(minutes)) if LIFETIME_MINUTES.contains(&minutes) => Ok(Some(Duration::minutes(minutes))),
        Some(_) => {
            let (least, most) = (LIFETIME_MINUTES.start(), LIFETIME_MINUTES.end());
            let reason = format!("has to be a whole number, {least} to {most}");
            Err(given.fault_of(&format!("{rule}.lifetime_minutes"), reason))
        }
        None => Ok(None),
    };
    for key in table.keys() {
        given.fault_of(
            &format!("{rule}.{key}"),
            "there is no such key; a rule can have client_id, scope, role, scopes, lifetime_minutes",
        );
    }
    Some(TokenRule {
        holder: holder.ok()?,
        scopes: scopes.ok()?,
        lifetime: lifetime.ok()?,
    })
}

/// The constructor of a holder.
type Kind = fn(String) -> RuleHolder;

/// Reads the holder of a rule.
fn holder(given: &mut Given<'_>, rule: &str, table: &mut Table) -> Result<RuleHolder, Faulty> {
    let kinds: [(&str, Kind); 3] = [
        ("client_id", RuleHolder::ClientId),
        ("scope", RuleHolder::Scope),
        ("role", RuleHolder::Role),
    ];
    let mut holders = Vec::new();
    for (key, kind) in kinds {
        match table.remove(key) {
            Some(Value::String(name)) => holders.push(Ok(kind(name))),
            Some(_) => holders.push(Err(
                given.fault_of(&format!("{rule}.{key}"), "has to be a text in quotes")
            )),
            None => {}
        }
    }
    match (holders.pop(), holders.is_empty()) {
        (Some(holder), true) => holder,
        _ => Err(given.fault_of(
            rule,
            "has to have one of client_id, scope and role, which says whose rule it is",
        )),
    }
}

/// The keys that stored tokens are sealed with, if any were given.
fn sealing_keys(given: &mut Given<'_>) -> Result<Option<SealingKeys>, Faulty> {
    const KEY: &str = "tokens.sealing_keys";
    const FILE: &str = "tokens.sealing_keys_file";
    if given.contradict(KEY, FILE) {
        return Err(Faulty);
    }
    let (key, texts) = if given.has(KEY) {
        (KEY, given.list(KEY).ok_or(Faulty)?)
    } else if given.has(FILE) {
        let contents = given.file(FILE).ok_or(Faulty)?;
        let contents = String::from_utf8(contents).unwrap_or_default();
        let lines = contents.lines().map(str::trim).filter(|line| !line.is_empty());
        (FILE, lines.map(str::to_owned).collect())
    } else {
        return Ok(None);
    };
    let keys = SealingKeys::new(&texts).map_err(|_| {
        given.fault(
            key,
            "has to be the base64 of 32 random bytes, or several, one per line in a file, the newest first; \
             `openssl rand -base64 32` makes one",
        )
    })?;
    Ok(Some(keys))
}
