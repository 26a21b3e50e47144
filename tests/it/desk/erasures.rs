//! Erasing over a real store: what is done with it, and what within a day.

use super::*;
use fichad::vault::{RENEW_WITHIN_US, Vault};

fn erase(shop: &Shop, customer: &Value) -> Value {
    let erase = with_key(json!({ "customer": customer, "purpose": "REQUEST" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap()["pending"].clone()
}

#[test]
fn the_views_are_made_anew_within_half_a_day_also_when_the_clock_is_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let Opened { log, vault } = shop.desk.opened().unwrap();
    let at_us = shop.clock.utc().0;
    let views_left = |vault: &Vault| vault.unfinished().views;
    for (erased, (early, due)) in [
        (shop.enrol("Ana", "Sanz", "+34911111111"), (RENEW_WITHIN_US - 1, RENEW_WITHIN_US)),
        (shop.enrol("Eva", "Sanz", "+34922222222"), (0, -1)),
    ] {
        assert_eq!(erase(&shop, &erased), json!(["views"]));
        assert!(!vault.renew_if_due(log, at_us + early).unwrap());
        assert_eq!(views_left(vault), 1);
        assert!(vault.renew_if_due(log, at_us + due).unwrap());
        assert_eq!(views_left(vault), 0);
    }
}

#[test]
fn a_card_that_waits_for_its_printer_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, eva) = (shop.enrol("Ana", "Sanz", "+34911111111"), shop.enrol("Eva", "Sanz", "+34922222222"));
    let print = |customer: &Value| -> JobId {
        let done = shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap();
        serde_json::from_value(done["job"].clone()).unwrap()
    };
    let (of_ana, _of_eva) = (print(&ana), print(&eva));
    erase(&shop, &ana);
    assert_eq!(*shop.tray.2.lock().unwrap(), [of_ana]);
}
