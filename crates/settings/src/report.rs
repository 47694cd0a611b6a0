//! Faults of the settings, and checks that need more than one key or a file.

use crate::values::SecretText;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Debug, Display, Formatter},
    io,
    path::Path,
};
use toml::Table;

/// Reads a file, up to a limit of its length.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The pairs of quotes that are copied with a value.
const QUOTES: [(char, char); 5] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{2018}', '\u{2019}'),
];

/// The names of a program's variables.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The prefix of every variable.
    pub prefix: &'static str,
    /// The prefixes of which no other program has variables: an unknown one is taken for a misspelt key.
    pub own_prefixes: &'static [&'static str],
    /// Set for a program with a file. Faults name a key rather than its variable then.
    pub has_file: bool,
    /// The keys that have no variable, such as lists of tables.
    pub file_only: &'static [&'static str],
}

impl Program {
    /// Returns the variable of a key.
    #[must_use]
    pub fn variable(&self, key: &str) -> String {
        format!("{}{}", self.prefix, key.replace('.', "_").to_ascii_uppercase())
    }
}

/// A fault of the settings. It shows no value, which could be a secret.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fault {
    /// The key, the variable or the file.
    subject: String,
    /// The fault and its remedy.
    reason: String,
}

impl Fault {
    /// Creates a fault of a key, a variable or a file. The reason must not contain the value.
    pub fn new(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            reason: reason.into(),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

/// The faults so far, and the names by which keys were given.
pub struct Report<'a> {
    program: Program,
    /// The names of the keys that were given, also of those with a fault.
    names: BTreeMap<String, String>,
    files: ReadFile<'a>,
    faults: Vec<Fault>,
    faulty_keys: BTreeSet<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(program: Program, files: ReadFile<'a>) -> Self {
        Self {
            program,
            names: BTreeMap::new(),
            files,
            faults: Vec::new(),
            faulty_keys: BTreeSet::new(),
        }
    }

    /// Records that a key was given, and by which name.
    pub(crate) fn give(&mut self, key: &str, name: String) {
        self.names.insert(key.to_owned(), name);
    }

    /// Returns whether a key was given, even if with a fault.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.names.contains_key(key)
    }

    /// Returns whether a key has a fault.
    #[must_use]
    pub fn has_fault(&self, key: &str) -> bool {
        self.faulty_keys.contains(key)
    }

    /// Returns the name that a key was given by, or can be given by.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        match self.names.get(key) {
            Some(name) => name.clone(),
            None if self.program.has_file => key.to_owned(),
            None => self.program.variable(key),
        }
    }

    /// Records a fault of a key.
    pub fn fault(&mut self, key: &str, reason: impl Into<String>) {
        let subject = self.name(key);
        self.faulty_keys.insert(key.to_owned());
        self.add(Fault::new(subject, reason));
    }

    /// Records that a key is missing, unless it was given with a fault. The reason says what it is.
    pub fn missing(&mut self, key: &str, reason: &str) {
        if self.has(key) {
            return;
        }
        // A table in a list has no variables.
        let alternative = if self.program.has_file && !key.contains('[') {
            format!(" (or set {})", self.program.variable(key))
        } else {
            String::new()
        };
        self.fault(key, format!("is missing{alternative}: {reason}"));
    }

    /// Records a fault of a key, if it was given.
    pub fn unused(&mut self, key: &str, reason: &str) {
        if self.has(key) {
            self.fault(key, reason);
        }
    }

    /// Records a fault if both keys were given.
    pub fn contradiction(&mut self, key: &str, other: &str) {
        if self.has(key) && self.has(other) {
            let reason = format!("contradicts {}; remove one of them", self.name(other));
            self.fault(key, reason);
        }
    }

    /// Records a fault that is not a key's.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Returns the contents of the file that a key names.
    pub fn file(&mut self, key: &str, path: Option<&Path>) -> Option<Vec<u8>> {
        match (self.files)(path?) {
            Ok(contents) => Some(contents),
            Err(error) => {
                self.fault(key, format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    /// Returns a secret from its key, or from the file that the key with `_file` at its end names. Only one of them may be
    /// given.
    pub fn secret(&mut self, key: &str, text: Option<SecretText>, path: Option<&Path>) -> Option<String> {
        let file_key = format!("{key}_file");
        self.contradiction(key, &file_key);
        if let Some(text) = text {
            return Some(text.into_inner());
        }
        let contents = self.file(&file_key, path)?;
        let text = decode(contents).and_then(|text| unquoted(&text).map(str::to_owned));
        match text {
            Ok(text) if text.is_empty() => {
                self.fault(&file_key, "the file is empty");
                None
            }
            Ok(text) => Some(text),
            Err(reason) => {
                self.fault(&file_key, reason);
                None
            }
        }
    }

    /// Returns the value if there is no fault, or else all faults.
    ///
    /// # Errors
    ///
    /// All faults, in the order in which they were found.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Fault>> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.faults),
        }
    }
}

impl Debug for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// Parses a file of settings.
///
/// # Errors
///
/// The fault, with its line.
pub fn table(contents: Vec<u8>) -> Result<Table, String> {
    let text = decode(contents)?;
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        // The rest of the error shows the line, which could hold a secret.
        format!("line {line} is not TOML; texts stand in quotes, and a key or section stands there once")
    })
}

/// Returns the text of a file, without a byte order mark.
fn decode(contents: Vec<u8>) -> Result<String, &'static str> {
    if contents.starts_with(&[0xff, 0xfe]) || contents.starts_with(&[0xfe, 0xff]) {
        return Err("the file is UTF-16; save it as UTF-8");
    }
    let text = String::from_utf8(contents).map_err(|_| "the file is not UTF-8; save it as UTF-8")?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Returns whether a text is treated as absent: it is empty but for white space and commas.
pub(crate) fn blank(text: &str) -> bool {
    text.trim_matches(|char: char| char.is_whitespace() || char == ',')
        .is_empty()
}

/// Returns a text without white space around it. Quotes around it are refused: a tool has not removed them.
pub(crate) fn unquoted(text: &str) -> Result<&str, &'static str> {
    let text = text.trim();
    let is_quoted = |(open, close): &(char, char)| text.len() > 1 && text.starts_with(*open) && text.ends_with(*close);
    if QUOTES.iter().any(is_quoted) {
        return Err("stands in quotes, which are part of the value here; remove them");
    }
    Ok(text)
}
