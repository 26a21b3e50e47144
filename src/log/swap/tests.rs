//! A restore ended at each of its steps, and opened after.

use super::super::files::cut;
use super::super::{
    Fold, FoldError, Folds, Log, Meta, Read as _, ReadWrite, Restore, Settings, Tx, Until, View, moments,
};
use super::*;
use std::sync::Arc;

/// Keeps the last event.
struct Last(Half);

fn view(half: Half) -> View {
    View { half, number: 0 }
}

impl Fold for Last {
    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, _: &Meta, event: &[u8], views: &mut dyn ReadWrite) -> Result<(), FoldError> {
        views.put(view(self.0), b"last", event);
        Ok(())
    }
}

fn folds() -> Folds {
    Folds { personal: Arc::new(Last(Half::Personal)), neutral: Arc::new(Last(Half::Neutral)) }
}

fn open(dir: &Path) -> Log {
    let settings = Settings { segment_bytes: 400, ..Settings::new(dir) };
    Log::open(settings, folds(), Arc::new(|| 1)).unwrap().0
}

fn last(log: &Log) -> [Vec<u8>; 2] {
    Half::ALL.map(|half| log.views().get(view(half), b"last").unwrap().unwrap())
}

fn restore(dir: &Path) -> Result<(), String> {
    let found =
        Restore::find(&Settings::new(dir), None, Until::Transaction(17)).map_err(|e| e.to_string())?;
    found.build(folds(), Arc::new(|| 1)).map_err(|error| error.to_string())?;
    found.swap_in().map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_restore_cut_off_at_any_step_leaves_the_old_store_or_the_new_one() {
    let (mut old, mut new, mut half_made) = (0, 0, 0);
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        for round in 1..=20 {
            let emit = move |tx: &mut Tx<'_>| {
                Half::ALL.into_iter().try_for_each(|half| tx.emit(half, format!("{round}").as_bytes()))
            };
            log.submit(emit).unwrap().wait().unwrap();
        }
        log.close();
        let (done, whole) = cut::after(steps, || restore(dir.path()));
        assert!(done.is_ok() || !whole, "step {steps}: {done:?}");
        half_made += u32::from(moments(dir.path(), None).unwrap().half_made.is_some());
        // A second one is cut off too, while it finishes the first.
        if steps % 2 == 0 {
            cut::after(2, || settle(dir.path())).0.ok();
        }
        let log = open(dir.path());
        let kept = dir.path().join("kept-timeline-1");
        match log.timeline() {
            1 => {
                assert_eq!(last(&log), [b"20", b"20"], "step {steps}");
                assert!(done.is_err() && !kept.exists());
                old += 1;
            }
            timeline => {
                assert_eq!((timeline, last(&log)), (2, [b"17".to_vec(), b"17".to_vec()]), "step {steps}");
                let views = Half::ALL.into_iter().flat_map(|half| views_of(&kept, half));
                assert!(views.into_iter().all(|views| !views.exists()), "step {steps}");
                assert_eq!(Marker::read(&kept).unwrap().unwrap().timeline, 1);
                new += 1;
            }
        }
        for left in [NEW, PLAN] {
            assert!(!dir.path().join(left).exists(), "step {steps}: {left}");
        }
        drop(log);
        if done.is_ok() {
            break;
        }
    }
    assert!(old >= 10 && new > 10 && half_made > 10, "{old} old, {new} new, {half_made} half-made");
}
