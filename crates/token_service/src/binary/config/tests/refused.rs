//! Refused configurations and their faults.

use super::*;

#[test]
fn all_faults_are_listed_at_once_by_the_names_that_were_used() {
    let text = r#"
        listen = "localhost"
        listens = "127.0.0.1:8080"
        [acs]
        connection_string = "endpoint=https://contoso.communication.azure.com/"
        endpoint = "https://contoso.communication.azure.com"
        replicas = 0
        [tls]
        certificate = "missing.pem"
        [issuer]
        kind = "entra"
        [tokens]
        lifetime_minutes = "60"
        default_scopes = ["chat", "calls"]
        [[tokens.rules]]
        scopes = ["chat"]
        [teams]
        sidecar_api = "AcsTeams"
        [servers]
        port = 1
        "#;
    let variables = [
        ("TOKEN_SERVICE_ISSUER_CLIENT_ID", "my-api"),
        ("TOKEN_SERVICE_DATABASE_URL", "mysql://localhost"),
        ("TOKEN_SERVICE_LOG_LEVEL", "info"),
        ("TOKEN_SERVICE_TOKENS_RULES", "[]"),
    ];
    let mut subjects: Vec<_> = read_with(Some(text), &variables, &[])
        .unwrap_err()
        .iter()
        .map(|fault| fault.split_once(": ").unwrap().0.to_owned())
        .collect();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "TOKEN_SERVICE_DATABASE_URL",
            "TOKEN_SERVICE_ISSUER_CLIENT_ID",
            "TOKEN_SERVICE_LOG_LEVEL",
            "TOKEN_SERVICE_TOKENS_RULES",
            "acs.connection_string", // It contradicts the endpoint,
            "acs.connection_string", // and has no key.
            "acs.replicas",
            "issuer.tenant_id",
            "listen",
            "listens",
            "servers",
            "sidecar.url",
            "teams.client_id",
            "tls.certificate",
            "tls.key",
            "tokens.default_scopes",
            "tokens.lifetime_minutes",
            "tokens.rules[0]",
        ]
    );
}

/// Additions to [`LEAST`], and the fault of each.
const FAULTS: [(&str, &str); 13] = [
    (
        "[tls]\ncertificate = ''\nkeys = 'x'",
        "tls.keys: there is no such key; `[tls]` can have certificate, key",
    ),
    (
        "[limits]\nbody_bytes = '1024'",
        "limits.body_bytes: has to be a whole number, without quotes",
    ),
    (
        "[limits]\nbody_bytes = 1023",
        "limits.body_bytes: has to be 1024 to 1048576",
    ),
    (
        "[limits]\nrequest_seconds = 0",
        "limits.request_seconds: has to be 1 to 600",
    ),
    (
        "[limits]\nrequests_per_minute = -1",
        "limits.requests_per_minute: has to be 1 to 1000000",
    ),
    (
        "[database]\nmax_connections = 0",
        "database.max_connections: has to be 1 to 1000",
    ),
    (
        "[shutdown]\ndrain_seconds = 3601",
        "shutdown.drain_seconds: has to be 0 to 3600",
    ),
    (
        "[tokens]\nlifetime_minutes = 59",
        "tokens.lifetime_minutes: has to be 60 to 1440",
    ),
    (
        "[tokens]\nlifetime_minutes = 1441",
        "tokens.lifetime_minutes: has to be 60 to 1440",
    ),
    ("[log]\nformat = 'yaml'", "log.format: has to be \"text\" or \"json\""),
    ("[log]\nfilter = true", "log.filter: has to be a text in quotes"),
    (
        "[cors]\norigins = 'https://a'",
        "cors.origins: has to be a list of texts, such as [\"one\", \"two\"]",
    ),
    (
        "[sidecar]\nallow_any_host = 1",
        "sidecar.allow_any_host: has to be true or false, without quotes",
    ),
];

