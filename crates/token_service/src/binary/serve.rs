//! A running service, from its ready line to the drain of its last request.

use crate::{
    config::Tls,
    listen::{BoundListener, ConnectionLimits, Listener},
    open_files::OPERATIONS_CONNECTIONS,
    signals::{Signals, StopSignals},
    tls,
};
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use serde::Serialize;
use std::{
    error::Error,
    fs,
    future::pending,
    io::{self, StdoutLock, Write},
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};
use token_service::TokenService;
use tokio::{
    join, select,
    time::{Instant, sleep, timeout_at},
};
use tracing::{error, info, warn};

/// The limit for closing the database, after that for in-flight requests.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval between two looks at the files of the certificate.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(30);

/// A service with its listeners.
pub(crate) struct Server {
    pub(crate) service: TokenService,
    pub(crate) routes: Router,
    pub(crate) api: BoundListener,
    /// The listener for operators, if they do not use the API's.
    pub(crate) operations: Option<BoundListener>,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) shutdown_delay: Duration,
    pub(crate) drain_timeout: Duration,
}

/// The way in which a service stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// All requests were answered.
    Drained,
    /// In-flight requests were cut off.
    CutOff,
}

/// The line that announces a ready service on stdout.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadyLine {
    event: &'static str,
    pub(crate) endpoint: String,
    operations_endpoint: String,
    #[serde(flatten)]
    pub(crate) local: Option<LocalEndpoints>,
}

/// The endpoints beside a service without configuration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LocalEndpoints {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) emulator_endpoint: String,
}

impl ReadyLine {
    pub(crate) fn new(api: &BoundListener, operations: Option<&BoundListener>, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}/", api.address());
        let operations_endpoint = operations.map(|listener| format!("http://{}/", listener.address()));
        Self {
            event: "ready",
            operations_endpoint: operations_endpoint.unwrap_or_else(|| endpoint.clone()),
            endpoint,
            local: None,
        }
    }

    /// Prints the line, and then what `follow` writes.
    pub(crate) fn print(&self, follow: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, self)?;
        writeln!(stdout)?;
        follow(&mut stdout)?;
        stdout.flush()
    }
}

/// Runs `start`, unless a signal stops the service before it is ready.
pub(crate) async fn start<T>(
    stop: &mut StopSignals,
    start: impl Future<Output = Result<T, Box<dyn Error>>>,
) -> Result<Option<T>, Box<dyn Error>> {
    select! {
        started = start => started.map(Some),
        () = stop.next() => {
            info!("stopped before the service was ready");
            Ok(None)
        }
    }
}

impl Server {
    /// Serves until a signal, and then drains in-flight requests. Calls `ready` when connections are accepted; a failure to
    /// print the line stops no service.
    pub(crate) async fn run(self, signals: Signals, ready: impl FnOnce() -> io::Result<()>) -> Exit {
        let Signals {
            mut stop, mut reload, ..
        } = signals;
        let Self { service, tls, .. } = self;
        let address = self.api.address();
        let operations_address = self.operations.as_ref().map(BoundListener::address);
        if let Some(warning) = public_operations(address, operations_address) {
            warn!("{warning}");
        }
        let current_tls = tls.as_ref().map(|tls| RustlsConfig::from_config(tls.server.clone()));
        let (routes, operations) = match self.operations {
            Some(listener) => {
                let limits = ConnectionLimits {
                    connections: OPERATIONS_CONNECTIONS,
                    ..self.limits
                };
                let metrics = service.connection_metrics("operations");
                let operations = Listener::serve(listener, None, service.operations(), limits, metrics);
                (self.routes, Some(operations))
            }
            None => (self.routes.merge(service.operations()), None),
        };
        let metrics = service.connection_metrics("api");
        let api = Listener::serve(self.api, current_tls.clone(), routes, self.limits, metrics);
        if let Err(error) = ready() {
            warn!(%error, "cannot print the ready line on stdout, and runs on without it");
        }
        info!(
            version = env!("CARGO_PKG_VERSION"),
            %address,
            operations_address = operations_address.map(tracing::field::display),
            tls = tls.is_some(),
            "the token service is ready"
        );

        let reloading = async {
            loop {
                reload.next().await;
                reload_certificate(tls.as_ref(), current_tls.as_ref());
            }
        };
        let watching = watch_certificate(tls.as_ref(), current_tls.as_ref());
        let working = async { join!(service.sweep_forever(), reloading, watching) };
        select! {
            () = stop.next() => {}
            _ = working => {}
        }
        service.drain();
        info!(
            seconds = self.drain_timeout.as_secs(),
            "shutting down: requests under way are answered; a second signal ends them at once"
        );
        // Load balancers send requests until they notice.
        let drain_timeout = select! {
            () = sleep(self.shutdown_delay) => self.drain_timeout,
            () = stop.next() => Duration::ZERO,
        };
        let exit = drain(&service, api, drain_timeout, &mut stop).await;
        if let Some(operations) = operations {
            operations.cut_off();
        }
        exit
    }
}

