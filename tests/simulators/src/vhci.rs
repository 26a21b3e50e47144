//! Plugs simulated devices into the kernel: `vhci_hcd` with a socket pair, no network and no USB/IP tools.
//!
//! The kernel's end of the pair is given to the `attach` file; on ours it speaks USB/IP's four messages (kernel
//! documentation, usb/usbip_protocol): CMD_SUBMIT asks for a transfer, RET_SUBMIT answers it, CMD_UNLINK takes it back,
//! RET_UNLINK confirms. An IN transfer that a device has nothing for is held, which is a NAK; closing the pair is the
//! plug pulled out.

use crate::trace::{Trace, hex};
use crate::usb::{self, Descriptors, Device, Out, Setup};
use crate::{Result, nodes};
use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, fs};

/// Plugs and states of the controller; ports 0 to 14 of its first hub are USB 2.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

/// `VDEV_ST_NULL` in the controller's status file: nothing is plugged in.
const PORT_FREE: &str = "004";

/// USB/IP's command numbers.
const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

/// Errors as Linux gives them to a transfer: a STALL is EPIPE, an unlinked transfer ECONNRESET.
const STALLED: i32 = -32;
const UNLINKED: i32 = -104;

/// Longest control or bulk OUT transfer taken; usblp sends 8 KiB at a time, libusb 16.
const OUT_BYTES_MAX: usize = 1 << 20;

/// A port of the controller, 0 to 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u8);

/// A device in its port. Dropping it pulls the plug.
pub struct Plugged<D: Device> {
    bus: Arc<Bus<D>>,
    port: Port,
    server: Option<JoinHandle<()>>,
}

impl<D: Device> fmt::Debug for Plugged<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugged").field("port", &self.port).finish_non_exhaustive()
    }
}

struct Bus<D> {
    state: Mutex<State<D>>,
    /// Told whenever the state has changed.
    changed: Condvar,
    name: &'static str,
    descriptors: Descriptors,
    trace: Trace,
}

struct State<D> {
    device: D,
    socket: UnixStream,
    /// Transfers that the host has open, by IN endpoint: sequence and size.
    asked: HashMap<u8, VecDeque<(u32, usize)>>,
    /// Transfers that the device does not take now, in the order in which they came: sequence and bytes.
    held: VecDeque<(u32, Vec<u8>)>,
    /// Data that the host has not asked for yet, by IN endpoint.
    waiting: HashMap<u8, VecDeque<Vec<u8>>>,
    /// No report leaves before this time: the bus asks at the endpoint's interval, not faster.
    next_poll: Option<Instant>,
}

/// Plugs `device` into `port`, and returns when the kernel has taken it (its driver may still be starting).
///
/// # Errors
/// When the port is still taken after `within`, or the kernel refuses.
pub fn plug<D: Device>(device: D, port: Port, within: Duration, trace: &Trace) -> Result<Plugged<D>> {
    nodes::wait(&format!("a free port {}", port.0), within, || is_empty(port).then_some(()))?;
    let (ours, kernels) = UnixStream::pair()?;
    let (name, descriptors, speed) =
        (device.name(), device.descriptors(), device.descriptors().speed.number());
    let state = State {
        device,
        socket: ours.try_clone()?,
        asked: HashMap::new(),
        held: VecDeque::new(),
        waiting: HashMap::new(),
        next_poll: None,
    };
    let bus = Arc::new(Bus {
        state: Mutex::new(state),
        changed: Condvar::new(),
        name,
        descriptors,
        trace: trace.clone(),
    });
    let served = Arc::clone(&bus);
    let server = thread::spawn(move || serve(&served, ours));
    trace.note(name, &format!("plugged into port {}", port.0));
    let device_id = 0x1_0000 + u32::from(port.0);
    let line = format!("{} {} {device_id} {speed}", port.0, kernels.as_raw_fd());
    // The server is told by the closed pair if this fails.
    fs::write(format!("{CONTROLLER}/attach"), line)
        .map_err(|e| format!("attaching {name} to port {}: {e}", port.0))?;
    Ok(Plugged { bus, port, server: Some(server) })
}

