//! The addresses that the emulator listens on, and the names by which clients reach it.

use crate::http::Scheme;
use http::uri::Authority;
use std::{
    collections::BTreeSet,
    error::Error,
    fmt::{self, Display, Formatter},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};
use tokio::net::TcpListener;

/// The most ports that are tried until one is free on every address.
const MAX_ATTEMPTS: usize = 64;

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The hosts and names that the builder is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    /// The addresses to listen on. None stands for both loopbacks.
    pub(crate) listened: Vec<IpAddr>,
    /// Further names of the emulator.
    pub(crate) names: Vec<String>,
    /// The host in endpoints and connection strings, if it is not that of a client on this machine.
    pub(crate) advertised: Option<String>,
}

/// A host by which clients reach the emulator: a DNS name in lower case, or an IP address without brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostName(String);

/// The text is not a host by which clients can reach the emulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHost(String);

/// An address that cannot be listened on.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) address: SocketAddr,
    pub(crate) source: io::Error,
}

/// The ports, and the names by which clients reach them.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) http: u16,
    pub(crate) https: u16,
    /// The host for a client on this machine.
    local: HostName,
    /// The host in endpoints and connection strings.
    advertised: HostName,
    /// All names, with which the certificate is valid.
    names: BTreeSet<HostName>,
}

impl Hosts {
    /// Returns the addresses to listen on, without those that a wildcard among them covers.
    fn to_listen_on(&self) -> Vec<IpAddr> {
        let mut chosen = Vec::new();
        for host in &self.listened {
            let is_covered = self.listened.iter().any(|other| other != host && covers(*other, *host));
            if !is_covered && !chosen.contains(host) {
                chosen.push(*host);
            }
        }
        chosen
    }

    /// Returns the addresses that other machines can reach.
    pub(crate) fn exposed(&self) -> Vec<IpAddr> {
        let addresses = self.to_listen_on().into_iter();
        addresses.filter(|address| !address.is_loopback()).collect()
    }

    /// Listens on one port of every address, and returns it. Port 0 takes any port that is free on all of them.
    ///
    /// By default, a machine without IPv6 listens on 127.0.0.1 only.
    pub(crate) async fn bind(&self, port: u16) -> Result<(Vec<TcpListener>, u16), BindError> {
        let (hosts, optional) = match self.to_listen_on() {
            hosts if hosts.is_empty() => (LOOPBACKS.to_vec(), Some(IpAddr::V6(Ipv6Addr::LOCALHOST))),
            hosts => (hosts, None),
        };
        let mut attempts = 1;
        loop {
            match bind_all(&hosts, optional, port).await {
                Err(BindError { source, .. })
                    if port == 0 && source.kind() == io::ErrorKind::AddrInUse && attempts < MAX_ATTEMPTS =>
                {
                    attempts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Checks the names, and returns the addresses of listeners on these ports.
    pub(crate) fn addresses(&self, http: u16, https: u16) -> Result<Addresses, InvalidHost> {
        let local = HostName::of(local_address(&self.to_listen_on()));
        let advertised = self.advertised.as_deref().map(HostName::parse).transpose()?;
        let mut names = BTreeSet::from([HostName("localhost".to_owned())]);
        names.extend(LOOPBACKS.map(HostName::of));
        let listened = self.listened.iter().filter(|host| !host.is_unspecified());
        names.extend(listened.copied().map(HostName::of));
        names.extend(advertised.clone());
        for name in &self.names {
            names.insert(HostName::parse(name)?);
        }
        Ok(Addresses {
            http,
            https,
            advertised: advertised.unwrap_or_else(|| local.clone()),
            local,
            names,
        })
    }
}

/// Returns whether a socket of one address also takes the connections to another. On Windows, one of `::` takes those
/// over IPv6 only.
fn covers(wildcard: IpAddr, other: IpAddr) -> bool {
    wildcard.is_unspecified() && (wildcard.is_ipv4() == other.is_ipv4() || wildcard.is_ipv6() && !cfg!(windows))
}

/// The address by which a client on this machine reaches the listeners.
fn local_address(listened: &[IpAddr]) -> IpAddr {
    let is_listened = |loopback: &IpAddr| {
        let mut hosts = listened.iter();
        hosts.any(|host| host == loopback || covers(*host, *loopback))
    };
    let [first, _] = LOOPBACKS;
    let loopback = LOOPBACKS.into_iter().find(is_listened);
    loopback.or_else(|| listened.first().copied()).unwrap_or(first)
}

/// Listens on a port of every host. The first takes a free port for port 0, and the others the same.
async fn bind_all(
    hosts: &[IpAddr],
    optional: Option<IpAddr>,
    mut port: u16,
) -> Result<(Vec<TcpListener>, u16), BindError> {
    let mut listeners = Vec::new();
    for host in hosts {
        let address = SocketAddr::new(*host, port);
        let bound = TcpListener::bind(address).await.and_then(|listener| {
            let port = listener.local_addr()?.port();
            Ok((listener, port))
        });
        match bound {
            Ok((listener, bound)) => {
                listeners.push(listener);
                port = bound;
            }
            Err(source) if optional == Some(*host) && is_lacking(&source) => {}
            Err(source) => return Err(BindError { address, source }),
        }
    }
    Ok((listeners, port))
}

/// Returns whether an address cannot be listened on because the machine does not have it.
fn is_lacking(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

impl Addresses {
    /// The endpoint with this protocol for clients, such as `http://127.0.0.1:49152/`.
    pub(crate) fn endpoint(&self, scheme: Scheme) -> String {
        self.url(scheme, &self.advertised)
    }

    /// The endpoint with this protocol for this machine.
    pub(crate) fn local_endpoint(&self, scheme: Scheme) -> String {
        self.url(scheme, &self.local)
    }

    fn url(&self, scheme: Scheme, host: &HostName) -> String {
        let port = match scheme {
            Scheme::Http => self.http,
            Scheme::Https => self.https,
        };
        format!("{scheme}://{host}:{port}/")
    }

    /// The names with which the certificate is valid, IPv6 addresses without brackets.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|HostName(name)| name.as_str())
    }

    /// Returns whether a `Host` header names the emulator.
    pub(crate) fn include(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let host = authority.host();
        let has_user = authority.as_str().contains('@');
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        !has_user && self.names().any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl HostName {
    /// Parses a DNS name, or an IP address with or without brackets.
    fn parse(text: &str) -> Result<Self, InvalidHost> {
        let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Ok(address) = unbracketed.unwrap_or(text).parse::<IpAddr>() {
            if address.is_unspecified() {
                return Err(InvalidHost(format!(
                    "clients cannot reach {address}: give the name or the address by which they reach this machine"
                )));
            }
            return Ok(Self::of(address));
        }
        let is_label = |label: &str| {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            (1..=63).contains(&label.len()) && label.chars().all(is_letter)
        };
        if text.len() <= 253 && text.split('.').all(is_label) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let text: String = text.chars().take(100).flat_map(char::escape_debug).collect();
        Err(InvalidHost(format!(
            "`{text}` is not a host name or an IP address: give it alone, such as emulator.example or 10.0.0.5, without \
             scheme and port"
        )))
    }

    fn of(address: IpAddr) -> Self {
        Self(address.to_string())
    }
}

impl Display for HostName {
    /// Writes the host as URLs have it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        if name.contains(':') {
            write!(f, "[{name}]")
        } else {
            f.write_str(name)
        }
    }
}

impl Display for InvalidHost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(problem) = self;
        f.write_str(problem)
    }
}

impl Error for InvalidHost {}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listened: &[&str], names: &[&str]) -> Addresses {
        let hosts = Hosts {
            listened: listened.iter().map(|host| host.parse().unwrap()).collect(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            advertised: None,
        };
        hosts.addresses(80, 443).unwrap()
    }