/// Additions to [`LEAST`], the key that is wrong, and a part of what is said about it.
const PARTS: [(&str, &str, &str); 25] = [
    (
        "[tokens]\ndefault_scopes = []",
        "tokens.default_scopes",
        "one or more of \"chat\"",
    ),
    (
        "[tokens]\nallowed_scopes = ['Chat']",
        "tokens.allowed_scopes",
        "one or more of \"chat\"",
    ),
    (
        "[tokens]\nallowed_scopes = ['chat']",
        "tokens.allowed_scopes",
        "every scope of tokens.default_scopes",
    ),
    (
        "[tokens]\nsealing_keys = ['c2hvcnQ=']",
        "tokens.sealing_keys",
        "openssl rand -base64 32",
    ),
    (
        "[tokens]\nsealing_keys = []",
        "tokens.sealing_keys",
        "openssl rand -base64 32",
    ),
    (
        "[tokens]\nsealing_keys_file = 'none'",
        "tokens.sealing_keys_file",
        "cannot be read: no such file",
    ),
    ("[tokens]\nrules = [1]", "tokens.rules[0]", "[[tokens.rules]]"),
    ("[tokens]\nrules = 1", "tokens.rules", "[[tokens.rules]]"),
    (
        "[[tokens.rules]]\nrole = 'a'\nscope = 'b'\nscopes = ['chat']",
        "tokens.rules[0]",
        "one of client_id",
    ),
    ("[[tokens.rules]]\nrole = 'a'", "tokens.rules[0].scopes", "is missing"),
    (
        "[[tokens.rules]]\nrole = 'a'\nscopes = ['x']",
        "tokens.rules[0].scopes",
        "\"voip.join\"",
    ),
    (
        "[[tokens.rules]]\nrole = 1\nscopes = ['chat']",
        "tokens.rules[0].role",
        "text in quotes",
    ),
    (
        "[[tokens.rules]]\nrole = 'a'\nscopes = ['chat']\nlifetime_minutes = 30",
        "tokens.rules[0].lifetime_minutes",
        "60 to 1440",
    ),
    ("[log]\nfilter = 'infoo'", "log.filter", "error, warn, info"),
    (
        "[log]\nfilter = 'token_service,info'",
        "log.filter",
        "error, warn, info",
    ),
    (
        "[sidecar]\nurl = 'https://sidecar.contoso.com'",
        "sidecar.url",
        "allow_any_host",
    ),
    ("[sidecar]\nurl = 'sidecar'", "sidecar.url", "http://localhost:5000"),
    ("[cors]\norigins = ['*']", "cors.origins", "https://app.contoso.com"),
    (
        "[cors]\norigins = ['https://a.contoso.com/']",
        "cors.origins",
        "no slash at the end",
    ),
    ("[cors]\norigins = ['http://a.contoso.com']", "cors.origins", "loopback"),
    ("[database]\nurl = 'mysql://db/x'", "database.url", "postgres://"),
    ("[database]\nurl = 'sqlite://x?mode=odd'", "database.url", "sqlite://"),
    ("[database]\nurl_file = 'none'", "database.url_file", "cannot be read"),
    (
        "[database]\nurl = 'sqlite://x'\nurl_file = 'y'",
        "database.url",
        "contradicts database.url_file",
    ),
    ("[log]\nfilter = 'loud=very'", "log.filter", "error, warn, info"),
];

#[test]
fn a_fault_says_what_to_do() {
    for (addition, fault) in FAULTS {
        assert_eq!(fault_of(addition), fault, "{addition}");
    }
    for (addition, subject, part) in PARTS {
        let fault = fault_of(addition);
        assert!(fault.starts_with(&format!("{subject}: ")), "{addition}: {fault}");
        assert!(fault.contains(part), "{addition}: {fault}");
    }
}

