//! A check of what a client needs: the connection string or endpoint, DNS, TLS, the clock, the access key or the role, and
//! the API version. It changes nothing in the resource.
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
    CommunicationTokenScope, ConnectionString, default_transport,
};
use azure_core::{
    Error,
    credentials::TokenCredential,
    error::ErrorKind,
    http::{
        Context, Method, Request, RetryOptions, Transport, Url,
        headers::{HeaderName, Headers},
    },
    time::{Duration, OffsetDateTime, parse_rfc7231},
};
use std::{fmt, process::ExitCode, sync::Arc};
use support::{EmulatorCredential, Outcome, Service, Usage, emulator_transport, entra_credential, variable};

const USAGE: Usage = Usage {
    command: "doctor",
    uses_azure: true,
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
    let proxies = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let has_proxy = proxies.into_iter().any(|name| variable(name).is_some());
    let (credential, transport) = match Service::find().await? {
        Service::Azure { connection_string } => (Credential::ConnectionString(connection_string), default_transport()?),
        Service::AzureWithEntra { endpoint } => {
            let transport = default_transport()?;
            (
                Credential::Entra(endpoint, entra_credential(Some(transport.clone()))?),
                transport,
            )
        }
        // A connection string first, and then the same with Entra ID.
        Service::Emulator(emulator) => {
            let transport = emulator_transport(&emulator)?;
            let key = Credential::ConnectionString(emulator.https_connection_string());
            show(&examine(&key, &transport, false).await)?;
            println!("\nWith Entra ID:\n");
            let endpoint = emulator.https_endpoint().to_owned();
            let entra = Credential::Entra(endpoint, Arc::new(EmulatorCredential(emulator)));
            (entra, transport)
        }
    };
    show(&examine(&credential, &transport, has_proxy).await)
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
    /// A fault, with its remedy.
    Wrong(String, String),
    /// Not checked, because of another fault.
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

/// Checks a credential line by line. A proxy may know names that this machine does not.
pub(crate) async fn examine(credential: &Credential, transport: &Transport, has_proxy: bool) -> Vec<Finding> {
    let (check, parsed) = match credential {
        Credential::ConnectionString(text) => (
            "connection string",
            ConnectionString::parse(text).map(|resource| resource.endpoint().clone()),
        ),
        Credential::Entra(..) => (
            "endpoint",
            client(credential, transport).map(|client| client.endpoint().clone()),
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

    let name = resolve(&endpoint, has_proxy).await;
    let is_unknown = matches!(name, Verdict::Wrong(..));
    find("DNS", name);
    let reached = if is_unknown {
        Err(Verdict::Skipped("the name is unknown"))
    } else {
        reach(&endpoint, transport).await
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
    let refusal = ask_for_foreign_token(credential, transport).await;
    let verdict = accepted(refusal.as_ref());
    let is_key = matches!(credential, Credential::ConnectionString(_));
    let clock = compare_clocks(date, is_key && matches!(verdict, Verdict::Right(_)));
    let verdict = if is_key && matches!(clock, Verdict::Wrong(..)) {
        Verdict::Skipped("a signature with a wrong date is refused")
    } else {
        verdict
    };
    find("clock", clock);
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

fn client(credential: &Credential, transport: &Transport) -> azure_core::Result<CommunicationIdentityClient> {
    let mut options = CommunicationIdentityClientOptions {
        // A clock that is off is a finding here.
        correct_clock_skew: false,
        ..Default::default()
    };
    options.client_options.retry = RetryOptions::none();
    options.client_options.transport = Some(transport.clone());
    match credential {
        Credential::ConnectionString(text) => CommunicationIdentityClient::with_connection_string(text, Some(options)),
        Credential::Entra(endpoint, credential) => {
            CommunicationIdentityClient::new(endpoint, credential.clone(), Some(options))
        }
    }
}

async fn resolve(endpoint: &Url, has_proxy: bool) -> Verdict {
    let host = endpoint.host_str().unwrap_or_default();
    // An IPv6 address stands in brackets in a URL.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let port = endpoint.port_or_known_default().unwrap_or_default();
    match tokio::net::lookup_host((name, port))
        .await
        .map(|mut addresses| addresses.next())
    {
        Ok(Some(address)) => Verdict::Right(format!("{host} is {}", address.ip())),
        Ok(None) => unresolved(host, has_proxy, "there is no address"),
        Err(error) => unresolved(host, has_proxy, &error.to_string()),
    }
}

fn unresolved(host: &str, has_proxy: bool, reason: &str) -> Verdict {
    if has_proxy {
        return Verdict::Skipped("the name is unknown here, and a proxy is set, which may know it");
    }
    let remedy = "Check the resource's name in the endpoint, and this machine's DNS settings";
    Verdict::Wrong(format!("{host} cannot be resolved: {reason}"), remedy.to_owned())
}

/// Connects to the service. Returns a text about the connection, and the time of the response.
async fn reach(endpoint: &Url, transport: &Transport) -> Result<(String, Option<OffsetDateTime>), Verdict> {
    let mut request = Request::new(endpoint.clone(), Method::Get);
    match transport.send(&Context::new(), &mut request).await {
        Ok(response) => {
            let text = match endpoint.scheme() {
                "https" => "the certificate is trusted",
                _ => "not used: plain http to a loopback host",
            };
            Ok((text.to_owned(), date(response.headers())))
        }
        Err(error) => {
            let text = chain(&error).replace(&format!(" for url ({endpoint})"), "");
            let remedy = if text.contains("certificate") {
                "Check the host. If a proxy of your network intercepts TLS, add its CA to this system's certificates"
            } else {
                "Check the endpoint, the firewall, and the proxies in HTTPS_PROXY and NO_PROXY"
            };
            Err(Verdict::Wrong(text, remedy.to_owned()))
        }
    }
}

fn date(headers: &Headers) -> Option<OffsetDateTime> {
    let date = headers.get_optional_str(&HeaderName::from_static("date"))?;
    parse_rfc7231(date).ok()
}

/// Returns the texts of an error and its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.join(": ")
}

/// Compares this machine's clock with the date of a response. If the service has accepted a signature of this machine's
/// time, the clock is right, and another date is that of a proxy.
fn compare_clocks(service: Option<OffsetDateTime>, is_signature_accepted: bool) -> Verdict {
    let Some(service) = service else {
        return Verdict::Skipped("the response has no date");
    };
    let ahead = OffsetDateTime::now_utc() - service;
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let difference = Duration::seconds(ahead.whole_seconds().abs());
    match (difference > CLOCK_MARGIN, is_signature_accepted) {
        (true, true) => Verdict::Right(format!(
            "accepted, although it is {difference} {direction} the response's date, which a proxy may have written"
        )),
        (true, false) => Verdict::Wrong(
            format!("this machine is {difference} {direction} the service"),
            format!(
                "Set the clock: {CLOCK_MARGIN} is the most that the service accepts. If it is right, a proxy writes the \
                 date: check the key"
            ),
        ),
        (false, _) => Verdict::Right(format!("this machine is {difference} {direction} the service")),
    }
}

/// Asks for a token of an identity of another resource, which the service must refuse.
async fn ask_for_foreign_token(credential: &Credential, transport: &Transport) -> Option<Error> {
    let client = match client(credential, transport) {
        Ok(client) => client,
        Err(error) => return Some(error),
    };
    let user = match FOREIGN_USER.parse() {
        Ok(user) => user,
        Err(error) => return Some(error),
    };
    let response = client.get_token(&user, &[CommunicationTokenScope::Voip], None).await;
    response.err()
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
    let accepted = || Verdict::Right(format!("{wanted} is accepted"));
    let Some(error) = refusal else {
        return accepted();
    };
    let Some(found) = CommunicationError::from_error(error) else {
        return Verdict::Skipped("there is no response of the service");
    };
    match found.error_code() {
        Some(CommunicationErrorCode::IdentityNotOwned | CommunicationErrorCode::Denied) => accepted(),
        Some(CommunicationErrorCode::UnsupportedApiVersion) => Verdict::Wrong(
            format!("{wanted} is not supported"),
            found.remedy.clone().unwrap_or_default(),
        ),
        _ => Verdict::Skipped("the response may be a gateway's"),
    }
}
