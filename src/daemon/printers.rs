//! A thread for each printer, and what it reports: to the register that asked, and to the journal.

use crate::config::Config;
use crate::desk::{Desk, Noted, Printers};
use crate::device::printer_port::{self, Address, HandleError, Inbox, PrinterSettings, Report};
use crate::domain::id::{JobId, PrinterName, RegisterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Clock;
use crate::print::CardFace;
use crate::print::queue::{JOBS_MAX, Job, JobState, Limits, PrinterCondition, Queue};
use crate::push::Hub;
use crate::push::wire::{Context, Event};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How long a job's event means anything: as long as somebody may stand waiting for the card.
const JOB_LIFETIME: Duration = Duration::from_secs(300);

/// The most events of one printer's jobs that wait for the store: a full queue of jobs with all their states.
const NEWS_MAX: usize = 256;

/// Every printer with its thread.
pub(super) struct PrintRoom {
    printers: Vec<Arc<Printer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    desk: Arc<OnceLock<Weak<Desk>>>,
}

struct Printer {
    settings: PrinterSettings,
    handle: printer_port::Handle,
    condition: Mutex<(PrinterCondition, Option<String>)>,
    /// Who asked for which job; as many as the queue holds.
    askers: Mutex<VecDeque<(JobId, RegisterName)>>,
}

impl PrintRoom {
    /// Starts a thread for each configured printer.
    pub(super) fn start(
        config: &Config,
        hub: &Arc<Hub>,
        clock: &Arc<dyn Clock>,
        runtime: &Handle,
    ) -> io::Result<Self> {
        let desk = Arc::new(OnceLock::new());
        let (mut printers, mut threads) = (Vec::new(), Vec::new());
        for settings in &config.printers.printers {
            let (handle, inbox) = printer_port::channel()?;
            let printer = Arc::new(Printer {
                settings: settings.clone(),
                handle,
                condition: Mutex::new((PrinterCondition::default(), None)),
                askers: Mutex::default(),
            });
            let (news, to_tell) = channel(NEWS_MAX);
            runtime.spawn(tell(Arc::clone(hub), to_tell));
            let reporter = Reporter {
                printer: Arc::clone(&printer),
                news,
                desk: Arc::clone(&desk),
                last: HashMap::new(),
            };
            let clock = Arc::clone(clock);
            let thread = std::thread::Builder::new().name("printer".to_owned());
            threads.push(thread.spawn(move || print(reporter, &inbox, &*clock))?);
            printers.push(printer);
        }
        Ok(Self { printers, threads: Mutex::new(threads), desk })
    }

    /// Whom to tell what became of jobs. Weak: the desk holds the printers already.
    pub(super) fn tell(&self, desk: &Arc<Desk>) {
        if self.desk.set(Arc::downgrade(desk)).is_err() {
            tracing::warn!("the printers were told twice whom to report to");
        }
    }

    /// Ends all printers; a card under way is finished first, within the limit of the port.
    pub(super) fn stop(&self) {
        for printer in &self.printers {
            if let Err(error) = printer.handle.stop() {
                tracing::warn!(printer = %printer.settings.name, %error, "a printer cannot be stopped in order");
            }
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a printer's thread panicked");
            }
        }
    }

    fn printer(&self, name: &PrinterName) -> Result<&Arc<Printer>, Refusal> {
        let found = self.printers.iter().find(|printer| printer.settings.name == *name);
        found.ok_or_else(|| Refusal::new(RefusalCode::NotFound, "no printer has this name"))
    }
}

fn print(mut reporter: Reporter, inbox: &Inbox, clock: &dyn Clock) {
    let printer = Arc::clone(&reporter.printer);
    let address: &Address = &printer.settings.address;
    let queue = Queue::new(printer.settings.paper.clone(), Limits::USUAL);
    printer_port::run(address, queue, inbox, clock, &mut |report| reporter.take(report));
}

/// What one printer's thread tells, passed on.
struct Reporter {
    printer: Arc<Printer>,
    news: Sender<News>,
    desk: Arc<OnceLock<Weak<Desk>>>,
    /// The last state told of each job under way, so that nothing is told twice.
    last: HashMap<JobId, &'static str>,
}

impl Reporter {
    fn take(&mut self, report: Report) {
        match report {
            Report::Job { id, state, omitted } => {
                let texts = omitted.texts();
                if state.has_ended() && !texts.is_empty() {
                    let printer = &self.printer.settings.name;
                    tracing::warn!(
                        job = %id, %printer, omitted = texts.join(", "),
                        "a card lacks a text that is not in `code_page` of the printer nor in a font of this host; `ficha doctor` \
                         names the packages with fonts"
                    );
                }
                self.job(id, (state.word(), reason(state)), texts, state.has_ended());
            }
            Report::Refused { id, error } => {
                tracing::warn!(job = %id, %error, "a card is not printed");
                self.job(id, ("failed", Some("refused")), Vec::new(), true);
            }
            Report::NotCancelled { id, error } => tracing::info!(job = %id, %error, "a job is not cancelled"),
            Report::Condition { condition, why } => {
                let name = &self.printer.settings.name;
                let why_text = why.as_deref().unwrap_or_default();
                tracing::info!(printer = %name, condition = condition.word(), why = why_text, "printer");
                let mut kept = self.printer.condition.lock().unwrap_or_else(PoisonError::into_inner);
                *kept = (condition, why);
            }
        }
    }

