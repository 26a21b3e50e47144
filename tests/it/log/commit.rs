//! Deciding and committing: one after another, whole, and there after reopening.

use super::support::*;
use fichad::log::{
    FoldError, Half, HealthState, Log, Meta, OpenError, Read, ReadWrite, Refused, SubmitError, Tx,
};
use std::fs;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::thread;

#[test]
fn what_was_committed_is_there_after_reopening() {
    let bench = Bench::new();
    let (log, report) = bench.open();
    assert_eq!((report.last, report.rebuilt.len(), report.caught_up), (None, 0, 0));
    assert_eq!(put(&log, Half::Neutral, "a", "1").seq, 1);
    let both = write(&log, &[(Half::Personal, "put name x"), (Half::Neutral, "put a 2")]).unwrap();
    assert_eq!(both.meta.seq, 2);
    assert_eq!(put(&log, Half::Personal, "only", "here").seq, 3);
    assert_eq!(write(&log, &[]).unwrap().meta, Meta { seq: 3, ..log_last(&log) });
    let before = HALVES.map(|half| (dump(&log.views(), half), log.views().digest(half).unwrap()));
    assert_eq!(log.close().state, HealthState::Ok);

    let (log, report) = bench.open();
    assert_eq!(report.last.map(|meta| meta.seq), Some(3));
    assert_eq!((report.rebuilt.len(), report.caught_up, report.torn.len()), (0, 0, 0));
    assert_eq!(HALVES.map(|half| (dump(&log.views(), half), log.views().digest(half).unwrap())), before);
    assert_eq!(get(&log, Half::Neutral, "a").as_deref(), Some("2"));
    assert_eq!(get(&log, Half::Personal, "only").as_deref(), Some("here"));
    assert_eq!(put(&log, Half::Neutral, "b", "1").seq, 4);
}

#[test]
fn of_many_threads_that_claim_one_key_one_wins() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let start = Barrier::new(64);
    let won: Vec<bool> = thread::scope(|scope| {
        let claims: Vec<_> = (0..64)
            .map(|who| {
                let (log, start) = (log.clone(), &start);
                scope.spawn(move || {
                    start.wait();
                    let decide = move |tx: &mut Tx<'_>| {
                        if tx.get(view(Half::Neutral, ENTRIES), b"card").unwrap().is_some() {
                            return Err("taken");
                        }
                        tx.emit(Half::Neutral, format!("put card {who}").as_bytes()).unwrap();
                        Ok(who)
                    };
                    match log.submit(decide).unwrap().wait() {
                        Ok(_) => true,
                        Err(Refused::Refusal("taken")) => false,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).unwrap();
    assert_eq!(get(&log, Half::Neutral, "card"), Some(winner.to_string()));
    assert_eq!(log.health().last_seq, 1);
}

fn spend(log: &Log, points: i64) -> fichad::log::Pending<(), i64> {
    let decide = move |tx: &mut Tx<'_>| {
        let balance = number(tx, view(Half::Neutral, ENTRIES), "points");
        if balance < points {
            return Err(balance);
        }
        tx.emit(Half::Neutral, format!("add points -{points}").as_bytes()).unwrap();
        Ok(())
    };
    log.submit(decide).unwrap()
}

#[test]
fn points_are_spent_once_within_a_group() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "add points 100")]).unwrap();
    let go = hold(&log);
    let (first, second, third) = (spend(&log, 70), spend(&log, 70), spend(&log, 30));
    go.send(()).unwrap();
    assert_eq!(first.wait().unwrap().meta.seq, 2);
    assert!(matches!(second.wait(), Err(Refused::Refusal(30))));
    assert_eq!(third.wait().unwrap().meta.seq, 3);
    assert_eq!(get(&log, Half::Neutral, "points").as_deref(), Some("0"));
}

#[test]
fn a_discarded_decision_leaves_nothing() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    put(&log, Half::Neutral, "kept", "1");
    let before = fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap();
    let refused = log.submit(|tx| {
        tx.emit(Half::Neutral, b"put lost 1").unwrap();
        assert!(tx.get(view(Half::Neutral, ENTRIES), b"lost").unwrap().is_some());
        Err::<(), _>("no")
    });
    assert!(matches!(refused.unwrap().wait(), Err(Refused::Refusal("no"))));
    let panicked = log.submit(|tx| -> Result<(), ()> {
        tx.emit(Half::Neutral, b"put lost 2").unwrap();
        panic!("a decision that panics")
    });
    assert!(matches!(panicked.unwrap().wait(), Err(Refused::Panicked)));
    for event in ["large", "astray", "unheard"] {
        let swallowed = log.submit(move |tx| {
            tx.emit(Half::Neutral, b"put lost 3").unwrap();
            assert!(tx.emit(Half::Neutral, event.as_bytes()).is_err());
            Ok::<(), ()>(())
        });
        assert!(matches!(swallowed.unwrap().wait(), Err(Refused::Fold(_))), "{event}");
    }
    assert!(matches!(write(&log, &[(Half::Neutral, "panic")]), Err(Refused::Panicked)));
    assert_eq!(get(&log, Half::Neutral, "lost"), None);
    assert_eq!(fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap(), before);
    assert_eq!(put(&log, Half::Neutral, "kept", "2").seq, 2);
}

