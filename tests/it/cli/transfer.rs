//! Moving in from another system and out again: the files as people have them, the daemon as it is installed.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

use super::*;
use encoding_rs::WINDOWS_1252;
use std::fmt::Write as _;

/// A member's number with its check digit (GS1 mod 10).
fn gsrn(member: u32) -> String {
    let body = format!("73500538500{member:06}");
    let sum: u32 = body
        .bytes()
        .rev()
        .zip([3, 1].into_iter().cycle())
        .map(|(digit, by)| u32::from(digit - b'0') * by)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

#[test]
fn a_spanish_export_comes_in_once_and_what_is_wrong_is_told_by_line() {
    let shop = Shop::open();
    let file = shop.folder.path().join("clientes.csv");
    let mut text =
        "Nombre;Primer apellido;Teléfono móvil;Correo electrónico;Código postal;País;Tarjeta;Puntos\r\n"
            .to_owned();
    for row in 0..200 {
        writeln!(
            text,
            "Iñaki;Ibáñez Nº{row};600{row:06};i{row}@example.org;33201;España;{};{row}\r",
            gsrn(row)
        )
        .unwrap();
    }
    writeln!(text, "\"María;Ñ\";Secreta;12;m@example.org;33201;ES;{};1\r", gsrn(700)).unwrap();
    writeln!(text, "Eva;Secreta;600700001;;;;{};1\r", gsrn(5)).unwrap();
    writeln!(text, "Eva;Secreta;600700002;;;;;1,5\r").unwrap();
    std::fs::write(&file, WINDOWS_1252.encode(&text).0).unwrap();
    let path = file.to_str().unwrap();

    let dry = shop.ficha(&["--json", "import", path, "--programme", "gsrn", "--dry-run"], "");
    let answer: Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(
        (dry.code, &answer["imported"], &answer["refused"]),
        (1, &json!(200), &json!(3)),
        "{}",
        dry.err
    );
    assert_eq!((&answer["encoding"], &answer["delimiter"]), (&json!("windows-1252"), &json!("semicolons")));
    assert_eq!(shop.json(&["find", "--by", "phone"], "600000007")["rows"], json!([]));

    let rejects = shop.folder.path().join("rejects.csv");
    let run =
        shop.ficha(&["import", path, "--programme", "gsrn", "--rejects", rejects.to_str().unwrap()], "");
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(
        run.err.contains("windows-1252, cells divided by semicolons, 8 of 8 columns used"),
        "{}",
        run.err
    );
    for part in
        ["Came in", "200", "202", "telephone[0].e164", "203", "stands in line 7 already", "204", "Puntos"]
    {
        assert!(run.out.contains(part), "{part} is not in\n{}", run.out);
    }
    assert!(!run.out.contains("Secreta") && !run.out.contains("1,5"), "{}", run.out);
    let found = shop.json(&["find", "--by", "phone"], "600000007");
    let customer = found["rows"][0]["customer"].as_str().unwrap().to_owned();
    let shown = shop.json(&["show", &customer], "");
    assert_eq!(shown["person"]["familyName"], "Ibáñez Nº7");
    assert_eq!(shown["person"]["address"], json!([{ "postalCode": "33201", "addressCountry": "ES" }]));
    assert_eq!((&shown["file"]["points"], &shown["cards"][0]["kind"]), (&json!(7), &json!("ALIAS")));

    // A second run changes nothing; what was mended in the file of rejects comes in.
    let again: Value =
        serde_json::from_str(&shop.ficha(&["--json", "import", path, "--programme", "gsrn"], "").out)
            .unwrap();
    assert_eq!((&again["imported"], &again["before"]), (&json!(0), &json!(200)));
    let rejected = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(rejected.lines().count(), 4, "{rejected}");
    let mended = rejected.replace("\"12\"", "\"600700003\"").replace(&gsrn(5), "").replace("1,5", "15");
    std::fs::write(&rejects, mended).unwrap();
    let mended = shop.json(&["import", rejects.to_str().unwrap(), "--programme", "gsrn"], "");
    assert_eq!((&mended["imported"], &mended["refused"]), (&json!(3), &json!(0)));
    let log = std::fs::read_to_string(shop.folder.path().join("log")).unwrap();
    assert!(!log.contains("Secreta") && !log.contains("Iñaki"));
}

#[test]
fn a_header_that_begins_a_formula_is_guarded_in_the_file_of_rejects_and_known_there() {
    let shop = Shop::open();
    let [file, rejects] = ["people.csv", "mend.csv"].map(|name| shop.folder.path().join(name));
    std::fs::write(&file, "@givenName,+Phone,=1+1,'-Note\nEva,12,=2+2,@x\n").unwrap();
    let import = |path: &Path, more: &[&str]| {
        let known = ["--map", "preferredName==1+1", "--ignore=-Note"];
        shop.ficha(&[&["--json", "import", path.to_str().unwrap()], &known[..], more].concat(), "")
    };
    let refused = import(&file, &["--rejects", rejects.to_str().unwrap()]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    let written = std::fs::read_to_string(&rejects).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(
        lines,
        [r#""'@givenName","'+Phone","'=1+1","'-Note""#, r#""Eva","12","'=2+2","'@x""#],
        "every cell is a text"
    );
    std::fs::write(&rejects, written.replace("\"12\"", "\"600700009\"")).unwrap();
    let mended = import(&rejects, &[]);
    let answer: Value = serde_json::from_str(&mended.out).unwrap();
    assert_eq!((&answer["imported"], &answer["refused"]), (&json!(1), &json!(0)), "{}", mended.err);
    let found = shop.json(&["find", "--by", "phone"], "600700009");
    let shown = shop.json(&["show", found["rows"][0]["customer"].as_str().unwrap()], "");
    assert_eq!(shown["person"]["preferredName"], "=2+2");
}

#[test]
fn rows_that_are_doubles_of_one_another_are_told_by_line_before_anything_comes_in() {
    let shop = Shop::open();
    let file = shop.folder.path().join("people.csv");
    let text = "givenName,familyName,telephone,birthDate\n\
        Francisca,Secreta,600 555 001,1987-03-14\n\
        Xiomara,Otra,600 555 002,1990-11-02\n\
        Paqui,Secreta,+34600555001,1987-03-14\n\
        Paqui,Secreta,,1987-03-14\n\
        Eva,Mala,12345,1991-01-01\n";
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let told = |run: &Ran| -> Value { serde_json::from_str(&run.out).unwrap() };
    let twins = |answer: &Value| -> Vec<Value> {
        let rows = answer["duplicates"].as_array().unwrap().iter();
        let lines = |row: &Value| {
            let mut lines: Vec<u64> = row["duplicates"]
                .as_array()
                .unwrap()
                .iter()
                .map(|twin| twin["line"].as_u64().unwrap())
                .collect();
            lines.sort_unstable();
            json!([row["line"], lines])
        };
        rows.map(lines).collect()
    };
    let dry = told(&shop.ficha(&["--json", "import", path, "--dry-run", "--compare"], ""));
    assert_eq!(
        (&dry["imported"], &dry["doubles"], &dry["known"], &dry["alike"]),
        (&json!(4), &json!(1), &json!(0), &json!(2))
    );
    assert_eq!(twins(&dry), [json!([4, [2]]), json!([5, [2, 4]])]);
    assert_eq!(dry["lines"][2], json!({ "line": 4, "became": "IMPORTED", "customer": null, "double_of": 2 }));
    let shown = shop.ficha(&["import", path, "--dry-run"], "");
    assert!(shown.out.contains("would come in, double of line 2"), "{}", shown.out);

    let skipped = shop.ficha(&["import", path, "--skip-known"], "");
    assert_eq!(skipped.code, 1, "one telephone number is none");
    for part in ["left out, double of line 2", "did not come in: see below", "telephone[0].e164", "9 digits"]
    {
        assert!(skipped.out.contains(part), "{part} is not in\n{}", skipped.out);
    }
    for value in ["Secreta", "Francisca", "Paqui", "600 555", "+34600"] {
        assert!(!skipped.out.contains(value), "{value} is in\n{}", skipped.out);
    }
    // What came in has its customer's number, in one piece.
    let found = shop.json(&["find", "--by", "phone"], "600 555 001");
    assert_eq!(found["rows"].as_array().unwrap().len(), 1, "the double was left out");
    let customer = found["rows"][0]["customer"].as_str().unwrap().to_owned();
    let line = skipped.out.lines().find(|line| line.contains(&customer));
    assert!(
        line.is_some_and(|line| line.trim_start().starts_with('2') && line.contains("came in")),
        "{}",
        skipped.out
    );

    // The same file again: what is in is in, and a customer who came from a line is told with it.
    let all = told(&shop.ficha(&["--json", "import", path, "--compare"], ""));
    assert_eq!((&all["before"], &all["imported"], &all["doubles"]), (&json!(3), &json!(1), &json!(1)));
    assert_eq!(all["lines"][0]["customer"], customer.as_str());
    let first = &all["duplicates"][0];
    assert_eq!((&first["line"], &first["duplicates"][0]["customer"]), (&json!(4), &json!(customer)));
    let lines: Vec<&Value> =
        first["duplicates"].as_array().unwrap().iter().map(|twin| &twin["line"]).collect();
    assert_eq!(lines, [&json!(2), &json!(5)], "each is told once: {first}");
}

#[test]
fn rows_are_told_by_their_lines_and_rejected_whatever_cells_they_have() {
    let shop = Shop::open();
    let (file, rejects) = (shop.folder.path().join("f.csv"), shop.folder.path().join("rejects.csv"));
    let [path, to] = [&file, &rejects].map(|path| path.to_str().unwrap());
    for end in ["\n", "\r\n"] {
        let lines = [
            "givenName,telephone,email",
            "Uno,600611002",
            "",
            "",
            "Dos,12,",
            "",
            "\"Tres",
            "\",12,",
            "Ana,13,,\"x",
            "y\"",
            "Eva,14,",
        ];
        std::fs::write(&file, lines.join(end)).unwrap();
        let run = shop.ficha(&["--json", "import", path, "--rejects", to], "");
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        let told = answer["problems"].as_array().unwrap().iter();
        let told: Vec<Value> = told.map(|problem| problem["line"].clone()).collect();
        assert_eq!((run.code, told), (1, [2, 5, 7, 9, 11].map(Value::from).to_vec()), "{}", run.err);
        let mut rows = csv::ReaderBuilder::new();
        let mut rows = rows.flexible(true).from_path(&rejects).unwrap();
        let cells: Vec<usize> = rows.records().map(|row| row.unwrap().len()).collect();
        assert_eq!(cells, [2, 3, 3, 4, 3]);
        std::fs::remove_file(&rejects).unwrap();
    }
    std::fs::write(&file, "givenName,telephone\nAna,600611002\nEva\n").unwrap();
    let run = shop.ficha(&["import", path, "--rejects", "/dev/full"], "");
    assert!(run.code == 1 && run.err.contains("must not be there yet"), "{}", run.err);
    let run = shop.ficha(&["import", path, "--rejects", to], "");
    let said = run.out.contains("came in") && run.out.contains("has 1 cells, and the first line 2");
    assert!(run.code == 1 && said, "{} {}", run.out, run.err);
}

#[test]
fn an_import_that_was_cut_off_is_run_again() {
    let mut shop = Shop::open();
    let file = shop.folder.path().join("people.csv");
    let mut text = "givenName,email\n".to_owned();
    (0..600).for_each(|row| writeln!(text, "Ana {row},a{row}@example.org").unwrap());
    std::fs::write(&file, &text).unwrap();
    let path = file.to_str().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ficha"))
        .env("FICHAD_SOCKET", shop.socket())
        .args(["import", path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut client = Client::connect(&shop.socket()).unwrap();
    let written =
        |client: &mut Client| client.call("status", json!({})).unwrap()["store"]["last_seq"].as_u64();
    while written(&mut client) < Some(40) {}
    shop.daemon.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(69));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("run the same again"), "{said}");
    shop.restart();
    let done = shop.json(&["import", path], "");
    let [imported, before] = ["imported", "before"].map(|field| done[field].as_u64().unwrap());
    assert!(before > 0 && imported + before == 600, "{done}");
    let again = shop.json(&["import", path], "");
    assert_eq!((&again["imported"], &again["before"]), (&json!(0), &json!(600)));
}

#[test]
fn columns_that_nobody_knows_stop_the_import_until_they_are_told() {
    let shop = Shop::open();
    let file = shop.folder.path().join("people.tsv");
    std::fs::write(&file, "Vorname\tShoe\tGeburt\nEva\t43\t23.11.1971\n").unwrap();
    let path = file.to_str().unwrap();
    let run = shop.ficha(&["import", path], "");
    assert_eq!(run.code, 64);
    let none = run.err.contains("names no column that is known") && run.err.contains("--map FIELD=COLUMN");
    assert!(none, "{}", run.err);
    let map = ["--map", "givenName=Vorname", "--map", "birthDate=Geburt"];
    let run = shop.ficha(&[&["import", path], &map[..]].concat(), "");
    assert!(run.code == 64 && run.err.contains("--ignore 'Shoe'"), "{}", run.err);
    let told = [&["import", path, "--ignore", "Shoe", "--dates", "dmy"], &map[..]].concat();
    let done = shop.json(&told, "");
    assert_eq!((&done["imported"], &done["delimiter"]), (&json!(1), &json!("tabs")));
    let missing = shop.ficha(&["import", "/nowhere/file.csv"], "");
    assert!(missing.code == 1 && missing.err.contains("cannot be read"), "{}", missing.err);
}

#[test]
fn what_is_exported_comes_in_elsewhere_as_it_was_and_is_no_formula() {
    let (shop, other) = (Shop::open(), Shop::open());
    let people = [
        json!({ "givenName": "=HYPERLINK(\"http://x\")", "familyName": "@SUM(1+1)", "familyName2": "-2", "org": "'=x; y, \"z\"",
            "telephone": [{ "e164": "+34600123456", "type": "cell" }, { "e164": "+34600123457" }],
            "email": [{ "addr": "a@example.org" }, { "addr": "b@example.org" }], "knowsLanguage": ["es", "en-GB"],
            "address": [{ "type": "home", "streetAddress": "Calle 1", "postalCode": "28001", "addressCountry": "ES" },
                { "streetAddress": "Rua 2", "extendedAddress": "3º", "addressLocality": "Porto", "addressCountry": "PT" }],
            "birthDay": "02-29", "birthYear": 1972, "gender": "F", "childrenCount": 2, "educationalLevel": 6,
            "hasCredential": ["one", "two"], "contactRoles": ["buyer"], "taxID": "X1", "socialHandles": ["@me"] }),
        json!({ "givenName": "明", "familyName": "王", "address": [{ "postalCode": "28002", "addressCountry": "ES" }] }),
    ];
    for person in &people {
        let customer = shop.json(&["enrol"], &person.to_string())["customer"].as_str().unwrap().to_owned();
        shop.json(&["points", "earn", &customer, "70"], "");
    }
    let folder = shop.folder.path();
    for (name, options) in [("plain.csv", &[][..]), ("excel.csv", &["--excel"][..])] {
        let path = folder.join(name);
        let run = shop.ficha(&[&["export", "customers", path.to_str().unwrap()], options].concat(), "");
        assert!(run.code == 0 && run.out.contains("2 customers"), "{} {}", run.out, run.err);
        let delimiter = if options.is_empty() { b',' } else { b';' };
        let text = std::fs::read(&path).unwrap();
        for record in csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_slice()).records() {
            let record = record.unwrap();
            let formula = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            assert!(!record.iter().any(formula), "{record:?}");
        }
        assert!(String::from_utf8(text).unwrap().lines().all(|line| !line.starts_with('=')));
        let again = shop.ficha(&["export", "customers", path.to_str().unwrap()], "");
        assert!(again.code == 1 && again.err.contains("must not be there yet"), "{}", again.err);
    }
    let path = folder.join("excel.csv");
    let done = other.json(&["import", path.to_str().unwrap()], "");
    assert_eq!(
        (&done["imported"], &done["encoding"], &done["delimiter"]),
        (&json!(2), &json!("UTF-8"), &json!("semicolons"))
    );
    let of = |shop: &Shop| {
        let mut client = Client::connect(&shop.socket()).unwrap();
        let list = client.call("customer.list", json!({})).unwrap();
        let rows = list["rows"].as_array().unwrap().iter();
        let mut rows: Vec<String> =
            rows.map(|row| json!([row["person"], row["points"]]).to_string()).collect();
        rows.sort();
        rows
    };
    assert_eq!(of(&shop), of(&other));
    let out = shop.ficha(&["export", "customers", "-"], "");
    assert_eq!(out.out.as_bytes(), std::fs::read(folder.join("plain.csv")).unwrap());
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert!(
        log.contains("customers were listed") && log.contains("count=2") && !log.contains("HYPERLINK"),
        "{log}"
    );
}

#[test]
fn an_export_can_be_in_the_order_of_names() {
    let shop = Shop::open();
    for (given, family) in
        [("丽", "赵"), ("Eva", "Zapata"), ("प्रिया", "कपूर"), ("Eva", "Ñandú"), ("Ana", "Nzinga"), ("丽", "陈")]
    {
        shop.json(&["enrol"], &json!({ "givenName": given, "familyName": family }).to_string());
    }
    let out = shop.ficha(&["export", "customers", "-", "--sort", "name"], "");
    let mut table = csv::Reader::from_reader(out.out.as_bytes());
    let at = table.headers().unwrap().iter().position(|name| name == "familyName").unwrap();
    let families: Vec<String> = table.records().map(|record| record.unwrap()[at].to_owned()).collect();
    assert_eq!(families, ["Nzinga", "Ñandú", "Zapata", "कपूर", "陈", "赵"]);
}

#[test]
fn a_person_has_everything_that_is_held_as_json_and_as_csv() {
    let shop = Shop::open();
    let customer = shop.enrolled();
    shop.json(&["note", "keep", &customer], "=wants zanahoria");
    assert!(shop.ficha(&["object", &customer], "").out.contains("no profiling"));
    let json = shop.json(&["export", "person", &customer], "");
    let parts: Vec<&String> = json["parts"].as_object().unwrap().keys().collect();
    assert_eq!(parts.len(), 7, "{parts:?}");
    let csv = shop.ficha(&["export", "person", &customer, "--csv"], "");
    assert!(
        csv.out.contains("\"'=wants zanahoria\"") && csv.out.contains("\"'+34600123456\""),
        "{}",
        csv.out
    );
    let file = shop.folder.path().join("person.json");
    shop.ficha(&["export", "person", &customer, "--out", file.to_str().unwrap()], "");
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["parts"]["sections"], json["parts"]["sections"]);
    assert!(json["parts"]["sections"].to_string().contains("\"objects\":true"));
    let back = shop.ficha(&["object", &customer, "--withdraw"], "");
    assert!(back.out.contains("taken back"), "{}", back.out);
}
