//! A card over real file descriptors: a TCP port and a pty with the emulated printer behind them.
#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use crate::print::{LETTERS, job, profile, read_qr};
use fichad::device::printer_port::{self, Address, Handle, Report};
use fichad::domain::id::JobId;
use fichad::domain::time::{Clock, Timestamp, Uptime};
use fichad::print::layout::{PaperProfile, QrMode};
use fichad::print::paper::{Faults, Model, Paper, page::Page};
use fichad::print::queue::{FailReason, JobState, Limits, PrinterCondition, Queue};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Long enough for a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(30);

struct Wall(Instant);

impl Wall {
    #[expect(clippy::disallowed_methods, reason = "the test is the daemon here")]
    fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Wall {
    fn uptime(&self) -> Uptime {
        self.0.elapsed()
    }
    fn utc(&self) -> Timestamp {
        Timestamp(0)
    }
}

/// An emulated printer that a serving thread and the test share.
#[derive(Clone)]
struct Sim {
    paper: Arc<Mutex<Paper>>,
    unasked: Arc<Mutex<Vec<u8>>>,
    /// Drop the connection after so many bytes more.
    cut_after: Arc<Mutex<Option<usize>>>,
}

impl Sim {
    fn new(model: Model) -> Self {
        let paper = Arc::new(Mutex::new(Paper::new(model)));
        Self { paper, unasked: Arc::default(), cut_after: Arc::default() }
    }

    fn faults(&self, faults: Faults) {
        let replies = self.paper.lock().unwrap().set_faults(faults);
        self.unasked.lock().unwrap().extend(replies);
    }

    fn pages(&self) -> Vec<Page> {
        self.paper.lock().unwrap().take_pages()
    }

    /// Serves one connection until the other side or the test ends it.
    fn serve(&self, fd: impl AsFd) {
        let mut buffer = [0; 512];
        loop {
            let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::from(5_u8)).unwrap();
            let unasked = std::mem::take(&mut *self.unasked.lock().unwrap());
            let mut replies = unasked;
            if fds[0].any().unwrap() && self.paper.lock().unwrap().room() >= buffer.len() {
                let Ok(count @ 1..) = nix::unistd::read(&fd, &mut buffer) else { return };
                let mut cut = self.cut_after.lock().unwrap();
                if let Some(left) = &mut *cut {
                    let taken = count.min(*left);
                    *left -= taken;
                    self.paper.lock().unwrap().push(&buffer[..taken]);
                    if *left == 0 {
                        *cut = None;
                        return;
                    }
                } else {
                    drop(cut);
                    replies.extend(self.paper.lock().unwrap().push(&buffer[..count]));
                }
            }
            if !replies.is_empty() && nix::unistd::write(&fd, &replies).is_err() {
                return;
            }
        }
    }

    /// A network printer; its thread ends with the test process.
    fn listen(&self, listener: TcpListener) -> Address {
        let address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        let sim = self.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                sim.serve(stream);
            }
        });
        address
    }

    /// A serial printer.
    fn pty(&self) -> Address {
        let master = posix_openpt(nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(nix::fcntl::OFlag::O_NOCTTY.bits());
        // Held open, so that the master sees no hang-up between two jobs.
        let slave = options.open(&name).unwrap();
        let sim = self.clone();
        std::thread::spawn(move || {
            sim.serve(master);
            drop(slave);
        });
        format!("serial://{name}?baud=115200").parse().unwrap()
    }
}

/// A printer's thread and what it tells.
struct Served {
    handle: Handle,
    reports: Receiver<Report>,
    thread: JoinHandle<()>,
}

impl Served {
    fn start(address: Address, paper: PaperProfile, limits: Limits) -> Self {
        let (handle, inbox) = printer_port::channel().unwrap();
        let (sender, reports) = sync_channel(1_000);
        let thread = std::thread::spawn(move || {
            let queue = Queue::new(paper, limits);
            printer_port::run(&address, queue, &inbox, &Wall::start(), &mut |report| {
                sender.send(report).unwrap()
            });
        });
        Self { handle, reports, thread }
    }

