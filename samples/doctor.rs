//! A check of everything that a client needs: the connection string or endpoint, DNS, TLS, the clock, the access key or the
//! role, and the API version. It changes nothing in the resource.
//!
//! ```sh
//! cargo run --example doctor
//! ```
//!
//! It asks for a token of an identity of another resource. The service refuses that with `IdentityNotOwned` once it has
//! accepted the signature, and with `Denied` otherwise.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]
#![allow(dead_code, reason = "a test runs the checks, too")]

#[path = "support/mod.rs"]
mod support;

use azure_communication_identity::{
    CommunicationError, CommunicationErrorCode, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    CommunicationTokenScope, ConnectionString,
};
use azure_core::{
    Error,
    credentials::TokenCredential,
    error::ErrorKind,
    http::{RetryOptions, Transport, Url},
    time::{Duration, OffsetDateTime, parse_rfc7231},
};
use std::{fmt, process::ExitCode, sync::Arc};
use support::{EmulatorCredential, Outcome, Service, Usage, emulator_http_client, entra_credential};

const USAGE: Usage = Usage {
    command: "doctor",
    about: "Checks a connection string, or an endpoint with an Entra credential, line by line.",
};

/// An identity of no resource.
const FOREIGN_USER: &str = "8:acs:00000000-0000-0000-0000-000000000000_00000000-0000-0000-0000-000000000000";

/// The most by which a signature's date may differ from the service's clock.
const CLOCK_MARGIN: Duration = Duration::minutes(5);

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(_: Vec<String>) -> Outcome {
    let (credential, http_client) = match Service::find().await? {
        Service::Azure { connection_string } => (Credential::ConnectionString(connection_string), http_client()),
        Service::AzureWithEntra { endpoint } => (Credential::Entra(endpoint, entra_credential()?), http_client()),
        // A connection string first, and then the same with Entra ID.
        Service::Emulator(emulator) => {
            let http_client = emulator_http_client(&emulator)?;
            let key = Credential::ConnectionString(emulator.https_connection_string());
            show(&examine(&key, &http_client).await)?;
            println!("\nWith Entra ID:\n");
            let endpoint = emulator.https_endpoint().to_owned();
            let entra = Credential::Entra(endpoint, Arc::new(EmulatorCredential(emulator)));
            (entra, Ok(http_client))
        }
    };
    show(&examine(&credential, &http_client?).await)
}

/// The HTTP client for Azure, which takes proxies and CA certificates from the system.
fn http_client() -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(20))
        .read_timeout(std::time::Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none());
    builder.build().map_err(|error| {
        format!(
            "no HTTP client can be built: {}. Install the system's CA certificates, such as Debian's ca-certificates",
            chain(&error)
        )
    })
}

fn show(findings: &[Finding]) -> Outcome {
    for finding in findings {
        println!("{finding}");
    }
    let failed = findings.iter().filter(|finding| finding.failed()).count();
    match failed {
        0 => Ok(()),
        1 => Err("one check failed".into()),
        _ => Err(format!("{failed} checks failed").into()),
    }
}

/// The credential to check.
pub(crate) enum Credential {
    ConnectionString(String),
    /// An endpoint and a token credential.
    Entra(String, Arc<dyn TokenCredential>),
}

/// The result of a check.
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) verdict: Verdict,
}

pub(crate) enum Verdict {
    Right(String),
    /// Something is wrong, with the remedy.
    Wrong(String, String),
    /// Not checked, because of something else that is wrong.
    Skipped(&'static str),
}

impl Finding {
    pub(crate) fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Wrong(..))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, verdict } = self;
        match verdict {
            Verdict::Right(text) => write!(f, "ok     {check:<18} {text}"),
            Verdict::Wrong(text, remedy) => write!(f, "WRONG  {check:<18} {text}\n{:26}{remedy}", ""),
            Verdict::Skipped(reason) => write!(f, "-      {check:<18} not checked: {reason}"),
        }
    }
}

