//! Families of devices: the table, the udev rules, the pages and the captures tell the same.

use crate::captures;
use fichad::device::hotplug::Class;
use fichad::device::profile::{self, Mode, PROFILES, Profile};
use std::fs;
use std::path::Path;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(name: &str) -> String {
    file(&format!("hardware-notes/{name}.md"))
}

fn pages() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware-notes");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
    names.retain(|name| name != "README" && name != "TEMPLATE");
    names.sort();
    names
}

#[test]
fn profiles_are_unique() {
    let mut vendors: Vec<u16> = PROFILES.iter().flat_map(|profile| profile.vendors).copied().collect();
    let mut names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    let (vendor_count, name_count) = (vendors.len(), names.len());
    vendors.sort_unstable();
    vendors.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((vendors.len(), names.len()), (vendor_count, name_count));
    for profile in PROFILES {
        for (at, ids) in profile.ids.iter().enumerate() {
            assert_eq!(ids.value & !ids.mask, 0, "{}: {ids:?} can never match", profile.name);
            let same = |other: &&profile::Ids| other.value & ids.mask & other.mask == ids.value & other.mask;
            assert_eq!(profile.ids[..at].iter().find(same), None, "{}: {ids:?}", profile.name);
        }
    }
}

#[test]
fn ids_are_found_with_their_mode() {
    let found = |vendor, product| profile::find(vendor, product).map(|(profile, mode)| (profile.name, mode));
    assert_eq!(found(0x1eab, 0x1303), Some(("newland", Some(Mode::Keyboard))));
    assert_eq!(found(0x1eab, 0x0d10), Some(("newland", Some(Mode::HidPos))));
    assert_eq!(found(0x23d0, 0x0204), Some(("honeywell", Some(Mode::Keyboard))));
    assert_eq!(found(0x05e0, 0x4711), Some(("zebra", None)));
    assert_eq!(found(0x1234, 0x1200), None);
    let advice = profile::advice(0x05e0, 0x1200).unwrap();
    assert!(advice.contains("hardware-notes/zebra.md"), "{advice}");
    assert_eq!(profile::advice(0x0c2e, 0x0b87), None, "nothing to say about the best mode");
}

/// The lines of a rules file, continued ones joined, without comments.
fn rules(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", "");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// One rule as its parts: key, operator, value.
#[track_caller]
fn parts(rule: &str) -> Vec<(String, String, String)> {
    let mut parts = Vec::new();
    let mut rest = rule;
    while !rest.is_empty() {
        let start = rest.find(['=', '!', '+', '-', ':']).unwrap_or_else(|| panic!("no operator: {rest}"));
        let (key, after) = rest.split_at(start);
        let (operator, after) = after.split_once('"').unwrap_or_else(|| panic!("no value: {rule}"));
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("no end of a value: {rule}"));
        assert!(["==", "!=", "=", "+=", "-=", ":="].contains(&operator), "{rule}: operator `{operator}`");
        let (name, attribute) = key.split_once('{').map_or((key, None), |(name, rest)| (name, Some(rest)));
        assert!(
            name.bytes().all(|byte| byte.is_ascii_uppercase()) && !name.is_empty(),
            "{rule}: key `{key}`"
        );
        assert!(attribute.is_none_or(|attribute| attribute.ends_with('}')), "{rule}: key `{key}`");
        parts.push((key.to_owned(), operator.to_owned(), value.to_owned()));
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None => {
                assert_eq!(after, "", "{rule}");
                ""
            }
        };
    }
    parts
}

