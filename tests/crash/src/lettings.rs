//! A retention run that is cut off: of each customer everything is as it was, or what is over is gone and the rest is there
//! under the new key. Done again it comes to its end.

use crate::check::{look, same};
use crate::clients::{Client, Cut};
use crate::daemon::{Daemon, Place};
use crate::dice::Dice;
use crate::kills::micros;
use crate::line::Line;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::thread;

/// It is cut off within this time.
const LET_GO_US: usize = 400_000;

/// Has everything let go that the config keeps for no day, and ends the daemon in the middle of it. What the disks have is then
/// to be mounted anew.
pub(crate) fn cut_off(daemon: Daemon, place: &Place, dice: &mut Dice, cut: Cut<'_>) -> anyhow::Result<()> {
    let mut line = Line::connect(&place.socket())?;
    let (key, wait) = (dice.uuid(), micros(dice, LET_GO_US));
    thread::scope(|scope| {
        let params = json!({ "key": key, "now": true });
        let asking = scope.spawn(move || line.call(&key.to_string(), "retention.run", &params));
        thread::park_timeout(wait);
        let ended = cut().and_then(|()| daemon.kill());
        // Whether it was answered or not: it is asked for again.
        drop(asking.join().ok().context("the one that asks panicked")?);
        ended
    })
}

/// Finds nothing let go of by half, has the rest let go, and finds that gone and no more.
pub(crate) fn finish(line: &mut Line, clients: &mut [Client], dice: &mut Dice) -> anyhow::Result<()> {
    for known in clients.iter_mut().flat_map(|client| &mut client.customers.0) {
        let (found, before) = (look(line, &known.number)?, known.expected());
        known.let_go();
        let after = known.expected();
        // Of two who are one, one can be let go of without the other.
        ensure!(
            found == before || found == after || known.is_of_two(),
            "half let go: it was\n  {before}\nand should be that or\n  {after}\nand is\n  {found}"
        );
    }
    let mut after = Value::Null;
    loop {
        let key = dice.uuid();
        let params = json!({ "key": key, "after": after, "now": true });
        let answer = line.call(&key.to_string(), "retention.run", &params).context("retention.run again")?;
        ensure!(answer["failed"] == 0, "some could not be let go of: {answer}");
        after = answer["next"].clone();
        if after.is_null() {
            break;
        }
    }
    clients.iter().flat_map(|client| &client.customers.0).try_for_each(|known| same(line, known))
}
