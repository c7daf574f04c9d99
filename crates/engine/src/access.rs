//! Which agreements, and runs under them, a caller may know of. What is not a caller's business is not there for it.

use corridor_core::{Caller, Digest, Role, RunState, RunStatus, Side, SignedAgreement, Standing};

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// An agreement of the caller's office, and the side the office stands at.
    ///
    /// # Errors
    /// When there is none of that digest with the caller as one of its offices.
    pub async fn agreement(
        &self,
        caller: &Caller,
        digest: Digest,
    ) -> Result<(SignedAgreement, Side), EngineError> {
        match self.readable_agreement(caller, digest).await? {
            (signed, Standing::Office(side)) => Ok((signed, side)),
            (_, Standing::Reader(_)) => Err(EngineError::NotParty),
        }
    }

    /// An agreement the caller is an office of, or which lets the caller read and is in force.
    ///
    /// # Errors
    /// When there is none of that digest for the caller.
    pub async fn readable_agreement(
        &self,
        caller: &Caller,
        digest: Digest,
    ) -> Result<(SignedAgreement, Standing), EngineError> {
        let not_found = EngineError::NotFound { what: "agreement" };
        let Some(signed) = self.store.agreement(digest).await? else {
            return Err(not_found);
        };
        match standing(&signed, caller) {
            Some(standing) => Ok((signed, standing)),
            // Whether an agreement of others exists is not the caller's business.
            None => Err(not_found),
        }
    }

    /// The agreements the caller is an office of, or which let the caller read and are in force, by digest.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn agreements(&self, caller: &Caller) -> Result<Vec<SignedAgreement>, EngineError> {
        let mut agreements = match caller.role {
            Role::Office => self.store.agreements_of(&caller.party).await?,
            Role::Researcher | Role::Administrator | Role::Auditor => self.store.agreements().await?,
            Role::Operator => Vec::new(),
        };
        agreements.retain(|signed| standing(signed, caller).is_some());
        Ok(agreements)
    }

    /// A run the caller may know of, its agreement, and how the caller stands to that.
    ///
    /// # Errors
    /// When there is none of that id for the caller.
    pub(crate) async fn readable_run(
        &self,
        caller: &Caller,
        id: Digest,
    ) -> Result<(RunStatus, SignedAgreement, Standing), EngineError> {
        let not_found = || EngineError::NotFound { what: "run" };
        let run = self.store.run(id).await?.ok_or_else(not_found)?;
        let readable = self.readable_agreement(caller, run.agreement).await;
        let (signed, standing) = readable.map_err(|error| {
            if matches!(error, EngineError::NotFound { .. }) {
                not_found()
            } else {
                error
            }
        })?;
        if may_know_of(standing, run.state) {
            Ok((run, signed, standing))
        } else {
            Err(not_found())
        }
    }

    /// A run under an agreement of the caller's office.
    ///
    /// # Errors
    /// When there is none of that id with the caller as an office of its agreement.
    pub(crate) async fn run_of_office(
        &self,
        caller: &Caller,
        id: Digest,
    ) -> Result<(RunStatus, SignedAgreement, Side), EngineError> {
        match self.readable_run(caller, id).await? {
            (run, signed, Standing::Office(side)) => Ok((run, signed, side)),
            (_, _, Standing::Reader(_)) => Err(EngineError::NotParty),
        }
    }
}

/// How a caller stands to an agreement. A reader does from the day on that both offices signed it.
fn standing(signed: &SignedAgreement, caller: &Caller) -> Option<Standing> {
    signed
        .agreement
        .standing_of(caller)
        .filter(|standing| match standing {
            Standing::Office(_) => true,
            Standing::Reader(_) => signed.is_in_force(),
        })
}

/// Whether a run in that state is there for a caller: a researcher reads what was released, and nothing before.
pub(crate) fn may_know_of(standing: Standing, state: RunState) -> bool {
    match standing {
        Standing::Office(_) | Standing::Reader(Role::Administrator | Role::Auditor) => true,
        Standing::Reader(Role::Researcher) => state == RunState::Released,
        Standing::Reader(Role::Office | Role::Operator) => false,
    }
}
