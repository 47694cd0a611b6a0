//! The emulator as a process.

use serde_json::Value;
use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{self, Child, Command, Stdio},
    time::Duration,
};

/// The unit of the CPU time of processes in Linux.
const TICK: Duration = Duration::from_millis(10);

/// The number of a core.
#[derive(Clone, Copy)]
pub(crate) struct Core(pub(crate) u32);

/// Pins this thread to a core; `false` if that is not possible.
pub(crate) fn pin_this_thread(Core(core): Core) -> bool {
    let status = Command::new("taskset")
        .args(["--cpu-list", "--pid", &core.to_string(), &process::id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// A running emulator. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    ready: Value,
}

impl Process {
    /// Starts an emulator, on one core if it is given, and waits for its ready line. Its log goes to `/dev/null`.
    pub(crate) fn start(
        arguments: &[&str],
        rust_log: Option<&str>,
        core: Option<Core>,
    ) -> Result<Self, Box<dyn Error>> {
        let program = env!("CARGO_BIN_EXE_acs-identity-emulator");
        let mut command = Command::new(program);
        if let Some(Core(core)) = core {
            command = Command::new("taskset");
            command.args(["--cpu-list", &core.to_string(), program]);
        }
        command.args(arguments).env_remove("RUST_LOG");
        command.envs(rust_log.map(|level| ("RUST_LOG", level)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());

        let mut process = Self {
            child: command.spawn()?,
            ready: Value::Null,
        };
        let mut line = String::new();
        let stdout = process.child.stdout.take().ok_or("the emulator has no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        process.ready = serde_json::from_str(&line)?;
        Ok(process)
    }

    /// The host and port of the endpoint for http.
    pub(crate) fn host(&self) -> Option<&str> {
        self.ready
            .get("endpoint")?
            .as_str()?
            .strip_prefix("http://")?
            .strip_suffix('/')
    }

    /// The access key, in base64.
    pub(crate) fn access_key(&self) -> Option<&str> {
        let (_, key) = self
            .ready
            .get("connectionString")?
            .as_str()?
            .split_once(";accesskey=")?;
        Some(key)
    }

    /// The CPU time that the process has used so far, in its own code and in the kernel; `None` other than on Linux.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // Fields 14 and 15 of proc_pid_stat(5). Field 2 is a name in parentheses.
        let (_, after_name) = stat.rsplit_once(')')?;
        let times = after_name.split_whitespace().skip(11).take(2);
        let ticks: u32 = times.map(str::parse::<u32>).sum::<Result<_, _>>().ok()?;
        Some(TICK * ticks)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
