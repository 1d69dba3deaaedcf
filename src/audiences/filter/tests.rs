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
