//! The clients: threads that each hold one connection and write as fast as they are answered.

use crate::daemon::{Daemon, Place, until};
use crate::dice::Dice;
use crate::line::{Failed, Line};
use crate::shop::{Customers, Op};
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A group of the log then holds a few dozen records.
pub(crate) const CLIENTS: usize = 24;
/// What a client waits when the daemon is busy.
const BUSY: Duration = Duration::from_millis(2);

/// One client over all rounds of a store's life.
#[derive(Debug)]
pub(crate) struct Client {
    register: String,
    dice: Dice,
    pub(crate) customers: Customers,
    /// Requests of the current round with their answers.
    pub(crate) answered: Vec<(Op, Value)>,
    /// Asked and not answered: it may hold or not.
    pub(crate) under_way: Option<Op>,
}

/// The clients of one store.
pub(crate) fn clients(seed: u64, part: &str, life: usize) -> Vec<Client> {
    (0..CLIENTS)
        .map(|number| Client {
            register: format!("till-{number}"),
            dice: Dice::new(seed, part, life * CLIENTS + number),
            customers: Customers::default(),
            answered: Vec::new(),
            under_way: None,
        })
        .collect()
}

/// What the clients and whoever cuts them off share.
#[derive(Debug, Default)]
struct Round {
    answered: AtomicUsize,
    /// No further requests.
    enough: AtomicBool,
    /// Answers count no more. Held while one is counted.
    over: Mutex<bool>,
}

impl Round {
    fn gate(&self) -> MutexGuard<'_, bool> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something done to a disk.
pub(crate) type Cut<'e> = &'e mut dyn FnMut() -> anyhow::Result<()>;

/// How a round ends.
pub(crate) enum End<'e> {
    /// By SIGKILL: whatever had been sent before counts.
    Kill,
    /// By the second of them; only answers that were read before count. The first is done when half of them have come, and
    /// the writing goes on.
    Cut(Cut<'e>, Cut<'e>),
    /// Clients stop asking, and the daemon is stopped.
    Stop,
}

/// Lets the clients write until so many answers came, and ends the round; gives how many answers counted.
pub(crate) fn write(
    daemon: Daemon,
    place: &Place,
    clients: &mut [Client],
    answers: usize,
    pause: Duration,
    mut end: End<'_>,
) -> anyhow::Result<usize> {
    let round = Round::default();
    let socket = place.socket();
    let ended = thread::scope(|scope| {
        let threads: Vec<_> =
            clients.iter_mut().map(|client| scope.spawn(|| client.run(&socket, &round))).collect();
        let working = || threads.iter().any(|thread| !thread.is_finished());
        let so_many = |answers| {
            until("enough is answered", || {
                ensure!(working(), "every client ended before the round did");
                Ok((round.answered.load(Ordering::Acquire) >= answers).then_some(()))
            })
        };
        let mut reached = so_many(answers / 2);
        if let (Ok(()), End::Cut(half, _)) = (&reached, &mut end) {
            reached = half();
        }
        let reached = reached.and_then(|()| so_many(answers));
        thread::park_timeout(pause);
        let ended = reached.and_then(|()| finish(daemon, &round, end, working));
        round.enough.store(true, Ordering::Release);
        for thread in threads {
            thread.join().ok().context("a client panicked")??;
        }
        ended
    });
    ended.with_context(|| format!("the daemon said:\n{}", place.log()))?;
    Ok(round.answered.load(Ordering::Acquire))
}

fn finish(daemon: Daemon, round: &Round, end: End<'_>, working: impl Fn() -> bool) -> anyhow::Result<()> {
    match end {
        End::Kill => daemon.kill(),
        End::Cut(_, cut) => {
            *round.gate() = true;
            cut()?;
            daemon.kill()
        }
        End::Stop => {
            round.enough.store(true, Ordering::Release);
            until("the clients end", || Ok((!working()).then_some(())))?;
            daemon.stop()
        }
    }
}

impl Client {
    /// The same client at another moment.
    pub(crate) fn standing(
        &self,
        customers: Customers,
        answered: Vec<(Op, Value)>,
        under_way: Option<Op>,
    ) -> Self {
        Self { register: self.register.clone(), dice: self.dice.clone(), customers, answered, under_way }
    }

    fn run(&mut self, socket: &Path, round: &Round) -> anyhow::Result<()> {
        let Ok(mut line) = Line::connect(socket) else { return Ok(()) };
        while !round.enough.load(Ordering::Acquire) {
            let op = self.customers.next(&self.register, &mut self.dice);
            self.under_way = Some(op.clone());
            let answer = match self.ask(&mut line, &op, round) {
                Ok(Some(answer)) => answer,
                Ok(None) => return Ok(()),
                Err(failed) => bail!("{} was answered with {failed}", op.method),
            };
            let over = round.gate();
            if *over {
                return Ok(());
            }
            round.answered.fetch_add(1, Ordering::AcqRel);
            drop(over);
            self.customers.apply(&op, &answer);
            self.answered.push((op, answer));
            self.under_way = None;
        }
        Ok(())
    }

    /// The answer; `None` when it did not come.
    fn ask(&self, line: &mut Line, op: &Op, round: &Round) -> Result<Option<Value>, Failed> {
        loop {
            match line.call(&op.key.to_string(), op.method, &op.params) {
                Ok(answer) => return Ok(Some(answer)),
                Err(Failed::Gone) => return Ok(None),
                Err(Failed::Refused { reason, .. }) if reason == "busy" => thread::park_timeout(BUSY),
                // A disk that is gone: whether this one is on it, the next start shows.
                Err(Failed::Refused { .. }) if *round.gate() => return Ok(None),
                Err(refused) => return Err(refused),
            }
        }
    }
}