/// Nothing is plugged in, and the kernel has cleared away what was: the port is free a moment before that.
fn is_empty(port: Port) -> bool {
    let ending = format!("-{}", u32::from(port.0) + 1); // hubs count their ports from 1: usb1/1-3
    let hubs = fs::read_dir(CONTROLLER).into_iter().flatten().flatten();
    let devices = hubs.filter_map(|hub| fs::read_dir(hub.path()).ok()).flatten().flatten();
    let left = devices.map(|device| device.file_name()).any(|name| name.to_string_lossy().ends_with(&ending));
    !left && port_is_free(port)
}

fn port_is_free(port: Port) -> bool {
    // hub port sta spd dev sockfd local_busid / hs  0000 004 000 00000000 000000 0-0
    let Ok(status) = fs::read_to_string(format!("{CONTROLLER}/status")) else { return false };
    let number = format!("{:04}", port.0);
    status.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|fields| {
        fields.first() == Some(&"hs")
            && fields.get(1) == Some(&number.as_str())
            && fields.get(2) == Some(&PORT_FREE)
    })
}

impl<D: Device> Plugged<D> {
    /// Looks at the device.
    pub fn with<T>(&self, look: impl FnOnce(&D) -> T) -> T {
        look(&self.bus.lock().device)
    }

    /// Changes the device as its owner would (paper taken out, a cover opened).
    ///
    /// # Errors
    /// When the device is gone.
    pub fn change(&self, change: impl FnOnce(&mut D)) -> Result<()> {
        let mut state = self.bus.lock();
        change(&mut state.device);
        Ok(self.bus.offer(&mut state)?)
    }

    /// Waits until the host's bytes are held up by the device.
    ///
    /// # Errors
    /// When `within` has passed.
    pub fn wait_held(&self, within: Duration) -> Result<()> {
        let (_guard, found) = self.bus.wait_while(within, |state| (!state.held.is_empty()).then_some(()));
        found.ok_or_else(|| format!("{}: nothing was held up for {within:?}", self.bus.name).into())
    }

    /// Waits until `ready` of the device says so.
    ///
    /// # Errors
    /// When `within` has passed.
    pub fn wait<T>(&self, what: &str, within: Duration, mut ready: impl FnMut(&D) -> Option<T>) -> Result<T> {
        let (_guard, found) = self.bus.wait_while(within, |state| ready(&state.device));
        found.ok_or_else(|| format!("{}: waited {within:?} for {what}", self.bus.name).into())
    }

    /// Waits until the host asks `endpoint` for data: somebody has the node open.
    fn wait_asked(&self, endpoint: u8, within: Duration) -> Result<()> {
        let asked =
            |state: &mut State<D>| state.asked.get(&endpoint).is_some_and(|q| !q.is_empty()).then_some(());
        let (_guard, found) = self.bus.wait_while(within, asked);
        found.ok_or_else(|| {
            format!("{}: nobody read endpoint {endpoint:02x} for {within:?}", self.bus.name).into()
        })
    }

    /// Whether the host asks `endpoint` for data right now.
    #[must_use]
    pub fn is_asked(&self, endpoint: u8) -> bool {
        self.bus.lock().asked.get(&endpoint).is_some_and(|asked| !asked.is_empty())
    }

