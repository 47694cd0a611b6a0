//! Fakes of the cloud services, for the program without configuration and for tests.

mod key_vault;
mod number_service;
#[cfg(test)]
mod queue;

pub(crate) use key_vault::FakeKeyVault;
pub(crate) use number_service::FakeNumberService;
#[cfg(test)]
pub(crate) use queue::{FailFrom, FakeQueue};
