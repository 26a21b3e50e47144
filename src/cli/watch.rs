//! `ficha watch`: what happens at the registers, as it happens.

use super::ask::Asker;
use super::{event, say};
use serde_json::json;
use std::time::Duration;

/// One wait for an event; then the next begins.
const WAIT: Duration = Duration::from_secs(3600);

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
        if let Some(event) = client.next_event(WAIT)? {
            asker.say(&event, event::line)?;
        }
    }
}
