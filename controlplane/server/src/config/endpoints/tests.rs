use super::*;

#[test]
fn postgresql_urls_say_who_is_connected_to() {
    let check = |url: &str, expected: Option<(Option<&str>, bool)>| {
        let found = Postgres::parse(url);
        let found = found
            .as_ref()
            .map(|postgres| (postgres.host.as_deref(), postgres.verified));
        assert_eq!(found, expected, "{url}");
    };
    check(
        "postgres://u:p@db.example/audit",
        Some((Some("db.example"), false)),
    );
    check(
        "postgresql://u:p%40x@db.example:5433/audit?sslmode=verify-full",
        Some((Some("db.example"), true)),
    );
    check(
        "postgres://db.example?sslmode=require",
        Some((Some("db.example"), false)),
    );
    check(
        "postgres://u@[2001:db8::1]:5432/a",
        Some((Some("[2001:db8::1]"), false)),
    );
    check(
        "postgres:///audit?host=/run/postgresql",
        Some((None, false)),
    );
    check(
        "postgres://localhost/audit?host=db.example",
        Some((Some("db.example"), false)),
    );
    check("postgres:///audit", Some((None, false)));
    check("mysql://db.example/audit", None);
    check("", None);
}

#[test]
fn an_address_is_shown_without_its_secrets() {
    for (url, shown) in [
        (
            "http://user:secret@ehr.example/secret?secret",
            "http://ehr.example",
        ),
        ("ftp://ehr.example/", "ftp://ehr.example"),
        ("ehr.example", "ehr.example"),
        ("not an address", "not an address"),
    ] {
        assert_eq!(place(url), shown);
    }
}