#[test]
fn the_resource_is_named_in_one_way_only() {
    let issuer = LEAST.split_once("[issuer]").unwrap().1;
    for (acs, subjects) in [
        ("", &["acs.endpoint"][..]),
        (
            "endpoint = 'https://contoso.communication.azure.com'",
            &["acs.credential"],
        ),
        ("credential = 'developer_tools'", &["acs.endpoint"]),
        (
            "endpoint = 'http://contoso.communication.azure.com'\ncredential = 'developer_tools'",
            &["acs.endpoint"],
        ),
        (
            "endpoint = 'https://contoso.communication.azure.com/x'\ncredential = 'workload_identity'",
            &["acs.endpoint"],
        ),
        (
            "endpoint = 'https://contoso.communication.azure.com'\ncredential = 'key'",
            &["acs.credential"],
        ),
        (
            "endpoint = 'https://contoso.communication.azure.com'\ncredential = 'sidecar'",
            &["acs.sidecar_api"],
        ),
        (
            "endpoint = 'https://contoso.communication.azure.com'\ncredential = 'sidecar'\nsidecar_api = 'Acs'",
            &["sidecar.url"],
        ),
        (
            "endpoint = 'https://contoso.communication.azure.com'\ncredential = 'workload_identity'\n\
             managed_identity_client_id = 'x'",
            &["acs.managed_identity_client_id"],
        ),
        (
            "connection_string = 'endpoint=http://contoso.com;accesskey=c2VjcmV0'",
            &["acs.connection_string"],
        ),
        ("connection_string_file = 'none'", &["acs.connection_string_file"]),
        ("connection_string_file = 'empty'", &["acs.connection_string_file"]),
        (
            "connection_string = 'endpoint=https://contoso.com;accesskey=c2VjcmV0'\nconnection_string_file = 'acs'",
            &["acs.connection_string"],
        ),
        (
            "connection_string = 'endpoint=https://contoso.com;accesskey=c2VjcmV0'\ncredential = 'developer_tools'",
            &["acs.connection_string"],
        ),
    ] {
        let text = format!("[acs]\n{acs}\n[issuer]{issuer}");
        let faults = read_with(Some(&text), &[], &[("empty", " \n")]).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| fault.split_once(": ").unwrap().0).collect();
        assert_eq!(found, subjects, "{acs}: {faults:#?}");
    }
}

#[test]
fn an_issuer_needs_what_its_kind_needs() {
    let acs = LEAST.split_once("[issuer]").unwrap().0;
    for (issuer, subjects) in [
        (String::new(), &["issuer.kind"][..]),
        ("kind = 'saml'".to_owned(), &["issuer.kind"]),
        ("kind = 'oidc'".to_owned(), &["issuer.url", "issuer.audience"]),
        (
            "kind = 'logto'\nurl = 'https://contoso.logto.app'".to_owned(),
            &["issuer.audience"],
        ),
        (
            "kind = 'oidc'\nurl = 'http://login.contoso.com'\naudience = 'a'".to_owned(),
            &["issuer.url"],
        ),
        (
            "kind = 'oidc'\nurl = 'login.contoso.com'\naudience = 'a'".to_owned(),
            &["issuer.url"],
        ),
        (
            "kind = 'oidc'\nurl = 'https://u:p@contoso.com'\naudience = 'a'".to_owned(),
            &["issuer.url"],
        ),
        (
            format!("kind = 'oidc'\nurl = 'https://contoso.com'\naudience = 'a'\ntenant_id = '{TENANT}'"),
            &["issuer.tenant_id"],
        ),
        (
            "kind = 'oidc'\nurl = 'https://contoso.com'\naudience = 'a'\naliases = ['http://contoso.com']".to_owned(),
            &["issuer.aliases"],
        ),
        (
            format!(
                "kind = 'entra'\ntenant_id = '{TENANT}'\nclient_id = '{CLIENT}'\naliases = ['https://contoso.com']"
            ),
            &["issuer.aliases"],
        ),
        ("kind = 'entra'".to_owned(), &["issuer.tenant_id", "issuer.client_id"]),
        (
            format!("kind = 'entra'\ntenant_id = 'common'\nclient_id = '{CLIENT}'"),
            &["issuer.tenant_id"],
        ),
    ] {
        let found = faults(&format!("{acs}[issuer]\n{issuer}"));
        let found: Vec<_> = found.iter().map(|fault| fault.split_once(": ").unwrap().0).collect();
        assert_eq!(found, subjects, "{issuer}");
    }
}

