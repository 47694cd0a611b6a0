//! The emulator as a process.

use crate::client::{Client, http, http_trusting};
use acs_identity_emulator::Uuid;
use serde_json::Value;
use std::{fs, path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc::{self, UnboundedReceiver},
};

pub(crate) struct Process {
    child: Child,
    /// The ready line.
    pub(crate) ready: Value,
    log: UnboundedReceiver<String>,
}

/// The end of an emulator.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// The output after the ready line.
    pub(crate) stdout: String,
    /// The log after the lines that were waited for.
    pub(crate) log: String,
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_acs-identity-emulator");

pub(crate) fn command(arguments: &[&str]) -> Command {
    piped(BINARY, arguments)
}

/// A command whose output is read.
pub(crate) fn piped(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A path in the temporary directory of this crate's tests.
pub(crate) fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

impl Process {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut command(arguments)).await.unwrap()
    }

    /// Starts the emulator, and returns its CA certificate too.
    pub(crate) async fn start_with_ca(arguments: &[&str]) -> (Self, String) {
        let path = temporary(&format!("{}.pem", Uuid::new_v4()));
        let process = Self::start(&[&["--ca-out", path.to_str().unwrap()], arguments].concat()).await;
        let ca_pem = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        (process, ca_pem)
    }

    /// Starts the emulator and waits until it is ready, or has ended instead.
    pub(crate) async fn spawn(command: &mut Command) -> Result<Self, Ended> {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(line) = stderr.next_line().await.unwrap() {
                sender.send(line).ok();
            }
        });
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        child.stdout = Some(stdout.into_inner());
        let mut process = Self {
            child,
            ready: Value::Null,
            log,
        };
        if line.is_empty() {
            return Err(process.ended().await);
        }
        process.ready = serde_json::from_str(&line).unwrap();
        Ok(process)
    }

    /// A member of the ready line.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    fn access_key(&self) -> &str {
        self.text("connectionString").split_once(";accesskey=").unwrap().1
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(http(), self.text("endpoint"), self.access_key())
    }

    pub(crate) fn https_client(&self, ca_pem: &str) -> Client {
        Client::new(http_trusting(ca_pem), self.text("httpsEndpoint"), self.access_key())
    }

    /// Waits for the emulator to end.
    pub(crate) async fn ended(mut self) -> Ended {
        let log = self.rest_of_log().await;
        let output = self.child.wait_with_output().await.unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            log,
        }
    }

    /// Kills the emulator without warning, and does not wait for its end.
    pub(crate) fn kill(&mut self) {
        self.child.start_kill().unwrap();
    }

    /// Kills the emulator and returns its log.
    pub(crate) async fn into_log(mut self) -> String {
        self.child.kill().await.unwrap();
        self.rest_of_log().await
    }

    async fn rest_of_log(&mut self) -> String {
        let mut log = String::new();
        while let Some(line) = self.log.recv().await {
            log += &line;
            log.push('\n');
        }
        log
    }
}

#[cfg(unix)]
impl Process {
    /// Sends a signal: `-INT` or `-TERM`.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(status.success());
    }

    /// Waits for a line of the log that contains `text`.
    pub(crate) async fn logged(&mut self, text: &str) {
        while !self.log.recv().await.unwrap().contains(text) {}
    }
}
