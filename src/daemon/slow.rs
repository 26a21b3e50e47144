//! Answers to guessed codes, held back: whoever tries many gets few a minute.

use crate::domain::id::{ReaderName, RegisterName};
use crate::push::Hub;
use crate::push::wire::{Context, Event};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The most answers held back at once: what the budgets of all registers allow together.
const HELD_MAX: usize = 256;

/// Holds answers back on the runtime, so that no reader's thread sleeps.
#[derive(Clone)]
pub(super) struct Slow {
    runtime: Handle,
    hub: Arc<Hub>,
    lifetime: Duration,
    places: Arc<Semaphore>,
}

impl Slow {
    pub(super) fn new(runtime: Handle, hub: Arc<Hub>, lifetime: Duration) -> Self {
        Self { runtime, hub, lifetime, places: Arc::new(Semaphore::new(HELD_MAX)) }
    }

    /// Answers that are held back now.
    pub(super) fn held(&self) -> usize {
        HELD_MAX.saturating_sub(self.places.available_permits())
    }

    /// Tells `register` after `wait` that the code is unknown; `false` if nobody will be told.
    pub(super) fn unknown_after(&self, wait: Duration, register: &RegisterName, reader: &ReaderName) -> bool {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(%register, "codes are being tried faster than they are answered");
            return false;
        };
        let (hub, register, reader) = (Arc::clone(&self.hub), register.clone(), reader.clone());
        let lifetime = self.lifetime;
        self.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            let unknown = Event::Unknown { repeat_of: None };
            hub.publish(&register, &unknown, Context { reader: Some(&reader), lifetime });
            drop(place);
        });
        true
    }
}
