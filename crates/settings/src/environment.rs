//! The environment.

use crate::report::{Fault, Program, blank, unquoted};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::{self, Debug, Formatter},
    path::PathBuf,
};

/// The variables of the environment whose names are UTF-8.
pub struct Environment {
    program: Program,
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// Takes the variables of a process.
    pub fn new(program: Program, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables = variables.into_iter();
        Self {
            program,
            variables: variables
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        }
    }

    /// Removes a variable that names a file and is not a key. An empty one is treated as absent.
    ///
    /// # Errors
    ///
    /// The path stands in quotes.
    pub fn take_path(&mut self, variable: &str) -> Result<Option<PathBuf>, Fault> {
        let value = self.variables.remove(variable).filter(|value| !is_blank(value));
        match value.map(OsString::into_string) {
            Some(Ok(text)) => match unquoted(&text) {
                Ok(path) => Ok(Some(path.into())),
                Err(reason) => Err(Fault::new(variable, reason)),
            },
            Some(Err(path)) => Ok(Some(path.into())),
            None => Ok(None),
        }
    }

    /// Returns whether a variable has one of the program's own prefixes, even if it is empty. Those of Kubernetes do not
    /// count.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.own().next().is_some()
    }

    pub(crate) fn program(&self) -> Program {
        self.program
    }

    pub(crate) fn get(&self, variable: &str) -> Option<&OsString> {
        self.variables.get(variable)
    }

    /// Returns the variables with the program's own prefixes that are not empty.
    pub(crate) fn own_names(&self) -> impl Iterator<Item = &str> {
        self.own().filter(|(_, value)| !is_blank(value)).map(|(name, _)| name)
    }

    fn own(&self) -> impl Iterator<Item = (&str, &OsString)> {
        let is_own = |name: &str| self.program.own_prefixes.iter().any(|prefix| name.starts_with(prefix));
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(move |(name, value)| is_own(name) && !is_service_link(self.program.prefix, name, value))
    }
}

impl Debug for Environment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Environment")
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

/// Returns whether a value is empty but for white space, and treated as absent.
fn is_blank(value: &OsString) -> bool {
    value.to_str().is_some_and(blank)
}

/// Returns whether Kubernetes sets such a variable for a
/// [Service](https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables) whose name
/// begins like the program's variables.
fn is_service_link(prefix: &str, variable: &str, value: &OsString) -> bool {
    let Some(name) = variable.strip_prefix(prefix) else {
        return false;
    };
    let ends_with = |end: &str| {
        name.strip_suffix(end)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    };
    let is_address = || {
        let value = value.to_str().unwrap_or_default();
        ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|scheme| value.trim().starts_with(scheme))
    };
    ends_with("SERVICE_HOST")
        || ends_with("SERVICE_PORT")
        || name.starts_with("SERVICE_PORT_")
        || name.contains("_SERVICE_PORT_")
        || ends_with("PORT") && is_address()
        || has_numbered_port(name)
}

/// Returns whether a name has a part such as `PORT_8080_TCP`, at its end or before `_ADDR`, `_PORT` or `_PROTO`.
fn has_numbered_port(name: &str) -> bool {
    let name = ["_ADDR", "_PORT", "_PROTO"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let mut parts = name.rsplit('_');
    let (protocol, number, port) = (parts.next(), parts.next(), parts.next());
    matches!(protocol, Some("TCP" | "UDP" | "SCTP"))
        && number.is_some_and(|number| number.parse::<u16>().is_ok())
        && port == Some("PORT")
}
