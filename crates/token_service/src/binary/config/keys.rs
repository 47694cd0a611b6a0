//! The keys of the configuration.

/// A key, such as `limits.body_bytes`: it is `body_bytes` of `[limits]` in the file, and the variable
/// `TOKEN_SERVICE_LIMITS_BODY_BYTES`.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// The type of a key's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Flag,
    List,
    Number,
    /// A name or an address. An empty one is treated as absent.
    Text,
}

/// The prefix of the variables.
pub(super) const PREFIX: &str = "TOKEN_SERVICE_";
/// The variable that names the file, without a key.
pub(super) const FILE_VARIABLE: &str = "TOKEN_SERVICE_CONFIG";
/// The tables that only the file can have.
pub(super) const RULES: &str = "tokens.rules";

pub(super) const KEYS: [Key; 44] = [
    text("listen"),
    text("operations_listen"),
    flag("allow_plain_http"),
    text("tls.certificate"),
    text("tls.key"),
    text("acs.connection_string"),
    text("acs.connection_string_file"),
    text("acs.endpoint"),
    text("acs.credential"),
    text("acs.managed_identity_client_id"),
    text("acs.sidecar_api"),
    number("acs.replicas"),
    number("acs.queue"),
    text("database.url"),
    text("database.url_file"),
    number("database.max_connections"),
    flag("database.migrate"),
    text("issuer.kind"),
    text("issuer.url"),
    list("issuer.aliases"),
    text("issuer.audience"),
    text("issuer.tenant_id"),
    text("issuer.client_id"),
    text("issuer.scope"),
    list("tokens.default_scopes"),
    list("tokens.allowed_scopes"),
    number("tokens.lifetime_minutes"),
    list("tokens.sealing_keys"),
    text("tokens.sealing_keys_file"),
    text("teams.client_id"),
    text("teams.sidecar_api"),
    text("sidecar.url"),
    flag("sidecar.allow_any_host"),
    list("cors.origins"),
    number("limits.requests_per_minute"),
    number("limits.fresh_tokens_per_hour"),
    number("limits.acs_costs_per_hour"),
    number("limits.request_seconds"),
    number("limits.body_bytes"),
    number("limits.idle_seconds"),
    text("log.format"),
    text("log.filter"),
    number("shutdown.delay_seconds"),
    number("shutdown.drain_seconds"),
];

const fn flag(name: &'static str) -> Key {
    Key { name, kind: Kind::Flag }
}

const fn list(name: &'static str) -> Key {
    Key { name, kind: Kind::List }
}

const fn number(name: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Number,
    }
}

const fn text(name: &'static str) -> Key {
    Key { name, kind: Kind::Text }
}

impl Key {
    /// The key with this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The key of a variable.
    pub(super) fn of_variable(variable: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.variable() == variable)
    }

    /// The variable of the key.
    pub(super) fn variable(&self) -> String {
        variable(self.name)
    }

    /// The keys of a section, without its name, as a list; without a section, those that precede all sections.
    pub(super) fn of_section(section: Option<&str>) -> String {
        let names: Vec<_> = KEYS
            .iter()
            .filter_map(|key| match (section, key.name.split_once('.')) {
                (Some(section), Some((of, name))) => (of == section).then_some(name),
                (None, None) => Some(key.name),
                _ => None,
            })
            .collect();
        names.join(", ")
    }

    /// All sections, as a list.
    pub(super) fn sections() -> String {
        let mut sections: Vec<_> = KEYS.iter().filter_map(|key| key.name.split_once('.')).collect();
        sections.dedup_by_key(|(section, _)| *section);
        let sections: Vec<_> = sections.iter().map(|(section, _)| format!("[{section}]")).collect();
        sections.join(", ")
    }

    /// Returns whether a section exists.
    pub(super) fn has_section(section: &str) -> bool {
        !Self::of_section(Some(section)).is_empty()
    }
}

/// The variable of a key.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}

/// Describes the fault of an unknown variable, with the keys of the section that its name begins with.
pub(super) fn unknown_variable(variable: &str) -> String {
    let section = KEYS
        .iter()
        .filter_map(|key| key.name.split_once('.'))
        .find(|(section, _)| {
            let rest = variable.strip_prefix(&self::variable(section));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        });
    match section {
        Some((section, _)) => {
            let known = Key::of_section(Some(section));
            let prefix = self::variable(section);
            format!("there is no such variable; `[{section}]` can have {known}, each as {prefix}_<KEY>")
        }
        None => format!(
            "there is no such variable; the keys outside of sections are {}, the sections {}",
            Key::of_section(None),
            Key::sections()
        ),
    }
}

/// Returns whether Kubernetes sets such a variable, for a Service with the name `token-service`
/// (`TOKEN_SERVICE_SERVICE_HOST`, `TOKEN_SERVICE_PORT_8080_TCP` and others,
/// [Accessing the Service](https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables)).
pub(super) fn is_of_kubernetes(variable: &str) -> bool {
    ["SERVICE_HOST", "SERVICE_PORT", "PORT"].iter().any(|name| {
        let rest = variable.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_has_a_variable_of_its_own() {
        let variables: BTreeSet<_> = KEYS.iter().map(Key::variable).collect();
        assert_eq!(variables.len(), KEYS.len());
        assert!(!variables.contains(FILE_VARIABLE));
        for variable in variables {
            assert!(!is_of_kubernetes(&variable), "{variable}");
        }
    }

    #[test]
    fn the_variables_of_a_kubernetes_service_are_told_from_ours() {
        for variable in [
            "TOKEN_SERVICE_SERVICE_HOST",
            "TOKEN_SERVICE_SERVICE_PORT",
            "TOKEN_SERVICE_SERVICE_PORT_HTTP",
            "TOKEN_SERVICE_PORT",
            "TOKEN_SERVICE_PORT_8080_TCP_ADDR",
        ] {
            assert!(is_of_kubernetes(variable), "{variable}");
        }
        for variable in ["TOKEN_SERVICE_PORTS", "TOKEN_SERVICE_SERVICE", "TOKEN_SERVICE_LISTEN"] {
            assert!(!is_of_kubernetes(variable), "{variable}");
        }
    }
}
