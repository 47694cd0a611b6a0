//! Signals of the process.

use std::io;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows;

/// SIGXFSZ, which has the same number on all systems but those on MIPS.
#[cfg(unix)]
const FILE_SIZE_LIMIT: i32 = 25;

/// The signals that the process handles.
pub(crate) struct Signals {
    pub(crate) stop: StopSignals,
    pub(crate) reload: ReloadSignals,
    /// The signal of a file at its limit. It would end the process; handled, the write fails as on a full disk.
    #[cfg(unix)]
    _file_size_limit: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            stop: StopSignals::listen()?,
            reload: ReloadSignals::listen()?,
            #[cfg(unix)]
            _file_size_limit: signal(SignalKind::from_raw(FILE_SIZE_LIMIT))?,
        })
    }
}

/// The signals that stop the service: SIGINT, which Ctrl-C sends, and SIGTERM.
#[cfg(unix)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signals that stop the service: Ctrl-C, Ctrl-Break, a closed console, and the shutdown of the machine, which `docker
/// stop` sends to a Windows container.
#[cfg(windows)]
pub(crate) struct StopSignals {
    ctrl_c: windows::CtrlC,
    ctrl_break: windows::CtrlBreak,
    close: windows::CtrlClose,
    shutdown: windows::CtrlShutdown,
}

#[cfg(windows)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: windows::ctrl_c()?,
            ctrl_break: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.ctrl_break.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

/// The signal that reloads the certificate: SIGHUP, on Unix.
pub(crate) struct ReloadSignals {
    #[cfg(unix)]
    hangup: Signal,
}

impl ReloadSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        self.hangup.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