#[test]
fn issuer_is_checked_without_a_known_kind() {
    let acs = LEAST.split_once("[issuer]").unwrap().0;
    for kind in ["", "kind = 'saml'", "kind = 1"] {
        let issuer = format!("{kind}\nurl = 'http://login.contoso.com'\ntenant_id = 'common'\nclient_id = 'x'");
        let found = faults(&format!("{acs}[issuer]\n{issuer}"));
        let found: Vec<_> = found.iter().map(|fault| fault.split_once(": ").unwrap()).collect();
        let subjects: Vec<_> = found.iter().map(|(subject, _)| *subject).collect();
        assert_eq!(
            subjects,
            ["issuer.kind", "issuer.url", "issuer.tenant_id", "issuer.client_id"],
            "{kind}"
        );
        assert_eq!(found[0].1.starts_with("is missing"), kind.is_empty(), "{found:?}");
        assert!(
            found[1..].iter().all(|(_, reason)| reason.starts_with("has to ")),
            "{found:?}"
        );
    }
}

#[test]
fn every_fault_of_a_rule_is_listed() {
    for (rule, subjects) in [
        (
            "role = 'a'\nclient_id = 'b'\nlifetime_minutes = 5",
            &[
                "tokens.rules[0]",
                "tokens.rules[0].scopes",
                "tokens.rules[0].lifetime_minutes",
            ][..],
        ),
        (
            "role = 1\nscopes = 'chat'\nlifetime_minutes = 'long'\nlifetime = 60",
            &[
                "tokens.rules[0].role",
                "tokens.rules[0].scopes",
                "tokens.rules[0].lifetime_minutes",
                "tokens.rules[0].lifetime",
            ],
        ),
        (
            "roles = 'a'\nscopes = ['chat']",
            &["tokens.rules[0]", "tokens.rules[0].roles"],
        ),
        ("", &["tokens.rules[0]", "tokens.rules[0].scopes"]),
    ] {
        let found = faults(&format!("{LEAST}\n[[tokens.rules]]\n{rule}"));
        let subjects_found: Vec<_> = found.iter().map(|fault| fault.split_once(": ").unwrap().0).collect();
        assert_eq!(subjects_found, subjects, "{rule}: {found:#?}");
        let missing = found.iter().filter(|fault| fault.contains("is missing")).count();
        assert_eq!(missing, usize::from(!rule.contains("scopes")), "{rule}: {found:#?}");
    }
}

#[test]
fn tokens_for_teams_take_an_issuer_whose_oid_can_be_believed() {
    let acs = LEAST.split_once("[issuer]").unwrap().0;
    let url = "url = 'https://contoso.com'\naudience = 'a'";
    for (issuer, subjects) in [
        (
            format!("kind = 'oidc'\n{url}\n[teams]\nclient_id = '{CLIENT}'"),
            &["teams.client_id"][..],
        ),
        (
            format!("kind = 'logto'\n{url}\n[teams]\nclient_id = '{CLIENT}'"),
            &["teams.client_id"],
        ),
        (
            format!("kind = 'oidc'\n{url}\n[teams]\nsidecar_api = 'T'\n[sidecar]\nurl = 'http://localhost:5000'"),
            &["teams.sidecar_api", "teams.client_id"],
        ),
        (
            format!("kind = 'entra'\ntenant_id = '{TENANT}'\nclient_id = '{CLIENT}'\n[teams]\nclient_id = 'x'"),
            &["teams.client_id"],
        ),
        (
            format!("kind = 'entra'\ntenant_id = '{TENANT}'\nclient_id = '{CLIENT}'\n[teams]\nclient_id = '{CLIENT}'"),
            &[],
        ),
    ] {
        let text = format!("{acs}[issuer]\n{issuer}");
        let faults = read_with(Some(&text), &[], &[]).err().unwrap_or_default();
        let found: Vec<_> = faults.iter().map(|fault| fault.split_once(": ").unwrap().0).collect();
        assert_eq!(found, subjects, "{issuer}: {faults:#?}");
        if !issuer.contains("entra") {
            assert!(faults[0].contains("issuer.kind = \"entra\" only"), "{faults:?}");
        }
    }
}

