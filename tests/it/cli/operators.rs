//! Operators by the command line, where each command is a connection of its own.

use super::*;

impl Shop {
    /// How many customers were enrolled while `operator` was signed on, by the journal.
    pub(super) fn enrolled_by(&self, operator: &str) -> usize {
        let mut journal = String::new();
        let mut folders = vec![self.folder.path().join("state/store")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    journal.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
                }
            }
        }
        let ends = format!(r#","operator":"{operator}"}}"#);
        let enrolments = journal.split(r#""outcome":{"customer":"#).skip(1);
        enrolments
            .filter(|rest| rest.split('}').nth(1).is_some_and(|by| format!("{by}}}").ends_with(&ends)))
            .count()
    }
}

#[test]
fn a_command_signs_on_before_it_asks() {
    let shop = Shop::open();
    assert!(shop.ficha(&["operator", "list"], "").out.contains("no operators"));
    let set = shop.ficha(&["operator", "set", "A7"], "48291537\n");
    assert_eq!((set.code, &*set.out), (0, "A7 may sign on\n"), "{}", set.err);
    shop.json(&["operator", "set", "B2"], "0000\n");
    let whoami = |operator: &str, pin: &str| shop.ficha(&["operator", "whoami", "--operator", operator], pin);
    assert!(whoami("A7", "48291537\n").out.contains("A7"));
    assert!(!shop.ficha(&["operator", "whoami"], "").out.contains("A7"), "the next connection is nobody's");
    let wrong = whoami("A7", "11111111\n");
    assert_eq!((wrong.code, wrong.out.as_str()), (77, ""), "{}", wrong.err);
    let bad = whoami("A7", "12\n");
    assert!(bad.code == 64 && bad.err.contains("4 to 12 digits"), "{}", bad.err);
    assert_eq!(whoami("Ana Ruiz", "48291537\n").code, 64);

    // The PIN is the first line, what the command reads comes behind it.
    let enrolled = shop.json(&["enrol", "--operator", "A7"], &format!("48291537\n{PERSON}"));
    let customer = enrolled["customer"].as_str().unwrap();
    assert_eq!((shop.enrolled_by("A7"), shop.enrolled_by("B2")), (1, 0));

    let adjust = ["points", "adjust", customer, "50", "--reason", "goodwill", "--operator", "A7"];
    let proposed = shop.json(&adjust, "48291537\n");
    let adjustment = proposed["adjustment"].as_str().unwrap();
    let approve = |operator: &str, pin: &str| {
        shop.ficha(&["points", "approve", adjustment, "--operator", operator], pin).code
    };
    assert_eq!(approve("A7", "48291537\n"), 77, "nobody corrects alone");
    assert_eq!(approve("B2", "0000\n"), 0, "another operator of the same user is somebody else");

    let off = shop.ficha(&["operator", "set", "A7", "--keep-pin", "--active", "no"], "");
    assert_eq!(off.out, "A7 may not sign on\n", "{}", off.err);
    assert_eq!(whoami("A7", "48291537\n").code, 77);
    let listed = shop.json(&["operator", "list"], "");
    let row = |at: usize| (listed["rows"][at]["operator"].clone(), listed["rows"][at]["active"].clone());
    assert_eq!((row(0), row(1)), ((json!("A7"), json!(false)), (json!("B2"), json!(true))));
}

#[test]
fn doctor_says_when_tills_want_an_operator_and_there_is_none() {
    let mut shop = Shop::open();
    let config = shop.folder.path().join("fichad.toml");
    let text = std::fs::read_to_string(&config).unwrap() + "[operators]\nrequired = true\n";
    std::fs::write(&config, text).unwrap();
    shop.daemon.kill().unwrap();
    shop.restart();
    let line = |shop: &Shop| {
        let doctor = shop.ficha(&["--json", "doctor", "--config", config.to_str().unwrap()], "");
        let found: Value = serde_json::from_str(&doctor.out).unwrap();
        let all = found["findings"].as_array().unwrap();
        let line = all.iter().find(|finding| finding["check"] == "operators").cloned().unwrap();
        (line["level"].clone(), line["found"].clone(), line["mend"].clone())
    };
    let (level, _, mend) = line(&shop);
    assert_eq!((level, mend), (json!("wrong"), json!("ficha operator set CODE")));
    assert_eq!(shop.ficha(&["operator", "set", "A7"], "48291537\n").code, 0);
    assert_eq!(line(&shop), (json!("ok"), json!("1 may sign on; tills want it"), Value::Null));
    assert_eq!(shop.ficha(&["operator", "set", "A7", "--keep-pin", "--active", "no"], "").code, 0);
    assert_eq!(line(&shop).0, "wrong");
}
