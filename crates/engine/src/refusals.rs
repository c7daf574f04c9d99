use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_core::{Digest, OfficeId};

use crate::error::EngineError;

/// Refusals that are remembered.
const MOST: usize = 256;

/// Why datasets were refused at their seal, the last of them: nothing of such a dataset is kept, and an office whose line was cut
/// before it read why asks again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<VecDeque<Refusal>>>);

#[derive(Debug)]
struct Refusal {
    office: OfficeId,
    dataset: Digest,
    error: Arc<EngineError>,
}

impl Refusals {
    /// Remembers why, and gives it for the office to read.
    pub(crate) fn note(&self, office: &OfficeId, dataset: Digest, error: EngineError) -> EngineError {
        let error = Arc::new(error);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|refusal| refusal.dataset != dataset);
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back(Refusal {
            office: office.clone(),
            dataset,
            error: Arc::clone(&error),
        });
        EngineError::Refused(error)
    }

    /// Why a dataset of that office was refused.
    pub(crate) fn find(&self, office: &OfficeId, dataset: Digest) -> Option<EngineError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .find(|refusal| refusal.dataset == dataset && refusal.office == *office)
            .map(|refusal| EngineError::Refused(Arc::clone(&refusal.error)))
    }

    /// The dataset is declared anew.
    pub(crate) fn forget(&self, dataset: Digest) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|refusal| refusal.dataset != dataset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_told_to_their_office_alone_until_it_declares_anew() {
        let refusals = Refusals::default();
        let (office, other): (OfficeId, OfficeId) = ("INS-TN".parse().unwrap(), "ISTAT".parse().unwrap());
        let dataset = |number: usize| Digest::of(&number.to_le_bytes());
        for number in 0..=MOST {
            let told = refusals.note(&office, dataset(number), EngineError::ContentMismatch);
            assert_eq!(told.to_string(), EngineError::ContentMismatch.to_string());
        }
        assert!(
            refusals.find(&office, dataset(0)).is_none(),
            "there is room for so many"
        );
        assert!(refusals.find(&office, dataset(1)).is_some());
        assert!(refusals.find(&other, dataset(1)).is_none());
        refusals.forget(dataset(1));
        assert!(refusals.find(&office, dataset(1)).is_none());
    }
}
