//! Rows of every kind, and what is wrong with some.

use super::super::columns::Said;
use super::*;

fn read(header: &[&str], cells: &[&str], defaults: &Defaults) -> Result<Option<Value>, Problem> {
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let columns = Columns::tell(&header, &Said::default()).unwrap();
    row(&columns, 7, cells.iter().copied(), defaults)
}

#[test]
fn a_row_is_what_the_daemon_takes() {
    let header = [
        "Nombre",
        "Apellidos",
        "Teléfono",
        "Móvil",
        "E-mail",
        "Dirección",
        "C.P.",
        "Ciudad",
        "País",
        "Fecha de nacimiento",
        "Hijos",
        "Tarjeta",
        "Puntos",
        "Caducidad",
    ];
    let cells = [
        " Iñaki ",
        "Prueba",
        "'+34600555001\n600 555 002",
        "600555003",
        "a@example.org",
        "Calle Mayor 1\n2º B",
        "33201",
        "Gijón",
        "España",
        "23/11/1971",
        "2",
        "2900000000018",
        "100\n20",
        "31/03/2099\n",
    ];
    let defaults = Defaults { dates: Some(Dates::Dmy), ..Defaults::default() };
    let wanted = json!({
        "line": 7,
        "person": {
            "givenName": "Iñaki", "familyName": "Prueba",
            "telephone": [{ "e164": "+34600555001" }, { "e164": "600 555 002" }, { "e164": "600555003", "type": "cell" }],
            "email": [{ "addr": "a@example.org" }],
            "address": [{ "streetAddress": "Calle Mayor 1, 2º B", "postalCode": "33201", "addressLocality": "Gijón", "addressCountry": "ES" }],
            "birthDay": "11-23", "birthYear": 1971, "childrenCount": 2,
        },
        "cards": [{ "code": "2900000000018" }],
        "points": [{ "points": 100, "expires_on": "2099-03-31" }, { "points": 20 }],
    });
    assert_eq!(read(&header, &cells, &defaults).unwrap().unwrap(), wanted);
    assert_eq!(read(&header, &[""; 14], &defaults).unwrap(), None);
}

#[test]
fn what_only_the_file_can_get_wrong_is_named_by_its_column() {
    let none = Defaults::default();
    let wrong = [
        ("Puntos", "1.200"),
        ("Fecha de nacimiento", "23/11/1971"),
        ("birthDate", "mañana"),
        ("birthDate", "72-11-24"),
        ("Nombre", "I\u{fffd}aki"),
    ];
    for (column, cell) in wrong {
        let problem = read(&[column], &[cell], &none).unwrap_err();
        assert_eq!(problem.column, column);
        assert!(!problem.problem.contains(cell), "{}", problem.problem);
    }
    let lots = |points: &str, days: &str| {
        read(&["points", "pointsExpireOn"], &[points, days], &none).unwrap_err().problem
    };
    assert!(lots("1", "2099-01-31\n2099-02-28").contains("more lines"));
    assert!(lots("", "2099-01-31").contains("there are no points"));
    let dmy = Defaults { dates: Some(Dates::Dmy), ..Defaults::default() };
    for column in ["birthDate", "pointsExpireOn"] {
        let problem = read(&["points", column], &["1", "31/02/2027"], &dmy).unwrap_err();
        assert_eq!(
            problem,
            Problem {
                column: column.to_owned(),
                problem: "is a day that the calendar does not have".to_owned()
            }
        );
    }
}

#[test]
fn a_birthday_needs_no_year() {
    let row = read(&["Birthday"], &["11-23"], &Defaults::default()).unwrap().unwrap();
    assert_eq!(row["person"], json!({ "birthDay": "11-23" }));
}

#[test]
fn defaults_fill_what_is_not_there() {
    let defaults = Defaults { dates: None, country: Some("PT".into()), programme: Some("old".into()) };
    let row = read(&["Calle", "Tarjeta"], &["Rua 1", "1\n2"], &defaults).unwrap().unwrap();
    assert_eq!(row["person"]["address"], json!([{ "streetAddress": "Rua 1", "addressCountry": "PT" }]));
    assert_eq!(
        row["cards"],
        json!([{ "code": "1", "programme": "old" }, { "code": "2", "programme": "old" }])
    );
    let row = read(&["card", "cardProgramme"], &["1\n2", "\ngsrn"], &defaults).unwrap().unwrap();
    assert_eq!(row["cards"][0]["programme"], "old");
    assert_eq!(row["cards"][1]["programme"], "gsrn");
}