#[test]
fn operations_are_not_served_on_the_address_of_the_api() {
    for (keys, good) in [
        ("operations_listen = '127.0.0.1:8080'", false),
        ("listen = '[::1]:9090'\noperations_listen = '[::1]:9090'", false),
        ("listen = '127.0.0.1:0'\noperations_listen = '127.0.0.1:0'", true),
        ("operations_listen = '127.0.0.1:8081'", true),
        ("operations_listen = '127.0.0.2:8080'", true),
    ] {
        let faults = read_with(Some(&format!("{keys}\n{LEAST}")), &[], &[])
            .err()
            .unwrap_or_default();
        assert_eq!(faults.is_empty(), good, "{keys}: {faults:?}");
        assert!(
            good || faults.len() == 1 && faults[0].starts_with("operations_listen: is the same"),
            "{faults:?}"
        );
    }
}

#[test]
fn a_variable_that_there_is_not_is_told_which_there_are() {
    for (variable, part) in [
        (
            "TOKEN_SERVICE_LOG_LEVEL",
            "`[log]` can have format, filter, each as TOKEN_SERVICE_LOG_<KEY>",
        ),
        ("TOKEN_SERVICE_TLS", "`[tls]` can have certificate, key"),
        (
            "TOKEN_SERVICE_LISTENS",
            "outside of sections are listen, operations_listen, allow_plain_http, the sections [tls], [acs], ",
        ),
        ("TOKEN_SERVICE_LOGS_FORMAT", "the sections [tls], [acs], "),
    ] {
        let faults = read_with(Some(LEAST), &[(variable, "1")], &[]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with(&format!("{variable}: there is no such variable; ")) && faults[0].contains(part),
            "{faults:?}"
        );
    }
}

#[test]
fn replicas_are_no_more_than_the_least_limit() {
    for (replicas, good) in [(500, true), (501, false)] {
        let text = LEAST.replace("[issuer]", &format!("replicas = {replicas}\n[issuer]"));
        let text = format!("{text}\n[database]\nurl = 'postgres://db.contoso.com/tokens'");
        let faults = read_with(Some(&text), &[], &[]).err().unwrap_or_default();
        assert_eq!(faults.is_empty(), good, "{faults:?}");
        assert!(good || faults == ["acs.replicas: has to be 1 to 500"], "{faults:?}");
    }
}

#[test]
fn plain_http_stays_on_this_machine_unless_it_is_asked_for() {
    for (listen, good) in [
        ("listen = '0.0.0.0:8080'", false),
        ("listen = '[::]:8080'", false),
        ("listen = '10.0.0.5:8080'", false),
        ("listen = '127.0.0.1:8080'", true),
        ("listen = '[::1]:8080'", true),
        ("listen = '0.0.0.0:8080'\nallow_plain_http = true", true),
        ("listen = '0.0.0.0:8080'\nallow_plain_http = false", false),
        ("operations_listen = '0.0.0.0:9090'", true),
    ] {
        match read_with(Some(&format!("{listen}\n{LEAST}")), &[], &[]) {
            Ok(_) => assert!(good, "{listen}"),
            Err(faults) => {
                assert!(!good && faults.len() == 1, "{listen}: {faults:?}");
                assert!(
                    faults[0].starts_with("listen: ") && faults[0].contains("allow_plain_http"),
                    "{faults:?}"
                );
            }
        }
    }
}