    /// Answers the host's next question at an IN endpoint, not sooner than the endpoint's interval allows.
    ///
    /// # Errors
    /// When the host does not ask `within` that time, or the device is gone.
    pub fn report(&self, endpoint: u8, report: &[u8], within: Duration) -> Result<()> {
        self.wait_asked(endpoint, within)?;
        let due = self.bus.lock().next_poll;
        // The pace of the bus, which is part of what a reader is: not a wait for anything.
        thread::sleep(due.map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now())));
        let mut state = self.bus.lock();
        state.next_poll = Some(Instant::now() + state.device.poll_interval());
        state.waiting.entry(endpoint).or_default().push_back(report.to_vec());
        Ok(self.bus.hand_over(&mut state, endpoint)?)
    }

    /// Pulls the plug, and returns when the port is empty again.
    ///
    /// # Errors
    /// When the kernel has not let go `within` that time.
    pub fn unplug(mut self, within: Duration) -> Result<()> {
        self.pull()?;
        nodes::wait("the port to be empty", within, || is_empty(self.port).then_some(()))
    }

    fn pull(&mut self) -> Result<()> {
        let Some(server) = self.server.take() else { return Ok(()) };
        self.bus.trace.note(self.bus.name, "unplugged");
        self.bus.lock().socket.shutdown(Shutdown::Both)?;
        server.join().map_err(|_| "the device's server panicked".into())
    }
}

impl<D: Device> Drop for Plugged<D> {
    fn drop(&mut self) {
        if let Err(error) = self.pull() {
            self.bus.trace.note(self.bus.name, &format!("while unplugging: {error}"));
        }
    }
}

