//! Checks of the documentation and the example.

use super::*;

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

    let mut known: Vec<_> = keys::KEYS.iter().map(|key| key.name).collect();
    let examples = keys_of_the_example();
    let mut shown: Vec<_> = examples.iter().map(|(key, _)| key.as_str()).collect();
    known.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, known);

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
            let of_another = [" is missing", " contradicts ", " cannot be read", "only; remove it"];
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

/// Returns the keys of the page's table, with their variables and defaults.
fn rows_of_the_page() -> Vec<[&'static str; 3]> {
    PAGE.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.trim_start_matches("| ").split(" | ").map(str::trim);
            [(); 3].map(|()| cells.next().unwrap())
        })
        .collect()
}

#[test]
fn documented_defaults_are_used() {
    let shown = |config: &Config| format!("{config:?} {}", config.database.url.secret());
    let without = shown(&config(LEAST));
    let mut set = 0;
    for [key, variable, default] in rows_of_the_page() {
        // What stands in code is a value; several are a list.
        let values: Vec<_> = default.split('`').skip(1).step_by(2).collect();
        if values.is_empty() {
            assert!(
                ["", "none", "the default scopes"].contains(&default),
                "{key}: {default}"
            );
            continue;
        }
        let variable = variable.trim_matches('`');
        let with = read_with(Some(LEAST), &[(variable, &values.join(","))], &[]);
        assert_eq!(shown(&with.unwrap().unwrap()), without, "{key}");
        set += 1;
    }
    assert_eq!(set, 20);
}

#[test]
fn table_has_every_key_and_its_variable() {
    let rows: Vec<_> = rows_of_the_page()
        .into_iter()
        .map(|[key, variable, _]| (key.trim_matches('`').to_owned(), variable.trim_matches('`').to_owned()))
        .collect();
    let known: Vec<_> = keys::KEYS
        .iter()
        .map(|key| (key.name.to_owned(), key.variable()))
        .collect();
    assert_eq!(rows, known);
}
