//! Tests of `disk`.

use super::super::super::files::cut;
use super::super::super::layer::{Changes, lay};
use super::*;

fn change(seq: u64, value: &[u8]) -> Change {
    Change { seq, value: Some(value.to_vec()) }
}

fn at(seq: u64) -> Position {
    Position { seq, crc: 7, fold: 1 }
}

fn open(dir: &Path) -> Disk {
    Disk::open(Half::Neutral, dir, 1 << 20).unwrap()
}

fn write(disk: &Disk, changes: &Changes, to: Position) -> Result<(), String> {
    disk.write(changes.clone().into_iter().map(Ok), to, &|| true)
}

#[test]
fn what_is_cut_short_anywhere_is_as_it_was_before_or_whole() {
    let (before, after) = (before(), after());
    let (wanted, done) = (left(&before, &Changes::new()), left(&before, &after));
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        write(&disk, &before, at(1)).unwrap();
        let (written, _) = cut::after(steps, || write(&disk, &after, at(2)));
        drop(disk);
        if dir.path().join("db.before").exists() {
            // sled's own file may be in any state.
            let db = File::options().write(true).open(dir.path().join("db")).unwrap();
            db.set_len(1_000).unwrap();
        }
        let disk = open(dir.path());
        let (position, held_then) = if written.is_ok() { (at(2), &done) } else { (at(1), &wanted) };
        assert_eq!(disk.positions(), Ok((Some(position), Some(position))), "{steps}");
        assert!(held(&mut disk.entries(&[])) == *held_then, "{steps}");
        write(&disk, &after, at(2)).unwrap();
        assert!(held(&mut disk.entries(&[])) == done, "{steps}");
        if written.is_ok() {
            assert!(steps > 10, "there was nothing to cut");
            break;
        }
    }
}

/// Blocks that are split, one that is emptied, a value in parts that goes and one that comes.
fn before() -> Changes {
    let mut before: Changes = (0..400).step_by(4).map(|n| (key(n), change(1, &[1; 60]))).collect();
    before.insert(key(1), change(1, &[2; PART_BYTES * 2]));
    before
}

fn after() -> Changes {
    let mut after: Changes = (100..200).map(|n| (key(n), change(2, &[3; 50]))).collect();
    after.extend((200..300).step_by(4).map(|n| (key(n), Change { seq: 2, value: None })));
    after.insert(key(1), change(2, &[4; PART_BYTES * 3]));
    after
}

fn key(number: u16) -> Vec<u8> {
    [&[0_u8][..], &number.to_be_bytes()].concat()
}

type Left = Vec<(Vec<u8>, u64, Option<Vec<u8>>)>;

/// What there is after both.
fn left(before: &Changes, after: &Changes) -> Left {
    let mut model = before.clone();
    model.extend(after.clone());
    held(&mut model.into_iter().map(Ok))
}

fn held(entries: &mut dyn Iterator<Item = Laid>) -> Left {
    let all = entries.map(Result::unwrap).filter(|(_, change)| change.value.is_some());
    all.map(|(key, change)| (key, change.seq, change.value)).collect()
}

#[test]
fn what_is_cut_in_two_anywhere_is_whole_with_what_was_to_be_written_over_it() {
    let (before, after) = (before(), after());
    let wanted = left(&before, &after);
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        write(&disk, &before, at(1)).unwrap();
        let (done, _) = cut::after(steps, || disk.write_over(after.clone().into_iter().map(Ok), at(2)));
        let whole = done.is_ok();
        drop(disk);
        let disk = open(dir.path());
        let reached = if steps < 1 { at(1) } else { at(2) };
        let applied = if whole { at(2) } else { at(1) };
        assert_eq!(disk.positions(), Ok((Some(applied), Some(reached))), "{steps}");
        assert_eq!(disk.reached(), reached.seq);
        let over = after.clone().into_iter().map(Ok);
        assert!(held(&mut lay(over, disk.entries(&[]))) == wanted, "{steps}");
        write(&disk, &after, at(2)).unwrap();
        assert_eq!(disk.positions(), Ok((Some(at(2)), Some(at(2)))));
        // A change after it sees nothing of what was left behind either.
        let last = Changes::from([(key(0), change(1, &[1; 60])), (key(398), Change { seq: 3, value: None })]);
        write(&disk, &last, at(3)).unwrap();
        let found = held(&mut disk.entries(&[]));
        assert!(found == wanted, "{steps}");
        assert!(found.iter().all(|(key, _, value)| disk.get(key).unwrap() == *value));
        if whole {
            assert!(steps > 10, "there was nothing to cut");
            break;
        }
    }
}

#[test]
fn an_entry_changed_behind_our_back_is_an_error_not_a_value() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    let long = vec![3; PART_BYTES + 1];
    let changes = Changes::from([(vec![0, 1], change(5, b"a")), (vec![0, 2], change(5, &long))]);
    write(&disk, &changes, at(5)).unwrap();
    let (begin, whole) = disk.db.range(..=[0, 1]).next_back().unwrap().unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bad = whole.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        disk.db.insert(&begin, bad).unwrap();
        assert!(disk.get(&[0, 1]).is_err(), "bit {bit}");
        assert!(disk.entries(&[0]).any(|entry| entry.is_err()));
    }
    // A sound block under another key is no better.
    disk.db.insert(&begin, &whole).unwrap();
    disk.db.insert([0, 3], whole).unwrap();
    assert!(disk.get(&[0, 3]).is_err());
    assert_eq!(disk.get(&[0, 2]).unwrap(), Some(long));
    disk.db.remove(part_key(&[0, 2], 5, 1)).unwrap();
    assert!(disk.get(&[0, 2]).is_err());
}
