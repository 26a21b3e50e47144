//! `ficha watch`: what happens at the registers, as it happens.

use super::ask::Asker;
use super::{event, say};
use crate::push::client::{Client, ClientError};
use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

/// Follows events until the output is closed, also across a restart of the daemon. Nothing is acknowledged, so no register misses any.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this register; without it all of them, which needs the group fichad-manager.
    #[arg(long, value_name = "NAME")]
    register: Option<String>,
}

/// How often a daemon that has gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Says each event. A daemon that is started anew is followed on.
pub(super) fn run(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    let register = args.register.as_deref().unwrap_or("*");
    let mut client = subscribed(asker, register)?;
    say::aside(&format!("watching {register}; Ctrl-C ends it"));
    loop {
        match follow(&mut client, asker) {
            Err(error) if is_gone(&error) => say::aside("fichad has gone; waiting for it to come back"),
            ended => return ended,
        }
        client = loop {
            match subscribed(asker, register) {
                Ok(client) => break client,
                Err(error) if is_gone(&error) => wait(None)?,
                Err(error) => return Err(error),
            }
        };
        say::aside("fichad is back");
    }
}

fn subscribed(asker: &Asker, register: &str) -> anyhow::Result<Client> {
    let mut client = asker.connect()?;
    client.call("subscribe", json!({ "register": register }))?;
    Ok(client)
}

fn follow(client: &mut Client, asker: &Asker) -> anyhow::Result<()> {
    loop {
        while let Some(event) = client.next_event(Duration::ZERO)? {
            asker.say(&event, event::line)?;
        }
        wait(Some(client))?;
    }
}

/// Whether there is no daemon now, and may be one again.
fn is_gone(error: &anyhow::Error) -> bool {
    let gone = error.downcast_ref::<ClientError>();
    matches!(gone, Some(ClientError::Closed | ClientError::Broken { .. } | ClientError::NoDaemon { .. }))
}

/// Until the daemon says something (or it is time to look for it again), or nobody reads what we say: then there is nothing
/// left to wait for.
fn wait(client: Option<&Client>) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let ours = PollFd::new(stdout.as_fd(), PollFlags::empty());
    let mut waited: Vec<PollFd<'_>> = vec![ours];
    waited.extend(client.map(|client| PollFd::new(client.as_fd(), PollFlags::POLLIN)));
    let patience = match client {
        Some(_) => PollTimeout::NONE,
        None => PollTimeout::try_from(LOOK_AGAIN).unwrap_or(PollTimeout::MAX),
    };
    match poll(&mut waited, patience) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error).context("cannot wait for events"),
    }
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let found = waited.first().and_then(PollFd::revents);
    if found.is_some_and(|found| found.intersects(gone)) {
        return Err(say::ReaderGone.into());
    }
    Ok(())
}
