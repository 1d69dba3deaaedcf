//! What is wrong in a file, and where.

use super::*;

#[test]
fn errors_name_the_line_and_show_no_value() {
    for (file, expected) in [
        (
            "\nFOOTFALL_LISTNE=x",
            "FOOTFALL_LISTNE in .env, line 2: no setting has this name; did you mean FOOTFALL_LISTEN?",
        ),
        (
            "A='b\nc'\nFOOTFALL_WORKERS=many",
            "FOOTFALL_WORKERS in .env, line 3: `many`: expected",
        ),
        (
            "SECRET_KEY=\"hidden\n",
            "SECRET_KEY in .env, line 1: the quote that begins the value is not closed",
        ),
        (
            "SECRET_KEY='hid'den",
            "SECRET_KEY in .env, line 1: something follows the closing quote",
        ),
        (
            "SECRET_KEY='hid'hidden='x'",
            "SECRET_KEY in .env, line 1: something follows the closing quote",
        ),
        (
            "SECRET_KEY=\"hidden\nhidden=x\nz\"",
            "SECRET_KEY in .env, line 1: its quotes take in a line",
        ),
        (
            "SECRET_KEY hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "'SECRET_KEY'=hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "FOOTFALL_LISTEN tcp:127.0.0.1:1",
            "FOOTFALL_LISTEN in .env, line 1: expected NAME=VALUE",
        ),
        (
            "A=b\nset SECRET_KEY=hidden",
            "SECRET_KEY in .env, line 2: expected NAME=VALUE, and nothing before the name",
        ),
        (
            "set \"SECRET_KEY=hidden\"",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "set -x FOOTFALL_ADMIN_PASSWORD=hidden",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 1: expected NAME=VALUE",
        ),
        (
            "set -gx FOOTFALL_ADMIN_PASSWORD hidden",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 1: expected NAME=VALUE",
        ),
        (
            "$env:FOOTFALL_ENV=hidden",
            "FOOTFALL_ENV in .env, line 1: expected NAME=VALUE",
        ),
        (
            "${Env:FOOTFALL_LISTNE} = hidden",
            "FOOTFALL_LISTNE in .env, line 1: expected NAME=VALUE",
        ),
        (
            "My SECRET_KEY=hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "{\"SECRET_KEY\": \"hidden\"}",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "My SECRET_KEY=caf\u{e9} hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "PW=pa$hidden\nWORD=\"${PW}\"\nFOOTFALL_ADMIN_PASSWORD=${WORD:-x}",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 3: a variable in it is not set",
        ),
        (
            "SECRET_KEY=${hidden",
            "SECRET_KEY in .env, line 1: a `${` in it begins no variable",
        ),
        (
            "SECRET_KEY=pa$hidden",
            "SECRET_KEY in .env, line 1: a variable in it is not set; a dollar sign that is meant is written $$",
        ),
        (
            "FOOTFALL_ADMIN_PASSWORD=\"${hidden}word\"",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 1: a variable in it is not set",
        ),
        (
            "REDIS_URL=redis://:${hidden}@host",
            "REDIS_URL in .env, line 1: a variable in it is not set",
        ),
        ("SECRET_KEY=$hidden", "SECRET_KEY (SECRET_KEY in .env"),
        (
            "SECRET_KEY=${KEY:?hidden}",
            "SECRET_KEY in .env, line 1: KEY must be set",
        ),
        (
            "FOOTFALL_LISTEN=${ADDRESS:?no default}",
            "FOOTFALL_LISTEN in .env, line 1: ADDRESS must be set: no default",
        ),
        (
            "A=${B:?}\nSECRET_KEY=x${A}",
            "SECRET_KEY in .env, line 2: it refers to A, which cannot be read",
        ),
        (
            "SECRET_KEY=a\nFOOTFALL_SECRET_KEY=hidden",
            "FOOTFALL_SECRET_KEY in .env, line 2: SECRET_KEY in .env, line 1 says something else",
        ),
        (
            "A=b\rSECRET_KEY=hidden",
            ".env: line 1: there is a carriage return without a line feed",
        ),
        (
            "A=b\nSECRET_KEY=hid\0den",
            ".env: it holds a NUL byte; save it as UTF-8 (line 2)",
        ),
    ] {
        let Err(error) = load(file.as_bytes(), &[]) else {
            panic!("{file}");
        };
        let expected = expected.split(" (SECRET_KEY in").next().unwrap();
        assert!(error.contains(expected), "{file}\n{error}");
        assert!(!error.contains("hidden"), "{file}\n{error}");
        assert!(error.starts_with("a setting is wrong:"), "{file}\n{error}");
    }
    let error = load(b"\nSECRET_KEY=caf\xe9 hidden", &[]).unwrap_err();
    assert!(
        error.contains("SECRET_KEY in .env, line 2: it is not UTF-8 text"),
        "{error}"
    );
    let error = load(b"\xff\xfeS\0E\0C\0", &[]).unwrap_err();
    assert!(
        error.contains(".env: it is UTF-16; save it as UTF-8"),
        "{error}"
    );
}
