//! Readers that come and go: found by hotplug, opened if they are ours, looked for again when they are gone.

use super::capture::Tape;
use super::readers::{Ended, Opened, Source, Starter};
use crate::decode::Assemble;
use crate::decode::hid::Descriptor;
use crate::decode::keyboard::{Keyboard, Layout};
use crate::device::evdev::{self, Expected};
use crate::device::hotplug::{Access, Class, Found, Hotplug, Watch};
use crate::device::keymap::{self, KeymapError};
use crate::device::port::OpenError;
use crate::device::reader::StopSignal;
use crate::device::replay::{Setup, Transport};
use crate::device::serial::PortSettings;
use crate::device::settings::ReaderSettings;
use crate::device::{hidraw, profile};
use crate::domain::id::ReaderName;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Readers that may end before the supervisor hears of it.
const ENDED_MAX: usize = 64;

/// The most readers that are open at once, those of `[[serial]]` not counted.
pub(super) const READERS_MAX: usize = 16;

/// Keyboard layouts that were read from the xkb database, by layout and variant. Reading one takes longer than a scan, and a
/// reader that is plugged in again must not wait for it. As many as the config has readers.
type Layouts = Arc<Mutex<HashMap<(String, String), Arc<Layout>>>>;

/// Wakes the supervisor: a reader ended, or the config was read again.
#[derive(Clone)]
pub(super) struct Nudge {
    wake: Arc<EventFd>,
    ended: SyncSender<(ReaderName, u64)>,
}

impl Nudge {
    /// Something may have changed.
    pub(super) fn nudge(&self) {
        // A full counter has woken it already.
        self.wake.write(1).ok();
    }

    /// The thread of this number, which read `name`, has ended.
    fn ended(&self, name: &ReaderName, number: u64) {
        if self.ended.try_send((name.clone(), number)).is_err() {
            tracing::warn!(reader = %name, "the end of a reader is not heard at once; the next scan of devices finds out");
        }
        self.nudge();
    }
}

/// The thread that watches devices.
pub(super) struct Supervisor {
    starter: Starter,
    stop: StopSignal,
    hotplug: Hotplug,
    watch: Option<Watch>,
    wake: Arc<EventFd>,
    ended: Receiver<(ReaderName, u64)>,
    nudge: Nudge,
    running: HashMap<ReaderName, Running>,
    /// Threads that were started.
    started: u64,
    layouts: Layouts,
}

/// A reader that is open, or is being opened.
struct Running {
    /// Of its thread, in the order in which they were started.
    number: u64,
    sysfs: PathBuf,
    how: How,
    /// Lets it go, and no other.
    stop: StopSignal,
    thread: JoinHandle<()>,
}

/// What of the settings a device is opened with: when it is another, the device is let go and opened anew.
#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Plain,
    Typed { layout: String, variant: String, idle: Duration },
}

impl How {
    /// How a device is to be opened; `None` when it is none of ours.
    fn of(class: Class, reader: &ReaderSettings) -> Option<Self> {
        match class {
            Class::HidPosScanner | Class::Magstripe => Some(Self::Plain),
            Class::Tty => reader.adopt.then_some(Self::Plain),
            Class::Keyboard => reader.adopt.then(|| Self::Typed {
                layout: reader.layout.clone(),
                variant: reader.variant.clone(),
                idle: reader.idle,
            }),
        }
    }
}

impl Supervisor {
    /// Starts the thread for the devices that `hotplug` looks through.
    pub(super) fn start(starter: Starter, hotplug: Hotplug) -> io::Result<(Nudge, JoinHandle<()>)> {
        let stop = starter.stop.clone();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (sender, ended) = sync_channel(ENDED_MAX);
        let nudge = Nudge { wake: Arc::clone(&wake), ended: sender };
        let watch = Watch::open().inspect_err(|error| {
            tracing::warn!(%error, "the kernel's device messages cannot be heard; devices are looked for every 30 s");
        });
        let mut supervisor = Self {
            starter,
            stop,
            hotplug,
            watch: watch.ok(),
            wake,
            ended,
            nudge: nudge.clone(),
            running: HashMap::new(),
            started: 0,
            layouts: Layouts::default(),
        };
        let thread = std::thread::Builder::new().name("hotplug".to_owned());
        Ok((nudge, thread.spawn(move || supervisor.run())?))
    }

