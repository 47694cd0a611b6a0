//! The versions of the table.

use database::Migrations;

/// The files of `migrations/`.
pub(super) const MIGRATIONS: Migrations = Migrations {
    table: "verification_codes_migrations",
    files: &[(1, "codes", include_str!("../../migrations/0001_codes.sql"))],
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn migrations_are_the_files_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| {
                let path = file.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(&path).unwrap())
            })
            .collect();
        files.sort_unstable();
        let embedded: Vec<_> = MIGRATIONS
            .files
            .iter()
            .map(|(version, name, sql)| (format!("{version:04}_{name}"), (*sql).to_owned()))
            .collect();
        assert_eq!(files, embedded);
    }
}
