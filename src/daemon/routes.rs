//! Which reader belongs to which register, and the rules that a reload may change.

use crate::config::Config;
use crate::decode::classify::Rules;
use crate::device;
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::time::Uptime;
use crate::identify::{Budget, GUESS_EVERY, GUESSES_MAX};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// The routes now, swapped whole on reload: a scan sees the old ones or the new ones.
#[derive(Debug)]
pub(super) struct Routes {
    current: RwLock<Arc<Current>>,
    guesses: Mutex<HashMap<RegisterName, Budget>>,
}

/// One set of routes.
#[derive(Debug)]
pub(super) struct Current {
    /// In the config's order.
    pub(super) registers: Vec<RegisterName>,
    /// Where a reader goes that no route names.
    first: RegisterName,
    by_reader: HashMap<ReaderName, RegisterName>,
    named: Vec<ReaderName>,
    pub(super) rules: Rules,
    /// Which of the found devices are ours, and how they type.
    pub(super) readers: device::settings::Settings,
    pub(super) repeat_window: Duration,
}

impl Current {
    /// Reads the routes of `config`; a daemon without registers has one, named after the host.
    pub(super) fn new(config: &Config, host: &RegisterName) -> Self {
        let mut registers: Vec<RegisterName> =
            config.registers.iter().map(|register| register.name.clone()).collect();
        let first = registers.first().unwrap_or(host).clone();
        if registers.is_empty() {
            registers.push(first.clone());
        }
        let mut by_reader = HashMap::new();
        for port in &config.serial.ports {
            by_reader.extend(port.register.clone().map(|register| (port.reader_name(), register)));
        }
        for reader in &config.readers.readers {
            by_reader.extend(reader.register.clone().map(|register| (reader.name.clone(), register)));
        }
        let ports = config.serial.ports.iter().map(|port| port.reader_name());
        let named = ports.chain(config.readers.readers.iter().map(|reader| reader.name.clone())).collect();
        let (rules, readers, repeat_window) =
            (config.rules.clone(), config.readers.clone(), config.repeat_window);
        Self { registers, first, by_reader, named, rules, readers, repeat_window }
    }

    /// Every reader that the config names.
    pub(super) fn named(&self) -> Vec<ReaderName> {
        self.named.clone()
    }

    /// The one register of a reader.
    pub(super) fn register(&self, reader: &ReaderName) -> &RegisterName {
        self.by_reader.get(reader).unwrap_or(&self.first)
    }
}

impl Routes {
    pub(super) fn new(current: Current) -> Self {
        Self { current: RwLock::new(Arc::new(current)), guesses: Mutex::default() }
    }

    /// The routes now.
    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The routes now, which stay so until what is returned is dropped: for the time of one scan.
    pub(super) fn held(&self) -> RwLockReadGuard<'_, Arc<Current>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts new routes in the place of the old while no scan is on its way, and has `also` change what goes with them: no
    /// scan is routed by the old ones to a register that is gone, or by the new ones to one that is not there yet.
    pub(super) fn switch(&self, current: Current, also: impl FnOnce()) {
        let mut now = self.current.write().unwrap_or_else(PoisonError::into_inner);
        also();
        *now = Arc::new(current);
    }

    /// Spends one of a register's guesses at codes.
    ///
    /// # Errors
    /// How long to wait before the guess is answered; `None` when it is not answered at all.
    pub(super) fn spend_guess(&self, register: &RegisterName, now: Uptime) -> Result<(), Option<Duration>> {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let full = || Budget::new(GUESSES_MAX, GUESS_EVERY, now);
        guesses.entry(register.clone()).or_insert_with(full).reserve(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn routes_change_between_two_scans_never_during_one() {
        let host = RegisterName::new("host").unwrap();
        let current = |name: &str| {
            let config = config::parse(&format!("[[register]]\nname = \"{name}\"\n")).unwrap();
            Current::new(&config, &host)
        };
        let routes = Routes::new(current("till-1"));
        let (also, done) = sync_channel(1);
        std::thread::scope(|scope| {
            let scan = routes.held();
            let switching = scope.spawn(|| routes.switch(current("till-2"), || also.send(()).unwrap()));
            // Whatever has happened by now, nothing has changed for the scan that is on its way.
            assert!(done.recv_timeout(Duration::from_millis(50)).is_err());
            assert_eq!(scan.registers, [RegisterName::new("till-1").unwrap()]);
            drop(scan);
            switching.join().unwrap();
        });
        done.recv().unwrap();
        assert_eq!(routes.current().registers, [RegisterName::new("till-2").unwrap()]);
    }
}
