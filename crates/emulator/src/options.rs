//! The options of the program.

use acs_identity_emulator::{CENTURY, Emulator, EmulatorBuilder, EmulatorState, Fault, TokenAlgorithm, Uuid, help};
use clap::{Parser, Subcommand, builder::RangedI64ValueParser};
use std::{
    fs::File,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
};
use time::Duration;

const AFTER_HELP: &str = "\
When it is ready, it prints one line of JSON on stdout, with the connection strings of both endpoints. Open its
controlEndpoint in a browser to see requests as they come. The log goes to stderr; RUST_LOG sets its level.";

/// Azure Communication Services Identity on loopback: checks signatures, issues signed tokens, needs no Azure account
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP, args_override_self = true, args_conflicts_with_subcommands = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate option")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Port for http; 0 takes any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Port for https; 0 takes any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    https_port: u16,
    /// Address to listen on in place of both loopbacks; can be repeated
    ///
    /// 0.0.0.0 and `::` are all addresses of the machine. The service is open to other machines then, to all who have an
    /// access key; the control surface is not, unless there is a control token.
    #[arg(long = "host", value_name = "ADDRESS", value_parser = address)]
    hosts: Vec<IpAddr>,
    /// Name or address by which clients reach the emulator, for its certificate; can be repeated
    ///
    /// The control surface accepts it too. Loopback and the addresses of --host need no name.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Host in the connection strings [default: the address for a client on this machine]
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// Secret with which other machines may use the control surface, as a bearer token
    ///
    /// Without it, the control surface is for programs on this machine only.
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        conflicts_with = "control_token_file"
    )]
    control_token: Option<String>,
    /// File with that secret, which other users of the machine cannot see in the list of processes
    #[arg(long, value_name = "FILE")]
    control_token_file: Option<PathBuf>,
    /// Primary access key of the resource, in base64 [default: that of the data file, or random]
    ///
    /// The secondary key is random. A key that differs from the one in the data file takes its place, which revokes the
    /// tokens that were made with that.
    #[arg(long, value_name = "BASE64")]
    access_key: Option<String>,
    /// Id of the resource [default: that of the data file, or random]
    ///
    /// It is part of the ids of identities, so an id other than that of the data file is refused.
    #[arg(long, value_name = "GUID")]
    resource_id: Option<Uuid>,
    /// Write the CA certificate that https clients must trust to this file, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_out: Option<PathBuf>,
    /// Accept only the documented forms of signatures, paths and bodies
    ///
    /// Without this option, the emulator accepts what official SDKs sign, and what the service's stack accepts: paths in
    /// any case, percent-encoded, and with a slash at their end; JSON with names in any case, numbers in texts, repeated
    /// members and a byte order mark, also as text/json or application/*+json.
    #[arg(long)]
    strict: bool,
    /// Algorithm of token signatures: RS256 or ES256 [default: that of the data file, or RS256]
    ///
    /// With an algorithm other than that of the data file, earlier tokens are unknown.
    #[arg(long, value_name = "NAME", value_parser = token_algorithm)]
    token_algorithm: Option<TokenAlgorithm>,
    /// Do not check the signatures of bearer tokens; audience and expiry are still checked
    ///
    /// So tokens of the real Entra ID are accepted. The signature of a Teams user's token, which is in the body, is still
    /// checked.
    #[arg(long)]
    accept_unverified_bearer: bool,
    /// Refuse requests beyond the service's published limits with 429
    #[arg(long)]
    rate_limits: bool,
    /// Say in the message of a 401 why the request is refused, and what to do about it
    ///
    /// Without this option, the explanation is in the log and under /_emulator/refusals only.
    #[arg(long)]
    explain: bool,
    /// Keep identities, assignments, revocations and keys in this file
    ///
    /// The file is created if it does not exist. It contains secrets.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Start with the identities, assignments and revocations in this file of JSON
    ///
    /// `GET /_emulator/state` returns such JSON, and `POST /_emulator/reset` returns to it. A data file that exists already
    /// remains unchanged.
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// Inject a fault into requests; can be repeated
    #[arg(long = "fault", value_name = "TEXT", long_help = help::fault())]
    faults: Vec<Fault>,
    /// Set the emulator's clock ahead of the machine's, or behind it if negative
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true,
        value_parser = seconds(-MAX_SECONDS)
    )]
    clock_offset: i64,
    /// Let revocations of tokens take effect so much later; for the service, this is up to 900
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds(0))]
    revocation_delay: i64,
    /// Do not support this api-version; can be repeated
    #[arg(long = "withdraw-version", value_name = "VERSION", long_help = help::withdraw_version())]
    withdrawn_versions: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Ask a running emulator whether it is ready: exits with 0 if it is, and with 1 if not
    Health {
        /// Address of its http endpoint
        #[arg(default_value = DEFAULT_URL)]
        url: String,
    },
}

