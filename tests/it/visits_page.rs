//! `docs/visits.md` tells the truth.

use footfall::counting::carried::{
    MAX_KEY_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, MAX_VISIT_BYTES, Member,
};

use crate::support::{Footfall, walk::walk};

const PAGE: &str = include_str!("../../docs/visits.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_give_the_output_they_show() {
    let footfall = Footfall::start();
    footfall.logged("store is up");
    let folder = tempfile::tempdir().unwrap();
    for marker in ["visits", "many-visits"] {
        let here = [("localhost:8000", footfall.public())];
        let here = here.each_ref().map(|(from, to)| (*from, to.as_str()));
        walk(PAGE, marker, folder.path(), &here);
    }
}

#[test]
fn the_limits_are_those_of_the_service() {
    for limit in [
        format!("| {MAX_VISIT_BYTES} bytes |"),
        format!("| {MAX_TEXT_BYTES} bytes of UTF-8 |"),
        format!("| {MAX_KEY_BYTES} bytes of UTF-8 |"),
        format!("Up to {MAX_PROPERTIES} more"),
    ] {
        assert!(PAGE.contains(&limit), "{limit}");
    }
    for member in Member::ALL {
        let row = format!("| `{}` |", member.name());
        assert!(PAGE.contains(&row), "{row}");
    }
}
