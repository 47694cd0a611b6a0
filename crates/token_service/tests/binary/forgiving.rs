//! Values as tools and people write them: what is read, and what is refused with its remedy.

use crate::{
    process::{Process, command, directory},
    refused::{LEAST, faults, faults_of},
    setup::Setup,
    support::{AUDIENCE, http},
};
use std::fs;

const PAGE: &str = include_str!("../../docs/configuration.md");

/// Returns the keys and the variables of the documentation.
fn documented_keys() -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys: Vec<_> = rows
        .filter_map(|row| row.split_once("` | `"))
        .filter_map(|(key, rest)| Some((key, rest.split_once('`')?.0)))
        .filter(|(_, variable)| variable.starts_with("TOKEN_SERVICE_"))
        .collect();
    assert!(keys.len() > 30, "{keys:?}");
    keys
}

/// Returns a file in which every key has this value.
fn with_every_key(value: &str) -> String {
    let mut lines = Vec::new();
    let mut section = "";
    for (key, _) in documented_keys() {
        let (of, name) = key.split_once('.').unwrap_or(("", key));
        if section != of {
            section = of;
            lines.push(format!("[{section}]"));
        }
        lines.push(format!("{name} = {value}"));
    }
    lines.join("\n")
}

#[tokio::test]
async fn white_space_around_values_is_ignored() {
    let setup = Setup::new().await;
    let secret = setup.directory.join("acs");
    fs::write(
        &secret,
        format!("\u{feff} {}\r\n\r\n", setup.emulator.connection_string()),
    )
    .unwrap();
    let mut command = command(&[]);
    command.current_dir(&setup.directory);
    for (key, value) in [
        ("LISTEN", "127.0.0.1:0".to_owned()),
        ("OPERATIONS_LISTEN", "127.0.0.1:0".to_owned()),
        ("ALLOW_PLAIN_HTTP", "false".to_owned()),
        ("ACS_CONNECTION_STRING_FILE", secret.to_str().unwrap().to_owned()),
        ("ACS_QUEUE", "10".to_owned()),
        ("DATABASE_URL", "sqlite://padded.db?mode=rwc".to_owned()),
        ("ISSUER_KIND", "oidc".to_owned()),
        ("ISSUER_URL", setup.issuer.url().to_owned()),
        ("ISSUER_AUDIENCE", AUDIENCE.to_owned()),
        ("TOKENS_DEFAULT_SCOPES", "chat ,\n voip".to_owned()),
        (
            "CORS_ORIGINS",
            "https://a.contoso.com\n,https://b.contoso.com".to_owned(),
        ),
        ("LIMITS_BODY_BYTES", "2048".to_owned()),
        ("LOG_FORMAT", "json".to_owned()),
    ] {
        command.env(format!("TOKEN_SERVICE_{key}"), format!(" \t{value}\r\n"));
    }
    let process = Process::spawn(&mut command).await.unwrap();
    assert!(setup.directory.join("padded.db").exists());
    assert_ne!(process.text("endpoint"), process.text("operationsEndpoint"));
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    let response = request.header("origin", "https://b.contoso.com").send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://b.contoso.com"
    );
    process.signal("-TERM").await;
    let log = process.ended().await.log;
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
}

