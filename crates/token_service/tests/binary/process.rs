//! The service as a process.

use serde_json::Value;
use std::{ffi::OsStr, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc::{self, UnboundedReceiver},
    time::timeout,
};
use uuid::Uuid;

/// How long anything may take that a test waits for. Only a broken service takes as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for something that a broken service never does.
pub(crate) async fn soon<T>(what: &str, done: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, done).await;
    done.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The ready line.
    pub(crate) ready: Value,
    log: UnboundedReceiver<String>,
}

/// How a service ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What it printed after what was read.
    pub(crate) stdout: String,
    /// What it logged after the lines that were waited for.
    pub(crate) log: String,
}

/// A directory of this test's own.
pub(crate) fn directory() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(Uuid::new_v4().to_string());
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The service, with none of the environment's configuration.
pub(crate) fn command(arguments: &[&OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token_service"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TOKEN_SERVICE_") {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    /// Starts a service and waits until it is ready, or has ended instead.
    pub(crate) async fn spawn(command: &mut Command) -> Result<Self, Ended> {
        let mut process = Self::begin(command);
        let mut line = String::new();
        let read = soon("the ready line", process.stdout.read_line(&mut line)).await;
        read.unwrap();
        if line.is_empty() {
            return Err(process.ended().await);
        }
        process.ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no ready line: {line}"));
        Ok(process)
    }

    /// Starts a service, which may never be ready.
    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(line) = stderr.next_line().await.unwrap() {
                sender.send(line).ok();
            }
        });
        Self {
            child,
            stdout,
            ready: Value::Null,
            log,
        }
    }

    /// Lines of stdout, up to one that begins with `last`.
    pub(crate) async fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = soon(last, self.stdout.read_line(&mut line)).await;
            assert_ne!(read.unwrap(), 0, "{lines:?}");
            let is_last = line.starts_with(last);
            lines.push(line.trim_end().to_owned());
            if is_last {
                return lines;
            }
        }
    }

    /// A member of the ready line.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.ready[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {}", self.ready))
    }

    /// The URL of a path of the API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text("endpoint"))
    }

    /// The URL of a path of the operations.
    pub(crate) fn operations_url(&self, path: &str) -> String {
        format!("{}{path}", self.text("operationsEndpoint"))
    }

    /// Waits for the service to end.
    pub(crate) async fn ended(self) -> Ended {
        soon("the end of the service", self.end()).await
    }

    async fn end(mut self) -> Ended {
        let mut log = String::new();
        while let Some(line) = self.log.recv().await {
            log += &line;
            log.push('\n');
        }
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).await.unwrap();
        let status = self.child.wait().await.unwrap();
        Ended {
            code: status.code(),
            stdout,
            log,
        }
    }

    /// Waits for a line of the log that contains `text`, and returns it.
    pub(crate) async fn logged(&mut self, text: &str) -> String {
        loop {
            let line = soon(text, self.log.recv()).await;
            let line = line.unwrap_or_else(|| panic!("never logged: {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal: `-INT`, `-TERM` or `-HUP`.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(status.success());
    }
}
