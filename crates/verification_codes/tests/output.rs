//! The program with outputs that cannot be written.
#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn lost_output_is_no_panic() {
    for (script, is_heard) in [("exec >/dev/full", true), ("exec 2>/dev/full", false)] {
        // Nothing listens on this port, so that the program ends after its first lines.
        let azurite = "http://127.0.0.1:1/devstoreaccount1/codes";
        let output = Command::new("sh")
            .args([
                "-c",
                &format!("{script}; exec \"$0\""),
                env!("CARGO_BIN_EXE_verification_codes"),
            ])
            .env_clear()
            .env("STORAGE_QUEUE_URL", azurite)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{script}: {log}");
        assert!(!log.contains("panicked"), "{script}: {log}");
        assert_eq!(log.contains("error: "), is_heard, "{script}: {log}");
    }
}