#[tokio::test]
async fn white_space_around_values_of_the_file_is_ignored() {
    let setup = Setup::new().await;
    let text = setup
        .configuration("", "[database]\nurl = ' sqlite://padded.db?mode=rwc\\n'")
        .replace(AUDIENCE, &format!("  {AUDIENCE}\t"))
        .replace("\\n'", " '")
        .replace('\n', "\r\n");
    let process = setup.start(&format!("\u{feff}{text}")).await;
    assert!(setup.directory.join("padded.db").exists());
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    assert_eq!(request.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn empty_variables_are_absent() {
    let setup = Setup::new().await;
    let path = setup.directory.join("service.toml");
    fs::write(
        &path,
        setup.configuration("operations_listen = '127.0.0.1:0'", "[log]\nformat = 'json'"),
    )
    .unwrap();
    for (empty, list) in [("", ""), (" \r\n", " , ")] {
        let mut command = command(&["--config".as_ref(), path.as_os_str()]);
        command.current_dir(&setup.directory);
        for (key, variable) in documented_keys() {
            let is_list = key.ends_with("scopes") || key.ends_with("origins") || key.ends_with("_keys");
            command.env(variable, if is_list { list } else { empty });
        }
        let process = Process::spawn(&mut command).await.unwrap();
        // The values of the file are used.
        assert_ne!(process.text("endpoint"), process.text("operationsEndpoint"));
        let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
        assert!(request.send().await.unwrap().status().is_success());
        process.signal("-TERM").await;
        let log = process.ended().await.log;
        assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    }
}

#[tokio::test]
async fn empty_values_of_the_file_are_absent() {
    let found = faults_of(&faults(&with_every_key("''"), &[]).await);
    assert_eq!(found, ["acs.endpoint", "issuer.kind"]);
}

#[tokio::test]
async fn variables_of_kubernetes_services_are_ignored() {
    let variables = [
        ("TOKEN_SERVICE_PORT", "tcp://10.0.0.1:80"),
        ("TOKEN_SERVICE_SERVICE_HOST", "10.0.0.1"),
        ("TOKEN_SERVICE_SERVICE_PORT", "80"),
        ("TOKEN_SERVICE_SERVICE_PORT_HTTP", "80"),
        ("TOKEN_SERVICE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("TOKEN_SERVICE_METRICS_SERVICE_HOST", "10.0.0.1"),
        ("TOKEN_SERVICE_METRICS_SERVICE_PORT", "9090"),
        ("TOKEN_SERVICE_METRICS_SERVICE_PORT_HTTP_METRICS", "9090"),
        ("TOKEN_SERVICE_METRICS_PORT", "tcp://10.0.0.1:9090"),
        ("TOKEN_SERVICE_METRICS_PORT_9090_TCP", "tcp://10.0.0.1:9090"),
        ("TOKEN_SERVICE_METRICS_PORT_9090_TCP_PROTO", "tcp"),
        ("TOKEN_SERVICE_METRICS_PORT_9090_TCP_PORT", "9090"),
        ("TOKEN_SERVICE_METRICS_PORT_9090_TCP_ADDR", "10.0.0.1"),
        ("TOKEN_SERVICE_DNS_PORT_53_UDP_ADDR", "10.0.0.1"),
        ("TOKEN_SERVICE_SIG_PORT_5060_SCTP_ADDR", "fd00::1"),
        ("TOKEN_SERVICE_POSTGRESQL_SERVICE_HOST", "10.0.0.1"),
        ("TOKEN_SERVICE_LISTEN_SERVICE_HOST", "10.0.0.1"),
        ("TOKEN_SERVICE_LISTEN_PORT", "tcp://10.0.0.1:80"),
        ("TOKEN_SERVICE_LISTEN_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("TOKEN_SERVICE_LIMITS_BODY_BYTES_PORT", "udp://10.0.0.1:80"),
    ];
    assert_eq!(
        faults_of(&faults("", &variables).await),
        ["acs.endpoint", "issuer.kind"]
    );

    // A misspelt key that ends alike is not one of them.
    for variable in [
        ("TOKEN_SERVICE_LISTEN_PORT", "8080"),
        ("TOKEN_SERVICE_OPERATIONS_PORT", "9090"),
    ] {
        assert_eq!(faults_of(&faults(LEAST, &[variable]).await), [variable.0]);
    }
}

#[tokio::test]
async fn flags_are_read_in_every_usual_form() {
    for (value, is_set) in [
        ("true", true),
        ("True", true),
        ("TRUE", true),
        ("yes", true),
        ("on", true),
        ("1", true),
        ("false", false),
        ("No", false),
        ("off", false),
        ("0", false),
    ] {
        for in_file in [false, true] {
            let quoted = format!("allow_plain_http = '{value}'\n");
            let variable = [("TOKEN_SERVICE_ALLOW_PLAIN_HTTP", value)];
            let (text, variables) = if in_file {
                (quoted.as_str(), &[][..])
            } else {
                ("", &variable[..])
            };
            // The certificate is missing, so that nothing is started.
            let text = format!("listen = '0.0.0.0:0'\n{text}{LEAST}\n[log]\nformat = 'none'");
            let found = faults_of(&faults(&text, variables).await);
            assert_eq!(found.contains(&"listen".to_owned()), !is_set, "{value}: {found:?}");
            assert!(found.contains(&"log.format".to_owned()), "{value}: {found:?}");
        }
    }
    for value in ["maybe", "2", "-1", "y n", "'true'"] {
        let found = faults(LEAST, &[("TOKEN_SERVICE_ALLOW_PLAIN_HTTP", value)]).await;
        assert_eq!(faults_of(&found), ["TOKEN_SERVICE_ALLOW_PLAIN_HTTP"], "{value}");
    }
    for value in ["1", "0"] {
        let text = format!("allow_plain_http = {value}\n{LEAST}\n[log]\nformat = 'none'");
        assert_eq!(faults_of(&faults(&text, &[]).await), ["log.format"], "{value}");
    }
}

#[tokio::test]
async fn numbers_can_stand_in_quotes() {
    let text = format!("{LEAST}\n[log]\nformat = 'none'\n[limits]\nbody_bytes = '2048'\nrequests_per_minute = ' 5 '");
    assert_eq!(faults_of(&faults(&text, &[]).await), ["log.format"]);
    for value in ["2048.0", "'2k'", "'2KiB'", "'0x800'", "true", "[2048]", "'2 048'"] {
        let text = format!("{LEAST}\n[limits]\nbody_bytes = {value}");
        let found = faults(&text, &[]).await;
        assert_eq!(
            found,
            ["limits.body_bytes: must be a whole number, 1024 to 1048576"],
            "{value}"
        );
    }
}

#[tokio::test]
async fn quotes_of_an_env_file_are_named() {
    for (key, value) in [
        ("LISTEN", "\"127.0.0.1:0\""),
        (
            "ACS_CONNECTION_STRING",
            "'endpoint=https://contoso.com;accesskey=c2VjcmV0'",
        ),
        ("DATABASE_URL", "\"sqlite://users.db\""),
        ("ISSUER_AUDIENCE", "'https://api.contoso.com'"),
        ("ISSUER_AUDIENCE", "\u{201c}https://api.contoso.com\u{201d}"),
        ("ISSUER_SCOPE", "`access_as_user`"),
        ("ISSUER_KIND", "\"oidc\""),
        ("ALLOW_PLAIN_HTTP", "\"true\""),
        ("LIMITS_BODY_BYTES", "'2048'"),
        ("LIMITS_REQUEST_SECONDS", "\"30\""),
        ("TOKENS_DEFAULT_SCOPES", "\"chat,voip\""),
        ("TOKENS_DEFAULT_SCOPES", "\"chat\",\"voip\""),
        ("CORS_ORIGINS", "[\"https://app.contoso.com\"]"),
        ("TLS_CERTIFICATE", "'service.pem'"),
        ("LOG_FILTER", "\"info\""),
    ] {
        let variable = format!("TOKEN_SERVICE_{key}");
        let text = if key == "ACS_CONNECTION_STRING" {
            LEAST.split_once("[issuer]").unwrap().1
        } else {
            LEAST
        };
        let text = if key == "ACS_CONNECTION_STRING" {
            format!("[issuer]{text}")
        } else {
            text.to_owned()
        };
        let mut found = faults(&text, &[(&variable, value)]).await;
        // The key of a certificate is missing, too.
        found.retain(|fault| !fault.starts_with("tls.key: "));
        assert!(!found.is_empty(), "{key}");
        for fault in found {
            let (subject, reason) = fault.split_once(": ").unwrap();
            assert!(subject.starts_with(&variable), "{fault}");
            assert!(reason.contains("quotes") && reason.contains("remove"), "{fault}");
        }
    }
}

#[tokio::test]
async fn quotes_in_a_secret_file_are_named() {
    let issuer = LEAST.split_once("[issuer]").unwrap().1;
    let connection_string = "endpoint=https://contoso.com;accesskey=c2VjcmV0";
    for (contents, part) in [
        (format!("\"{connection_string}\"\n").into_bytes(), "quotes"),
        (format!("ACS='{connection_string}'\n").into_bytes(), ""),
        (b" \r\n\r\n".to_vec(), "is empty"),
        (b"\xef\xbb\xbf\r\n".to_vec(), "is empty"),
        (vec![0xff, 0xfe, b'e', 0], "UTF-16"),
        (vec![b'e', 0xff], "not UTF-8"),
    ] {
        let directory = directory();
        let path = directory.join("secret");
        fs::write(&path, contents).unwrap();
        let text = format!("[acs]\nconnection_string_file = '{}'\n[issuer]{issuer}", path.display());
        let found = faults(&text, &[]).await;
        assert_eq!(faults_of(&found), ["acs.connection_string_file"], "{found:?}");
        assert!(found[0].contains(part) && !found[0].contains("c2VjcmV0"), "{found:?}");
    }
}

#[tokio::test]
async fn configuration_in_another_encoding_says_so() {
    let directory = directory();
    let path = directory.join("service.toml");
    let mut contents = vec![0xff, 0xfe];
    contents.extend(LEAST.encode_utf16().flat_map(u16::to_le_bytes));
    fs::write(&path, contents).unwrap();
    let output = command(&["--config".as_ref(), path.as_os_str()])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("UTF-16") && log.contains("save it as UTF-8"), "{log}");
}

#[tokio::test]
async fn unknown_keys_are_answered_with_the_nearest() {
    for (text, variables, fault) in [
        (
            "listens = '127.0.0.1:0'",
            &[][..],
            "listens: there is no such key; did you mean listen?",
        ),
        (
            "[limits]\nbody_byte = 2048",
            &[],
            "limits.body_byte: there is no such key; did you mean limits.body_bytes?",
        ),
        (
            "[acs]\nend_point = 'x'",
            &[],
            "acs.end_point: there is no such key; did you mean acs.endpoint?",
        ),
        (
            "[limit]\nbody_bytes = 1",
            &[],
            "limit: there is no such key; did you mean [limits]?",
        ),
        (
            "[log]\nlevel = 'info'",
            &[],
            "log.level: there is no such key; [log] has format and filter",
        ),
        (
            "[[tokens.rules]]\nrole = 'a'\ncolor = ['chat']",
            &[],
            "tokens.rules[0].color: there is no such key; [[tokens.rules]] has client_id, scope, role, scopes and \
             lifetime_minutes",
        ),
        (
            "",
            &[("TOKEN_SERVICE_LIMITS_BODYBYTES", "1")],
            "TOKEN_SERVICE_LIMITS_BODYBYTES: there is no such variable; did you mean TOKEN_SERVICE_LIMITS_BODY_BYTES?",
        ),
        (
            "",
            &[("TOKEN_SERVICE_ACS_CONNECTIONSTRING", "c2VjcmV0")],
            "TOKEN_SERVICE_ACS_CONNECTIONSTRING: there is no such variable; did you mean \
             TOKEN_SERVICE_ACS_CONNECTION_STRING?",
        ),
    ] {
        let found = faults(&format!("{text}\n"), variables).await;
        assert!(found.contains(&fault.to_owned()), "{text}: {found:#?}");
    }
}

/// Everything that is wrong is named at once, and nothing of a value is shown.
#[tokio::test]
async fn no_kind_of_value_is_shown() {
    const SECRET: &str = "U0VDUkVU";
    let keys = documented_keys();
    for template in [
        "U0VDUkVU",
        "https://user:U0VDUkVU@contoso.com/?a=b@c",
        "postgres://app:U0VDUkVU/x?y=z@db/users",
        "postgres://app:pw@db/users?U0VDUkVU=1",
        "postgres://app:pw@db/users?sslmode=U0VDUkVU",
        "sqlite://users.db?mode=U0VDUkVU",
        "endpoint=https://contoso.com;accesskey=U0VDUkVU!",
        "'U0VDUkVU'",
        "U0VDUkVU,U0VDUkVU\u{0}",
    ] {
        let value = template.replace('\0', "");
        let variables: Vec<_> = keys.iter().map(|(_, variable)| (*variable, value.as_str())).collect();
        let found = faults("", &variables).await;
        assert!(found.len() > 20, "{found:#?}");
        assert!(found.iter().all(|fault| !fault.contains(SECRET)), "{found:#?}");
    }
    for value in [
        "'U0VDUkVU'",
        "['U0VDUkVU']",
        "{ U0VDUkVU = 'U0VDUkVU' }",
        "1",
        "1.5",
        "2026-11-28",
    ] {
        let found = faults(&with_every_key(value), &[]).await;
        assert!(found.len() > 20, "{value}: {found:#?}");
        assert!(found.iter().all(|fault| !fault.contains(SECRET)), "{found:#?}");
    }
}

#[tokio::test]
async fn database_url_that_needs_encoding_says_so() {
    for url in [
        "postgres://app:pa/ss@db.contoso.com/users",
        "postgres://app:12/34@db.contoso.com/users",
        "postgres://app:pa?ss@db.contoso.com/users",
        "postgres://app:12?c2VjcmV0=34@db.contoso.com/users",
        "postgres://app:pa#ss@db.contoso.com/users",
        "postgres://app:p@/ss@db.contoso.com/users",
        "postgresql://app@contoso:p/w@db.contoso.com/users?sslmode=require",
        "postgres://db.contoso.com/users?user=app@contoso.com",
    ] {
        for key in ["url", "url_file"] {
            let directory = directory();
            let path = directory.join("url");
            fs::write(&path, url).unwrap();
            let value = if key == "url" { url } else { path.to_str().unwrap() };
            let found = faults(&format!("{LEAST}\n[database]\n{key} = '{value}'"), &[]).await;
            assert_eq!(faults_of(&found), [format!("database.{key}")], "{url}");
            assert!(
                found[0].contains("percent-encoded") && found[0].contains("%2F"),
                "{found:?}"
            );
            for piece in ["pa", "ss", "12", "34", "c2Vj", "contoso", "users@", "app"] {
                assert!(
                    !found[0].contains(piece) || piece == "pa" || piece == "ss",
                    "{piece}: {found:?}"
                );
            }
        }
    }
}
