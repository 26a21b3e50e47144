//! What every scenario with a daemon begins with: a folder of its own, a config, and a register that listens.

use super::STEP;
use crate::daemon::{self, Daemon, How};
use crate::nodes::{self, Node};
use crate::register::{self, Register};
use crate::trace::Trace;
use crate::{Result, keyboard};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Two products: the second scan is not a repeat of the first.
pub(crate) const PRODUCT: &str = "4006381333931";
pub(crate) const OTHER_PRODUCT: &str = "5449000000996";

/// `KEY_*` of linux/input-event-codes.h for the digits of [`PRODUCT`] and Enter.
pub(crate) const PRODUCT_KEYS: [u16; 14] = [5, 11, 11, 7, 4, 9, 2, 4, 4, 4, 10, 4, 2, 28];

/// Where each scenario's daemon has its folder: emptied by [`clear`] before the next one.
const FOLDERS: &str = "/run/vm";

/// Removes what the daemons of earlier scenarios kept: it all lies in memory, and a journal is made large beforehand.
pub(super) fn clear() -> Result<()> {
    match fs::remove_dir_all(FOLDERS) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("{FOLDERS}: {error}").into()),
        _ => Ok(()),
    }
}

/// A daemon and its register.
#[derive(Debug)]
pub(super) struct Till {
    pub(super) daemon: Daemon,
    pub(super) register: Register,
    folder: PathBuf,
}

/// Starts a daemon with a config that `devices` is added to.
pub(super) fn start(name: &str, devices: &str, trace: &Trace) -> Result<Till> {
    start_as(name, devices, How::default(), trace)
}

/// Starts a daemon in another way than usual.
pub(super) fn start_as(name: &str, devices: &str, how: How, trace: &Trace) -> Result<Till> {
    start_in(&PathBuf::from(FOLDERS).join(name), devices, how, trace)
}

/// Starts a daemon in this folder.
pub(super) fn start_in(folder: &Path, devices: &str, how: How, trace: &Trace) -> Result<Till> {
    let folder = folder.to_owned();
    let socket = folder.join("fichad.sock");
    let config = register::config(&folder, &socket, devices);
    let daemon = daemon::start(&folder, &socket, &config, how, trace)?;
    let register = Register::connect(daemon.socket(), STEP, trace)?;
    Ok(Till { daemon, register, folder })
}

impl Till {
    /// Adds a drop-in to the config, and has it read.
    pub(super) fn add(&mut self, tables: &str) -> Result<()> {
        let folder = self.folder.join("fichad.toml.d");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("10-scenario.toml"), tables)?;
        self.register.reload(STEP)
    }

    /// Ends the daemon cleanly.
    pub(super) fn close(self) -> Result<()> {
        self.daemon.stop()
    }

    /// A customer with a card.
    pub(super) fn customer(&mut self) -> Result<(String, register::Card)> {
        self.register.wait_store(STEP)?;
        let customer = self.register.enrol("Asha", STEP)?;
        let card = self.register.issue_card(&customer, STEP)?;
        Ok((customer, card))
    }

    /// The folder with everything that it keeps.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Keys that reach a second reader of a node while a scanner types. Read while it types: an event node holds 64 events, and
/// a product with its Enter makes 84.
pub(crate) fn keys_typed(scanner: &keyboard::Keyboard, code: &str, node: &mut Node) -> Result<Vec<u16>> {
    let count = code.chars().count() + 1;
    std::thread::scope(|scope| {
        let typing = scope.spawn(|| scanner.scan(code, STEP));
        let mut keys = Vec::new();
        while keys.len() < count {
            keys.extend(nodes::keys_pressed(&node.read(STEP)?.ok_or("the keyboard went away")?));
        }
        typing.join().map_err(|_| "the scanner panicked")??;
        Ok(keys)
    })
}

/// Fails if a second reader of a node has heard a key.
pub(super) fn hears_nothing(listener: &mut Node) -> Result<()> {
    if listener.has_data() {
        let heard = nodes::keys_pressed(&listener.read(STEP)?.unwrap_or_default());
        return Err(format!("keys {heard:?} reached a second reader of the grabbed keyboard").into());
    }
    Ok(())
}