#[test]
fn the_rules_have_the_form_of_rules_and_give_nothing_to_everybody() {
    let text = file("udev/70-fichad.rules");
    let rules = rules(&text);
    let mut labels = (Vec::new(), Vec::new());
    for rule in &rules {
        let parts = parts(rule);
        for (key, operator, value) in &parts {
            match (key.as_str(), operator.as_str()) {
                ("MODE", "=") => assert_eq!(value, "0660", "{rule}"),
                // Printers belong to the group that all others of them have.
                ("GROUP", "=") if rule.contains("ATTR{idProduct}") => assert_eq!(value, "lp", "{rule}"),
                ("GROUP", "=") => assert_eq!(value, "fichad", "{rule}"),
                ("GOTO", "=") => labels.0.push(value.clone()),
                ("LABEL", "=") => labels.1.push(value.clone()),
                ("ACTION" | "SUBSYSTEM" | "KERNEL" | "ENV{DEVTYPE}" | "ENV{FICHAD_ROLE}", "==" | "!=") => {}
                ("ATTR{idVendor}" | "ATTR{idProduct}" | "ATTRS{idVendor}", "==") => {}
                ("ATTR{power/control}", "=") => assert_eq!(value, "on"),
                ("ENV{ID_MM_DEVICE_IGNORE}" | "ENV{ID_MM_PORT_IGNORE}", "=") => assert_eq!(value, "1"),
                ("IMPORT{program}", "=") => assert!(value.starts_with("/usr/bin/ficha udev-role "), "{rule}"),
                ("OPTIONS", "+=") => assert_eq!(value, "static_node=uinput", "{rule}"),
                ("TAG", "-=") => assert_eq!(value, "uaccess"),
                other => panic!("{rule}: {other:?} is not known to this test"),
            }
        }
        let sets = parts.iter().any(|(key, ..)| key == "MODE");
        let narrow = |(key, _, value): &(String, String, String)| {
            ["ATTRS{idVendor}", "ENV{FICHAD_ROLE}"].contains(&key.as_str())
                || (key == "KERNEL" && value == "uinput")
        };
        assert!(!sets || parts.iter().any(narrow), "{rule}: gives away more than readers and uinput");
    }
    labels.0.dedup();
    assert_eq!(labels.0, labels.1, "every GOTO has its LABEL");
}

/// The blocks of the rules file that begin `# name: maker, hardware-notes/name.md`, each with its rules.
fn blocks() -> Vec<(String, Vec<String>)> {
    let text = file("udev/70-fichad.rules");
    let blocks = text.split("\n\n").filter_map(|block| {
        let (head, rest) = block.split_once('\n')?;
        let (name, page) = head.strip_prefix("# ")?.split_once(": ")?;
        page.ends_with(&format!(", hardware-notes/{name}.md")).then(|| (name.to_owned(), rules(rest)))
    });
    blocks.collect()
}

#[test]
fn every_family_has_a_block_a_page_and_a_capture() {
    let blocks = blocks();
    let names: Vec<&str> = blocks.iter().map(|(name, _)| name.as_str()).collect();
    let want: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    assert_eq!(names, want, "blocks of udev/70-fichad.rules, in the order of profile.rs");
    for (Profile { name, vendors, ids, capture, maker, hint, .. }, (_, rules)) in PROFILES.iter().zip(&blocks)
    {
        let list: Vec<String> = vendors.iter().map(|vendor| format!("{vendor:04x}")).collect();
        let vendors = format!("==\"{}\"", list.join("|"));
        assert!(!rules.is_empty() && rules.iter().all(|rule| rule.contains(&vendors)), "{name}: {vendors}");
        let page = page(name);
        for id in ids.iter().filter(|ids| ids.mask == 0xffff) {
            let id = format!("{}:{:04x}", list[0], id.value);
            assert!(page.contains(&id), "hardware-notes/{name}.md does not name {id}");
        }
        assert!(list.iter().all(|vendor| page.contains(vendor)), "hardware-notes/{name}.md: {list:?}");
        assert!(!captures::load(capture).reads.is_empty(), "{name}: {capture}");
        // What the advice says to scan is what the page calls it.
        for called in hint.split('`').skip(1).step_by(2) {
            assert!(
                page.contains(&format!("`{called}`")),
                "hardware-notes/{name}.md does not name `{called}`"
            );
        }
        assert!(!maker.is_empty() && !hint.is_empty());
    }
}