/// Checks a credential line by line.
pub(crate) async fn examine(credential: &Credential, http_client: &reqwest::Client) -> Vec<Finding> {
    let (check, parsed) = match credential {
        Credential::ConnectionString(text) => (
            "connection string",
            ConnectionString::parse(text).map(|resource| resource.endpoint().clone()),
        ),
        Credential::Entra(..) => (
            "endpoint",
            client(credential, http_client).map(|client| client.endpoint().clone()),
        ),
    };
    let mut findings = Vec::new();
    let mut find = |check, verdict| findings.push(Finding { check, verdict });
    let endpoint = match parsed {
        Ok(endpoint) => endpoint,
        Err(error) => {
            let remedy = "Copy it from the resource's Keys page in the Azure portal";
            find(check, Verdict::Wrong(error.to_string(), remedy.to_owned()));
            for check in ["DNS", "TLS", "clock", proof(credential), "api-version"] {
                find(check, Verdict::Skipped("there is no endpoint"));
            }
            return findings;
        }
    };
    find(check, Verdict::Right(format!("for {endpoint}")));

    let name = resolve(&endpoint).await;
    let is_resolved = matches!(name, Verdict::Right(_));
    find("DNS", name);
    let reached = if is_resolved {
        reach(&endpoint, http_client).await
    } else {
        Err(Verdict::Skipped("the name is unknown"))
    };
    let date = match reached {
        Ok((text, date)) => {
            find("TLS", Verdict::Right(text));
            date
        }
        Err(verdict) => {
            find("TLS", verdict);
            for check in ["clock", proof(credential), "api-version"] {
                find(check, Verdict::Skipped("the service is not reached"));
            }
            return findings;
        }
    };
    let clock = compare_clocks(date);
    let is_clock_wrong = matches!(clock, Verdict::Wrong(..));
    find("clock", clock);

    let refusal = ask_for_foreign_token(credential, http_client).await;
    let is_key = matches!(credential, Credential::ConnectionString(_));
    let verdict = if is_clock_wrong && is_key {
        Verdict::Skipped("a signature with a wrong date is refused")
    } else {
        accepted(refusal.as_ref())
    };
    find(proof(credential), verdict);
    find("api-version", supported(refusal.as_ref()));
    findings
}

/// The name of the check that the service accepts the credential.
fn proof(credential: &Credential) -> &'static str {
    match credential {
        Credential::ConnectionString(_) => "access key",
        Credential::Entra(..) => "role",
    }
}

fn client(credential: &Credential, http_client: &reqwest::Client) -> azure_core::Result<CommunicationIdentityClient> {
    let mut options = CommunicationIdentityClientOptions {
        // A clock that is off is a finding here.
        correct_clock_skew: false,
        ..Default::default()
    };
    options.client_options.retry = RetryOptions::none();
    options.client_options.transport = Some(Transport::new(Arc::new(http_client.clone())));
    match credential {
        Credential::ConnectionString(text) => CommunicationIdentityClient::with_connection_string(text, Some(options)),
        Credential::Entra(endpoint, credential) => {
            CommunicationIdentityClient::new(endpoint, credential.clone(), Some(options))
        }
    }
}

async fn resolve(endpoint: &Url) -> Verdict {
    let host = endpoint.host_str().unwrap_or_default();
    // An IPv6 address stands in brackets in a URL.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let port = endpoint.port_or_known_default().unwrap_or_default();
    match tokio::net::lookup_host((name, port))
        .await
        .map(|mut addresses| addresses.next())
    {
        Ok(Some(address)) => Verdict::Right(format!("{host} is {}", address.ip())),
        Ok(None) => unresolved(host, "there is no address"),
        Err(error) => unresolved(host, &error.to_string()),
    }
}

fn unresolved(host: &str, reason: &str) -> Verdict {
    let remedy = "Check the resource's name in the endpoint, and this machine's DNS settings";
    Verdict::Wrong(format!("{host} cannot be resolved: {reason}"), remedy.to_owned())
}

