//! Deserialization of the settings from the file and the environment.
//!
//! A deserializer ends at its first fault. So [`read`] removes what was refused, and deserializes again until nothing is.

use crate::{
    environment::Environment,
    report::{Fault, Program, ReadFile, Report, blank, unquoted},
};
use figment::{
    Figment,
    error::Kind,
    providers::Serialized,
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::Table;

/// The least similarity of a name that is suggested for an unknown one, of 1.
const MIN_SIMILARITY: f64 = 0.6;
/// A name that no field has.
const NO_FIELD: &str = "?";

/// A key that a program's settings can have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// Its name, such as `limits.body_bytes`.
    pub name: String,
    /// Its variable.
    pub variable: String,
}

/// Returns the keys of the settings, in the order of the types, without those that only the file can have.
#[must_use]
pub fn keys<T: DeserializeOwned>(program: Program) -> Vec<Key> {
    let mut names = Vec::new();
    for field in fields::<T>(None) {
        match fields::<T>(Some(field)) {
            [] => names.push((*field).to_owned()),
            keys => names.extend(keys.iter().map(|key| format!("{field}.{key}"))),
        }
    }
    names.retain(|name| !program.file_only.contains(&name.as_str()));
    names
        .into_iter()
        .map(|name| Key {
            variable: program.variable(&name),
            name,
        })
        .collect()
}

/// Returns the fields of the settings or a section, as serde lists them for an unknown one.
fn fields<T: DeserializeOwned>(section: Option<&str>) -> &'static [&'static str] {
    let unknown = Dict::from([(NO_FIELD.to_owned(), Value::from(NO_FIELD))]);
    let settings = match section {
        Some(section) => Dict::from([(section.to_owned(), Value::from(unknown))]),
        None => unknown,
    };
    match Value::from(settings).deserialize::<T>() {
        Err(error) => match error.kind {
            Kind::UnknownField(_, fields) => fields,
            _ => &[],
        },
        Ok(_) => &[],
    }
}

/// Reads the settings. What has a fault in the report is left out of them.
#[must_use]
pub fn read<'a, T: Default + DeserializeOwned>(
    file: Table,
    environment: &Environment,
    files: ReadFile<'a>,
) -> (T, Report<'a>) {
    let program = environment.program();
    let known = keys::<T>(program);
    let mut report = Report::new(program, files);
    // What a variable overrides in the file is not a key of the settings, and has no fault.
    let variables = variables(&known, environment, &mut report);
    let layer = &mut Layer {
        known: &known,
        report: &mut report,
    };
    let file = layer.table("", file);
    let layers = Figment::from(Serialized::defaults(file)).merge(Serialized::defaults(variables));
    let settings = match layers.extract() {
        Ok(merged) => deserialize(merged, &known, &mut report),
        Err(_) => T::default(),
    };
    for variable in environment.own_names() {
        if !known.iter().any(|key| key.variable == variable) {
            report.add(Fault::new(variable, unknown_variable(program, &known, variable)));
        }
    }
    (settings, report)
}

fn deserialize<T: Default + DeserializeOwned>(mut settings: Dict, known: &[Key], report: &mut Report<'_>) -> T {
    loop {
        // As lossy as a variable, which can be a number or a flag.
        let error = match Figment::from(Serialized::defaults(&settings)).extract_lossy() {
            Ok(settings) => return settings,
            Err(error) => error,
        };
        let path = path(&error.path);
        report.fault(&path, reason(&path, &error.kind, known));
        if !remove(&mut settings, &error.path) {
            return T::default();
        }
    }
}

/// Removes the key at a path. Of a list of texts, all is removed.
fn remove(settings: &mut Dict, path: &[String]) -> bool {
    let [key, rest @ ..] = path else {
        return false;
    };
    match (settings.get_mut(key), rest) {
        (Some(Value::Dict(_, section)), [_, ..]) => remove(section, rest),
        (Some(Value::Array(_, elements)), [index, rest @ ..]) if !rest.is_empty() => {
            match index.parse::<usize>().ok().and_then(|index| elements.get_mut(index)) {
                Some(Value::Dict(_, table)) => remove(table, rest),
                _ => settings.remove(key).is_some(),
            }
        }
        _ => settings.remove(key).is_some(),
    }
}

/// Returns a path such as `tokens.rules[0].role`. An element of a list of texts has the path of its list.
fn path(segments: &[String]) -> String {
    let mut path = String::new();
    for (number, segment) in segments.iter().enumerate() {
        if segment.parse::<usize>().is_err() {
            path = join(&path, segment);
        } else if number + 1 < segments.len() {
            path = format!("{path}[{segment}]");
        }
    }
    path
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Returns what is expected and the remedy. The value that was found is not shown.
fn reason(path: &str, kind: &Kind, known: &[Key]) -> String {
    match kind {
        Kind::Message(reason) => reason.clone(),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) | Kind::InvalidLength(_, expected) => {
            match expected.as_str() {
                "a boolean" => "must be true or false".to_owned(),
                "a string" | "path string" | "enum" => "must be a text in quotes".to_owned(),
                "a sequence" => format!("must be tables, `[[{path}]]`"),
                expected if expected.starts_with("struct ") => format!("must be a section, `[{path}]`"),
                expected => format!("must be {expected}"),
            }
        }
        Kind::UnknownVariant(_, names) => {
            let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
            format!("must be {}", list(&quoted, "or"))
        }
        Kind::UnknownField(name, fields) => unknown_key(path, name, fields, known),
        _ => "cannot be used".to_owned(),
    }
}

