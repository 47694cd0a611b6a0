//! Data files that cannot be used.

#[cfg(feature = "cli")]
use crate::process::{Process, command};
use crate::{client::Client, data::Temporary, signer::KEY};
use acs_identity_emulator::{DataError, Emulator, EmulatorBuilder, EmulatorError, Fault, TokenAlgorithm, Uuid};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use std::{collections::BTreeMap, fs, path::Path};
use tokio::task::JoinSet;

const FORMATS: TableDefinition<'_, &str, u64> = TableDefinition::new("acs_identity_emulator");
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");

fn builder(path: &Path) -> EmulatorBuilder {
    Emulator::builder().data(path).token_algorithm(TokenAlgorithm::Es256)
}

/// The reason why the emulator does not start. The error names the file.
async fn refusal(builder: EmulatorBuilder, path: &Path) -> (DataError, String) {
    let error = builder.start().await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("cannot use the data file {}: ", path.display())),
        "{message}"
    );
    match error {
        EmulatorError::Data { path: named, source } => {
            assert_eq!(named, path);
            (source, message)
        }
        error => panic!("{error:?}"),
    }
}

/// A file that an emulator has used.
async fn used() -> Temporary {
    let path = Temporary::new();
    builder(&path).start().await.unwrap().shutdown().await;
    path
}

/// Changes the database as another program would.
fn edit(path: &Path, edit: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::create(path).unwrap();
    let writer = database.begin_write().unwrap();
    edit(&writer);
    writer.commit().unwrap();
}

/// The beginning of a database that redb 2 creates by default, in its file format 2, and as many pages.
fn file_of_redb_2() -> Vec<u8> {
    let (page, region_header, region, full_regions, last_region) = (4096, 0x82, 0x10_0000, 0, 0x301);
    let lengths: [u32; 5] = [page, region_header, region, full_regions, last_region];
    let mut file = vec![0; 4096 * (1 + 0x82 + 0x301)];
    file[..9].copy_from_slice(b"redb\x1A\x0A\xA9\x0D\x0A");
    file[12..32].copy_from_slice(&lengths.map(u32::to_le_bytes).concat());
    // The format of each commit slot.
    for slot in [64, 192] {
        file[slot] = 2;
    }
    file
}

#[tokio::test]
async fn file_in_use_is_refused() {
    let path = Temporary::new();
    let emulator = builder(&path).start().await.unwrap();
    let (error, message) = refusal(builder(&path), &path).await;
    assert!(matches!(error, DataError::InUse), "{error:?}");
    assert!(message.ends_with("another emulator is using it; stop that one, or name another file"));
    drop(emulator);
    builder(&path).start().await.unwrap();
}

#[tokio::test]
async fn one_of_many_starts_creates_the_file() {
    let path = Temporary::new();
    let mut starts = JoinSet::new();
    for _ in 0..16 {
        starts.spawn(builder(&path).start());
    }
    let mut started = Vec::new();
    while let Some(start) = starts.join_next().await {
        match start.unwrap() {
            Ok(emulator) => started.push(emulator),
            Err(EmulatorError::Data { source, .. }) => assert!(matches!(source, DataError::InUse), "{source:?}"),
            Err(error) => panic!("{error:?}"),
        }
    }
    let [emulator] = started.try_into().unwrap();
    let id = Client::over_http(&emulator).create().await;
    drop(emulator);
    assert_eq!(builder(&path).start().await.unwrap().identities(), [id]);
}

#[tokio::test]
async fn other_files_are_refused_and_unchanged() {
    let text = Temporary::new();
    fs::write(&*text, "to be or not to be ".repeat(1000)).unwrap();
    let of_another_program = Temporary::new();
    edit(&of_another_program, |writer| {
        writer.open_table(RECORDS).unwrap();
    });
    let without_format = Temporary::new();
    edit(&without_format, |writer| {
        writer.open_table(FORMATS).unwrap();
    });
    let of_redb_2 = Temporary::new();
    fs::write(&*of_redb_2, file_of_redb_2()).unwrap();
    let refuse = async |path: &Path| {
        let (error, message) = refusal(builder(path), path).await;
        assert!(matches!(error, DataError::NotADataFile), "{error:?}");
        assert!(
            message.ends_with("it is not a data file of the emulator; name another file"),
            "{message}"
        );
    };
    for path in [text, of_redb_2] {
        let before = fs::read(&*path).unwrap();
        refuse(&path).await;
        assert!(before == fs::read(&*path).unwrap());
    }
    // A database is an emulator's by its tables.
    for path in [of_another_program, without_format] {
        let before = tables(&path);
        refuse(&path).await;
        assert_eq!(tables(&path), before);
    }
}