    fn job(
        &mut self,
        job: JobId,
        (state, reason): (&'static str, Option<&'static str>),
        omitted: Vec<&'static str>,
        ended: bool,
    ) {
        let before = self.last.insert(job, state);
        if before == Some(state) {
            return;
        }
        // That it is queued was written with the job itself.
        let known = before.is_none() && state == JobState::Queued.word();
        let register = self.printer.asker(job, ended);
        if ended {
            self.last.remove(&job);
        }
        let desk = self.desk.get().and_then(Weak::upgrade).filter(|_| !known);
        let noted = desk.and_then(|desk| desk.record_job(job, state, reason, &omitted));
        let Some(register) = register else { return };
        let printer = self.printer.settings.name.clone();
        if self.news.try_send(News { noted, register, job, printer, state, reason, omitted }).is_err() {
            tracing::warn!(%job, state, "a register is not told of a job: the store is too far behind");
        }
    }
}

/// What a register is to be told of a job, once the store has it.
struct News {
    noted: Option<Noted>,
    register: RegisterName,
    job: JobId,
    printer: PrinterName,
    state: &'static str,
    reason: Option<&'static str>,
    omitted: Vec<&'static str>,
}

/// Tells registers how their jobs go on, in order, and never before `job.show` would say the same.
async fn tell(hub: Arc<Hub>, mut to_tell: Receiver<News>) {
    while let Some(News { noted, register, job, printer, state, reason, omitted }) = to_tell.recv().await {
        if let Some(noted) = noted {
            // Where it could not be noted, the register is told all the same: the paper is what counts.
            drop(noted.await);
        }
        let event = Event::Job { job, printer: &printer, state, reason, omitted: &omitted };
        hub.publish(&register, &event, Context { reader: None, lifetime: JOB_LIFETIME });
    }
}

impl Printer {
    fn asker(&self, job: JobId, ended: bool) -> Option<RegisterName> {
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        let place = askers.iter().position(|(kept, _)| *kept == job)?;
        let register = askers.get(place).map(|(_, register)| register.clone());
        if ended {
            askers.remove(place);
        }
        register
    }

    fn allows(&self, register: Option<&RegisterName>) -> bool {
        let registers = &self.settings.registers;
        registers.is_empty() || register.is_some_and(|register| registers.contains(register))
    }
}

impl Printers for PrintRoom {
    fn list(&self) -> Vec<(PrinterName, String)> {
        let row = |printer: &Arc<Printer>| {
            let kept = printer.condition.lock().unwrap_or_else(PoisonError::into_inner);
            let condition = match &kept.1 {
                Some(why) => format!("{}: {why}", kept.0.word()),
                None => kept.0.word().to_owned(),
            };
            (printer.settings.name.clone(), condition)
        };
        self.printers.iter().map(row).collect()
    }

    fn usual(&self, register: Option<&RegisterName>) -> Option<PrinterName> {
        let found = self.printers.iter().find(|printer| printer.allows(register));
        found.map(|printer| printer.settings.name.clone())
    }

    fn allows(&self, printer: &PrinterName, register: Option<&RegisterName>) -> bool {
        self.printer(printer).is_ok_and(|printer| printer.allows(register))
    }

    fn submit(
        &self,
        printer: &PrinterName,
        register: Option<&RegisterName>,
        id: JobId,
        mut face: CardFace,
    ) -> Result<(), Refusal> {
        let printer = self.printer(printer)?;
        if let Some(register) = register {
            let mut askers = printer.askers.lock().unwrap_or_else(PoisonError::into_inner);
            if askers.len() >= JOBS_MAX {
                askers.pop_front();
            }
            askers.push_back((id, register.clone()));
        }
        if let Some(title) = &printer.settings.title {
            face.title = Some(title.clone());
        }
        printer.handle.submit(Job { id, face }).map_err(|error| {
            // Nobody waits for a job that was not taken.
            printer.asker(id, true);
            busy(error)
        })
    }

    fn cancel(&self, printer: &PrinterName, job: JobId) -> Result<(), Refusal> {
        self.printer(printer)?.handle.cancel(job).map_err(busy)
    }
}

fn reason(state: JobState) -> Option<&'static str> {
    match state {
        JobState::Failed(reason) => Some(reason.word()),
        JobState::Queued
        | JobState::Sending
        | JobState::Sent
        | JobState::Processed
        | JobState::Printed
        | JobState::Unknown => None,
    }
}

fn busy(error: HandleError) -> Refusal {
    Refusal::new(RefusalCode::Busy, error.to_string())
}
