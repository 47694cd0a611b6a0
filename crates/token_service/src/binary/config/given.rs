//! The values of the file and the environment, checked for the type of their key.

use super::{
    fault::Fault,
    keys::{self, FILE_VARIABLE, Key, Kind, PREFIX, RULES},
};
use std::{collections::BTreeMap, ffi::OsString, io, ops::RangeInclusive, path::Path};
use toml::{Table, Value};

/// Reads a file, up to the length limit of configuration files.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The given values, and the faults so far.
pub(super) struct Given<'a> {
    values: BTreeMap<&'static str, Entry>,
    rules: Vec<Value>,
    files: ReadFile<'a>,
    faults: Vec<Fault>,
}

/// The mark of a fault that was recorded.
#[derive(Debug)]
pub(super) struct Faulty;

struct Entry {
    origin: Origin,
    /// `None` after a fault.
    content: Option<Content>,
}

#[derive(Clone, Copy)]
enum Origin {
    File,
    Environment,
}

enum Content {
    Flag(bool),
    List(Vec<String>),
    Number(i64),
    Text(String),
}

impl<'a> Given<'a> {
    pub(super) fn new(files: ReadFile<'a>) -> Self {
        Self {
            values: BTreeMap::new(),
            rules: Vec::new(),
            files,
            faults: Vec::new(),
        }
    }

    /// Adds the values of a file. Returns `false` if it cannot be read.
    pub(super) fn add_file(&mut self, path: &Path) -> bool {
        match self.table(path) {
            Ok(table) => {
                self.add_table(table);
                true
            }
            Err(reason) => {
                self.faults.push(Fault::new(path.display().to_string(), reason));
                false
            }
        }
    }

