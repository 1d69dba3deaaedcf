//! What is read, and what is refused; what is the same filter, and what is another.

use super::{limits::*, *};

/// A filter that includes this.
fn including(node: &str) -> String {
    format!(r#"{{"version":1,"include":{node}}}"#)
}

/// A filter whose only condition on visits is this.
fn with_condition(condition: &str) -> String {
    including(&format!(
        r#"{{"did":{{"counter":"a","where":[{condition}]}}}}"#
    ))
}

fn read(json: &str) -> Filter {
    Filter::read(json).unwrap_or_else(|errors| panic!("{json}: {errors:#?}"))
}

fn canonical(json: &str) -> String {
    read(json).canonical
}

fn errors(json: &str) -> Vec<Invalid> {
    match Filter::read(json) {
        Ok(filter) => panic!("{json} is read as {}", filter.canonical),
        Err(errors) => errors,
    }
}

/// The only error is there, and says this; its suggestion says that.
fn refused(json: &str, pointer: &str, expected: &str, suggestion: &str) {
    let errors = errors(json);
    let [error] = &*errors else {
        panic!("{json}: {errors:#?}");
    };
    assert_eq!(error.pointer, pointer, "{json}: {error:?}");
    assert!(error.expected.contains(expected), "{json}: {error:?}");
    let suggested = error.suggestion.as_deref().unwrap_or_default();
    assert!(suggested.contains(suggestion), "{json}: {error:?}");
    assert_eq!(
        suggested.is_empty(),
        suggestion.is_empty(),
        "{json}: {error:?}"
    );
}

const ID: &str = "0192d4a5-7b1c-7def-8a90-0123456789ab";

#[test]
fn the_example_of_the_contract() {
    let json = format!(
        r#"{{"version":1,
 "include":{{"all":[
   {{"did":{{"counter":"signup","times":{{"at_least":3}},"within":{{"days":30}},
           "where":[{{"property":"plan","in":["pro"]}}]}}}},
   {{"any":[{{"visitor":"country","in":["DE","AT"]}},{{"audience":"{ID}"}}]}}]}},
 "exclude":{{"any":[{{"did":{{"counter":"refund"}}}}]}}}}"#
    );
    let filter = read(&json);
    assert_eq!(
        filter.canonical,
        format!(
            r#"{{"exclude":{{"any":[{{"did":{{"counter":"refund"}}}}]}},"include":{{"all":[{{"any":[{{"audience":"{ID}"}},{{"in":["AT","DE"],"visitor":"country"}}]}},{{"did":{{"counter":"signup","times":{{"at_least":3}},"where":[{{"in":["pro"],"property":"plan"}}],"within":{{"days":30}}}}}}]}},"version":1}}"#
        )
    );
    // By `sha256sum`: who has the canonical form can tell.
    assert_eq!(filter.hash.len(), 64);
    let name = |_| Some("Friends".to_owned());
    assert_eq!(
        words::sentence(&filter.tree, &name),
        r#"Visitors who (are in the audience "Friends" or have a visit on any counter where country is one of ("AT", "DE")) and have at least 3 visits on "signup" in the last 30 days where property "plan" is "pro", but not those who have a visit on "refund"."#
    );
    let expected = vec![(
        ID.parse().unwrap(),
        "/include/all/0/any/0/audience".to_owned(),
    )];
    assert_eq!(filter.tree.references(), expected);
    let counters: Vec<_> = filter
        .tree
        .counters()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(counters, ["refund", "signup"]);
    assert!(filter.tree.looks_at_all_counters());
}

