//! `ficha config check`: every mistake of all files, each with its own file.

use super::*;

#[test]
fn every_mistake_of_a_config_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fichad.toml");
    let mistakes = "[push]\nlifetime_s = 0\nlifetime = 3\n[[register]]\nname = \"a\"\n[[register]]\nname = \"a\"\n\
                    [shop]\nname = 7\n[points]\ntime_zone = \"Europe/Atlantis\"\n\
                    [[earn]]\npoints = 0\nper = 100\ncurrency = \"EUR\"\n\
                    [[earn]]\npoints = 0\nper = 100\ncurrency = \"EUR\"\ncategory = \"tobacco\"\n";
    std::fs::write(&file, mistakes).unwrap();
    let path = file.to_str().unwrap();
    let ran = ficha(folder.path(), &["config", "check", path], "");
    assert_eq!(ran.code, 64);
    for key in [
        "push.lifetime_s",
        "push.lifetime:",
        "register[1].name",
        "shop.name",
        "points.time_zone",
        "earn[0].points",
        "write one as `Europe/Madrid`",
    ] {
        assert!(ran.err.contains(key), "{key} is not in\n{}", ran.err);
    }
    let ran = ficha(folder.path(), &["--json", "config", "check", path], "");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, report["mistakes"].as_array().unwrap().len()), (64, 6));
    let missing = ficha(folder.path(), &["config", "check", "/nowhere/fichad.toml"], "");
    assert_eq!(missing.code, 64);
    std::fs::write(&file, "[shop]\nname = \"Tienda\"\n").unwrap();
    let ran = ficha(folder.path(), &["config", "check", path], "");
    assert!(ran.code == 0 && ran.out.contains("one register, named after this host"), "{}", ran.out);
}

#[test]
fn a_mistake_in_a_drop_in_names_the_drop_in() {
    let folder = tempfile::tempdir().unwrap();
    let (file, drop_ins) = (folder.path().join("fichad.toml"), folder.path().join("fichad.toml.d"));
    std::fs::create_dir(&drop_ins).unwrap();
    let main = "[push]\nlifetime_s = 20\n[[register]]\nname = \"a\"\n[[serial]]\npath = \"/dev/ttyS0\"\n\
                name = \"counter\"\n[printer]\nname = \"p\"\n";
    std::fs::write(&file, main).unwrap();
    let add = |name: &str, text: &str| std::fs::write(drop_ins.join(name), text).unwrap();
    add("1.toml", "[[serial]]\npath = \"/dev/ttyS1\"\nbaud = 3\nregister = \"b\"\n");
    add("2.toml", "[[printer]]\nname = \"q\"\naddress = \"tcp://a\"\n[push]\nlifetime_s = 3\nsockett = 1\n");
    add("3.toml", "[[reader]\n");
    // A folder reads as no file, whoever asks.
    std::fs::create_dir(drop_ins.join("4.toml")).unwrap();
    add("5.toml", "[[reader]]\nname = \"counter\"\n[[serial]]\npath = \"/dev/ttyS2\"\nname = \"counter\"\n");
    let ran = ficha(folder.path(), &["--json", "config", "check", file.to_str().unwrap()], "");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let rows = report["mistakes"].as_array().unwrap();
    let said: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row["file"].as_str().unwrap().rsplit('/').next().unwrap(), row["key"].as_str().unwrap()))
        .collect();
    let wanted = [
        ("fichad.toml", "printer"),
        ("1.toml", "serial[0].baud"),
        ("1.toml", "serial[0].register"),
        ("2.toml", "printer"),
        ("2.toml", "push.lifetime_s"),
        ("2.toml", "push.sockett"),
        ("3.toml", "(syntax)"),
        ("4.toml", "(file)"),
        ("5.toml", "serial[0].name"),
        ("5.toml", "reader[0].name"),
    ];
    assert_eq!((ran.code, said.as_slice()), (64, wanted.as_slice()), "{report:#}");
    assert!(rows[3]["problem"].as_str().unwrap().contains("is a list here and a table in"), "{report:#}");
    let fichad = Command::new(env!("CARGO_BIN_EXE_fichad"))
        .arg("--check")
        .arg("--config")
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(fichad.stderr).unwrap();
    assert_eq!(fichad.status.code(), Some(64));
    assert!(wanted.iter().all(|(file, key)| text.contains(file) && text.contains(key)), "{text}");
}
