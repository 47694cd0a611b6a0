//! Api-versions that the emulator no longer supports, on request.

use crate::service::api_version::IDENTITIES;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    sync::atomic::{AtomicU32, Ordering},
};

/// There is no api-version with this name. `Display` lists those that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion(String);

impl Display for UnknownVersion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        write!(f, "`{name}` is no api-version of the emulator: name one of ")?;
        f.write_str(IDENTITIES.listed)
    }
}

impl Error for UnknownVersion {}

/// Some of all versions: a bit for each, in the order of their names. Every request asks for one of them.
#[derive(Debug, Default)]
pub(crate) struct WithdrawnVersions(AtomicU32);

impl WithdrawnVersions {
    /// Withdraws these versions and no others. If one is unknown, nothing changes.
    pub(crate) fn set<T: AsRef<str>>(&self, names: impl IntoIterator<Item = T>) -> Result<(), UnknownVersion> {
        self.0.store(bits(names)?, Ordering::Release);
        Ok(())
    }

    pub(crate) fn add(&self, name: &str) -> Result<(), UnknownVersion> {
        self.0.fetch_or(bits([name])?, Ordering::AcqRel);
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), UnknownVersion> {
        self.0.fetch_and(!bits([name])?, Ordering::AcqRel);
        Ok(())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    pub(super) fn contain(&self, name: &str) -> bool {
        let withdrawn = self.0.load(Ordering::Acquire);
        withdrawn != 0 && bits([name]).is_ok_and(|bits| withdrawn & bits != 0)
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        all().filter(|name| self.contain(name)).collect()
    }
}

/// Every version is one of the operations on identities.
fn all() -> impl Iterator<Item = &'static str> {
    IDENTITIES.all()
}

fn bits<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<u32, UnknownVersion> {
    names.into_iter().try_fold(0, |bits, name| {
        let name = name.as_ref();
        let index = all().position(|known| known == name);
        let index = index.ok_or_else(|| UnknownVersion(name.to_owned()))?;
        Ok(bits | 1 << index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_withdrawn_and_supported_again() {
        let withdrawn = WithdrawnVersions::default();
        assert!(withdrawn.are_none());
        withdrawn.add("2025-06-30").unwrap();
        withdrawn.add("2021-03-07").unwrap();
        assert_eq!(withdrawn.names(), ["2021-03-07", "2025-06-30"]);
        withdrawn.remove("2021-03-07").unwrap();
        withdrawn.remove("2022-06-01").unwrap();
        assert_eq!(withdrawn.names(), ["2025-06-30"]);
        withdrawn.set(["2023-10-01", "2022-10-01"]).unwrap();
        assert_eq!(withdrawn.names(), ["2022-10-01", "2023-10-01"]);
        withdrawn.set([""; 0]).unwrap();
        assert!(withdrawn.are_none());
    }

    #[test]
    fn an_unknown_version_changes_nothing() {
        let withdrawn = WithdrawnVersions::default();
        let error = withdrawn.set(["2023-10-01", "2023-10-02"]).unwrap_err();
        assert!(
            error.to_string().starts_with("`2023-10-02` is no api-version"),
            "{error}"
        );
        assert!(error.to_string().ends_with("2025-03-02-preview, 2025-06-30"), "{error}");
        assert!(withdrawn.are_none());
    }
}
