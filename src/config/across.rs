//! What no room can see alone: routes to registers that do not exist, two readers of one name, two registers that type.
//!
//! Looks at the tables as they stand in the file, those too that a room refuses: each keeps its number, so that a mistake
//! names the right one. What is no good by itself is left to its room.

use crate::device::serial::PortSettings;
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::settings::Mistake;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Every such mistake.
pub(super) fn check(table: &Table) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    routes(table, &mut mistakes);
    names(table, &mut mistakes);
    typists(table, &mut mistakes);
    mistakes
}

/// The tables `[[key]]` with their numbers.
fn tables<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = (usize, &'t Table)> {
    let list = table.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_table()?)))
}

fn text<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    table.get(key).and_then(Value::as_str)
}

fn routes(table: &Table, mistakes: &mut Vec<Mistake>) {
    let registers: BTreeSet<&str> =
        tables(table, "register").filter_map(|(_, register)| text(register, "name")).collect();
    let mut known = |name: &str, key: String| {
        if RegisterName::new(name).is_ok() && !registers.contains(name) {
            mistakes.push(Mistake { key, problem: format!("no `[[register]]` is named `{name}`") });
        }
    };
    for key in ["serial", "reader"] {
        for (index, reader) in tables(table, key) {
            text(reader, "register")
                .into_iter()
                .for_each(|name| known(name, format!("{key}[{index}].register")));
        }
    }
    for (index, printer) in tables(table, "printer") {
        let names = printer.get("registers").and_then(Value::as_array);
        for name in names.into_iter().flatten().filter_map(Value::as_str) {
            known(name, format!("printer[{index}].registers"));
        }
    }
}

/// A serial port's reader and a found one live in one list, by name; two ports of one path are the ports' own matter.
fn names(table: &Table, mistakes: &mut Vec<Mistake>) {
    let (mut named, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in tables(table, "serial") {
        let (name, path) = (text(port, "name"), text(port, "path"));
        let path_is_new = path.is_none_or(|path| paths.insert(path));
        let given = name.and_then(|name| ReaderName::new(name).ok());
        let Some(reader) = given.or_else(|| Some(PortSettings::new(path?).reader_name())) else { continue };
        if !path_is_new {
            continue;
        }
        if named.contains(&reader) {
            mistakes.push(Mistake { key: format!("serial[{index}].name"), problem: taken(&reader) });
        }
        named.insert(reader);
    }
    for (index, reader) in tables(table, "reader") {
        let Some(reader) = text(reader, "name").and_then(|name| ReaderName::new(name).ok()) else { continue };
        if named.contains(&reader) {
            mistakes.push(Mistake { key: format!("reader[{index}].name"), problem: taken(&reader) });
        }
    }
}

/// Keys go to whatever has the focus of this host, and there is one focus.
fn typists(table: &Table, mistakes: &mut Vec<Mistake>) {
    let types = |register: &Table| register.get("types").and_then(Value::as_bool) == Some(true);
    for (index, _) in tables(table, "register").filter(|(_, register)| types(register)).skip(1) {
        let problem = "another register types already, and a host has one keyboard focus".to_owned();
        mistakes.push(Mistake { key: format!("register[{index}].types"), problem });
    }
}

fn taken(reader: &ReaderName) -> String {
    format!("`{reader}` is the name of a `[[serial]]` already; give each reader a name of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_register_of_a_host_types() {
        let types = |second: bool| {
            let text = format!(
                "[[register]]\nname = 'a'\ntypes = true\n[[register]]\nname = 'b'\ntypes = {second}\n"
            );
            let keys = check(&text.parse().unwrap()).into_iter().map(|mistake| mistake.key);
            keys.collect::<Vec<_>>()
        };
        assert_eq!(types(false), [""; 0]);
        assert_eq!(types(true), ["register[1].types"]);
    }

    #[test]
    fn a_table_that_is_refused_keeps_its_number() {
        let text = "[[reader]]\nname = 7\n[[reader]]\nname = 'k'\nregister = 'x'\n[[printer]]\nregisters = ['y', 'a b']\n";
        let keys: Vec<String> =
            check(&text.parse().unwrap()).into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(keys, ["reader[1].register", "printer[0].registers"]);
    }
}
