//! The way back: a queued decision's answer, to wait for or to await.

use super::{Meta, Refused};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use tokio::sync::oneshot;

/// A decision that was committed, or that read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the decision returned.
    pub value: T,
    /// Its transaction. For a decision that emitted nothing: the last transaction it saw.
    pub meta: Meta,
}

/// The answer to come. A future, and [`Pending::wait`] for a thread. Dropping it does not take the decision back.
#[derive(Debug)]
#[must_use = "the decision runs all the same, but nobody learns how it ended"]
pub struct Pending<T, R> {
    answer: oneshot::Receiver<Answer<T, R>>,
}

pub(super) type Answer<T, R> = Result<Committed<T>, Refused<R>>;

impl<T, R> Pending<T, R> {
    pub(super) fn new(answer: oneshot::Receiver<Answer<T, R>>) -> Self {
        Self { answer }
    }

    /// Blocks this thread until the answer is there. Not for a thread that runs async tasks: await it there.
    pub fn wait(self) -> Answer<T, R> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut this = pin!(self);
        loop {
            match this.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<T, R> Future for Pending<T, R> {
    type Output = Answer<T, R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(Refused::Closed)))
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