impl<D: Device> Bus<D> {
    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<T>(
        &self,
        within: Duration,
        mut ready: impl FnMut(&mut State<D>) -> Option<T>,
    ) -> (MutexGuard<'_, State<D>>, Option<T>) {
        let mut found = None;
        let (guard, _) = self
            .changed
            .wait_timeout_while(self.lock(), within, |state| {
                found = ready(state);
                found.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        (guard, found)
    }

    /// Brings waiting data and open transfers of an IN endpoint together.
    fn hand_over(&self, state: &mut State<D>, endpoint: u8) -> std::io::Result<()> {
        while let (Some(asked), Some(waiting)) =
            (state.asked.get_mut(&endpoint), state.waiting.get_mut(&endpoint))
        {
            if asked.is_empty() || waiting.is_empty() {
                break;
            }
            let (Some((sequence, size)), Some(mut data)) = (asked.pop_front(), waiting.pop_front()) else {
                break;
            };
            if data.len() > size {
                waiting.push_front(data.split_off(size));
            }
            self.trace.note(self.name, &format!("in {endpoint:02x}: {}", hex(&data)));
            submitted(&mut state.socket, sequence, 0, data.len(), &data)?;
        }
        Ok(())
    }

    fn submit(&self, message: &Message, setup: Setup, out: &[u8]) -> std::io::Result<()> {
        let state = &mut *self.lock();
        let endpoint = message.endpoint;
        if endpoint == 0 {
            if usb::clears_halt(setup) {
                state.device.halt_cleared();
            }
            let answer = usb::standard(&self.descriptors, setup).or_else(|| state.device.control(setup, out));
            self.trace.note(self.name, &format!("control {setup} {}", told(answer.as_deref())));
            return match answer {
                None => submitted(&mut state.socket, message.sequence, STALLED, 0, &[]),
                Some(data) if message.is_in => {
                    let data = data.get(..message.size.min(data.len())).unwrap_or_default();
                    submitted(&mut state.socket, message.sequence, 0, data.len(), data)
                }
                Some(_) => submitted(&mut state.socket, message.sequence, 0, out.len(), &[]),
            };
        }
        if message.is_in {
            let endpoint = endpoint | 0x80;
            state.asked.entry(endpoint).or_default().push_back((message.sequence, message.size));
            return self.hand_over(state, endpoint);
        }
        self.trace.note(self.name, &format!("out {endpoint:02x}: {}", hex(out)));
        state.held.push_back((message.sequence, out.to_vec()));
        self.offer(state)
    }

    /// Offers the device what it has not taken yet.
    fn offer(&self, state: &mut State<D>) -> std::io::Result<()> {
        while let Some((sequence, out)) = state.held.pop_front() {
            match state.device.bulk_out(&out) {
                Out::Taken(answers) => {
                    submitted(&mut state.socket, sequence, 0, out.len(), &[])?;
                    state.waiting.entry(BULK_IN).or_default().extend(answers);
                }
                Out::Stall => submitted(&mut state.socket, sequence, STALLED, 0, &[])?,
                Out::Later => {
                    state.held.push_front((sequence, out));
                    break;
                }
            }
        }
        self.hand_over(state, BULK_IN)
    }

    fn unlink(&self, sequence: u32, victim: u32) -> std::io::Result<()> {
        let state = &mut *self.lock();
        let open =
            |state: &State<D>| state.held.len() + state.asked.values().map(VecDeque::len).sum::<usize>();
        let before = open(state);
        state.asked.values_mut().for_each(|queue| queue.retain(|(asked, _)| *asked != victim));
        state.held.retain(|(held, _)| *held != victim);
        let after = open(state);
        // 0 says that the answer was already on its way.
        let status = if after < before { UNLINKED } else { 0 };
        state.socket.write_all(&header(RET_UNLINK, sequence, status, 0))
    }
}

/// The IN endpoint at which bulk answers go out; every device here has one.
pub const BULK_IN: u8 = 0x81;

fn told(answer: Option<&[u8]>) -> String {
    answer.map_or_else(|| "stalled".to_owned(), |data| format!("-> {}", hex(data)))
}

/// What the kernel asks for, without its payload.
struct Message {
    command: u32,
    sequence: u32,
    is_in: bool,
    endpoint: u8,
    /// Transfer length of a submit, sequence to take back of an unlink.
    size: usize,
    victim: u32,
    setup: [u8; 8],
}

impl Message {
    fn read(bytes: &[u8; 48]) -> Option<Self> {
        let word = |at: usize| bytes.get(at * 4..at * 4 + 4)?.try_into().ok().map(u32::from_be_bytes);
        Some(Self {
            command: word(0)?,
            sequence: word(1)?,
            is_in: word(3)? == 1,
            endpoint: u8::try_from(word(4)?).ok()?,
            victim: word(5)?,
            size: usize::try_from(word(6)?).ok()?,
            setup: bytes.get(40..48)?.try_into().ok()?,
        })
    }
}

fn header(command: u32, sequence: u32, status: i32, actual: usize) -> Vec<u8> {
    let actual = u32::try_from(actual).unwrap_or(u32::MAX);
    let status = u32::from_be_bytes(status.to_be_bytes());
    // device id, direction, endpoint; status; length; start frame, packets (none), interval, padding
    [command, sequence, 0, 0, 0, status, actual, 0, u32::MAX, 0, 0, 0]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .collect()
}

fn submitted(
    socket: &mut UnixStream,
    sequence: u32,
    status: i32,
    actual: usize,
    data: &[u8],
) -> std::io::Result<()> {
    let mut message = header(RET_SUBMIT, sequence, status, actual);
    message.extend(data);
    socket.write_all(&message)
}

/// Answers the kernel until it closes the pair or says something that is not USB/IP.
fn serve<D: Device>(bus: &Bus<D>, mut socket: UnixStream) {
    let mut bytes = [0; 48];
    while socket.read_exact(&mut bytes).is_ok() {
        let done = Message::read(&bytes).ok_or_else(|| "not a USB/IP message".into()).and_then(|message| {
            match message.command {
                CMD_SUBMIT => take(&message, &mut socket)
                    .and_then(|out| Ok(bus.submit(&message, Setup::read(message.setup), &out)?)),
                CMD_UNLINK => Ok(bus.unlink(message.sequence, message.victim)?),
                other => Err(format!("USB/IP command {other}").into()),
            }
        });
        bus.changed.notify_all();
        if let Err(error) = done {
            bus.trace.note(bus.name, &format!("stopped: {error}"));
            return;
        }
    }
    bus.trace.note(bus.name, "the kernel let go");
}

fn take(message: &Message, socket: &mut UnixStream) -> Result<Vec<u8>> {
    let size = if message.is_in { 0 } else { message.size };
    if size > OUT_BYTES_MAX {
        return Err(format!("a transfer of {size} bytes").into());
    }
    let mut out = vec![0; size];
    socket.read_exact(&mut out)?;
    Ok(out)
}