#[test]
fn a_certificate_and_its_key_go_together() {
    let (certificate, key) = pair();
    let (_, other_key) = pair();
    let files = [("c", certificate.as_str()), ("k", &key), ("o", &other_key)];
    for (tls, subjects) in [
        ("certificate = 'c'\nkey = 'k'", &[][..]),
        ("certificate = 'c'", &["tls.key"]),
        ("key = 'k'", &["tls.certificate"]),
        ("certificate = 'c'\nkey = 'o'", &["tls.certificate"]),
        ("certificate = 'c'\nkey = 'c'", &["tls.key"]),
        ("certificate = 'k'\nkey = 'k'", &["tls.certificate"]),
        ("certificate = 'x'\nkey = 'y'", &["tls.certificate", "tls.key"]),
    ] {
        let text = format!("{LEAST}\n[tls]\n{tls}");
        let faults = read_with(Some(&text), &[], &files).err().unwrap_or_default();
        let found: Vec<_> = faults.iter().map(|fault| fault.split_once(": ").unwrap().0).collect();
        assert_eq!(found, subjects, "{tls}: {faults:?}");
    }
}

#[test]
fn replicas_need_a_database_that_they_share() {
    let text = LEAST.replace("[issuer]", "replicas = 2\n[issuer]");
    let found = faults(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("acs.replicas: ") && found[0].contains("PostgreSQL"),
        "{found:?}"
    );
    config(&format!(
        "{text}\n[database]\nurl = 'postgresql://db.contoso.com/tokens'"
    ));
}

#[test]
fn unreadable_file_is_a_fault_beside_others() {
    let variables = [
        ("TOKEN_SERVICE_CONFIG", "/none.toml"),
        ("TOKEN_SERVICE_LIMITS_BODY_BYTES", "many"),
    ];
    let faults = read_with(None, &variables, &[]).unwrap_err();
    assert_eq!(
        faults,
        [
            "/none.toml: the file cannot be read: no such file",
            "TOKEN_SERVICE_LIMITS_BODY_BYTES: has to be a whole number",
        ]
    );
    for (text, line) in [
        ("listen = 127.0.0.1", 1),
        ("\n\n[acs]\nconnection_string = endpoint=SECRET", 4),
        ("[acs]\nconnection_string = 'SECRET'\nconnection_string = 'SECRET'", 3),
        ("[log]\nfilter = 'info'\n[log]", 3),
    ] {
        let faults = self::faults(text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(
            faults[0].starts_with(&format!("{FILE}: line {line} ")),
            "{text}: {faults:?}"
        );
    }
}

#[test]
fn neither_a_fault_nor_debug_shows_a_secret() {
    const SECRET: &str = "U0VDUkVU";
    for text in [
        format!("{LEAST}\n[database]\nurl = 'mysql://user:{SECRET}@db'"),
        format!("{LEAST}\n[database]\nurl = ['postgres://user:{SECRET}@db']"),
        format!("{LEAST}\n[database]\nurl = 'postgres://user:{SECRET}@db:port/x'"),
        format!("{LEAST}\n[tokens]\nsealing_keys = ['{SECRET}']"),
        format!("{LEAST}\n[tokens]\nsealing_keys = '{SECRET}'"),
        format!("[acs]\nconnection_string = 'endpoint=https://contoso.com;accesskey={SECRET}!'"),
        format!("[acs]\nconnection_string = '{SECRET}'"),
        format!("[acs]\nconnection_string = {SECRET}"),
        format!("[acs]\nendpoint = 'endpoint=https://contoso.com;accesskey={SECRET}'"),
        format!("{LEAST}\n[sidecar]\nurl = 'http://u:{SECRET}@localhost'"),
        format!("{LEAST}\n[cors]\norigins = ['https://u:{SECRET}@localhost']"),
    ] {
        let faults = faults(&text);
        assert!(!faults.is_empty());
        for fault in faults {
            assert!(!fault.contains(SECRET), "{fault}");
        }
    }
    let text = format!(
        "{LEAST}\n[database]\nurl = 'postgres://user:{SECRET}@db/x'\n[tokens]\nsealing_keys = ['{SEALING_KEY}']"
    );
    let debug = format!("{:?}", config(&text));
    for secret in [SECRET, SEALING_KEY, "c2VjcmV0"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}
