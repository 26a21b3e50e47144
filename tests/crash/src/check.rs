//! What must hold after a crash: asked of the daemon that was started on what the crash left.

use crate::clients::Client;
use crate::dice::Dice;
use crate::line::{Failed, Line};
use crate::shop::{Known, MERGED, Op, seen};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

/// Searches that a daemon allows at once; afterwards one every two seconds.
const SEARCHES: usize = 30;
/// Of them, those for cards that must lead to nobody any more.
const ERASED_SEARCHES: usize = 5;
/// Answered requests of a round that are sent again.
const REPEATS: usize = 100;

/// A customer as the daemon shows it now; null for one of whom it knows no person.
pub(crate) fn look(line: &mut Line, number: &str) -> Result<Value, Failed> {
    let params = json!({ "customer": number });
    let show = match line.ask("customer.show", &params) {
        Err(Failed::Refused { reason, .. }) if reason == "not_found" => return Ok(Value::Null),
        // Who was merged is told by the number that they lead to.
        Err(Failed::Refused { reason, .. }) if reason == "conflict" => return Ok(json!(MERGED)),
        show => show?,
    };
    let list = line.ask("issue.list", &params)?;
    let points = line.ask("points.show", &params)?;
    Ok(seen(&show, &list, &points))
}

/// Compares every customer of every client with the model, finds the requests under way to hold whole or not at all, and
/// sends requests again. Gives how many customers were compared.
pub(crate) fn check(line: &mut Line, clients: &mut [Client], dice: &mut Dice) -> anyhow::Result<usize> {
    let mut compared = 0;
    for client in clients.iter_mut() {
        if let Some(op) = client.under_way.take() {
            under_way(line, client, &op).with_context(|| format!("{} was under way", op.method))?;
        }
        for known in &client.customers.0 {
            same(line, known)?;
            compared += 1;
        }
    }
    let known: Vec<&Known> = clients.iter().flat_map(|client| &client.customers.0).collect();
    find(line, &known, dice)?;
    // What an erased customer once asked for can be compared with nothing any more: its hash went with the key. What a merged one
    // asked for is answered for the number that they lead to.
    let gone = |known: &Known| known.erased() || known.merged();
    let comparable =
        |client: &Client, op: &Op| op.erases() || !client.customers.0.get(op.place()).is_some_and(gone);
    let answered: Vec<&(Op, Value)> = clients
        .iter()
        .flat_map(|client| client.answered.iter().filter(move |(op, _)| comparable(client, op)))
        .collect();
    for _ in 0..REPEATS.min(answered.len()) {
        if let Some((op, answer)) = dice.pick(&answered) {
            repeat(line, op, answer)?;
        }
    }
    clients.iter_mut().for_each(|client| client.answered.clear());
    Ok(compared)
}

/// Whether the daemon shows a customer as the model has it.
pub(crate) fn same(line: &mut Line, known: &Known) -> anyhow::Result<()> {
    let (found, wanted) = (look(line, &known.number), known.expected());
    let found =
        found.with_context(|| format!("acknowledged and lost: customer {}: {wanted}", known.number))?;
    let lost = if found.is_null() { "acknowledged and lost: " } else { "" };
    ensure!(found == wanted, "{lost}customer {} is\n  {found}\nand should be\n  {wanted}", known.number);
    Ok(())
}

/// A request whose answer never came holds in whole, or not at all, and comes to the same when it is sent again.
fn under_way(line: &mut Line, client: &mut Client, op: &Op) -> anyhow::Result<()> {
    let before = op.customer().and_then(|place| client.customers.0.get(place)).cloned();
    let found = before.as_ref().map(|known| look(line, &known.number)).transpose()?;
    let answer = line.call(&op.key.to_string(), op.method, &op.params).context("sent again")?;
    let held = answer["repeated"] == true;
    client.customers.apply(op, &answer);
    let after = op.customer().and_then(|place| client.customers.0.get(place));
    if op.erases() {
        // Forgotten by the request or, once it had begun, by the start; or not at all until it was sent again.
        let (found, before) = (found.unwrap_or_default(), before.context("nobody to erase")?);
        ensure!(found.is_null() || found == before.expected(), "half erased: {found}");
        return Ok(());
    }
    if let (Some(found), Some(before), Some(after)) = (found, before, after) {
        let wanted = if held { after } else { &before }.expected();
        ensure!(found == wanted, "half applied (repeated: {held}): it was\n  {found}\nand not\n  {wanted}");
    }
    Ok(())
}

/// The same request again has the same outcome and changes nothing.
fn repeat(line: &mut Line, op: &Op, answer: &Value) -> anyhow::Result<()> {
    let again = line.call(&op.key.to_string(), op.method, &op.params);
    let again = again.with_context(|| format!("{} sent again", op.method))?;
    let (one, other) = (&answer[op.outcome()], &again[op.outcome()]);
    ensure!(again["repeated"] == true, "{} was acknowledged, and is carried out anew: {again}", op.method);
    ensure!(one == other, "{} came to {one}, and sent again to {other}", op.method);
    Ok(())
}

/// Cards and telephones lead to their customers.
fn find(line: &mut Line, known: &[&Known], dice: &mut Dice) -> anyhow::Result<()> {
    let (erased, known): (Vec<&Known>, Vec<&Known>) = known.iter().partition(|known| known.erased());
    let known: Vec<&Known> = known.into_iter().filter(|known| !known.merged()).collect();
    let gone: Vec<_> = erased.iter().flat_map(|known| known.codes()).take(ERASED_SEARCHES).collect();
    for code in &gone {
        let answer = line.ask("customer.find", &json!({ "code": code }))?;
        ensure!(answer["rows"] == json!([]), "the card of an erased customer leads to {answer}");
    }
    let codes: Vec<_> = known
        .iter()
        .flat_map(|known| known.codes().map(|code| (json!({ "code": code }), &known.number)))
        .collect();
    for turn in 0..SEARCHES - gone.len() {
        let (params, number) = if turn % 2 == 0 {
            let Some(found) = dice.pick(&codes) else { continue };
            found.clone()
        } else {
            let Some(found) = dice.pick(&known) else { continue };
            (json!({ "phone": found.phone() }), &found.number)
        };
        let answer = line.ask("customer.find", &params)?;
        let rows = answer["rows"].as_array().context("no rows")?;
        ensure!(
            rows.iter().any(|row| row["customer"] == **number),
            "{} does not lead to customer {number}",
            if turn % 2 == 0 { "a card" } else { "a telephone" }
        );
    }
    Ok(())
}
