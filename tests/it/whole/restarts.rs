//! What a crash leaves: everything that was answered, and no print job that nobody knows of.

use super::rig::*;
use serde_json::json;
use std::net::TcpListener;

#[test]
fn customers_and_cards_are_there_after_a_crash_and_open_jobs_are_settled() {
    // It takes what it is sent and never says a word, so that the first job stays under way and the second one waits.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let printer =
        format!("[[printer]]\nname = \"desk\"\naddress = \"tcp://{}\"\n", silent.local_addr().unwrap());
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&(one_till(&scanner) + &printer));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (customer, card, letters) = customer(&mut register);
    let under_way = write(&mut register, "card.print", json!({ "customer": customer }))["job"].clone();
    until("the first job is under way", || {
        register.call("job.show", json!({ "job": under_way })).unwrap()["state"] == "sending"
    });
    let waiting = write(&mut register, "card.print", json!({ "customer": customer }))["job"].clone();
    assert_eq!(register.call("job.show", json!({ "job": waiting })).unwrap()["state"], "queued");
    fichad.kill();

    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + &printer));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    for (job, state) in [(under_way, "unknown"), (waiting, "failed")] {
        let mut shown = json!({});
        until("the job is settled", || {
            shown = register.call("job.show", json!({ "job": job })).unwrap();
            shown["reason"] == "stopped"
        });
        assert_eq!(shown["state"], state);
    }
    let cards = register.call("card.list", json!({ "customer": customer })).unwrap();
    assert_eq!((cards["cards"].as_array().unwrap().len(), &cards["cards"][0]["card"]), (3, &card));
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    // A job of this run is not settled with those of the last one.
    let job = write(&mut register, "card.print", json!({ "customer": customer }))["job"].clone();
    until("the new job is under way", || {
        register.call("job.show", json!({ "job": job })).unwrap()["state"] == "sending"
    });
}