/// Returns a warning if others than operators can reach the routes for operators.
fn public_operations(api: SocketAddr, operations: Option<SocketAddr>) -> Option<&'static str> {
    match operations {
        None if !api.ip().is_loopback() => Some(
            "every caller can read /metrics and /readyz: set operations_listen to an address that callers do not reach",
        ),
        Some(address) if !is_private(address.ip()) => Some(
            "operations_listen is neither loopback nor a private address: let only operators reach /metrics and /readyz there",
        ),
        _ => None,
    }
}

/// Returns whether an address is loopback, private or link-local. One that stands for all addresses is not.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Answers in-flight requests and closes the service, until the timeout or another signal.
async fn drain(service: &TokenService, mut api: Listener, drain_timeout: Duration, stop: &mut StopSignals) -> Exit {
    api.stop();
    let deadline = Instant::now() + drain_timeout;
    let drained = async {
        loop {
            timeout_at(deadline, api.drained()).await?;
            if api.close().await {
                break;
            }
        }
        timeout_at(deadline + CLOSE_TIMEOUT, service.close()).await
    };
    let drained = select! {
        drained = drained => drained.is_ok(),
        () = stop.next() => false,
    };
    if drained {
        info!("all requests have been answered");
        return Exit::Drained;
    }
    warn!("requests that were under way are cut off");
    api.cut_off();
    Exit::CutOff
}

/// Loads the certificate again when its files change, and never returns. Tools that renew certificates send no signal.
async fn watch_certificate(tls: Option<&Tls>, current: Option<&RustlsConfig>) {
    let Some(files) = tls else {
        return pending().await;
    };
    // Those that were loaded, as the files may have changed since.
    let mut seen = Some(files.contents);
    loop {
        sleep(CERTIFICATE_INTERVAL).await;
        let contents = contents_hash(files);
        if contents != seen {
            seen = contents;
            reload_certificate(tls, current);
        }
    }
}

/// Returns a hash of the certificate and its key, or `None` if they cannot be read.
fn contents_hash(tls: &Tls) -> Option<u64> {
    let certificate = fs::read(&tls.certificate).ok()?;
    let key = fs::read(&tls.key).ok()?;
    Some(tls::contents_hash(&certificate, &key))
}