/// The address that the container image listens on.
const DEFAULT_URL: &str = "http://127.0.0.1:7788";

/// The most bytes of a file with a control token.
const MAX_TOKEN_FILE: u64 = 4096;

/// The most bytes of a file with a state, which the control surface takes too.
const MAX_STATE_FILE: u64 = 16 * 1024 * 1024;

/// The limit of the clock's offset.
const MAX_SECONDS: i64 = CENTURY.whole_seconds();

fn seconds(min: i64) -> RangedI64ValueParser {
    RangedI64ValueParser::new().range(min..=MAX_SECONDS)
}

impl Options {
    pub(crate) fn builder(&self) -> Result<EmulatorBuilder, String> {
        let mut builder = Emulator::builder()
            .port(self.port)
            .https_port(self.https_port)
            .strict(self.strict)
            .accept_unverified_bearer(self.accept_unverified_bearer)
            .rate_limits(self.rate_limits)
            .explain(self.explain)
            .clock_offset(Duration::seconds(self.clock_offset))
            .revocation_delay(Duration::seconds(self.revocation_delay).unsigned_abs());
        for host in &self.hosts {
            builder = builder.host(*host);
        }
        for name in &self.names {
            builder = builder.name(name);
        }
        if let Some(host) = &self.advertise {
            builder = builder.advertise(host);
        }
        if let Some(path) = &self.control_token_file {
            builder = builder.control_token(read(path, MAX_TOKEN_FILE)?);
        }
        if let Some(control_token) = &self.control_token {
            builder = builder.control_token(control_token);
        }
        if let Some(access_key) = &self.access_key {
            builder = builder.access_key(access_key);
        }
        if let Some(resource_id) = self.resource_id {
            builder = builder.resource_id(resource_id);
        }
        for fault in &self.faults {
            builder = builder.fault(fault.clone());
        }
        for version in &self.withdrawn_versions {
            builder = builder.withdraw_version(version);
        }
        if let Some(token_algorithm) = self.token_algorithm {
            builder = builder.token_algorithm(token_algorithm);
        }
        if let Some(path) = &self.import {
            let state: EmulatorState = read(path, MAX_STATE_FILE)?
                .parse()
                .map_err(|error| format!("cannot import {}: {error}", path.display()))?;
            builder = builder.import(state);
        }
        if let Some(path) = &self.data {
            builder = builder.data(path);
        }
        Ok(builder)
    }
}

/// Parses an address to listen on.
fn address(text: &str) -> Result<IpAddr, &'static str> {
    let expected = "expected an IP address without a port, such as 0.0.0.0 or ::";
    text.parse().map_err(|_| expected)
}

/// Reads a file of text, of this many bytes at most.
fn read(path: &Path, limit: u64) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(limit + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 > limit => Err(format!("{} is longer than {limit} bytes", path.display())),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn token_algorithm(name: &str) -> Result<TokenAlgorithm, &'static str> {
    match name {
        "RS256" => Ok(TokenAlgorithm::Rs256),
        "ES256" => Ok(TokenAlgorithm::Es256),
        _ => Err("expected RS256 or ES256"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exceeding a limit takes hundreds of requests in thirty seconds, too many for a slow machine.
    #[test]
    fn rates_are_limited_on_request() {
        for (arguments, limits) in [(&["emulator"][..], false), (&["emulator", "--rate-limits"], true)] {
            let builder = Options::try_parse_from(arguments).unwrap().builder().unwrap();
            let debug = format!("{builder:?}");
            assert!(debug.contains(&format!("rate_limits: {limits}")), "{debug}");
        }
    }
}
