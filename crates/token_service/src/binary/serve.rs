//! A service from its first connection to its last.

use crate::{
    config::Tls,
    listen::{Bound, Listener},
    signals::{Signals, StopSignals},
    tls,
};
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use std::{error::Error, fs, io, path::Path, time::Duration};
use token_service::TokenService;
use tokio::{
    join, select,
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

/// How long the database may take to be closed beyond the time for requests.
const CLOSING: Duration = Duration::from_secs(2);

/// What is served, and where.
pub(crate) struct Served {
    pub(crate) service: TokenService,
    pub(crate) routes: Router,
    pub(crate) api: Bound,
    /// Where the operations are, if not with the API.
    pub(crate) operations: Option<Bound>,
    pub(crate) tls: Option<Tls>,
    /// How long a connection may be idle.
    pub(crate) idle: Duration,
    pub(crate) drain: Duration,
}

/// How a service ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// All requests were answered, or there was none yet.
    Drained,
    /// Some were cut off.
    CutOff,
}

impl Served {
    /// Serves until a signal says to stop, and for as long afterwards as requests are under way. `ready` is called when
    /// connections are accepted.
    pub(crate) async fn run(self, signals: Signals, ready: impl FnOnce() -> io::Result<()>) -> io::Result<End> {
        let Signals { mut stop, mut reload } = signals;
        let Self { service, tls, .. } = self;
        let address = self.api.address();
        let operations_address = self.operations.as_ref().map(Bound::address);
        let tls_now = tls.as_ref().map(|tls| RustlsConfig::from_config(tls.server.clone()));
        let (routes, operations) = match self.operations {
            Some(bound) => (
                self.routes,
                Some(Listener::serve(bound, None, service.operations(), self.idle)),
            ),
            None => (self.routes.merge(service.operations()), None),
        };
        let api = Listener::serve(self.api, tls_now.clone(), routes, self.idle);
        ready()?;
        info!(
            version = env!("CARGO_PKG_VERSION"),
            %address,
            operations_address = operations_address.map(tracing::field::display),
            tls = tls.is_some(),
            "the token service is ready"
        );

        let renewing = async {
            loop {
                reload.next().await;
                renew(tls.as_ref(), tls_now.as_ref());
            }
        };
        let working = async { join!(service.sweep_forever(), renewing) };
        select! {
            () = stop.next() => {}
            _ = working => {}
        }
        info!(
            seconds = self.drain.as_secs(),
            "shutting down: requests under way are answered; a second signal ends them at once"
        );
        let end = drain(&service, api, self.drain, &mut stop).await;
        if let Some(operations) = operations {
            operations.cut_off();
        }
        Ok(end)
    }
}

/// Waits for what a service needs before it can be run, unless a signal says to stop.
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

/// Lets requests that are under way come to their end.
async fn drain(service: &TokenService, mut api: Listener, most: Duration, stop: &mut StopSignals) -> End {
    service.drain();
    api.stop();
    let deadline = Instant::now() + most;
    let drained = async {
        loop {
            timeout_at(deadline, api.answered()).await?;
            if api.close().await {
                break;
            }
        }
        timeout_at(deadline + CLOSING, service.close()).await
    };
    let drained = select! {
        drained = drained => drained.is_ok(),
        () = stop.next() => false,
    };
    if drained {
        info!("all requests have been answered");
        return End::Drained;
    }
    warn!("requests that were under way are cut off");
    api.cut_off();
    End::CutOff
}

/// Reads certificate and key again. Connections from now on get them; those that are open keep theirs.
fn renew(tls: Option<&Tls>, now: Option<&RustlsConfig>) {
    let (Some(tls), Some(now)) = (tls, now) else {
        info!("there is no certificate to read again");
        return;
    };
    let read = |path: &Path| fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let renewed = read(&tls.certificate).and_then(|certificate| {
        let key = read(&tls.key)?;
        tls::server_config(&certificate, &key).map_err(|fault| fault.to_string())
    });
    match renewed {
        Ok(config) => {
            now.reload_from_config(config);
            info!("the certificate has been read again");
        }
        Err(reason) => error!(reason, "the certificate stays as it was"),
    }
}
