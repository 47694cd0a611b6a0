//! The default transport, which reads the environment.

use crate::support::{emulator::strict, fixtures::KEY};
use acs_identity_emulator::Emulator;
use azure_communication_identity::CommunicationIdentityClient;
use std::{env, fs, process::Command, thread};
use tokio::runtime::{Builder, Runtime};

const WITHOUT_PROXIES: &str = "*";

/// Returns whether this process has no proxies in its environment. Otherwise it runs a test, by its full name, in a child
/// process without them.
pub(crate) fn alone(test: &str) -> bool {
    alone_with(test, &[])
}

/// Does the same as [`alone`], with variables for the child process.
pub(crate) fn alone_with(test: &str, variables: &[(&str, &str)]) -> bool {
    if env::var("NO_PROXY").is_ok_and(|hosts| hosts == WITHOUT_PROXIES) {
        return true;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.envs(variables.iter().copied());
    for proxy in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "no_proxy",
    ] {
        child.env_remove(proxy);
    }
    let output = child
        .env("NO_PROXY", WITHOUT_PROXIES)
        .args(["--exact", test])
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
    false
}

/// The lives of several runtimes.
#[derive(Clone, Copy, Debug)]
enum Succession {
    /// Each ends before the next begins.
    OneAfterAnother,
    /// Each is kept, but not driven any more.
    Kept,
    /// Several threads have one at a time each.
    Concurrent,
}

const SUCCESSIONS: [Succession; 3] = [Succession::OneAfterAnother, Succession::Kept, Succession::Concurrent];

const THREADS: usize = 4;
const CALLS: usize = 12;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Makes a call on each of several runtimes.
fn call(client: &CommunicationIdentityClient, keep: bool) {
    let mut kept = Vec::new();
    for _ in 0..CALLS {
        let runtime = runtime();
        let created = runtime.block_on(client.create_user(None)).unwrap();
        created.into_model().unwrap();
        if keep {
            kept.push(runtime);
        }
    }
}

#[test]
fn a_client_works_on_successive_runtimes() {
    if !alone("default_transport::a_client_works_on_successive_runtimes") {
        return;
    }
    let home = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for succession in SUCCESSIONS {
        let emulator = home.block_on(strict().start()).unwrap();
        let client = CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), None).unwrap();
        let calls = match succession {
            Succession::OneAfterAnother | Succession::Kept => {
                call(&client, matches!(succession, Succession::Kept));
                CALLS
            }
            Succession::Concurrent => {
                thread::scope(|scope| {
                    for _ in 0..THREADS {
                        scope.spawn(|| call(&client, false));
                    }
                });
                THREADS * CALLS
            }
        };
        assert_eq!(emulator.identity_count(), calls, "{succession:?}");
    }
}

/// A slim container image has none, and azure_core's own transport panics there.
#[test]
fn missing_ca_certificates_are_an_error_with_the_remedy() {
    let none = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nonexistent")];
    if !alone_with(
        "default_transport::missing_ca_certificates_are_an_error_with_the_remedy",
        &none,
    ) {
        return;
    }
    let key = format!("accesskey={KEY}");
    for endpoint in ["http://localhost", "https://contoso.communication.azure.com"] {
        let connection_string = format!("endpoint={endpoint};{key}");
        let error = CommunicationIdentityClient::with_connection_string(&connection_string, None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("Install the system's CA certificates"), "{text}");
        assert!(text.contains("client_options.transport"), "{text}");
    }
}

/// The application has installed another crypto provider, here one with TLS 1.2 only.
#[test]
fn a_client_works_with_another_crypto_provider() {
    let ca = env::temp_dir().join(format!("ca-{}.pem", std::process::id()));
    let variables = [
        ("SSL_CERT_FILE", ca.to_str().unwrap()),
        ("SSL_CERT_DIR", "/nonexistent"),
    ];
    if !alone_with(
        "default_transport::a_client_works_with_another_crypto_provider",
        &variables,
    ) {
        fs::remove_file(ca).unwrap();
        return;
    }
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_none());
    provider.install_default().unwrap();
    runtime().block_on(async {
        let emulator = Emulator::builder().start().await.unwrap();
        fs::write(env::var_os("SSL_CERT_FILE").unwrap(), emulator.ca_pem()).unwrap();
        let connection_string = emulator.https_connection_string();
        let client = CommunicationIdentityClient::with_connection_string(&connection_string, None).unwrap();
        client.create_user(None).await.unwrap();
        assert_eq!(emulator.identity_count(), 1);
    });
}