/// Loads the certificate and its key from their files, for new connections.
fn reload_certificate(tls: Option<&Tls>, current: Option<&RustlsConfig>) {
    let (Some(tls), Some(current)) = (tls, current) else {
        info!("there is no certificate to read again");
        return;
    };
    let read = |path: &Path| fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let loaded = read(&tls.certificate).and_then(|certificate| {
        let key = read(&tls.key)?;
        tls::server_config(&certificate, &key).map_err(|fault| fault.to_string())
    });
    match loaded {
        Ok(config) => {
            current.reload_from_config(config);
            info!("the certificate has been read again");
        }
        Err(reason) => error!(reason, "the certificate stays as it was"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::generate_simple_self_signed;
    use std::{path::PathBuf, sync::Arc};
    use tokio::time::timeout;

    #[test]
    fn public_operations_are_warned_of() {
        for (api, operations, is_public) in [
            ("127.0.0.1:1", None, false),
            ("[::1]:1", None, false),
            ("0.0.0.0:1", None, true),
            ("10.0.0.5:1", None, true),
            ("0.0.0.0:1", Some("127.0.0.1:2"), false),
            ("127.0.0.1:1", Some("192.168.1.2:2"), false),
            ("127.0.0.1:1", Some("169.254.3.4:2"), false),
            ("127.0.0.1:1", Some("[fd00::1]:2"), false),
            ("127.0.0.1:1", Some("[::ffff:10.0.0.5]:2"), false),
            ("127.0.0.1:1", Some("0.0.0.0:2"), true),
            ("127.0.0.1:1", Some("[::]:2"), true),
            ("127.0.0.1:1", Some("203.0.113.7:2"), true),
            ("127.0.0.1:1", Some("[2001:db8::1]:2"), true),
        ] {
            let operations = operations.map(|address| address.parse().unwrap());
            let warning = public_operations(api.parse().unwrap(), operations);
            assert_eq!(warning.is_some(), is_public, "{api} {operations:?}");
            assert!(
                warning.is_none_or(|warning| warning.contains("operations_listen")),
                "{warning:?}"
            );
        }
    }

    /// A certificate in its files.
    struct Files {
        directory: PathBuf,
        tls: Tls,
    }

    impl Files {
        fn new() -> Self {
            let directory = std::env::temp_dir().join(format!("token_service-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&directory).unwrap();
            let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
            renew(&certificate, &key);
            let contents = (fs::read(&certificate).unwrap(), fs::read(&key).unwrap());
            let tls = Tls {
                server: tls::server_config(&contents.0, &contents.1).unwrap(),
                contents: tls::contents_hash(&contents.0, &contents.1),
                certificate,
                key,
            };
            Self { directory, tls }
        }

        fn renew(&self) {
            renew(&self.tls.certificate, &self.tls.key);
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.directory).ok();
        }
    }

    fn renew(certificate: &Path, key: &Path) {
        let renewed = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(certificate, renewed.cert.pem()).unwrap();
        fs::write(key, renewed.signing_key.serialize_pem()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn changed_certificate_is_loaded_without_a_signal() {
        let files = Files::new();
        let tls = &files.tls;
        let current = RustlsConfig::from_config(tls.server.clone());
        let is_loaded = || !Arc::ptr_eq(&current.get_inner(), &tls.server);
        let watching = watch_certificate(Some(tls), Some(&current));
        let renewing = async {
            sleep(CERTIFICATE_INTERVAL * 3).await;
            assert!(!is_loaded(), "nothing has changed");
            files.renew();
            sleep(CERTIFICATE_INTERVAL * 2).await;
            assert!(is_loaded());
            let loaded = current.get_inner();
            fs::write(&tls.key, "half a key").unwrap();
            sleep(CERTIFICATE_INTERVAL * 2).await;
            assert!(Arc::ptr_eq(&current.get_inner(), &loaded), "it stays as it was");
        };
        select! {
            () = watching => {}
            () = renewing => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn certificate_that_changes_during_the_start_is_loaded() {
        let files = Files::new();
        let current = RustlsConfig::from_config(files.tls.server.clone());
        files.renew();
        let watching = watch_certificate(Some(&files.tls), Some(&current));
        assert!(timeout(CERTIFICATE_INTERVAL * 2, watching).await.is_err());
        assert!(!Arc::ptr_eq(&current.get_inner(), &files.tls.server));
    }
}