    fn run(&mut self) {
        while !self.turn() {}
        self.running.values().for_each(|running| running.stop.raise());
        for (_, running) in self.running.drain() {
            if running.thread.join().is_err() {
                tracing::error!("a reader's thread panicked");
            }
        }
    }

    /// Waits for something to happen, then brings readers and devices together; `true` when asked to stop.
    fn turn(&mut self) -> bool {
        let now = self.starter.clock.uptime();
        if !self.hotplug.on_deadline(now).is_empty() {
            self.starter.states.devices(self.hotplug.known().iter().map(row).collect());
        }
        self.bring_together();
        let left = self.hotplug.deadline().saturating_sub(self.starter.clock.uptime());
        match self.wait(left) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "devices cannot be waited for"),
        }
        let now = self.starter.clock.uptime();
        if self.watch.as_ref().is_some_and(|watch| watch.drain().unwrap_or(true)) {
            self.hotplug.nudge(now);
        }
        // Nothing to read is the usual case.
        self.wake.read().ok();
        while let Ok((name, number)) = self.ended.try_recv() {
            // One that was plugged in again, at the same place too, may be read by the next thread already.
            if self.running.get(&name).is_some_and(|running| running.number == number) {
                self.running.remove(&name);
                self.hotplug.forget(&name, now);
            }
        }
        false
    }

    /// `true` when the stop was raised.
    fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut polled = vec![
            PollFd::new(self.stop.wait_fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        polled.extend(self.watch.as_ref().map(|watch| PollFd::new(watch.wait_fd(), PollFlags::POLLIN)));
        match ppoll(&mut polled, Some(TimeSpec::from(limit)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(polled.first().and_then(PollFd::any).unwrap_or(false))
    }

    /// Lets go of what is to be opened otherwise, or not at all, and opens what is ours and closed. One thread a name: the
    /// next one starts when the one before has ended, so that what is told of a reader is told in its order.
    fn bring_together(&mut self) {
        let settings = self.starter.shared.routes.current().readers.clone();
        self.running.retain(|_, running| !running.thread.is_finished());
        for found in self.hotplug.known() {
            let reader = settings.for_reader(&found.name);
            let how = How::of(found.class, &reader);
            if let Some(running) = self.running.get(&found.name) {
                if how.as_ref() != Some(&running.how) || running.sysfs != found.sysfs {
                    running.stop.raise();
                }
                continue;
            }
            let Some(how) = how.filter(|_| found.access == Access::Ok) else { continue };
            if self.running.len() >= READERS_MAX {
                tracing::warn!(reader = %found.name, "{READERS_MAX} readers are open; this one is not read");
                continue;
            }
            let nudge = self.nudge.clone();
            let sysfs = found.sysfs.clone();
            self.started = self.started.saturating_add(1);
            let number = self.started;
            let device = Device { found: found.clone(), reader, layouts: Arc::clone(&self.layouts) };
            let started = StopSignal::new().and_then(|stop| {
                let own = stop.clone();
                let thread = self.starter.spawn(device, own, move |name| nudge.ended(name, number))?;
                Ok(Running { number, sysfs, how, stop, thread })
            });
            match started {
                Ok(running) => drop(self.running.insert(found.name.clone(), running)),
                Err(error) => tracing::error!(reader = %found.name, %error, "no thread for a reader"),
            }
        }
    }
}

/// A found device as a row of `reader.list`.
fn row(found: &Found) -> Value {
    let advice = found.ids.and_then(|(vendor, product)| profile::advice(vendor, product));
    json!({
        "reader": found.name, "class": found.class.word(), "node": found.node, "port": found.port,
        "maker": found.maker, "product": found.product,
        "ids": found.ids.map(|(vendor, product)| format!("{vendor:04x}:{product:04x}")),
        "taken_by_itself": found.class.taken_by_itself(),
        "access": match found.access {
            Access::Ok => "ok",
            Access::NoPermission => "no_permission",
            Access::NoNode => "no_node",
        },
        "advice": advice,
    })
}

/// One device, to be opened where it was found.
struct Device {
    found: Found,
    reader: ReaderSettings,
    layouts: Layouts,
}

impl Device {
    /// The layout that the reader types in.
    fn layout(&self) -> Result<Arc<Layout>, KeymapError> {
        let name = (self.reader.layout.clone(), self.reader.variant.clone());
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = layouts.get(&name) {
            return Ok(Arc::clone(layout));
        }
        let layout = Arc::new(keymap::load(&name.0, &name.1)?);
        layouts.insert(name, Arc::clone(&layout));
        Ok(layout)
    }
}

impl Source for Device {
    fn name(&self) -> ReaderName {
        self.found.name.clone()
    }

    fn open(&self) -> Result<Opened, OpenError> {
        let Found { node, sysfs, descriptor, .. } = &self.found;
        let unusable = |what: String| {
            let source = io::Error::new(io::ErrorKind::InvalidData, what);
            OpenError::Other { node: node.clone(), source }
        };
        match self.found.class {
            Class::HidPosScanner | Class::Magstripe => {
                let parsed = Descriptor::parse(descriptor).map_err(|error| unusable(error.to_string()))?;
                let assembler = hidraw::assembler(&parsed);
                let assembler =
                    assembler.ok_or_else(|| unusable("its descriptor has no scan data".to_owned()))?;
                Ok((Box::new(hidraw::open(node, sysfs, descriptor)?), assembler))
            }
            Class::Keyboard => {
                if !node.exists() {
                    let source = io::Error::from(io::ErrorKind::NotFound);
                    return Err(OpenError::Gone { node: node.clone(), source });
                }
                // Before the grab: keys pile up in the node, which holds fewer than one long scan has.
                let layout = self.layout().map_err(|error| unusable(error.to_string()))?;
                let expected =
                    Expected { ids: self.found.ids.unwrap_or_default(), phys: self.found.phys.clone() };
                let port = evdev::open(node, &expected)?;
                let keyboard: Box<dyn Assemble> = Box::new(Keyboard::new(layout, self.reader.idle));
                Ok((Box::new(port), keyboard))
            }
            Class::Tty => {
                let port = PortSettings::new(node.clone());
                Ok((Box::new(port.open()?), Box::new(port.assembler())))
            }
        }
    }

    fn wants_answers(&self) -> bool {
        false
    }

    fn tape(&self) -> Tape {
        let Found { class, maker, product, ids, descriptor, .. } = &self.found;
        let (transport, setup) = match class {
            Class::HidPosScanner => {
                (Transport::HidPos, Setup { descriptor: descriptor.clone(), ..Setup::default() })
            }
            Class::Magstripe => {
                (Transport::Msr, Setup { descriptor: descriptor.clone(), ..Setup::default() })
            }
            Class::Keyboard => {
                let (layout, variant) = (self.reader.layout.clone(), self.reader.variant.clone());
                (Transport::Keyboard, Setup { layout, variant, ..Setup::default() })
            }
            Class::Tty => (Transport::Serial, Setup::default()),
        };
        let mode =
            ids.map_or("no ids".to_owned(), |(vendor, product)| format!("ids {vendor:04x}:{product:04x}"));
        Tape { transport, maker: format!("{maker} {product}").trim().to_owned(), mode, setup }
    }

    fn after_loss(&self) -> Ended {
        // Where it is next, if anywhere, hotplug tells.
        Ended::ForGood
    }
}

#[cfg(test)]
mod tests;
