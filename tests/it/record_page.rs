//! `docs/record.md` tells the truth.

use crate::support::{Footfall, walk::walk};

const PAGE: &str = include_str!("../../docs/record.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_give_the_output_they_show() {
    let footfall = Footfall::start();
    footfall.logged("store is up");
    let folder = tempfile::tempdir().unwrap();
    for marker in ["record", "erase"] {
        walk(
            PAGE,
            marker,
            folder.path(),
            &[("localhost:8000", &footfall.public())],
        );
    }
}