/// The texts of a layer, without white space around them. Empty ones are left out, and those in quotes are faults.
struct Layer<'r, 'a> {
    known: &'r [Key],
    report: &'r mut Report<'a>,
}

impl Layer<'_, '_> {
    fn table(&mut self, path: &str, table: Table) -> Dict {
        let mut section = Dict::new();
        for (key, value) in table {
            let path = join(path, &key);
            // Given by a variable, which overrides it.
            if !self.report.has(&path) {
                section.extend(self.value(&path, value).map(|value| (key, value)));
            }
        }
        section
    }

    /// Numbers and flags become texts, as those of variables are.
    fn value(&mut self, path: &str, value: toml::Value) -> Option<Value> {
        let text = match value {
            // figment takes a table for a variant of an enum, with its name as the value.
            toml::Value::Table(_) if self.known.iter().any(|key| key.name == path) => {
                self.report.give(path, path.to_owned());
                self.report.fault(path, "must be a value, but is a table");
                return None;
            }
            toml::Value::Table(table) => return Some(self.table(path, table).into()),
            toml::Value::Array(values) => {
                self.report.give(path, path.to_owned());
                let values = values.into_iter().enumerate();
                let values = values.filter_map(|(index, value)| match value {
                    toml::Value::Table(_) => self.value(&format!("{path}[{index}]"), value),
                    value => self.value(path, value),
                });
                return Some(values.collect::<Vec<_>>().into());
            }
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => format!("{number:?}"),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Datetime(time) => time.to_string(),
        };
        if blank(&text) {
            return None;
        }
        self.report.give(path, path.to_owned());
        match unquoted(&text) {
            Ok(text) => Some(text.into()),
            Err(reason) => {
                self.report.fault(path, reason);
                None
            }
        }
    }
}

/// Returns the texts of the variables, by section.
fn variables(known: &[Key], environment: &Environment, report: &mut Report<'_>) -> BTreeMap<String, Value> {
    let mut layer = Dict::new();
    for key in known {
        let Some(value) = environment.get(&key.variable) else {
            continue;
        };
        let text = match value.to_str() {
            Some(text) if blank(text) => continue,
            Some(text) => unquoted(text),
            None => Err("must be UTF-8"),
        };
        report.give(&key.name, key.variable.clone());
        match (text, key.name.split_once('.')) {
            (Ok(text), None) => {
                layer.insert(key.name.clone(), text.into());
            }
            (Ok(text), Some((section, name))) => {
                let section = layer.entry(section.to_owned()).or_insert_with(|| Dict::new().into());
                if let Value::Dict(_, section) = section {
                    section.insert(name.to_owned(), text.into());
                }
            }
            (Err(reason), _) => report.fault(&key.name, reason),
        }
    }
    layer
}

/// Describes the fault of a key of the file that is not known.
fn unknown_key(path: &str, name: &str, fields: &[&str], known: &[Key]) -> String {
    let mut sections: Vec<_> = known
        .iter()
        .filter_map(|key| key.name.split_once('.'))
        .map(|(section, _)| section)
        .collect();
    sections.dedup();
    let parent = path.strip_suffix(name).unwrap_or_default().trim_end_matches('.');
    let is_section = |field: &&str| parent.is_empty() && sections.contains(field);
    let keys: Vec<_> = fields.iter().copied().filter(|field| !is_section(field)).collect();
    let remedy = if let Some(key) = nearest(name, keys.iter().copied()) {
        format!("did you mean {}?", join(parent, key))
    } else if let Some(section) = nearest(name, fields.iter().copied().filter(is_section)) {
        format!("did you mean [{section}]?")
    } else {
        let keys: Vec<_> = keys.into_iter().map(str::to_owned).collect();
        let place = match parent.split_once('[') {
            Some((list, _)) => format!("[[{list}]] has "),
            None if parent.is_empty() => "outside of sections are ".to_owned(),
            None => format!("[{parent}] has "),
        };
        format!("{place}{}", list(&keys, "and"))
    };
    format!("there is no such key; {remedy}")
}

/// Describes the fault of a variable that is not a key's.
fn unknown_variable(program: Program, known: &[Key], variable: &str) -> String {
    let bare = |variable: &'_ str| variable.strip_prefix(program.prefix).unwrap_or(variable).to_owned();
    let names: Vec<_> = known.iter().map(|key| bare(&key.variable)).collect();
    let remedy = match nearest(&bare(variable), names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}{name}?", program.prefix),
        None if program.has_file => "each key of the file has a variable, as the documentation lists them".to_owned(),
        None => "set the variable that is meant, and unset this one".to_owned(),
    };
    format!("there is no such variable; {remedy}")
}

/// Returns the name that is most like another, if one is.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|known| (known, strsim::normalized_damerau_levenshtein(name, known)))
        .filter(|(_, similarity)| *similarity >= MIN_SIMILARITY)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(known, _)| known)
}

/// Joins names: `a, b or c`.
fn list(names: &[String], last_word: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {last_word} {last}", first.join(", ")),
    }
}
