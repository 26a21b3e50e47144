//! Whatever goes wrong in a shop, and whenever: what is told of a card is true of the paper.

use super::talk::Bench;
use super::{job, profile};
use fichad::print::fonts::Fonts;
use fichad::print::layout::{PaperProfile, QrMode};
use fichad::print::paper::{Faults, Model};
use fichad::print::queue::{Input, JobState, NoPort};
use proptest::prelude::*;

/// Something that happens in a shop while cards are printed.
#[derive(Debug, Clone)]
enum Mishap {
    Turns(u8),
    Wait(u8),
    Faults(u8),
    CutAfter(u16),
    Away(bool),
    Submit,
    Cancel(u8),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        4 => (1..40_u8).prop_map(Mishap::Turns),
        1 => any::<u8>().prop_map(Mishap::Wait),
        3 => (0..64_u8).prop_map(Mishap::Faults),
        1 => (1..9_000_u16).prop_map(Mishap::CutAfter),
        1 => any::<bool>().prop_map(Mishap::Away),
        2 => Just(Mishap::Submit),
        1 => (0..4_u8).prop_map(Mishap::Cancel),
    ]
}

/// Whatever goes wrong and when: no card is printed twice, none is called printed or processed that is not, one that
/// failed is not on paper, and once all is well every job ends.
fn any_day(qr: QrMode, model: Model, day: &[Mishap]) {
    let mut bench = Bench::new(PaperProfile { qr, ..profile(model.width_dots) }, model);
    let mut jobs = 0;
    for mishap in day {
        match mishap {
            Mishap::Turns(turns) => {
                bench.feed(Input::Tick);
                for _ in 0..*turns {
                    bench.turn();
                }
            }
            Mishap::Wait(seconds) => bench.run(u64::from(*seconds)),
            Mishap::Faults(bits) => bench.faults(Faults {
                paper_out: bits & 1 != 0,
                paper_near_end: bits & 2 != 0,
                cover_open: bits & 4 != 0,
                offline: bits & 8 != 0,
                error: bits & 16 != 0,
                stalled: bits & 32 != 0,
            }),
            Mishap::CutAfter(bytes) => bench.cut_after = Some(usize::from(*bytes)),
            Mishap::Away(away) => bench.port = if *away { Err(NoPort::Gone) } else { Ok(()) },
            Mishap::Submit => {
                jobs += 1;
                bench.queue.submit(&job(jobs), &Fonts::default()).unwrap();
            }
            Mishap::Cancel(number) => drop(bench.queue.cancel(job(u128::from(*number)).id)),
        }
    }
    bench.port = Ok(());
    bench.faults(Faults::default());
    bench.run(3600);
    let ended =
        |wanted: fn(JobState) -> bool| bench.states.iter().filter(|(_, state)| wanted(*state)).count();
    assert_eq!(ended(JobState::has_ended), usize::try_from(jobs).unwrap(), "{:?}", bench.states);
    let proven = ended(|state| matches!(state, JobState::Printed | JobState::Processed));
    let possible = proven + ended(|state| matches!(state, JobState::Unknown | JobState::Sent));
    let (pages, at) = (bench.printer.take_pages().len(), bench.now);
    assert!((proven..=possible).contains(&pages), "{pages} pages at {at:?}, {:?}", bench.states);
    assert!(bench.wire.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_day_in_a_shop(
        native: bool,
        clone: bool,
        day in proptest::collection::vec(mishap(), 1..30),
    ) {
        let model = if clone { Model::CLONE } else { Model::FULL };
        any_day(if native { QrMode::Auto } else { QrMode::Raster }, model, &day);
    }
}