    #[track_caller]
    fn wait<T>(&self, mut wanted: impl FnMut(&Report) -> Option<T>) -> T {
        loop {
            let report = self.reports.recv_timeout(PATIENCE).unwrap();
            if let Some(found) = wanted(&report) {
                return found;
            }
        }
    }

    /// The state a job ends in.
    #[track_caller]
    fn end(&self, number: u128) -> JobState {
        self.wait(|report| match report {
            Report::Job { id, state, .. } if *id == job(number).id && state.has_ended() => Some(*state),
            Report::Job { .. }
            | Report::Refused { .. }
            | Report::NotCancelled { .. }
            | Report::Condition { .. } => None,
        })
    }

    #[track_caller]
    fn condition(&self, wanted: PrinterCondition) -> Option<String> {
        self.wait(|report| match report {
            Report::Condition { condition, why } if *condition == wanted => Some(why.clone()),
            Report::Condition { .. }
            | Report::Job { .. }
            | Report::Refused { .. }
            | Report::NotCancelled { .. } => None,
        })
    }

    fn stop(self) {
        self.handle.stop().unwrap();
        self.thread.join().unwrap();
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A shop's limits, but what is wrong is looked at again at once.
const FAST: Limits = Limits {
    recheck: Duration::from_millis(20),
    recheck_max: Duration::from_millis(40),
    poll: Duration::from_millis(50),
    ..Limits::USUAL
};

/// For printers that say nothing: every wait for an answer runs out.
const IMPATIENT: Limits = Limits {
    status: Duration::from_millis(50),
    probe: Duration::from_millis(50),
    proof: Duration::from_millis(300),
    printed: Duration::from_millis(100),
    ..FAST
};

#[test]
fn a_card_over_tcp_and_over_a_tty() {
    for serial in [false, true] {
        let sim = Sim::new(Model::FULL);
        let address = if serial { sim.pty() } else { sim.listen(listener()) };
        for qr in [QrMode::Auto, QrMode::Raster] {
            let served = Served::start(address.clone(), PaperProfile { qr, ..profile(576) }, FAST);
            served.handle.submit(job(1)).unwrap();
            assert_eq!(served.end(1), JobState::Printed, "{address}");
            let pages = sim.pages();
            assert_eq!(pages.len(), 1);
            assert_eq!(read_qr(&pages[0].to_bitmap(576)), [LETTERS]);
            served.stop();
        }
        let paper = sim.paper.lock().unwrap();
        assert!(paper.unknown().is_empty(), "{:?}", paper.unknown());
    }
}

#[test]
fn paper_out_first_then_reloaded() {
    for serial in [false, true] {
        let sim = Sim::new(Model::FULL);
        sim.faults(Faults { paper_out: true, ..Faults::default() });
        let address = if serial { sim.pty() } else { sim.listen(listener()) };
        let served = Served::start(address, profile(576), FAST);
        served.handle.submit(job(1)).unwrap();
        served.condition(PrinterCondition::PaperOut);
        sim.faults(Faults::default());
        served.condition(PrinterCondition::Ready);
        assert_eq!(served.end(1), JobState::Printed);
        assert_eq!(sim.pages().len(), 1);
        served.stop();
    }
}

#[test]
fn a_connection_that_drops_in_the_middle_is_unknown_and_not_printed_again() {
    let sim = Sim::new(Model::FULL);
    let paper = PaperProfile { qr: QrMode::Raster, ..profile(576) };
    let served = Served::start(sim.listen(listener()), paper, FAST);
    *sim.cut_after.lock().unwrap() = Some(2_000);
    served.handle.submit(job(1)).unwrap();
    assert_eq!(served.end(1), JobState::Unknown);
    served.handle.submit(job(2)).unwrap();
    assert_eq!(served.end(2), JobState::Printed);
    let codes: Vec<_> = sim.pages().iter().flat_map(|page| read_qr(&page.to_bitmap(576))).collect();
    assert_eq!(codes, [LETTERS], "one whole card, the second");
    served.stop();
}

#[test]
fn a_printer_that_knows_less_proves_less() {
    for serial in [false, true] {
        for (model, state) in [
            (Model { tells_printed: false, ..Model::FULL }, JobState::Processed),
            (Model::CLONE, JobState::Processed),
            (Model { answers_sensor: false, ..Model::CLONE }, JobState::Sent),
            (Model::SILENT, JobState::Unknown),
        ] {
            let sim = Sim::new(model);
            let address = if serial { sim.pty() } else { sim.listen(listener()) };
            let patient = Limits { status: FAST.status, proof: Duration::from_secs(1), ..IMPATIENT };
            let limits = if model == Model::SILENT { IMPATIENT } else { patient };
            let served = Served::start(address, profile(model.width_dots), limits);
            served.handle.submit(job(1)).unwrap();
            assert_eq!(served.end(1), state, "{model:?}");
            let pages = sim.pages();
            assert_eq!(pages.len(), 1);
            assert_eq!(read_qr(&pages[0].to_bitmap(model.width_dots)), [LETTERS]);
            served.stop();
        }
    }
}

#[test]
fn a_sink_that_swallows_everything_is_unknown() {
    let listener = listener();
    let address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let sink = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        // It came once, and never again.
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    });
    let served = Served::start(address, profile(576), IMPATIENT);
    served.handle.submit(job(1)).unwrap();
    assert_eq!(served.end(1), JobState::Unknown);
    served.stop();
    sink.join().unwrap();
}

