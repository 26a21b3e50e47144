//! `ficha watch`: what happens at the registers, as it happens.

use super::ask::Asker;
use super::{event, say};
use crate::push::client::Client;
use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

/// Follows events until the daemon stops or the output is closed. Nothing is acknowledged, so no register misses any.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this register; without it all of them, which needs the group fichad-manager.
    #[arg(long, value_name = "NAME")]
    register: Option<String>,
}

/// Says each event.
pub(super) fn run(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    let mut client = asker.connect()?;
    let register = args.register.as_deref().unwrap_or("*");
    client.call("subscribe", json!({ "register": register }))?;
    say::aside(&format!("watching {register}; Ctrl-C ends it"));
    loop {
        while let Some(event) = client.next_event(Duration::ZERO)? {
            asker.say(&event, event::line)?;
        }
        wait(&client)?;
    }
}

/// Until the daemon says something, or nobody reads what we say: then there is nothing left to wait for.
fn wait(client: &Client) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let mut waited =
        [PollFd::new(client.as_fd(), PollFlags::POLLIN), PollFd::new(stdout.as_fd(), PollFlags::empty())];
    match poll(&mut waited, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error).context("cannot wait for events"),
    }
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let [_, stdout] = waited;
    if stdout.revents().is_some_and(|found| found.intersects(gone)) {
        return Err(say::ReaderGone.into());
    }
    Ok(())
}
