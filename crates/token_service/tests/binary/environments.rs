//! Environments in which a service cannot start, or has to make do.

use crate::{
    process::{Process, command_after, soon},
    setup::Setup,
    support::http,
};
use rlimit::{INFINITY, Resource, prlimit};
use serde_json::Value;
use std::{ffi::OsStr, fs};
use tokio::{net::TcpStream, process::Command};

const CERTIFICATES: &str = "install the CA certificates of the system, such as Debian's ca-certificates";

/// An environment without a service: a script before it, sections of the configuration, and what the service says.
struct Hopeless {
    script: &'static str,
    sections: &'static str,
    code: i32,
    says: &'static [&'static str],
}

const HOPELESS: &[Hopeless] = &[
    // The database.
    Hopeless {
        script: "",
        sections: "[database]\nurl = 'sqlite://service.toml/users.db?mode=rwc'",
        code: 1,
        says: &["open the database", "(code 14)", "create its directory"],
    },
    Hopeless {
        script: "",
        sections: "[database]\nurl = 'sqlite:///proc/users.db?mode=rwc'",
        code: 1,
        says: &["(code 14)", "let the service write to it"],
    },
    Hopeless {
        script: "mkdir users.db",
        sections: "[database]\nurl = 'sqlite://users.db?mode=rwc'",
        code: 1,
        says: &["(code 14)", "let the service write to it"],
    },
    Hopeless {
        script: "mkdir gone && cd gone && rmdir ../gone",
        sections: "[database]\nurl = 'sqlite://users.db?mode=rwc'",
        code: 1,
        says: &["(code 14)", "create its directory"],
    },
    Hopeless {
        script: "head -c 8192 /dev/zero | tr '\\0' x > users.db",
        sections: "[database]\nurl = 'sqlite://users.db?mode=rwc'",
        code: 1,
        says: &["(code 26)", "name another one in database.url"],
    },
    Hopeless {
        script: "ulimit -f 1",
        sections: "[database]\nurl = 'sqlite://users.db?mode=rwc'",
        code: 1,
        says: &["free space on its disk"],
    },
    // CA certificates.
    Hopeless {
        script: "export SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/nonexistent",
        sections: "[sidecar]\nurl = 'https://localhost:5001'",
        code: 1,
        says: &[CERTIFICATES],
    },
    Hopeless {
        script: "export SSL_CERT_FILE=. SSL_CERT_DIR=service.toml",
        sections: "[sidecar]\nurl = 'https://localhost:5001'",
        code: 1,
        says: &[CERTIFICATES],
    },
    // Files of the configuration.
    Hopeless {
        script: "mkdir service.pem && ln -s /dev/zero service.key",
        sections: "[tls]\ncertificate = 'service.pem'\nkey = 'service.key'",
        code: 2,
        says: &["tls.certificate: ", "tls.key: "],
    },
    // The process.
    Hopeless {
        script: "export RUST_MIN_STACK=140737488355328",
        sections: "",
        code: 1,
        says: &["cannot start a thread", "TasksMax"],
    },
    Hopeless {
        script: "ulimit -n 12",
        sections: "",
        code: 1,
        says: &["cannot open files", "LimitNOFILE"],
    },
];

/// Environments that only root can make, in a namespace of its own.
const HOPELESS_MOUNTS: &[Hopeless] = &[
    Hopeless {
        script: "mkdir disk && mount -t tmpfs -o size=16k none disk",
        sections: "[database]\nurl = 'sqlite://disk/users.db?mode=rwc'",
        code: 1,
        says: &["free space on its disk"],
    },
    Hopeless {
        script: "mount --bind . . && mount -o remount,ro,bind . && cd ../\"${PWD##*/}\"",
        sections: "[database]\nurl = 'sqlite://users.db?mode=rwc'",
        code: 1,
        says: &["(code 14)", "let the service write to it"],
    },
];

/// Environments with a service: a script before it, with its output.
const BEARABLE: &[&str] = &[
    "ulimit -n 64",
    "ulimit -l 0",
    "unset HOME PATH LANG TZ TMPDIR USER",
    "export TMPDIR=/nonexistent HOME=/nonexistent LANG=xx_XX.latin1",
];

/// Scripts that redirect one of the outputs, `{}`: to a full disk, to a pipe that nothing reads, and to nothing.
const LOST_OUTPUTS: [&str; 3] = [
    "exec {}>/dev/full",
    "mkfifo pipe; true <pipe & exec {}>pipe; wait",
    "exec {}>&-",
];

/// Returns the command of a service with this configuration, after a script in its directory.
fn command(setup: &Setup, configuration: &str, script: &str) -> Command {
    let path = setup.directory.join("service.toml");
    fs::write(&path, configuration).unwrap();
    let mut command = command_after(script, &[OsStr::new("--config"), path.as_os_str()]);
    command.current_dir(&setup.directory).env("RUST_BACKTRACE", "0");
    command
}

