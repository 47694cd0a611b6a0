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

/// The limit of every wait. A working service is far below it.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// Waits for a future, and panics after [`WAIT_TIMEOUT`].
pub(crate) async fn soon<T>(what: &str, done: impl Future<Output = T>) -> T {
    let done = timeout(WAIT_TIMEOUT, done).await;
    done.unwrap_or_else(|_| panic!("not within {WAIT_TIMEOUT:?}: {what}"))
}

pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The ready line.
    pub(crate) ready: Value,
    log: UnboundedReceiver<String>,
}

/// The exit of a service.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// The output after the lines that were read.
    pub(crate) stdout: String,
    /// The log after the lines that were awaited.
    pub(crate) log: String,
}

/// Creates a directory for a test.
pub(crate) fn directory() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(Uuid::new_v4().to_string());
    std::fs::create_dir_all(&path).unwrap();
    path
}

const BINARY: &str = env!("CARGO_BIN_EXE_token_service");

/// Returns the command of a service without the configuration of the environment.
pub(crate) fn command(arguments: &[&OsStr]) -> Command {
    isolated(Command::new(BINARY), arguments)
}

/// Returns the same command, which a shell runs after a script.
#[cfg(target_os = "linux")]
pub(crate) fn command_after(script: &str, arguments: &[&OsStr]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script}\nexec \"$0\" \"$@\""), BINARY]);
    isolated(shell, arguments)
}

fn isolated(mut command: Command, arguments: &[&OsStr]) -> Command {
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
    /// Starts a service, and waits until it is ready or exits.
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

    /// Starts a service without waiting.
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

    /// Reads lines of stdout, up to one that begins with `last`.
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

    /// Returns a member of the ready line.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.ready[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {}", self.ready))
    }

    /// Returns the URL of a path of the API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text("endpoint"))
    }

    /// Returns the URL of a path for operators.
    pub(crate) fn operations_url(&self, path: &str) -> String {
        format!("{}{path}", self.text("operationsEndpoint"))
    }

    /// Returns the id of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Returns the number of open files of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// Waits for the exit of the service.
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