#[test]
fn a_printer_that_is_switched_on_later_prints() {
    let listener = listener();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let served = Served::start(format!("tcp://{at}").parse().unwrap(), profile(576), FAST);
    served.handle.submit(job(1)).unwrap();
    let why = served.condition(PrinterCondition::Busy).unwrap();
    assert!(why.contains(&at.to_string()), "{why}");
    let sim = Sim::new(Model::FULL);
    sim.listen(TcpListener::bind(at).unwrap());
    assert_eq!(served.end(1), JobState::Printed);
    served.stop();
}

#[test]
fn what_is_not_there_is_gone_and_says_so() {
    for address in
        ["usblp:ffff:fffe", "usb://ffff:fffe", "serial:///dev/no-such-tty", "usblp:/dev/usb/lp-none"]
    {
        let served = Served::start(address.parse().unwrap(), profile(576), FAST);
        served.handle.submit(job(1)).unwrap();
        let why = served.condition(PrinterCondition::Gone).unwrap();
        assert!(why.contains(address.split('?').next().unwrap()), "{why}");
        served.handle.cancel(job(1).id).unwrap();
        assert_eq!(served.end(1), JobState::Failed(FailReason::Cancelled));
        served.handle.cancel(JobId(uuid::Uuid::from_u128(9))).unwrap();
        served.wait(|report| matches!(report, Report::NotCancelled { .. }).then_some(()));
        served.stop();
    }
}

#[test]
fn a_tty_that_another_program_holds_is_busy() {
    let sim = Sim::new(Model::FULL);
    let address = sim.pty();
    let Address::Serial { node, .. } = &address else { unreachable!() };
    let other =
        OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NOCTTY.bits()).open(node).unwrap();
    let lock = nix::fcntl::Flock::lock(other, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let served = Served::start(address, profile(576), FAST);
    served.handle.submit(job(1)).unwrap();
    let why = served.condition(PrinterCondition::Busy).unwrap();
    assert!(why.contains("fuser"), "{why}");
    drop(lock);
    assert_eq!(served.end(1), JobState::Printed);
    served.stop();
}

#[test]
fn stopping_lets_the_card_under_way_end() {
    let sim = Sim::new(Model::FULL);
    let served =
        Served::start(sim.listen(listener()), PaperProfile { qr: QrMode::Raster, ..profile(576) }, FAST);
    served.handle.submit(job(1)).unwrap();
    served.wait(|report| matches!(report, Report::Job { state: JobState::Sending, .. }).then_some(()));
    served.handle.submit(job(2)).unwrap();
    served.handle.stop().unwrap();
    served.thread.join().unwrap();
    let states: Vec<_> = served.reports.try_iter().collect();
    assert!(
        states.iter().any(|report| matches!(report, Report::Job { state: JobState::Printed, .. })),
        "{states:?}"
    );
    let second = job(2).id;
    let begun = |report: &Report| matches!(report, Report::Job { id, state, .. } if *id == second && *state != JobState::Queued);
    assert!(!states.iter().any(begun), "{states:?}");
    assert_eq!(sim.pages().len(), 1);
}