#[test]
fn a_discarded_decision_gives_back_what_the_group_had_decided() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "put kept 1"), (Half::Neutral, "put gone 1")]).unwrap();
    let go = hold(&log);
    let queue = |events: &'static [&'static str], yes: bool| {
        let decide = move |tx: &mut Tx<'_>| {
            events.iter().for_each(|event| tx.emit(Half::Neutral, event.as_bytes()).unwrap());
            if yes { Ok(()) } else { Err(()) }
        };
        log.submit(decide).unwrap()
    };
    let first = queue(&["put kept 2", "del gone", "put own 2"], true);
    let refused = queue(&["put kept 3", "put kept 4", "put gone 3", "del own", "put new 3"], false);
    let last = queue(&["add own 1"], true);
    go.send(()).unwrap();
    assert_eq!(first.wait().unwrap().meta.seq, 2);
    assert!(matches!(refused.wait(), Err(Refused::Refusal(()))));
    assert_eq!(last.wait().unwrap().meta.seq, 3);
    let found = ["kept", "gone", "own", "new"].map(|key| get(&log, Half::Neutral, key));
    assert_eq!(found.each_ref().map(Option::as_deref), [Some("2"), None, Some("3"), None]);
}

/// Only where debug assertions are on is this looked at, as in all tests.
#[cfg(debug_assertions)]
#[test]
fn an_event_that_is_not_folded_as_its_bytes_are_is_never_written() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let folded = |version: u32, key: &'static [u8]| {
        let fold = move |_: &Meta, views: &mut dyn ReadWrite| {
            views.put(view(Half::Neutral, ENTRIES), key, &[7, 7]);
            Ok(())
        };
        log.submit(move |tx| tx.emit_folded((Half::Neutral, version), b"fill a 7 2", &fold)).unwrap().wait()
    };
    assert!(matches!(folded(1, b"b"), Err(Refused::Panicked)));
    assert_eq!(log.health().last_seq, 0);
    assert_eq!(folded(1, b"a").unwrap().meta.seq, 1);
    // Of another fold, whose log this is not: that which the log has folds the bytes.
    assert_eq!(folded(2, b"b").unwrap().meta.seq, 2);
    assert_eq!(get(&log, Half::Neutral, "b"), None);
}

#[test]
fn a_transaction_reads_its_own_events_in_order_with_the_committed_ones() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "put b 1"), (Half::Neutral, "put d 1"), (Half::Neutral, "put e 1")])
        .unwrap();
    let seen = log.submit(|tx| {
        for event in ["put a 2", "put c 2", "del d", "put e 2", "put f 2"] {
            tx.emit(Half::Neutral, event.as_bytes())?;
        }
        let keys = |limit| tx.scan(view(Half::Neutral, ENTRIES), b"", limit);
        Ok::<_, FoldError>((keys(usize::MAX)?, keys(3)?, tx.scan(view(Half::Neutral, ENTRIES), b"e", 9)?))
    });
    let (all, three, e) = seen.unwrap().wait().unwrap().value;
    let text = |list: &[(Vec<u8>, Vec<u8>)]| {
        list.iter()
            .map(|(key, value)| String::from_utf8([&key[..], value].concat()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(text(&all), ["a2", "b1", "c2", "e2", "f2"]);
    assert_eq!(text(&three), ["a2", "b1", "c2"]);
    assert_eq!(text(&e), ["e2"]);
    assert_eq!(text(&log.views().scan(view(Half::Neutral, ENTRIES), b"", 2).unwrap()), ["a2", "b1"]);
}

#[test]
fn a_full_queue_is_busy_and_a_closed_log_says_so() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let go = hold(&log);
    let mut waiting = Vec::new();
    let busy = loop {
        match log.submit(|_| Ok::<(), ()>(())) {
            Ok(pending) => waiting.push(pending),
            Err(error) => break error,
        }
    };
    assert_eq!((busy, waiting.len()), (SubmitError::Busy, fichad::log::QUEUE_MAX));
    go.send(()).unwrap();
    assert!(waiting.into_iter().all(|pending| pending.wait().is_ok()));
    let other = log.clone();
    log.close();
    assert!(matches!(other.submit(|_| Ok::<(), ()>(())), Err(SubmitError::Closed)));
}

#[tokio::test]
async fn an_answer_can_be_awaited() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let pending = log.submit(|tx| tx.emit(Half::Neutral, b"put a 1")).unwrap();
    assert_eq!(pending.await.unwrap().meta.seq, 1);
}

#[test]
fn time_never_goes_back() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    bench.now_us.store(5_000_000, Ordering::Relaxed);
    let first = put(&log, Half::Neutral, "a", "1").at_us;
    bench.now_us.store(1_000, Ordering::Relaxed);
    assert_eq!(put(&log, Half::Neutral, "a", "2").at_us, first);
    log.close();
    let (log, report) = bench.open();
    assert_eq!(report.last.map(|meta| meta.at_us), Some(first));
    assert_eq!(put(&log, Half::Neutral, "a", "3").at_us, first);
    bench.now_us.store(9_000_000, Ordering::Relaxed);
    assert!(put(&log, Half::Neutral, "a", "4").at_us >= 9_000_000);
}

#[test]
fn a_second_opener_is_refused_until_the_first_lets_go() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    assert!(matches!(bench.open_at(bench.path()), Err(OpenError::Held { .. })));
    let views = log.views();
    log.close();
    assert!(matches!(bench.open_at(bench.path()), Err(OpenError::Held { .. })), "views still hold it");
    drop(views);
    drop(bench.open());
}
