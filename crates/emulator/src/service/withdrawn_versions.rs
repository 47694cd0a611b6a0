//! Api-versions that the emulator no longer supports, on request.

use crate::service::api_version::ALL;
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
        write!(
            f,
            "`{name}` is no api-version of the emulator: name one of {}",
            ALL.join(", ")
        )
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

    pub(super) fn contain(&self, name: &str) -> bool {
        let withdrawn = self.0.load(Ordering::Acquire);
        withdrawn != 0 && bits([name]).is_ok_and(|bits| withdrawn & bits != 0)
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        ALL.into_iter().filter(|name| self.contain(name)).collect()
    }
}

fn bits<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<u32, UnknownVersion> {
    names.into_iter().try_fold(0, |bits, name| {
        let name = name.as_ref();
        let index = ALL.iter().position(|known| *known == name);
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
        let [first, second, .., last] = ALL;
        assert!(withdrawn.names().is_empty());
        withdrawn.add(last).unwrap();
        withdrawn.add(first).unwrap();
        assert_eq!(withdrawn.names(), [first, last]);
        withdrawn.remove(first).unwrap();
        withdrawn.remove(second).unwrap();
        assert_eq!(withdrawn.names(), [last]);
        withdrawn.set([second, first]).unwrap();
        assert_eq!(withdrawn.names(), [first, second]);
        withdrawn.set([""; 0]).unwrap();
        assert!(withdrawn.names().is_empty());
    }

    #[test]
    fn an_unknown_version_changes_nothing() {
        let withdrawn = WithdrawnVersions::default();
        let error = withdrawn.set([ALL[0], "2023-10-02"]).unwrap_err().to_string();
        assert!(error.starts_with("`2023-10-02` is no api-version"), "{error}");
        assert!(error.ends_with(&ALL.join(", ")), "{error}");
        assert!(withdrawn.names().is_empty());
    }
}
