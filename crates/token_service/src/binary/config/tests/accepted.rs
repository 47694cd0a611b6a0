//! Accepted configurations.

use super::*;

#[test]
fn without_file_and_variables_there_is_no_configuration() {
    for variables in [
        &[][..],
        &[("PATH", "/bin"), ("OTHER_SERVICE_LISTEN", "x")],
        &[
            ("TOKEN_SERVICE_SERVICE_HOST", "10.0.0.1"),
            ("TOKEN_SERVICE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ],
    ] {
        assert!(read_with(None, variables, &[]).unwrap().is_none(), "{variables:?}");
    }
    assert!(read_with(None, &[("TOKEN_SERVICE_LISTEN", "127.0.0.1:1")], &[]).is_err());
    assert!(read_with(Some(""), &[], &[]).is_err());
    // Empty variables are a lost configuration.
    for variable in ["TOKEN_SERVICE_CONFIG", "TOKEN_SERVICE_ACS_CONNECTION_STRING"] {
        assert!(read_with(None, &[(variable, "")], &[]).is_err());
    }
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = config(LEAST);
    assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.operations_listen, None);
    assert!(config.tls.is_none() && config.sidecar.is_none());
    assert_eq!(config.teams, Teams::default());
    let Authentication::ConnectionString { text, on_loopback, .. } = &config.acs.authentication else {
        panic!("{:?}", config.acs);
    };
    assert_eq!((text.secret(), *on_loopback), (CONNECTION_STRING, false));
    assert_eq!((config.acs.replicas, config.acs.queue), (NonZeroU32::MIN, 1000));
    assert_eq!(config.database.url.secret(), "sqlite://token_service.db?mode=rwc");
    assert_eq!(config.database.max_connections, 8);
    assert!(config.database.migrate);
    assert_eq!(config.issuers.user_id_claims, UserIdClaims::Subject);
    assert_eq!(config.tokens.default_scopes, [Scope::Chat, Scope::Voip]);
    assert_eq!(config.tokens.allowed_scopes, [Scope::Chat, Scope::Voip]);
    assert_eq!(config.tokens.lifetime.whole_minutes(), 1440);
    assert!(config.tokens.rules.is_empty() && config.tokens.sealing_keys.is_none());
    assert!(config.origins.is_empty());
    let guards = config.issuers.guards(None).unwrap();
    assert!(config.operators.access(guards.operators).is_none() && !config.operators.audit_ids);
    let limits = Limits {
        requests_per_minute: NonZeroU32::new(120).unwrap(),
        fresh_tokens_per_hour: NonZeroU32::new(10).unwrap(),
        acs_costs_per_hour: NonZeroU32::new(60).unwrap(),
        request: std::time::Duration::from_secs(30),
        body_bytes: 16384,
        idle: std::time::Duration::from_secs(75),
        connections: 2000,
    };
    assert_eq!(config.limits, limits);
    assert_eq!(
        (config.log.format, config.log.filter.as_str()),
        (LogFormat::Text, "info")
    );
    assert_eq!(config.drain.as_secs(), 30);
    assert_eq!(config.shutdown_delay.as_secs(), 0);
}

/// Every key of the file; of those that contradict each other, the one that is not in [`LEAST`].
const FULL: &str = r#"
listen = "0.0.0.0:8443"
operations_listen = "[::1]:9090"
[tls]
certificate = "service.pem"
key = "service.key"
[acs]
endpoint = "https://contoso.communication.azure.com"
credential = "managed_identity"
managed_identity_client_id = "00001111-aaaa-2222-bbbb-3333cccc4444"
replicas = 3
queue = 0
[database]
url_file = "database"
max_connections = 20
migrate = false
[issuer]
kind = "entra"
tenant_id = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
client_id = "00001111-aaaa-2222-bbbb-3333cccc4444"
url = "https://login.microsoftonline.us"
audience = "https://contoso.com/api"
scope = "access_as_user"
[tokens]
default_scopes = ["chat.join"]
allowed_scopes = ["chat.join", "chat", "voip", "voip.join", "chat.join.limited"]
lifetime_minutes = 60
sealing_keys_file = "keys"
[[tokens.rules]]
client_id = "kiosk"
scopes = ["voip.join"]
lifetime_minutes = 90
[[tokens.rules]]
role = "agent"
scopes = ["chat", "voip"]
[[tokens.rules]]
scope = "calls"
scopes = ["voip"]
[teams]
client_id = "00001111-aaaa-2222-bbbb-3333cccc4444"
sidecar_api = "AcsTeams"
phone = true
phone_sidecar_api = "AcsTeamsPhone"
[sidecar]
url = "http://sidecar:5000"
allow_any_host = true
[admin]
scope = "operate"
role = "TokenService.Operator"
audit_ids = true
[cors]
origins = ["https://app.contoso.com", "http://localhost:3000"]
[limits]
requests_per_minute = 60
fresh_tokens_per_hour = 5
acs_costs_per_hour = 30
request_seconds = 10
body_bytes = 4096
idle_seconds = 700
connections = 500
[log]
format = "json"
filter = "warn,token_service=debug"
[shutdown]
drain_seconds = 0
"#;

fn full() -> Config {
    let (certificate, key) = pair();
    let keys = format!("{SEALING_KEY}\n\n  {SEALING_KEY}\n");
    let files = [
        ("service.pem", certificate.as_str()),
        ("service.key", &key),
        ("database", "postgres://service:pw@db.contoso.com/tokens\n"),
        ("keys", &keys),
    ];
    read_with(Some(FULL), &[], &files).unwrap().unwrap()
}

#[test]
fn keys_of_the_service_are_read_from_the_file() {
    let config = full();
    assert_eq!(config.listen, "0.0.0.0:8443".parse().unwrap());
    assert_eq!(config.operations_listen, Some("[::1]:9090".parse().unwrap()));
    let tls = config.tls.unwrap();
    assert_eq!(
        (tls.certificate.as_path(), tls.key.as_path()),
        (Path::new("service.pem"), Path::new("service.key"))
    );
    let Authentication::Entra { endpoint, credential } = &config.acs.authentication else {
        panic!("{:?}", config.acs);
    };
    assert_eq!(endpoint, "https://contoso.communication.azure.com");
    assert!(matches!(credential, Credential::ManagedIdentity { client_id: Some(id) } if id == CLIENT));
    assert_eq!((config.acs.replicas.get(), config.acs.queue), (3, 0));
    assert_eq!(
        config.database.url.secret(),
        "postgres://service:pw@db.contoso.com/tokens"
    );
    assert_eq!(config.database.max_connections, 20);
    assert!(!config.database.migrate);
    assert_eq!(config.issuers.user_id_claims, UserIdClaims::EntraObject);
}

#[test]
fn keys_of_users_are_read_from_the_file() {
    let config = full();
    assert_eq!(config.tokens.default_scopes, [Scope::ChatJoin]);
    assert_eq!(config.tokens.allowed_scopes.len(), 5);
    assert_eq!(config.tokens.lifetime.whole_minutes(), 60);
    assert!(config.tokens.sealing_keys.is_some());
    let rules: Vec<_> = config
        .tokens
        .rules
        .iter()
        .map(|rule| {
            (
                rule.holder.clone(),
                rule.scopes.clone(),
                rule.lifetime.map(Duration::whole_minutes),
            )
        })
        .collect();
    assert_eq!(
        rules,
        [
            (
                RuleHolder::ClientId("kiosk".to_owned()),
                vec![Scope::VoipJoin],
                Some(90)
            ),
            (
                RuleHolder::Role("agent".to_owned()),
                vec![Scope::Chat, Scope::Voip],
                None
            ),
            (RuleHolder::Scope("calls".to_owned()), vec![Scope::Voip], None),
        ]
    );
    let teams = Teams {
        client_id: Some(CLIENT.to_owned()),
        sidecar_api: Some("AcsTeams".to_owned()),
        phone: true,
        phone_sidecar_api: Some("AcsTeamsPhone".to_owned()),
    };
    assert_eq!(config.teams, teams);
    let sidecar = config.sidecar.unwrap().client(None).unwrap();
    assert_eq!(sidecar.base_url().as_str(), "http://sidecar:5000/");
    assert!(config.operators.audit_ids);
    let guards = config.issuers.guards(None).unwrap();
    let access = format!("{:?}", config.operators.access(guards.operators).unwrap());
    assert!(
        access.contains("operate") && access.contains("TokenService.Operator"),
        "{access}"
    );
    assert_eq!(config.origins, ["https://app.contoso.com", "http://localhost:3000"]);
    let limits = Limits {
        requests_per_minute: NonZeroU32::new(60).unwrap(),
        fresh_tokens_per_hour: NonZeroU32::new(5).unwrap(),
        acs_costs_per_hour: NonZeroU32::new(30).unwrap(),
        request: std::time::Duration::from_secs(10),
        body_bytes: 4096,
        idle: std::time::Duration::from_secs(700),
        connections: 500,
    };
    assert_eq!(config.limits, limits);
    assert_eq!(
        (config.log.format, config.log.filter.as_str()),
        (LogFormat::Json, "warn,token_service=debug")
    );
    assert_eq!(config.drain.as_secs(), 0);
}

#[test]
fn the_environment_can_say_everything_but_rules_and_wins() {
    let variables = [
        ("TOKEN_SERVICE_LISTEN", "[::]:80"),
        ("TOKEN_SERVICE_ALLOW_PLAIN_HTTP", "true"),
        ("TOKEN_SERVICE_ACS_CONNECTION_STRING_FILE", "/run/credentials/acs"),
        ("TOKEN_SERVICE_ACS_QUEUE", " 5 "),
        ("TOKEN_SERVICE_ISSUER_KIND", "logto"),
        ("TOKEN_SERVICE_ISSUER_URL", "http://localhost:3001"),
        ("TOKEN_SERVICE_ISSUER_AUDIENCE", "https://api.contoso.com"),
        ("TOKEN_SERVICE_TOKENS_DEFAULT_SCOPES", "chat, voip.join,"),
        ("TOKEN_SERVICE_TOKENS_SEALING_KEYS", SEALING_KEY),
        (
            "TOKEN_SERVICE_CORS_ORIGINS",
            "https://a.contoso.com,https://b.contoso.com:8443",
        ),
        ("TOKEN_SERVICE_PORT", "tcp://10.0.0.1:8080"),
    ];
    let acs = format!("\n{CONNECTION_STRING}\n");
    let files = [("/run/credentials/acs", acs.as_str())];
    let config = read_with(None, &variables, &files).unwrap().unwrap();
    assert_eq!(config.listen, "[::]:80".parse().unwrap());
    let Authentication::ConnectionString { text, .. } = &config.acs.authentication else {
        panic!("{:?}", config.acs);
    };
    assert_eq!(text.secret(), CONNECTION_STRING);
    assert_eq!(config.acs.queue, 5);
    assert_eq!(config.issuers.user_id_claims, UserIdClaims::Subject);
    assert_eq!(config.tokens.default_scopes, [Scope::Chat, Scope::VoipJoin]);
    assert!(config.tokens.sealing_keys.is_some());
    assert_eq!(config.origins, ["https://a.contoso.com", "https://b.contoso.com:8443"]);

    let text = format!("operations_listen = '127.0.0.1:1'\n{LEAST}\n[limits]\nbody_bytes = 2048\nrequest_seconds = 9");
    let variables = [
        ("TOKEN_SERVICE_LIMITS_BODY_BYTES", "4096"),
        ("TOKEN_SERVICE_OPERATIONS_LISTEN", ""),
    ];
    let config = read_with(Some(&text), &variables, &[]).unwrap().unwrap();
    assert_eq!((config.limits.body_bytes, config.limits.request.as_secs()), (4096, 9));
    assert_eq!(config.operations_listen, Some("127.0.0.1:1".parse().unwrap()));
}

#[test]
fn a_variable_names_the_file_unless_the_command_line_does() {
    let files = [("/etc/ts.toml", LEAST)];
    let variables = [("TOKEN_SERVICE_CONFIG", "/etc/ts.toml")];
    assert!(read_with(None, &variables, &files).unwrap().is_some());
    let faults = read_with(Some("listen = 5"), &variables, &files).unwrap_err();
    assert!(faults[0].starts_with("listen: "), "{faults:?}");
    let padded = [("TOKEN_SERVICE_CONFIG", " /etc/ts.toml\n")];
    assert!(read_with(None, &padded, &files).unwrap().is_some());
    let quoted = [("TOKEN_SERVICE_CONFIG", "\"/etc/ts.toml\"")];
    let faults = read_with(None, &quoted, &files).unwrap_err();
    assert!(
        faults[0].starts_with("TOKEN_SERVICE_CONFIG: stands in quotes"),
        "{faults:?}"
    );
}

#[test]
fn credentials_of_an_application_serve_both_back_ends() {
    let CertifiedKey { cert, signing_key } = rsa_pair();
    let certificate = format!("{}{}", signing_key.serialize_pem(), cert.pem());
    let files = [("application.pem", certificate.as_str()), ("secret", " c2VjcmV0\n")];
    for (kind, key) in [
        ("client_secret", "client_secret = 'c2VjcmV0'"),
        ("client_secret", "client_secret_file = 'secret'"),
        ("client_certificate", "certificate = 'application.pem'"),
    ] {
        let text = format!(
            "[acs]\nendpoint = 'https://contoso.communication.azure.com'\ncredential = '{kind}'\n[database]\n\
             url = 'postgres://service@db.contoso.com/tokens'\ncredential = '{kind}'\n[application]\n\
             tenant_id = '{TENANT}'\nclient_id = '{CLIENT}'\n{key}\n[issuer]\nkind = 'oidc'\n\
             url = 'https://login.contoso.com'\naudience = 'api'"
        );
        let config = read_with(Some(&text), &[], &files).unwrap().unwrap();
        let Authentication::Entra { credential, .. } = &config.acs.authentication else {
            panic!("{:?}", config.acs);
        };
        let database = config.database.credential.as_ref().unwrap();
        assert_eq!(database.scope, "https://ossrdbms-aad.database.windows.net/.default");
        for credential in [credential, &database.credential] {
            match credential {
                Credential::ClientSecret { application, secret } => {
                    assert_eq!((application.tenant_id.as_str(), secret.secret()), (TENANT, "c2VjcmV0"));
                    assert_eq!(kind, "client_secret");
                }
                Credential::ClientCertificate { application, .. } => {
                    assert_eq!(application.client_id, CLIENT);
                    assert_eq!(kind, "client_certificate");
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(!format!("{config:?}").contains("c2VjcmV0"), "{config:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let text = format!(
        "{LEAST}\n[database]\nurl = 'postgres://user:U0VDUkVU@db/x'\n[tokens]\nsealing_keys = ['{SEALING_KEY}']"
    );
    let debug = format!("{:?}", config(&text));
    for secret in ["U0VDUkVU", SEALING_KEY, "c2VjcmV0"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}