/// Connects to the service. Returns a text on the connection, and the time of the response.
async fn reach(endpoint: &Url, http_client: &reqwest::Client) -> Result<(String, Option<OffsetDateTime>), Verdict> {
    match http_client.get(endpoint.clone()).send().await {
        Ok(response) => {
            let text = match endpoint.scheme() {
                "https" => "the certificate is trusted",
                _ => "not used: plain http to a loopback host",
            };
            let date = response.headers().get("date").and_then(|date| date.to_str().ok());
            Ok((text.to_owned(), date.and_then(|date| parse_rfc7231(date).ok())))
        }
        Err(error) => {
            let text = chain(&error.without_url());
            let remedy = if text.contains("certificate") {
                "Check the host. If a proxy of your network intercepts TLS, add its CA to this system's certificates"
            } else {
                "Check the endpoint, the firewall, and the proxies in HTTPS_PROXY and NO_PROXY"
            };
            Err(Verdict::Wrong(text, remedy.to_owned()))
        }
    }
}

/// An error and its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.join(": ")
}

fn compare_clocks(service: Option<OffsetDateTime>) -> Verdict {
    let Some(service) = service else {
        return Verdict::Skipped("the response has no date");
    };
    let ahead = OffsetDateTime::now_utc() - service;
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let difference = Duration::seconds(ahead.whole_seconds().abs());
    let text = format!("this machine is {difference} {direction} the service");
    if difference > CLOCK_MARGIN {
        let remedy = format!("Set the clock: {CLOCK_MARGIN} is the most that the service accepts");
        return Verdict::Wrong(text, remedy);
    }
    Verdict::Right(text)
}

/// Asks for a token of an identity of another resource, which the service must refuse.
async fn ask_for_foreign_token(credential: &Credential, http_client: &reqwest::Client) -> Option<Error> {
    let client = match client(credential, http_client) {
        Ok(client) => client,
        Err(error) => return Some(error),
    };
    let user = match FOREIGN_USER.parse() {
        Ok(user) => user,
        Err(error) => return Some(error),
    };
    let answer = client.get_token(&user, &[CommunicationTokenScope::Voip], None).await;
    answer.err()
}

/// Returns whether a refusal shows that the service accepts the credential.
fn accepted(refusal: Option<&Error>) -> Verdict {
    let Some(error) = refusal else {
        return Verdict::Right("the service gave a token".to_owned());
    };
    let Some(found) = CommunicationError::from_error(error) else {
        let remedy = match error.kind() {
            ErrorKind::Credential => "Check the variables that the token credential reads",
            _ => "Check the endpoint, and any proxy in between",
        };
        return Verdict::Wrong(error.to_string(), remedy.to_owned());
    };
    match found.error_code() {
        Some(CommunicationErrorCode::IdentityNotOwned) => Verdict::Right("accepted".to_owned()),
        Some(CommunicationErrorCode::UnsupportedApiVersion) => Verdict::Skipped("the api-version is refused first"),
        _ => {
            let code = found.code.as_deref().unwrap_or("no code of the service");
            let text = format!(
                "refused with {} {}, {code}",
                found.status,
                found.status.canonical_reason()
            );
            let remedy = found.remedy.clone();
            Verdict::Wrong(
                text,
                remedy.unwrap_or_else(|| "Check the endpoint, and any proxy in between".to_owned()),
            )
        }
    }
}

/// Returns whether the service accepts the client's API version: it looks at the version before anything else.
fn supported(refusal: Option<&Error>) -> Verdict {
    let wanted = CommunicationIdentityClientOptions::default().api_version;
    let found = refusal.and_then(CommunicationError::from_error);
    match found.and_then(|found| Some((found.error_code()?, found))) {
        None if refusal.is_some() => Verdict::Skipped("there is no answer of the service"),
        Some((CommunicationErrorCode::UnsupportedApiVersion, found)) => Verdict::Wrong(
            format!("{wanted} is not supported"),
            found.remedy.clone().unwrap_or_default(),
        ),
        _ => Verdict::Right(format!("{wanted} is accepted")),
    }
}
