//! How much is kept, for all threads of this node that have to know. A reload changes it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::history::Retention;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct SharedRetention(Arc<Mutex<Retention>>);

impl SharedRetention {
    pub(crate) fn new(retention: Retention) -> Self {
        Self(Arc::new(Mutex::new(retention)))
    }

    pub(crate) fn get(&self) -> Retention {
        // Nothing panics while it is held.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, retention: Retention) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = retention;
    }
}