    #[test]
    fn local_endpoint_is_loopback_if_it_is_listened_on() {
        for (listened, expected) in [
            (&[][..], "127.0.0.1"),
            (&["10.0.0.1", "::1"], "[::1]"),
            (&["10.0.0.1", "127.0.0.1"], "127.0.0.1"),
            (&["0.0.0.0"], "127.0.0.1"),
            (&["10.0.0.1", "10.0.0.2"], "10.0.0.1"),
            (&["fd00::1"], "[fd00::1]"),
        ] {
            let endpoint = addresses(listened, &[]).endpoint(Scheme::Http);
            assert_eq!(endpoint, format!("http://{expected}:80/"), "{listened:?}");
        }
    }

    #[test]
    fn loopback_has_three_names_and_any_port() {
        let addresses = addresses(&["0.0.0.0", "10.0.0.1"], &["Emulator.test", "[fd00::2]"]);
        for host in [
            "127.0.0.1",
            "localhost",
            "LOCALHOST:1",
            "[::1]",
            "127.0.0.1:80",
            "localhost:65535",
            "[::1]:1",
            "emulator.test:7788",
            "EMULATOR.test",
            "10.0.0.1:7788",
            "[fd00::2]:7788",
        ] {
            assert!(addresses.include(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.nip.io:80",
            "127.0.0.2",
            "0.0.0.0",
            "10.0.0.2",
            "user@localhost",
            "a.emulator.test",
        ] {
            assert!(!addresses.include(host), "{host}");
        }
    }

    #[test]
    fn covered_addresses_are_left_out() {
        for (given, expected) in [
            (&["::1", "127.0.0.1", "::1"][..], &["::1", "127.0.0.1"][..]),
            (&["127.0.0.1", "0.0.0.0", "::1"], &["0.0.0.0", "::1"]),
            #[cfg(not(windows))]
            (&["::", "0.0.0.0", "::1"], &["::"]),
        ] {
            let hosts = Hosts {
                listened: given.iter().map(|host| host.parse().unwrap()).collect(),
                ..Hosts::default()
            };
            let listened: Vec<_> = hosts.to_listen_on().iter().map(ToString::to_string).collect();
            assert_eq!(listened, expected);
        }
    }
}