/// The names of a database's tables.
fn tables(path: &Path) -> Vec<String> {
    let database = Database::open(path).unwrap();
    let reader = database.begin_read().unwrap();
    let tables = reader.list_tables().unwrap();
    tables.map(|table| table.name().to_owned()).collect()
}

#[tokio::test]
async fn newer_format_is_refused() {
    let path = used().await;
    edit(&path, |writer| {
        writer.open_table(FORMATS).unwrap().insert("format", 2).unwrap();
    });
    let (error, message) = refusal(builder(&path), &path).await;
    assert!(matches!(error, DataError::NewerFormat), "{error:?}");
    assert!(message.ends_with("a newer version of the emulator wrote it; use that version, or name another file"));
}

#[tokio::test]
async fn other_resource_id_is_refused() {
    let path = Temporary::new();
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    builder(&path).resource_id(one).start().await.unwrap();
    let (error, message) = refusal(builder(&path).resource_id(other), &path).await;
    assert!(
        matches!(error, DataError::OtherResource { stored } if stored == one),
        "{error:?}"
    );
    assert!(message.contains(&one.to_string()), "{message}");
    let emulator = builder(&path).resource_id(one).start().await.unwrap();
    assert_eq!(emulator.resource_id(), one);
}

#[tokio::test]
async fn truncated_file_is_refused() {
    let path = used().await;
    let complete = fs::read(&*path).unwrap();
    for len in [
        9,
        31,
        32,
        4095,
        4096,
        4097,
        complete.len() / 2,
        complete.len() - 4096,
        complete.len() - 1,
    ] {
        fs::write(&*path, &complete[..len]).unwrap();
        let (error, message) = refusal(builder(&path), &path).await;
        assert!(matches!(error, DataError::Failed(_)), "{error:?}");
        assert!(
            message.ends_with("it is damaged, or was cut short; name another file"),
            "{len}: {message}"
        );
        assert_eq!(fs::metadata(&*path).unwrap().len(), len as u64);
    }
}

