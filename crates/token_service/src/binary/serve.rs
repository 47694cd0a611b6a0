//! A service from its first connection to its last.

use crate::{
    config::Tls,
    listen::{Bound, Listener},
    signals::{ReloadSignals, StopSignals},
    tls,
};
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use std::{fs, io, path::Path, time::Duration};
use token_service::TokenService;
use tokio::{join, select, time::timeout};
use tracing::{error, info, warn};

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
    /// All requests were answered.
    Drained,
    /// Some were cut off.
    CutOff,
}

impl Served {
    /// Serves until a signal says to stop, and for as long afterwards as requests are under way. `ready` is called when
    /// connections are accepted.
    pub(crate) async fn run(self, ready: impl FnOnce() -> io::Result<()>) -> io::Result<End> {
        let mut stop = StopSignals::listen()?;
        let mut reload = ReloadSignals::listen()?;
        let Self { service, tls, .. } = self;
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

        let renewing = async {
            loop {
                reload.next().await;
                renew(tls.as_ref(), tls_now.as_ref());
            }
        };
        let working = async { join!(service.keep_swept(), renewing) };
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

/// Lets requests that are under way come to their end.
async fn drain(service: &TokenService, mut api: Listener, most: Duration, stop: &mut StopSignals) -> End {
    service.drain();
    let drained = async {
        api.finish().await;
        service.close().await;
    };
    let drained = select! {
        drained = timeout(most, drained) => drained.is_ok(),
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