    fn table(&self, path: &Path) -> Result<Table, String> {
        let contents = (self.files)(path).map_err(|error| format!("the file cannot be read: {error}"))?;
        let text = String::from_utf8(contents).map_err(|_| "the file is not UTF-8")?;
        text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            // The rest of the error shows the line, which could hold a secret.
            format!("line {line} is not TOML; texts stand in quotes, and a key or section stands there once")
        })
    }

    fn add_table(&mut self, table: Table) {
        for (name, value) in table {
            match value {
                Value::Table(section) if Key::has_section(&name) => self.add_section(&name, section),
                _ if Key::has_section(&name) => {
                    self.faults
                        .push(Fault::new(&name, format!("has to be a section, `[{name}]`")));
                }
                value => self.add_file_value(&name, None, value),
            }
        }
    }

    fn add_section(&mut self, section: &str, table: Table) {
        for (key, value) in table {
            let name = format!("{section}.{key}");
            match value {
                Value::Array(rules) if name == RULES => self.rules = rules,
                _ if name == RULES => {
                    let reason = format!("each rule has to be a table of its own, `[[{RULES}]]`");
                    self.faults.push(Fault::new(RULES, reason));
                }
                value => self.add_file_value(&name, Some(section), value),
            }
        }
    }

    fn add_file_value(&mut self, name: &str, section: Option<&str>, value: Value) {
        let Some(key) = Key::named(name) else {
            let known = Key::of_section(section);
            let reason = match section {
                Some(section) => format!("there is no such key; `[{section}]` can have {known}"),
                None => format!(
                    "there is no such key or section; the keys outside of sections are {known}, the sections {}",
                    Key::sections()
                ),
            };
            self.faults.push(Fault::new(name, reason));
            return;
        };
        let content = match (key.kind, value) {
            (Kind::Flag, Value::Boolean(flag)) => Ok(Content::Flag(flag)),
            (Kind::Flag, _) => Err("has to be true or false, without quotes"),
            (Kind::Number, Value::Integer(number)) => Ok(Content::Number(number)),
            (Kind::Number, _) => Err("has to be a whole number, without quotes"),
            (Kind::Text, Value::String(text)) => Ok(Content::Text(text)),
            (Kind::Text, _) => Err("has to be a text in quotes"),
            (Kind::List, value) => texts(value).map(Content::List),
        };
        self.add(key, Origin::File, content);
    }

    /// Adds the values of the environment, which override the file.
    pub(super) fn add_environment(&mut self, variables: Vec<(String, OsString)>) {
        for (variable, value) in variables {
            let Some(key) = Key::of_variable(&variable) else {
                let reason = if variable == keys::variable(RULES) {
                    format!("rules can only be in the file, as `[[{RULES}]]`")
                } else {
                    keys::unknown_variable(&variable)
                };
                self.faults.push(Fault::new(variable, reason));
                continue;
            };
            let content = match value.into_string() {
                Ok(text) => Content::of_variable(key.kind, text),
                Err(_) => Err("has to be UTF-8"),
            };
            self.add(key, Origin::Environment, content);
        }
    }

    fn add(&mut self, key: &'static Key, origin: Origin, content: Result<Content, &'static str>) {
        if let Ok(Content::Text(text)) = &content
            && text.trim().is_empty()
        {
            self.values.remove(key.name);
            return;
        }
        let (content, reason) = match content {
            Ok(content) => (Some(content), None),
            Err(reason) => (None, Some(reason)),
        };
        self.values.insert(key.name, Entry { origin, content });
        if let Some(reason) = reason {
            self.fault(key.name, reason);
        }
    }

    /// Records a fault of a key, with the name that it was given by.
    pub(super) fn fault(&mut self, key: &str, reason: impl Into<String>) -> Faulty {
        let subject = self.name(key);
        self.faults.push(Fault::new(subject, reason));
        Faulty
    }

    /// Records that a key is missing.
    pub(super) fn missing(&mut self, key: &str, reason: &str) {
        let reason = format!("is missing (or set {}): {reason}", keys::variable(key));
        self.faults.push(Fault::new(key, reason));
    }

    /// Records a fault of another subject.
    pub(super) fn fault_of(&mut self, subject: &str, reason: impl Into<String>) -> Faulty {
        self.faults.push(Fault::new(subject, reason));
        Faulty
    }

    /// Returns the name that a key was given by.
    pub(super) fn name(&self, key: &str) -> String {
        match self.values.get(key).map(|entry| entry.origin) {
            Some(Origin::Environment) => keys::variable(key),
            Some(Origin::File) | None => key.to_owned(),
        }
    }

    /// Returns whether a key was given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.content(key), Some(Content::Flag(true)))
    }

    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        match self.content(key) {
            Some(Content::List(texts)) => Some(texts.clone()),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.content(key) {
            Some(Content::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// A number within these bounds, or else the default.
    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<i64>, default: i64) -> i64 {
        match self.content(key) {
            Some(&Content::Number(number)) if bounds.contains(&number) => number,
            Some(Content::Number(_)) => {
                let reason = format!("has to be {} to {}", bounds.start(), bounds.end());
                self.fault(key, reason);
                default
            }
            _ => default,
        }
    }

    fn content(&self, key: &str) -> Option<&Content> {
        self.values.get(key)?.content.as_ref()
    }

    /// Returns a secret from its key, or from the file that another key names. Only one of them may be given. White space
    /// around the contents of a file is ignored.
    pub(super) fn secret(&mut self, key: &'static str, file_key: &'static str) -> Option<String> {
        if self.contradict(key, file_key) {
            return None;
        }
        if let Some(text) = self.text(key) {
            return Some(text);
        }
        let contents = self.file(file_key)?;
        match String::from_utf8(contents) {
            Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Ok(_) => {
                self.fault(file_key, "the file is empty");
                None
            }
            Err(_) => {
                self.fault(file_key, "the file is not UTF-8");
                None
            }
        }
    }

    /// Records a fault if both keys are given.
    pub(super) fn contradict(&mut self, key: &'static str, other: &'static str) -> bool {
        let both = self.has(key) && self.has(other);
        if both {
            let reason = format!("contradicts {}; remove one of them", self.name(other));
            self.fault(key, reason);
        }
        both
    }

    /// The contents of the file that a key names.
    pub(super) fn file(&mut self, key: &str) -> Option<Vec<u8>> {
        let path = self.text(key)?;
        match (self.files)(Path::new(&path)) {
            Ok(contents) => Some(contents),
            Err(error) => {
                self.fault(key, format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    /// The rules for tokens, as the file has them.
    pub(super) fn take_rules(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.rules)
    }

    /// All faults, in the order in which they were found.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }
}

impl Content {
    fn of_variable(kind: Kind, text: String) -> Result<Self, &'static str> {
        match kind {
            Kind::Flag => match text.trim() {
                "true" => Ok(Self::Flag(true)),
                "false" => Ok(Self::Flag(false)),
                _ => Err("has to be true or false"),
            },
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Self::List(items.map(str::to_owned).collect()))
            }
            Kind::Number => match text.trim().parse() {
                Ok(number) => Ok(Self::Number(number)),
                Err(_) => Err("has to be a whole number"),
            },
            Kind::Text => Ok(Self::Text(text)),
        }
    }
}

/// A list of texts.
pub(super) fn texts(value: Value) -> Result<Vec<String>, &'static str> {
    let text = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    let texts = match value {
        Value::Array(values) => values.into_iter().map(text).collect(),
        _ => None,
    };
    texts.ok_or("has to be a list of texts, such as [\"one\", \"two\"]")
}

/// Returns the variables of this program.
pub(super) fn ours(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, OsString)> {
    let mut ours: Vec<_> = variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX) && name != FILE_VARIABLE && !keys::is_of_kubernetes(name))
        .collect();
    ours.sort_unstable();
    ours
}
