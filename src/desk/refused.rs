//! What the rooms below say, in the words of an answer.

use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::{FoldError, Refused, SubmitError, ViewError};
use crate::store::StoreError;
use crate::vault::VaultError;

/// Views that are damaged are built anew meanwhile.
fn rebuilding() -> Refusal {
    let message = "views of the store are damaged; try again in a moment, `ficha doctor` says whether they are being built anew";
    Refusal::new(RefusalCode::Busy, message)
}

/// What is wrong stops the writing in a moment, and `ficha doctor` has it then.
fn journal() -> Refusal {
    let message = "the journal is not as it was written there, or cannot be read; `ficha doctor` names the file and what to do";
    Refusal::new(RefusalCode::Busy, message)
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Refusal {
    // Our own errors name no value of a person: the log may have the chain.
    tracing::error!(error, "a request failed");
    Refusal::new(RefusalCode::Internal, "a fault of fichad; its log says more, `ficha doctor` what to do")
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if let StoreError::Merged { into } = error {
            let field = Some("customer".to_owned());
            let moved = Self::new(RefusalCode::Conflict, error.to_string());
            return Self { field, customer: Some(into), ..moved };
        }
        if matches!(error, StoreError::View(ViewError::Damaged { .. })) {
            return rebuilding();
        }
        if matches!(error, StoreError::View(ViewError::Journal { .. })) {
            return journal();
        }
        internal(&error)
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        if matches!(error, VaultError::Locked) {
            return Self::new(RefusalCode::Locked, error.to_string());
        }
        if matches!(error, VaultError::Erased) {
            return Self::new(RefusalCode::NotFound, error.to_string());
        }
        if matches!(error, VaultError::Unknown) {
            return super::person::no_such_customer();
        }
        if matches!(error, VaultError::View(ViewError::Damaged { .. })) {
            return rebuilding();
        }
        if matches!(error, VaultError::Renew { .. }) {
            return Self::new(RefusalCode::ReadOnly, error.to_string());
        }
        if matches!(error, VaultError::Journal { .. }) {
            tracing::error!(%error, "a history could not be read");
            return journal();
        }
        internal(&error)
    }
}

impl From<FoldError> for Refusal {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Locked => VaultError::Locked.into(),
            FoldError::View(ViewError::Damaged { .. }) => rebuilding(),
            FoldError::View(ViewError::Journal { .. }) => journal(),
            FoldError::Event { .. }
            | FoldError::View(_)
            | FoldError::TooLarge { .. }
            | FoldError::TooMuch { .. } => internal(&error),
        }
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        if matches!(error, SubmitError::Busy) {
            return Self::new(RefusalCode::Busy, "too many writes at once; try again in a moment");
        }
        Self::new(RefusalCode::ReadOnly, error.to_string())
    }
}

impl From<Refused<Refusal>> for Refusal {
    fn from(refused: Refused<Refusal>) -> Self {
        if let Refused::Refusal(refusal) = refused {
            return refusal;
        }
        Self::new(RefusalCode::ReadOnly, refused.to_string())
    }
}