/// The database repairs the file after a kill, so a cut of unused pages goes unnoticed.
#[tokio::test]
async fn file_truncated_after_a_kill_is_refused_or_whole() {
    let path = Temporary::new();
    let emulator = builder(&path).start().await.unwrap();
    let client = Client::over_http(&emulator);
    for _ in 0..100 {
        client.create().await;
    }
    let (left, identities) = (fs::read(&*path).unwrap(), emulator.identities());
    drop(emulator);
    let mut refused = 0;
    for len in (4096..=left.len()).step_by(4096).chain([9, 320, 4097, left.len() - 1]) {
        fs::write(&*path, &left[..len]).unwrap();
        match builder(&path).start().await {
            Ok(emulator) => assert_eq!(emulator.identities(), identities, "{len}"),
            Err(error) => {
                let message = error.to_string();
                assert!(
                    message.ends_with("it is damaged, or was cut short; name another file"),
                    "{len}: {message}"
                );
                assert_ne!(len, left.len());
                refused += 1;
            }
        }
    }
    assert!(refused > 5, "{refused}");
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn process_reports_a_truncated_file_on_one_line() {
    let path = used().await;
    let file = fs::OpenOptions::new().write(true).open(&*path).unwrap();
    file.set_len(fs::metadata(&*path).unwrap().len() / 2).unwrap();
    let mut command = command(&["--data", path.to_str().unwrap()]);
    let Err(ended) = Process::spawn(command.env("RUST_BACKTRACE", "1")).await else {
        panic!("it starts");
    };
    assert_eq!((ended.code, ended.log.lines().count()), (Some(1), 1), "{}", ended.log);
    assert!(ended.log.contains("or was cut short"), "{}", ended.log);
}

#[cfg(unix)]
#[tokio::test]
async fn dangling_link_is_refused_and_stays() {
    let (path, target) = (Temporary::new(), Temporary::new());
    std::os::unix::fs::symlink(&*target, &*path).unwrap();
    let (_, message) = refusal(builder(&path), &path).await;
    assert!(
        message.contains("it is a link to a file that does not exist"),
        "{message}"
    );
    assert!(path.is_symlink());

    fs::write(&*target, "").unwrap();
    builder(&path).start().await.unwrap().shutdown().await;
    assert!(path.is_symlink() && !records(&target).is_empty());
}

#[tokio::test]
async fn damaged_record_is_refused_and_redacted() {
    for name in [
        "settings/accessKeys",
        "settings/tokenKey",
        "settings/certificate",
        "settings/resourceId",
        "settings/entraAssignments",
        "identities/8:acs:x",
    ] {
        for json in [r#""a secret""#, r#"{"secret":"#, r#"{"settled":0,"revocations":{}}"#] {
            let path = used().await;
            edit(&path, |writer| {
                let mut records = writer.open_table(RECORDS).unwrap();
                records.insert(name, json.as_bytes()).unwrap();
            });
            let (error, message) = refusal(builder(&path), &path).await;
            assert!(matches!(error, DataError::Failed(_)), "{error:?}");
            let shown = name.trim_start_matches("settings/").split('/').next().unwrap();
            assert!(message.contains(&format!("`{shown}` is damaged")), "{message}");
            assert!(!format!("{message} {error:?}").contains("secret"), "{message}");
        }
    }
}

/// All records, as another program would read them.
fn records(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let database = Database::open(path).unwrap();
    let records = database.begin_read().unwrap().open_table(RECORDS).unwrap();
    let records = records.iter().unwrap().map(|record| {
        let (path, json) = record.unwrap();
        (path.value().to_owned(), json.value().to_vec())
    });
    records.collect()
}

/// The options ask for another access key and another token key.
#[tokio::test]
async fn failed_start_leaves_the_records() {
    let changing = |path: &Path| builder(path).access_key(KEY).token_algorithm(TokenAlgorithm::Rs256);
    for name in [
        "settings/accessKeys",
        "settings/tokenKey",
        "settings/certificate",
        "settings/resourceId",
        "settings/teamsExtensionAssignments",
        "settings/entraAssignments",
        "teamsExtensionAssignments/x",
        "entraAssignments/x",
        "identities/8:acs:x",
    ] {
        let path = used().await;
        edit(&path, |writer| {
            let mut records = writer.open_table(RECORDS).unwrap();
            records.insert(name, &br#"{"settled":0}"#[..]).unwrap();
        });
        let before = records(&path);
        refusal(changing(&path), &path).await;
        assert!(records(&path) == before, "{name}");
    }

    let path = used().await;
    let before = records(&path);
    refusal(changing(&path).resource_id(Uuid::nil()), &path).await;
    changing(&path).fault(Fault::status(200)).start().await.unwrap_err();
    changing(&path).withdraw_version("x").start().await.unwrap_err();
    builder(&path).access_key("x").start().await.unwrap_err();
    assert!(records(&path) == before);
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn unwritable_ca_file_leaves_the_records() {
    let path = used().await;
    let before = records(&path);
    let ca_out = path.join("ca.pem");
    let arguments = |data: &'_ Path| {
        let [data, ca_out] = [data, &*ca_out].map(|path| path.to_str().unwrap().to_owned());
        ["--data", &data, "--access-key", KEY, "--ca-out", &ca_out].map(str::to_owned)
    };
    let new = Temporary::new();
    for data in [&path, &new] {
        let arguments = arguments(data);
        let Err(ended) = Process::spawn(&mut command(&arguments.each_ref().map(String::as_str))).await else {
            panic!("it starts");
        };
        assert_eq!((ended.code, ended.log.lines().count()), (Some(1), 1), "{ended:?}");
        assert!(ended.log.contains("cannot write "), "{}", ended.log);
    }
    assert!(records(&path) == before);
    assert!(!new.exists());
}

#[tokio::test]
async fn missing_directory_is_refused() {
    let path = Temporary::new();
    let inside = path.join("data.redb");
    let (error, _) = refusal(builder(&inside), &inside).await;
    assert!(matches!(error, DataError::Failed(_)), "{error:?}");
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn two_processes_cannot_use_one_file() {
    let path = Temporary::new();
    let arguments = ["--data", path.to_str().unwrap(), "--token-algorithm", "ES256"];
    let process = Process::start(&arguments).await;
    let Err(ended) = Process::spawn(&mut command(&arguments)).await else {
        panic!("both start");
    };
    assert_eq!((ended.code, ended.log.lines().count()), (Some(1), 1), "{ended:?}");
    assert!(ended.log.contains(path.to_str().unwrap()), "{}", ended.log);
    assert!(ended.log.contains("another emulator is using it"), "{}", ended.log);

    let id = process.client().create().await;
    process.into_log().await;
    let process = Process::start(&arguments).await;
    assert_eq!(process.client().delete(&id).await.status, 204);
}