/// What is wrong with a filter as a whole.
#[test]
fn what_is_no_filter() {
    refused("", "", "JSON (RFC 8259); the parser says: EOF", "");
    refused("{", "", "JSON", "");
    refused("{'version':1}", "", "JSON", "");
    refused(&including(r#"{"did":{"counter":"a"},}"#), "", "JSON", "");
    refused(
        &format!("{}x", including(r#"{"did":{"counter":"a"}}"#)),
        "",
        "JSON",
        "",
    );
    refused("\u{feff}{}", "", "JSON", "");
    for (json, kind) in [
        ("[]", "a list"),
        ("\"a\"", "a text"),
        ("1", "a number"),
        ("true", "`true`"),
        ("false", "`false`"),
        ("null", "`null`"),
    ] {
        let suggestion = if json == "null" { "Leave it out" } else { "" };
        refused(json, "", &format!("an object, and not {kind}"), suggestion);
    }
    let did = r#"{"did":{"counter":"a"}}"#;
    refused(
        &format!(r#"{{"include":{did}}}"#),
        "",
        "a member `version`",
        "`\"version\": 1`",
    );
    refused(
        r#"{"version":1}"#,
        "",
        "a member `include`",
        "\"include\": {",
    );
    refused(
        r#"{"version":1,"include":null}"#,
        "/include",
        "and not `null`",
        "Leave it out",
    );
    refused(
        &format!(r#"{{"version":1,"include":{did},"exclude":null}}"#),
        "/exclude",
        "and not `null`",
        "Leave it out",
    );
    for (version, found) in [
        ("2", "2"),
        ("0", "0"),
        ("1.5", "1.5"),
        ("-1", "-1"),
        ("1e99", "1e99"),
        ("\"1\"", "a text"),
        ("true", "`true`"),
        ("[1]", "a list"),
    ] {
        // Nothing else is said: its grammar is another.
        let json = format!(r#"{{"version":{version},"includes":{did}}}"#);
        let found = format!("the number 1, and not {found}");
        let wrong = errors(&json);
        assert!(
            wrong
                .iter()
                .any(|error| error.pointer == "/version" && error.expected == found),
            "{wrong:#?}"
        );
        assert!(
            wrong.iter().all(|error| error.pointer != "/include"),
            "{wrong:#?}"
        );
    }
    for half in [
        r#"{"version":1,"include":{"did":{"counter":"a"}},"\ud800":1}"#,
        r#"{"version":1,"include":{"did":{"counter":"a"}},"a\udfff":1}"#,
    ] {
        refused(half, "", "half of a surrogate pair", "Write both halves");
    }
}

/// Members that are not known, are there twice, or more than one where one is meant.
#[test]
fn members_that_do_not_belong() {
    let did = r#""did":{"counter":"a"}"#;
    for (name, suggestion) in [
        ("includes", "Did you mean `include`?"),
        ("EXCLUDE", "Did you mean `exclude`?"),
        ("not", "under `exclude`"),
        ("colour", ""),
        ("", ""),
        ("\\u0000", ""),
    ] {
        let pointer = format!("/{}", name.replace("\\u0000", "\0"));
        let json = format!(r#"{{"version":1,"include":{{{did}}},"{name}":1}}"#);
        refused(
            &json,
            &pointer,
            "nothing else than `version`, `include` and `exclude`",
            suggestion,
        );
    }
    for (name, pointer) in [
        ("a/b", "a~1b"),
        ("a~b", "a~0b"),
        ("~1", "~01"),
        ("ä 🦀", "ä 🦀"),
    ] {
        let json = including(&format!(r#"{{{did},"{name}":1}}"#));
        refused(
            &json,
            &format!("/include/{pointer}"),
            "nothing else than `all`",
            "",
        );
    }
    for (name, suggestion) in [
        ("and", "Use `all`."),
        ("OR", "Use `any`."),
        ("not", "There is no negation"),
        ("dit", "Did you mean `did`?"),
        ("visitors", "Did you mean `visitor`?"),
        ("visitor_propertys", "Did you mean `visitor_property`?"),
        ("segment", "Use `audience`"),
        ("regex", "There are no patterns"),
        ("equals", "Use `in`"),
        ("start_with", "Did you mean `starts_with`?"),
    ] {
        let json = including(&format!(r#"{{{did},"{name}":[]}}"#));
        refused(
            &json,
            &format!("/include/{name}"),
            "nothing else than",
            suggestion,
        );
    }
    for (name, suggestion) in [
        ("event", "Use `counter`."),
        ("count", "`times` with `at_least`"),
        ("time", "Did you mean `times`?"),
        ("filters", "Use `where`."),
    ] {
        let json = including(&format!(r#"{{"did":{{"counter":"a","{name}":1}}}}"#));
        let expected = "nothing else than `counter`, `times`, `within` and `where`";
        refused(&json, &format!("/include/did/{name}"), expected, suggestion);
    }
    refused(
        &including(r#"{"did":{"counter":"a","within":{"days":1,"hours":1}}}"#),
        "/include/did/within/hours",
        "nothing else than `days`, `from` and `to`",
        "Use `days`",
    );
    refused(
        &including(r#"{"did":{"counter":"a","times":{"at_least":1,"atmost":1}}}"#),
        "/include/did/times/atmost",
        "nothing else than `at_least` and `at_most`",
        "Did you mean `at_most`?",
    );
    refused(
        &with_condition(r#"{"property":"a","between":[1,2],"gt":1}"#),
        "/include/did/where/0/between",
        "nothing else than `field`, `property`, `in`",
        "`gte` and one with `lt`",
    );
}

#[test]
fn members_that_are_there_twice() {
    for (json, pointer) in [
        (
            r#"{"version":1,"version":1,"include":{"did":{"counter":"a"}}}"#,
            "/version",
        ),
        (
            r#"{"version":1,"include":{"did":{"counter":"a"},"did":{"counter":"a"}}}"#,
            "/include/did",
        ),
        (
            r#"{"version":1,"include":{"did":{"counter":"a"},"d\u0069d":{"counter":"a"}}}"#,
            "/include/did",
        ),
        (
            r#"{"version":1,"include":{"did":{"counter":"a","counter":"a"}}}"#,
            "/include/did/counter",
        ),
        (
            r#"{"version":1,"include":{"did":{"counter":"a","times":{"at_most":1,"at_most":2}}}}"#,
            "/include/did/times/at_most",
        ),
        (
            r#"{"version":1,"include":{"did":{"counter":"a","within":{"days":1,"days":2}}}}"#,
            "/include/did/within/days",
        ),
        (
            r#"{"version":1,"include":{"did":{"counter":"a","where":[{"field":"path","in":["a"],"in":["a"]}]}}}"#,
            "/include/did/where/0/in",
        ),
        (
            r#"{"version":1,"include":{"visitor":"path","visitor":"path","missing":true}}"#,
            "/include/visitor",
        ),
    ] {
        refused(json, pointer, "once, and not twice", "Keep one of them");
    }
}

#[test]
fn one_of_each_is_meant() {
    refused(
        &including("{}"),
        "/include",
        "one of `all`, `any`, `did`, `visitor`, `visitor_property` and `audience`",
        "Say what",
    );
    refused(
        &including(r#"{"all":[{"did":{"counter":"a"}}],"any":[{"did":{"counter":"a"}}]}"#),
        "/include",
        "and not `all` and `any`",
        r#"`{"all": [{"all": …}, {"any": …}]}`"#,
    );
    refused(
        &including(&format!(r#"{{"did":{{"counter":"a"}},"audience":"{ID}"}}"#)),
        "/include",
        "and not `did` and `audience`",
        "an object for each",
    );
    refused(
        &including(r#"{"visitor":"path","visitor_property":"a","missing":true}"#),
        "/include",
        "and not `visitor` and `visitor_property`",
        "an object for each",
    );
    for kind in [
        r#""did":{"counter":"a"}"#.to_owned(),
        r#""all":[{"did":{"counter":"a"}}]"#.to_owned(),
        format!(r#""audience":"{ID}""#),
    ] {
        let json = including(&format!(r#"{{{kind},"gt":1}}"#));
        refused(
            &json,
            "/include/gt",
            "nothing beside `",
            "of a condition in `where`",
        );
    }
    for (subject, pointer, of) in [
        (r#""visitor":"path""#, "/include", "visitor"),
        (r#""visitor_property":"a""#, "/include", "visitor_property"),
        (r#""field":"path""#, "/include/did/where/0", "field"),
        (r#""property":"a""#, "/include/did/where/0", "property"),
    ] {
        let json = |condition: String| match pointer {
            "/include" => including(&condition),
            _ => with_condition(&condition),
        };
        let none = json(format!("{{{subject}}}"));
        refused(
            &none,
            pointer,
            &format!("one operator beside `{of}`"),
            "\"exists\": true",
        );
        let two = json(format!(r#"{{{subject},"gt":"a","lt":"b"}}"#));
        refused(
            &two,
            pointer,
            "and not `gt` and `lt`",
            "Write a condition for each",
        );
        let three = json(format!(
            r#"{{{subject},"in":["a"],"exists":true,"missing":true}}"#
        ));
        refused(
            &three,
            pointer,
            "and not `in`, `exists` and `missing`",
            "for each",
        );
    }
    let where_0 = "/include/did/where/0";
    refused(
        &with_condition(r#"{"in":["a"]}"#),
        where_0,
        "`field` or `property`",
        "Name what",
    );
    refused(
        &with_condition(r#"{"field":"path","property":"a","in":["a"]}"#),
        where_0,
        "and not both",
        "for each",
    );
}

/// A value of the wrong type, wherever there is a value.
#[test]
fn types_are_never_coerced() {
    let all = ["[]", "{}", "\"a\"", "1", "true", "null"];
    let within = |rest: &str| format!(r#"{{"did":{{"counter":"a","within":{rest}}}}}"#);
    let times = |rest: &str| format!(r#"{{"did":{{"counter":"a","times":{rest}}}}}"#);
    let of_path =
        |rest: &str| format!(r#"{{"did":{{"counter":"a","where":[{{"field":"path",{rest}}}]}}}}"#);
    let of_key =
        |rest: &str| format!(r#"{{"did":{{"counter":"a","where":[{{"property":"a",{rest}}}]}}}}"#);
    type Place<'a> = (&'a str, Box<dyn Fn(&str) -> String + 'a>, &'a [&'a str]);
    let places: Vec<Place<'_>> = vec![
        ("", Box::new(str::to_owned), &["{}"]),
        ("/all", Box::new(|v| format!(r#"{{"all":{v}}}"#)), &["[]"]),
        ("/any", Box::new(|v| format!(r#"{{"any":{v}}}"#)), &["[]"]),
        (
            "/all/0",
            Box::new(|v| format!(r#"{{"all":[{v}]}}"#)),
            &["{}"],
        ),
        ("/did", Box::new(|v| format!(r#"{{"did":{v}}}"#)), &["{}"]),
        (
            "/did/counter",
            Box::new(|v| format!(r#"{{"did":{{"counter":{v}}}}}"#)),
            &["\"a\""],
        ),
        ("/did/times", Box::new(times), &["{}"]),
        (
            "/did/times/at_least",
            Box::new(move |v| times(&format!(r#"{{"at_least":{v}}}"#))),
            &["1"],
        ),
        (
            "/did/times/at_most",
            Box::new(move |v| times(&format!(r#"{{"at_most":{v}}}"#))),
            &["1"],
        ),
        ("/did/within", Box::new(within), &["{}"]),
        (
            "/did/within/days",
            Box::new(move |v| within(&format!(r#"{{"days":{v}}}"#))),
            &["1"],
        ),
        (
            "/did/within/from",
            Box::new(move |v| within(&format!(r#"{{"from":{v},"to":"2026-01-01T00:00:00Z"}}"#))),
            &["\"a\""],
        ),
        (
            "/did/within/to",
            Box::new(move |v| within(&format!(r#"{{"from":"2026-01-01T00:00:00Z","to":{v}}}"#))),
            &["\"a\""],
        ),
        (
            "/did/where",
            Box::new(|v| format!(r#"{{"did":{{"counter":"a","where":{v}}}}}"#)),
            &["[]"],
        ),
        (
            "/did/where/0",
            Box::new(|v| format!(r#"{{"did":{{"counter":"a","where":[{v}]}}}}"#)),
            &["{}"],
        ),
        (
            "/did/where/0/in",
            Box::new(move |v| of_path(&format!(r#""in":{v}"#))),
            &["[]"],
        ),
        (
            "/did/where/0/not_in",
            Box::new(move |v| of_path(&format!(r#""not_in":{v}"#))),
            &["[]"],
        ),
        (
            "/did/where/0/in/0",
            Box::new(move |v| of_path(&format!(r#""in":[{v}]"#))),
            &["\"a\""],
        ),
        (
            "/did/where/0/in/1",
            Box::new(move |v| of_key(&format!(r#""in":["b",{v}]"#))),
            &["\"a\"", "1", "true"],
        ),
        (
            "/did/where/0/contains",
            Box::new(move |v| of_key(&format!(r#""contains":{v}"#))),
            &["\"a\""],
        ),
        (
            "/did/where/0/starts_with",
            Box::new(move |v| of_path(&format!(r#""starts_with":{v}"#))),
            &["\"a\""],
        ),
        (
            "/did/where/0/exists",
            Box::new(move |v| of_key(&format!(r#""exists":{v}"#))),
            &["true"],
        ),
        (
            "/did/where/0/missing",
            Box::new(move |v| of_path(&format!(r#""missing":{v}"#))),
            &["true"],
        ),
        (
            "/did/where/0/gt",
            Box::new(move |v| of_key(&format!(r#""gt":{v}"#))),
            &["\"a\"", "1"],
        ),
        (
            "/did/where/0/gte",
            Box::new(move |v| of_path(&format!(r#""gte":{v}"#))),
            &["\"a\""],
        ),
        (
            "/did/where/0/lt",
            Box::new(move |v| of_path(&format!(r#""lt":{v}"#))),
            &["\"a\""],
        ),
        (
            "/did/where/0/lte",
            Box::new(move |v| of_key(&format!(r#""lte":{v}"#))),
            &["\"a\"", "1"],
        ),
        (
            "/visitor",
            Box::new(|v| format!(r#"{{"visitor":{v},"missing":true}}"#)),
            &["\"a\""],
        ),
        (
            "/visitor_property",
            Box::new(|v| format!(r#"{{"visitor_property":{v},"missing":true}}"#)),
            &["\"a\""],
        ),
        (
            "/in/0",
            Box::new(|v| format!(r#"{{"visitor":"path","in":[{v}]}}"#)),
            &["\"a\""],
        ),
        (
            "/audience",
            Box::new(|v| format!(r#"{{"audience":{v}}}"#)),
            &["\"a\""],
        ),
    ];
    for (pointer, json, right) in places {
        for value in all {
            if !right.contains(&value) {
                let json = including(&json(value));
                let kind = Some(value).filter(|value| *value == "true" || *value == "null");
                let found = match kind {
                    Some(kind) => format!("and not `{kind}`"),
                    None => "and not a".to_owned(),
                };
                let errors = errors(&json);
                let [error] = &*errors else {
                    panic!("{json}: {errors:#?}");
                };
                assert_eq!(error.pointer, format!("/include{pointer}"), "{json}");
                assert!(error.expected.contains(&found), "{json}: {error:?}");
            }
        }
    }
}

#[test]
fn what_to_do_about_a_wrong_type() {
    refused(
        &with_condition(r#"{"property":"plan","in":"pro"}"#),
        "/include/did/where/0/in",
        "a list of 1 to 100 values, and not a text",
        "Write it in brackets: `[\"pro\"]`.",
    );
    refused(
        &including(r#"{"all":{"did":{"counter":"a"}}}"#),
        "/include/all",
        "a list of conditions and groups, and not an object",
        "Write it in brackets",
    );
    refused(
        &including(r#"{"did":{"counter":"a","times":{"at_least":"3"}}}"#),
        "/include/did/times/at_least",
        "a whole number from 1 to 1000, and not a text",
        "Write it without quotes.",
    );
    refused(
        &with_condition(r#"{"field":"path","in":[5]}"#),
        "/include/did/where/0/in/0",
        "as all values of fields are, and not a number",
        "Write it in quotes: `\"5\"`.",
    );
    refused(
        &with_condition(r#"{"property":"a","exists":"true"}"#),
        "/include/did/where/0/exists",
        "`true` or `false`, and not a text",
        "Write it without quotes.",
    );
    refused(
        &with_condition(r#"{"property":"a","in":[null]}"#),
        "/include/did/where/0/in/0",
        "a text, a number, `true` or `false`, and not `null`",
        "asked for by `missing`",
    );
}

#[test]
fn names_that_are_none() {
    let long = "x".repeat(65);
    for (counter, suggestion) in [
        ("Signup", "Did you mean `signup`?"),
        (" sign up ", "Did you mean `sign-up`?"),
        ("", ""),
        ("a/b", ""),
        ("ä", ""),
        (".a", ""),
        (&long, ""),
    ] {
        let json = including(&format!(r#"{{"did":{{"counter":"{counter}"}}}}"#));
        refused(
            &json,
            "/include/did/counter",
            "the name of a counter",
            suggestion,
        );
    }
    for (field, suggestion) in [
        ("Country", "Did you mean `country`?"),
        ("referer", "Did you mean `referrer`?"),
        ("plan", "asked for by `property`"),
        ("visitor", "asked for by `property`"),
        ("", "asked for by `property`"),
    ] {
        let json = with_condition(&format!(r#"{{"field":"{field}","missing":true}}"#));
        let expected = "one of the fields `path`, `referrer`, `campaign` and `country`";
        refused(&json, "/include/did/where/0/field", expected, suggestion);
        let json = including(&format!(r#"{{"visitor":"{field}","missing":true}}"#));
        let suggestion = suggestion.replace("`property`", "`visitor_property`");
        refused(&json, "/include/visitor", expected, &suggestion);
    }
    for id in [
        "",
        "Friends",
        "0192d4a57b1c7def8a900123456789ab",
        "{0192d4a5-7b1c-7def-8a90-0123456789ab}",
        "urn:uuid:0192d4a5-7b1c-7def-8a90-0123456789ab",
        "0192d4a5-7b1c-7def-8a90-0123456789a",
        "0192d4a5-7b1c-7def-8a90-0123456789ag",
        "0192d4a57-b1c-7def-8a90-0123456789ab",
    ] {
        let json = including(&format!(r#"{{"audience":"{id}"}}"#));
        refused(
            &json,
            "/include/audience",
            "the id of an audience",
            "its `id` is meant",
        );
    }
    for country in ["", "D", "DEU", "Germany", "D1", "ß", "dé", "ÄÖ"] {
        let json = with_condition(&format!(r#"{{"field":"country","in":["AT","{country}"]}}"#));
        refused(
            &json,
            "/include/did/where/0/in/1",
            "two letters as in ISO 3166-1",
            "",
        );
        let json = including(&format!(
            r#"{{"visitor":"country","not_in":["{country}"]}}"#
        ));
        refused(
            &json,
            "/include/not_in/0",
            "two letters as in ISO 3166-1",
            "",
        );
    }
}

#[test]
fn times_that_are_none() {
    let between = |from: &str, to: &str| {
        including(&format!(
            r#"{{"did":{{"counter":"a","within":{{"from":"{from}","to":"{to}"}}}}}}"#
        ))
    };
    for (time, suggestion) in [
        ("2026-01-01", "Did you mean `2026-01-01T00:00:00Z`?"),
        ("2026-01-01T00:00:00", "`2026-01-01T00:00:00Z` is UTC"),
        ("2026-01-01 00:00:00Z", ""),
        ("2026-02-30T00:00:00Z", ""),
        ("1767225600000", ""),
        ("yesterday", ""),
        ("", ""),
        ("1969-12-31T23:59:59Z", ""),
        ("1970-01-01T00:00:00+00:01", ""),
        ("2026-01-01T00:00:00.0001Z", ""),
        ("2026-01-01T00:00:00.0005+02:00", ""),
        ("2026-01-01T00:00:00.1230001-02:00", ""),
        ("10000-01-01T00:00:00Z", ""),
    ] {
        let expected = "a time from 1970 on to the millisecond";
        let json = between(time, "2026-03-01T00:00:00Z");
        refused(&json, "/include/did/within/from", expected, suggestion);
        let json = between("1970-01-01T00:00:00Z", time);
        refused(&json, "/include/did/within/to", expected, suggestion);
    }
    let to = "/include/did/within/to";
    let year = "2025-01-01T00:00:00Z";
    for not_after in [
        year,
        "2024-12-31T23:59:59.999Z",
        "2025-01-01T01:00:00+01:00",
    ] {
        refused(
            &between(year, not_after),
            to,
            "a time after `from`",
            "is not meant",
        );
    }
    // 400 days later, and a millisecond more.
    read(&between(year, "2026-02-05T00:00:00Z"));
    refused(
        &between(year, "2026-02-05T00:00:00.001Z"),
        to,
        "at most 400 days after `from`",
        "shorter",
    );
    for some in [
        "{}",
        r#"{"from":"2026-01-01T00:00:00Z"}"#,
        r#"{"to":"2026-01-01T00:00:00Z"}"#,
        r#"{"days":1,"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"}"#,
    ] {
        let json = including(&format!(r#"{{"did":{{"counter":"a","within":{some}}}}}"#));
        refused(
            &json,
            "/include/did/within",
            "`days`, or `from` and `to`",
            "{\"days\": 30}",
        );
    }
}

/// Up to each limit, and one more than that.
#[test]
fn one_too_many_of_each() {
    let did = |rest: &str| including(&format!(r#"{{"did":{{"counter":"a",{rest}}}}}"#));
    for (member, pointer, most) in [
        (r#""within":{"days":N}"#, "/include/did/within/days", 400),
        (
            r#""times":{"at_least":N}"#,
            "/include/did/times/at_least",
            1000,
        ),
        (
            r#""times":{"at_most":N}"#,
            "/include/did/times/at_most",
            1000,
        ),
    ] {
        for right in [1, most] {
            read(&did(&member.replace('N', &right.to_string())));
        }
        for wrong in ["0", "-1", "1.5", "1e9", "70000", &(most + 1).to_string()] {
            let expected = format!("a whole number from 1 to {most}, and not {wrong}");
            refused(&did(&member.replace('N', wrong)), pointer, &expected, "");
        }
    }
    refused(
        &did(r#""times":{"at_least":3,"at_most":2}"#),
        "/include/did/times",
        "`at_least` to be at most `at_most`",
        "Exchange",
    );
    refused(
        &did(r#""times":{}"#),
        "/include/did/times",
        "`at_least`, `at_most` or both",
        "Leave",
    );

    let values = |count: usize| {
        let values: Vec<_> = (0..count).map(|value| value.to_string()).collect();
        with_condition(&format!(
            r#"{{"property":"a","in":[{}]}}"#,
            values.join(",")
        ))
    };
    read(&values(MAX_VALUES));
    let place = "/include/did/where/0/in";
    refused(
        &values(MAX_VALUES + 1),
        place,
        "1 to 100 values, and not 101",
        "Split",
    );
    refused(
        &values(0),
        place,
        "and not an empty one",
        "asked for by `missing`",
    );

    // In bytes, not in characters.
    for (text, least, most) in [("x", 1, 512), ("ä", 2, 512), ("🦀", 4, 512)] {
        let fits = text.repeat(most / text.len());
        for operator in ["contains", "starts_with", "gt"] {
            read(&with_condition(&format!(
                r#"{{"field":"path","{operator}":"{fits}"}}"#
            )));
            let more = format!(r#"{{"field":"path","{operator}":"{fits}x"}}"#);
            let place = format!("/include/did/where/0/{operator}");
            refused(&with_condition(&more), &place, "512 bytes of UTF-8", "");
        }
        read(&with_condition(&format!(
            r#"{{"property":"a","not_in":["{fits}",""]}}"#
        )));
        let more = format!(r#"{{"property":"a","not_in":["{fits}x"]}}"#);
        refused(
            &with_condition(&more),
            "/include/did/where/0/not_in/0",
            "not one of 513 bytes",
            "",
        );
        let key = text.repeat(64 / least);
        read(&with_condition(&format!(
            r#"{{"property":"{key}","exists":true}}"#
        )));
        let more = format!(r#"{{"property":"{key}x","exists":true}}"#);
        let place = "/include/did/where/0/property";
        refused(
            &with_condition(&more),
            place,
            "1 to 64 bytes of UTF-8, and not one of 65 bytes",
            "",
        );
    }
    for (condition, place) in [
        (r#"{"property":"","exists":true}"#, "property"),
        (r#"{"property":"a","contains":""}"#, "contains"),
        (r#"{"field":"path","starts_with":""}"#, "starts_with"),
    ] {
        let place = format!("/include/did/where/0/{place}");
        refused(
            &with_condition(condition),
            &place,
            "and not an empty one",
            "",
        );
    }
}

#[test]
fn groups_and_conditions_have_an_end() {
    let leaf = r#"{"did":{"counter":"a"}}"#;
    let nested = |depth: usize| {
        let inner = (0..depth).fold(leaf.to_owned(), |inner, level| match level % 2 {
            0 => format!(r#"{{"all":[{inner}]}}"#),
            _ => format!(r#"{{"any":[{inner}]}}"#),
        });
        including(&inner)
    };
    assert_eq!(canonical(&nested(MAX_DEPTH)), canonical(&including(leaf)));
    let deepest = "/include/any/0/all/0/any/0/all/0/any/0/all";
    refused(
        &nested(MAX_DEPTH + 1),
        deepest,
        "groups at most 5 deep",
        "Save a part",
    );
    // So deep that whoever follows it down loses the ground.
    refused(&nested(700), deepest, "groups at most 5 deep", "Save");
    for brackets in ["[", "{\"all\":["] {
        assert!(Filter::read(&including(&brackets.repeat(1500))).is_err());
    }
    let exclude = nested(MAX_DEPTH + 1).replace("include", "exclude");
    let exclude = exclude.replace(
        r#""version":1"#,
        &format!(r#""version":1,"include":{leaf}"#),
    );
    refused(
        &exclude,
        &deepest.replace("include", "exclude"),
        "groups at most 5 deep",
        "Save",
    );

    for group in ["all", "any"] {
        let json = including(&format!(r#"{{"{group}":[]}}"#));
        refused(
            &json,
            &format!("/include/{group}"),
            "at least one",
            "nobody or everybody",
        );
        let json = including(&format!(r#"{{"all":[{leaf},{{"{group}":[]}}]}}"#));
        refused(
            &json,
            &format!("/include/all/1/{group}"),
            "at least one",
            "nobody or everybody",
        );
    }

    // The same leaf again is one more; so is each condition of a `where`, but the first.
    let leaves = |plain: usize, conditions: usize| {
        let visitor = r#"{"visitor":"path","missing":true}"#.to_owned();
        let audience = format!(r#"{{"audience":"{ID}"}}"#);
        let kinds = [leaf.to_owned(), visitor, audience];
        let mut all: Vec<_> = (0..plain).map(|n| kinds[n % 3].clone()).collect();
        let conditions = vec![r#"{"field":"path","missing":true}"#; conditions].join(",");
        all.push(format!(
            r#"{{"did":{{"counter":"b","where":[{conditions}]}}}}"#
        ));
        including(&format!(r#"{{"any":[{}]}}"#, all.join(",")))
    };
    for (plain, conditions) in [(49, 0), (49, 1), (48, 2), (0, 50), (25, 25)] {
        read(&leaves(plain, conditions));
        let expected = "at most 50 conditions in all, each of a `where` counted; there are 51";
        refused(&leaves(plain + 1, conditions), "", expected, "Save a part");
    }
    let both = leaves(20, 5).replace(
        r#""version":1"#,
        &format!(
            r#""version":1,"exclude":{{"all":[{}]}}"#,
            vec![leaf; 26].join(",")
        ),
    );
    refused(&both, "", "there are 51", "Save a part");
}

#[test]
fn sixteen_kibibytes() {
    let filter = including(r#"{"did":{"counter":"a"}}"#);
    let padded = |bytes: usize| format!("{filter}{}", " ".repeat(bytes - filter.len()));
    read(&padded(MAX_FILTER_BYTES));
    refused(
        &padded(MAX_FILTER_BYTES + 1),
        "",
        "at most 16384 bytes of JSON; as it was sent this one has 16385",
        "Save a part",
    );
    // Short as it is sent, and long where each number has all its digits.
    let conditions = (0..10).map(|key| {
        let values: Vec<_> = (1..=99).map(|n| format!("{}e17", n * 10 + 1)).collect();
        format!(r#"{{"property":"{key}","in":[{}]}}"#, values.join(","))
    });
    let conditions = conditions.collect::<Vec<_>>().join(",");
    refused(
        &with_condition(&conditions),
        "",
        "in its canonical form this one has",
        "Save a part",
    );
}

#[test]
fn texts_that_no_visit_has() {
    for (condition, member) in [
        (r#"{"property":"X","exists":true}"#, "property"),
        (r#"{"property":"a","contains":"X"}"#, "contains"),
        (r#"{"property":"a","in":["X"]}"#, "in/0"),
        (r#"{"field":"path","lt":"X"}"#, "lt"),
        (r#"{"field":"path","starts_with":"X"}"#, "starts_with"),
    ] {
        let place = format!("/include/did/where/0/{member}");
        let nul = with_condition(&condition.replace('X', "a\\u0000b"));
        refused(&nul, &place, "with a NUL", "");
        for half in ["\\ud800", "\\udfff", "a\\udbffb", "\\ud800\\ud800"] {
            let json = with_condition(&condition.replace('X', half));
            refused(
                &json,
                &place,
                "half of a surrogate pair",
                "Write both halves",
            );
        }
        read(&with_condition(&condition.replace('X', "\\ud83e\\udd80")));
    }
    for number in [
        "1e999",
        "18446744073709551616",
        "0.1234567890123456789",
        "-9223372036854775809",
    ] {
        let json = with_condition(&format!(r#"{{"property":"a","in":[1,{number}]}}"#));
        let expected = "exactly as it is written";
        refused(&json, "/include/did/where/0/in/1", expected, "fewer digits");
        let json = with_condition(&format!(r#"{{"property":"a","gt":{number}}}"#));
        refused(&json, "/include/did/where/0/gt", expected, "fewer digits");
    }
}

/// All at once, and no more of them than anybody reads.
#[test]
fn all_errors_are_named() {
    let json = r#"{"version":1,"inclode":1,
        "include":{"all":[{"did":{"counter":"A","times":{"at_least":0,"at_most":"2"},
                                  "where":[{"field":"plan","gt":1},{"property":"","in":[]}],
                                  "within":{"days":401}}},
                          {"any":[]},{"audience":"x"},{"visitor":"path"},7]},
        "exclude":{"did":{}}}"#;
    let found: Vec<_> = errors(json)
        .into_iter()
        .map(|error| error.pointer)
        .collect();
    assert_eq!(
        found,
        [
            "/inclode",
            "/include/all/0/did/counter",
            "/include/all/0/did/times/at_least",
            "/include/all/0/did/times/at_most",
            "/include/all/0/did/within/days",
            "/include/all/0/did/where/0/field",
            "/include/all/0/did/where/0/gt",
            "/include/all/0/did/where/1/property",
            "/include/all/0/did/where/1/in",
            "/include/all/1/any",
            "/include/all/2/audience",
            "/include/all/3",
            "/include/all/4",
            "/exclude/did",
        ]
    );
    let many = format!(r#"{{"all":[{}]}}"#, vec!["1"; 100].join(","));
    assert_eq!(errors(&including(&many)).len(), MAX_ERRORS);
    assert_eq!(
        errors(json)[0].to_string(),
        "Expected nothing else than `version`, `include` and `exclude`."
    );
}