/// A class of device: its general page, the scenarios that play it on the kernel's driver, what the rules know its nodes by and
/// whom they give them to, its mode in the table, and where its captures lie.
type DeviceClass = (&'static str, &'static str, &'static str, &'static str, Mode, &'static str);

const PRINTER: DeviceClass =
    ("generic-escpos", "printer/", "SUBSYSTEM==\"usb\"", "lp", Mode::Printer, "printer");

/// A class that hotplug knows must be here before this compiles.
fn of_reader(class: Class) -> DeviceClass {
    match class {
        Class::HidPosScanner => {
            ("generic-hidpos", "hid-pos/", "FICHAD_ROLE}==\"hidpos|", "fichad", Mode::HidPos, "hidpos")
        }
        Class::Magstripe => {
            ("generic-msr", "msr/", "FICHAD_ROLE}==\"hidpos|msr\"", "fichad", Mode::Magstripe, "msr")
        }
        Class::Keyboard => {
            ("generic-keyboard", "keyboard/", "SUBSYSTEM==\"input\"", "fichad", Mode::Keyboard, "keyboard")
        }
        Class::Tty => ("generic-serial", "serial/", "SUBSYSTEM==\"tty\"", "fichad", Mode::Serial, "serial"),
    }
}

#[test]
fn every_class_has_a_page_scenarios_a_rule_a_profile_line_and_captures() {
    let (rules, pages) = (rules(&file("udev/70-fichad.rules")), pages());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulators/src/scenarios");
    let scenarios: String = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let readers = [Class::HidPosScanner, Class::Magstripe, Class::Keyboard, Class::Tty].map(of_reader);
    for (name, played, known_by, group, mode, captured) in readers.into_iter().chain([PRINTER]) {
        assert!(pages.contains(&name.to_owned()), "hardware-notes/{name}.md");
        assert!(
            page(name).contains("(simulator, kernel)"),
            "{name}.md has nothing seen on the kernel's driver"
        );
        assert!(scenarios.contains(&format!("name: \"{played}")), "no scenario {played}");
        let group = format!("GROUP=\"{group}\"");
        let ours = |rule: &&String| rule.contains(known_by) && rule.contains(&group);
        assert!(rules.iter().any(|rule| ours(&rule)), "{name}: no rule with {known_by}");
        let mut ids = PROFILES.iter().flat_map(|profile| profile.ids);
        assert!(ids.any(|ids| ids.mode == mode), "{name}: no line of profile.rs has {mode:?}");
        assert!(fs::read_dir(captures::root().join(captured)).unwrap().count() > 0, "{name}: no capture");
    }
}

#[test]
fn every_page_is_in_the_index_and_says_where_each_line_is_known_from() {
    let index = page("README");
    let headings = ["## Ids", "## Modes", "## What it sends", "## Access", "## Trouble"];
    for name in pages() {
        assert!(index.contains(&format!("({name}.md)")), "hardware-notes/README.md has no link to {name}.md");
        let page = page(&name);
        // Other kinds of device have pages of another form.
        let reader = page.contains("## What it sends");
        assert!(!reader || headings.iter().all(|heading| page.contains(heading)), "{name}.md: {headings:?}");
        for line in page.lines().filter(|line| reader && line.starts_with("- ")) {
            let source = line.rsplit_once(" (").map(|(_, source)| source);
            let known = ["manual", "simulator", "device"];
            let told = source.is_some_and(|source| {
                source.ends_with(')') && known.iter().any(|known| source.starts_with(known))
            });
            assert!(told, "{name}.md: `{line}` does not end with (manual), (simulator) or (device)");
        }
    }
    for profile in PROFILES {
        assert!(pages().contains(&profile.name.to_owned()));
    }
}
