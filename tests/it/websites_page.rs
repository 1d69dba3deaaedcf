//! `docs/websites.md` tells the truth.

use crate::support::{Footfall, walk::walk};

const PAGE: &str = include_str!("../../docs/websites.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_give_the_output_they_show() {
    let footfall = Footfall::start();
    footfall.logged("store is up");
    let folder = tempfile::tempdir().unwrap();
    let here = format!("http://{}", footfall.public());
    let here = [("https://count.example", here.as_str())];
    walk(PAGE, "key", folder.path(), &here);
    // A new key is known within two seconds.
    let mut ops = footfall.ops_client();
    ops.metric_becomes("footfall_collect_write_keys", 1.0).await;
    walk(PAGE, "check", folder.path(), &here);
}
