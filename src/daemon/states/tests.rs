//! What is told, and how often.

use super::*;
use crate::daemon::SystemClock;
use crate::desk::access::Policy;
use crate::domain::id::{RegisterName, StreamId};
use crate::domain::refusal::RefusalCode;
use crate::log::{self, Half, HealthState, ViewsState};
use crate::push::wire::{Context, Event};
use crate::push::{Hub, Settings};

/// How many events the register has had, this one included.
fn count(hub: &Hub, till: &RegisterName) -> u64 {
    let unknown = Event::Unknown { repeat_of: None };
    hub.publish(till, &unknown, Context { reader: None, lifetime: NEWS_LIFETIME }).seq
}

fn hub() -> (Arc<Hub>, RegisterName) {
    let till = RegisterName::new("till-1").unwrap();
    let policy = Policy { registers: vec![(till.clone(), vec![])], ..Policy::default() };
    let stream = StreamId(uuid::Uuid::nil());
    let hub = Hub::new(Settings::default(), stream, Arc::new(SystemClock::start()), policy);
    (hub, till)
}

fn health(state: HealthState, second: log::SecondCopy, views: ViewsState) -> Health {
    Health { state, last_seq: 0, last_at_us: 0, behind: vec![], views, mended: (0, None), second }
}

#[test]
fn a_store_that_takes_no_writes_any_more_is_told_once() {
    let (hub, till) = hub();
    let states = States::new(Arc::clone(&hub));
    let health = |state, second| health(state, second, ViewsState::Ok);
    let fine = health(HealthState::Ok, log::SecondCopy::OneDiskOnly);
    let no_space = HealthState::ReadOnly { why: "no space".to_owned() };
    let full = health(no_space.clone(), log::SecondCopy::OneDiskOnly);
    states.store_health(&full, Timestamp(0));
    assert_eq!(count(&hub, &till), 1, "a store that is not open yet has no health");
    states.store_opened(false);
    states.store_health(&fine, Timestamp(0));
    assert_eq!(count(&hub, &till), 3, "healthy is no news");
    states.store_health(&full, Timestamp(0));
    states.store_health(&full, Timestamp(0));
    assert_eq!(count(&hub, &till), 5, "told once");
    assert_eq!(
        Value::Object(states.store()),
        json!({ "state": RefusalCode::ReadOnly.word(), "why": "no space", "second_copy": "one_disk_only" })
    );
    let away = log::SecondCopy::Absent { why: "not mounted".to_owned() };
    states.store_health(&health(no_space.clone(), away.clone()), Timestamp(0));
    states.store_health(&health(no_space, away), Timestamp(0));
    assert_eq!(count(&hub, &till), 7, "a copy that went away is told once");
    assert_eq!(states.store().get("second_copy_why"), Some(&json!("not mounted")));
    assert_eq!(states.vault(), "open");
}

#[test]
fn a_keyring_copy_that_is_pending_is_told_until_it_is_in_step() {
    let (hub, till) = hub();
    let states = States::new(Arc::clone(&hub));
    states.store_opened(false);
    assert!(states.keyring_is_due(), "never compared");
    let before = count(&hub, &till);
    let pending = SecondCopy::Pending { why: "not mounted".to_owned() };
    for _ in 0..3 {
        states.keyring(pending.clone());
        assert!(states.keyring_is_due());
    }
    assert_eq!(count(&hub, &till), before + 2, "told once");
    assert_eq!(states.store().get("keyring_copy_why"), Some(&json!("not mounted")));
    states.keyring(SecondCopy::InStep);
    assert_eq!(count(&hub, &till), before + 4);
    assert!(!states.keyring_is_due() && !states.store().contains_key("keyring_copy"));
}

#[test]
fn damaged_views_are_told_until_they_are_built_anew() {
    let (hub, till) = hub();
    let states = States::new(Arc::clone(&hub));
    states.store_opened(false);
    let progress = Some(Building { half: Half::Neutral, done: 3, of: 9 });
    let why = "a block".to_owned();
    let rebuilding = ViewsState::Rebuilding { half: Half::Neutral, why: why.clone(), progress };
    let hindered = ViewsState::Damaged { half: Half::Personal, why, hindered: "the disk is full".to_owned() };
    let told = |views: ViewsState| {
        let before = count(&hub, &till);
        states.store_health(&health(HealthState::Ok, log::SecondCopy::Ok, views), Timestamp(0));
        (count(&hub, &till) - before - 1, states.store())
    };
    told(ViewsState::Ok);
    let (news, row) = told(rebuilding.clone());
    assert_eq!((news, &row["views"], &row["state"]), (1, &json!("rebuilding"), &json!("open")));
    assert_eq!(row["views_why"], "the neutral views are damaged: a block");
    assert_eq!(told(rebuilding).0, 0, "how far it is, is no news");
    let (news, row) = told(hindered);
    assert_eq!((news, &row["views"]), (1, &json!("damaged")));
    assert!(row["views_why"].as_str().unwrap().ends_with("the disk is full"), "{row:?}");
    let (news, row) = told(ViewsState::Ok);
    assert_eq!((news, row.get("views")), (1, None));
}
