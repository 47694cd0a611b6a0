//! Checks of the documentation and the example.

use super::*;
use std::collections::BTreeSet;

const EXAMPLE: &str = include_str!("../../../../token_service.toml");
const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// Returns the keys of the example, with their lines.
fn keys_of_the_example() -> Vec<(String, usize)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for (number, line) in EXAMPLE.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if line.starts_with("# [[") {
            section = "tokens.rules.".to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            keys.push((format!("{section}{key}"), number));
        }
    }
    keys.retain(|(key, _)| !key.starts_with("tokens.rules."));
    keys
}

#[test]
fn example_is_accepted_and_has_every_key() {
    let credentials = [("/etc/token_service/connection_string", CONNECTION_STRING)];
    read_with(Some(EXAMPLE), &[], &credentials).unwrap().unwrap();

    let known = keys();
    let examples = keys_of_the_example();
    let shown: Vec<_> = examples.iter().map(|(key, _)| key).collect();
    assert_eq!(shown, known.iter().map(|key| &key.name).collect::<Vec<_>>());

    // Each value is valid, apart from other keys that it needs or contradicts.
    for (key, number) in &examples {
        let text: Vec<_> = EXAMPLE
            .lines()
            .enumerate()
            .map(|(line, text)| {
                if line == *number {
                    text.trim_start_matches("# ")
                } else {
                    text
                }
            })
            .collect();
        for fault in read_with(Some(&text.join("\n")), &[], &credentials)
            .err()
            .unwrap_or_default()
        {
            let of_another = [
                " is missing",
                " contradicts ",
                " cannot be read",
                "only; remove it",
                "is not base64",
                "of the documentation",
            ];
            assert!(of_another.iter().any(|part| fault.contains(part)), "{key}: {fault}");
        }
    }
    let with_rule = EXAMPLE.replace("# [[tokens.rules]]\n# role = ", "[[tokens.rules]]\nrole = ");
    let with_rule = with_rule
        .replace("# scopes = ", "scopes = ")
        .replace("# lifetime_minutes = 480", "lifetime_minutes = 480");
    let config = read_with(Some(&with_rule), &[], &credentials).unwrap().unwrap();
    assert_eq!(config.tokens.rules.len(), 1);
}

/// A row of the page's table.
struct Row {
    key: &'static str,
    variable: &'static str,
    default: &'static str,
    meaning: &'static str,
}

fn rows_of_the_page() -> Vec<Row> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let mut cells = line.trim_matches(['|', ' ']).split(" | ").map(str::trim);
        let mut cell = || cells.next().unwrap();
        Row {
            key: cell().trim_matches('`'),
            variable: cell().trim_matches('`'),
            default: cell(),
            meaning: cell(),
        }
    })
    .collect()
}

fn keys() -> Vec<settings::Key> {
    settings::keys::<Sections>(PROGRAM)
}

#[test]
fn table_has_every_key_and_its_variable() {
    let rows: Vec<_> = rows_of_the_page()
        .into_iter()
        .map(|row| (row.key.to_owned(), row.variable.to_owned()))
        .collect();
    let known: Vec<_> = keys().into_iter().map(|key| (key.name, key.variable)).collect();
    assert_eq!(rows, known);
    let variables: BTreeSet<_> = known.iter().map(|(_, variable)| variable).collect();
    assert_eq!(variables.len(), known.len());
    assert!(!variables.contains(&FILE_VARIABLE.to_owned()));
}

#[test]
fn documented_defaults_are_used() {
    let shown = |config: &Config| format!("{config:?} {}", config.database.url.secret());
    let without = shown(&config(LEAST));
    let mut set = 0;
    for row in rows_of_the_page() {
        // What stands in code is a value; several are a list.
        let values: Vec<_> = row.default.split('`').skip(1).step_by(2).collect();
        if values.is_empty() {
            assert!(
                ["", "none", "the default scopes"].contains(&row.default),
                "{}: {}",
                row.key,
                row.default
            );
            continue;
        }
        let with = read_with(Some(LEAST), &[(row.variable, &values.join(","))], &[]);
        assert_eq!(shown(&with.unwrap().unwrap()), without, "{}", row.key);
        set += 1;
    }
    assert_eq!(set, 26);
}

#[test]
fn documented_bounds_are_kept() {
    let mut bounded = 0;
    for row in rows_of_the_page() {
        let words: Vec<_> = row.meaning.split([' ', ',', ';']).collect();
        let bounds = words.windows(3).find_map(|words| match words {
            [least, "to", most] => Some((least.parse::<i64>().ok()?, most.parse::<i64>().ok()?)),
            _ => None,
        });
        let Some((least, most)) = bounds else { continue };
        bounded += 1;
        for (value, is_good) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            let faults = read_with(Some(LEAST), &[(row.variable, &value.to_string())], &[]);
            let faults = faults.err().unwrap_or_default();
            // Replicas need another database.
            let refused = faults.iter().any(|fault| fault.contains(": must be "));
            assert_eq!(!refused, is_good, "{} = {value}: {faults:?}", row.key);
        }
    }
    assert_eq!(bounded, 14);
}