/// Looks at an environment in which no service can start.
async fn check_hopeless(script: &str, hopeless: &Hopeless) {
    let Hopeless {
        sections, code, says, ..
    } = hopeless;
    let setup = Setup::new().await;
    let configuration = setup.configuration("", sections);
    let ended = Process::spawn(&mut command(&setup, &configuration, script)).await;
    let ended = ended.err().unwrap_or_else(|| panic!("it runs: {script} {sections}"));
    assert_eq!(ended.code, Some(*code), "{script} {sections}: {ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(!ended.log.contains("panicked"), "{script} {sections}: {ended:?}");
    let lines = ended.log.lines();
    let error: String = lines.skip_while(|line| !line.starts_with("error: ")).collect();
    for part in *says {
        assert!(error.contains(part), "{script} {sections}: {ended:?}");
    }
}

#[tokio::test]
async fn hopeless_environments_are_errors_with_the_remedy() {
    for hopeless in HOPELESS {
        check_hopeless(hopeless.script, hopeless).await;
    }
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "says why nothing is tested")]
async fn full_disk_and_read_only_root_are_errors_with_the_remedy() {
    let allowed = Command::new("unshare").args(["--mount", "true"]).status().await;
    if !allowed.is_ok_and(|status| status.success()) {
        println!("skipped: only root can mount file systems");
        return;
    }
    for hopeless in HOPELESS_MOUNTS {
        let script = format!(
            "[ -n \"$IN_NAMESPACE\" ] || IN_NAMESPACE=1 exec unshare --mount sh -c '{}; exec \"$0\" \"$@\"' \"$0\" \"$@\"",
            hopeless.script
        );
        check_hopeless(&script, hopeless).await;
    }
}

/// Sends requests to a service, and stops it.
async fn check(setup: &Setup, process: Process, endpoint: &str, script: &str) {
    // The first request has been logged when the second one arrives.
    for status in [201, 200] {
        let request = http().post(format!("{endpoint}api/user"));
        let response = request.bearer_auth(setup.token("alice")).send().await.unwrap();
        assert_eq!(response.status(), status, "{script}");
    }
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{script}: {ended:?}");
    assert!(!ended.log.contains("panicked"), "{script}: {ended:?}");
}

#[tokio::test]
async fn bearable_environments_have_a_service() {
    let without_log = LOST_OUTPUTS.map(|script| script.replace("{}", "2"));
    let scripts = BEARABLE.iter().map(|script| (*script).to_owned()).chain(without_log);
    for script in scripts {
        let setup = Setup::new().await;
        let process = Process::spawn(&mut command(&setup, &setup.configuration("", ""), &script)).await;
        let process = process.unwrap_or_else(|ended| panic!("{script}: {ended:?}"));
        let endpoint = process.text("endpoint").to_owned();
        check(&setup, process, &endpoint, &script).await;
    }
}

#[tokio::test]
async fn ready_line_that_cannot_be_printed_stops_no_service() {
    for script in LOST_OUTPUTS.map(|script| script.replace("{}", "1")) {
        let setup = Setup::new().await;
        let mut process = Process::begin(&mut command(&setup, &setup.configuration("", ""), &script));
        let ready = process.logged("the token service is ready").await;
        let (_, address) = ready.split_once(" address=").unwrap();
        let endpoint = format!("http://{}/", address.split(' ').next().unwrap());
        check(&setup, process, &endpoint, &script).await;
    }
}

#[tokio::test]
async fn disk_that_fills_up_is_reported_until_it_has_space() {
    let setup = Setup::new().await;
    let mut process = setup.start(&setup.configuration("", "")).await;
    let limit_files = |bytes| {
        let id = process.id().try_into().unwrap();
        prlimit(id, Resource::FSIZE, Some((bytes, INFINITY)), None).unwrap();
    };
    let create = |user| {
        http()
            .post(process.url("api/user"))
            .bearer_auth(setup.token(user))
            .send()
    };
    let ready = async || {
        let response = http().get(process.url("readyz")).send().await.unwrap();
        let body: Value = response.json().await.unwrap();
        body["database"].as_bool().unwrap()
    };
    assert_eq!(create("alice").await.unwrap().status(), 201);
    assert!(ready().await);

    limit_files(1024);
    let refused = create("bob").await.unwrap();
    assert_eq!(refused.status(), 503);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["reason"], "database");
    // What is there can be read.
    let user = http().get(process.url("api/user")).bearer_auth(setup.token("alice"));
    assert_eq!(user.send().await.unwrap().status(), 200);
    soon("not ready", async { while ready().await {} }).await;

    limit_files(INFINITY);
    soon("ready", async { while !ready().await {} }).await;
    assert_eq!(create("bob").await.unwrap().status(), 201);
    let line = process.logged("free space on its disk").await;
    assert!(line.contains("ERROR"), "{line}");
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.log.contains("panicked"), "{ended:?}");
}

#[tokio::test]
async fn lack_of_descriptors_closes_waiting_connections() {
    const WAITING: usize = 20;
    let setup = Setup::new().await;
    let mut process = setup.start(&setup.configuration("", "")).await;
    let address = process
        .text("endpoint")
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let before = process.open_files();
    let mut waiting = Vec::new();
    for _ in 0..WAITING {
        waiting.push(TcpStream::connect(&address).await.unwrap());
    }
    soon("accepted connections", async {
        while process.open_files() < before + WAITING {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let limit = process.open_files().try_into().unwrap();
    prlimit(
        process.id().try_into().unwrap(),
        Resource::NOFILE,
        Some((limit, limit)),
        None,
    )
    .unwrap();
    // Each needs another connection.
    for _ in 0..WAITING / 2 {
        let healthy = http().get(process.url("healthz")).send().await.unwrap();
        assert_eq!(healthy.status(), 200);
    }
    process.logged("cannot accept connections").await;
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.log.contains("panicked"), "{ended:?}");
}
