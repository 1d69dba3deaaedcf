//! The password of the database is seen nowhere.

use super::{away, service, up};
use crate::support::{
    Footfall, Redis,
    footfall::footfall_command,
    postgres::{Database, PASSWORD},
    process::run,
};

/// Every way in which the password, a part of it, or it in a URL may look.
fn assert_hidden(what: &str, text: &str) {
    for form in [PASSWORD, "pa:ss", "pa%3Ass", "of/the", "of%2Fthe", "wr0ng"] {
        assert!(!text.contains(form), "{what} shows {form}: {text}");
    }
}

async fn everything(footfall: &Footfall) {
    let mut ops = footfall.ops_client();
    for path in ["/readyz", "/metrics", "/healthz", "/version"] {
        assert_hidden(path, &ops.get(path).await.text());
    }
    assert_hidden("the log", &footfall.log().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_in_no_output() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let right = database.url();
    let wrong = right.replace("pa%3Ass", "wr0ng%20pa%3Ass");
    for (url, works) in [(&right, true), (&wrong, false)] {
        let footfall = service(&redis, url).env("FOOTFALL_LOG", "trace").start();
        match works {
            true => up(&footfall).await,
            false => away(&footfall, "the password of user footfall is wrong").await,
        }
        everything(&footfall).await;
        for command in ["config", "doctor", "migrate"] {
            let ran = run(footfall_command()
                .env("REDIS_URL", redis.url())
                .env("DATABASE_URL", url)
                .arg(command));
            assert_hidden(command, &String::from_utf8_lossy(&ran.stdout));
            assert_hidden(command, &String::from_utf8_lossy(&ran.stderr));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_come_from_a_file_of_its_own() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let url = database.url().replace(":pa%3Ass%40of%2Fthe%20service", "");
    let footfall = service(&redis, &url)
        .env("FOOTFALL_DATABASE_PASSWORD_FILE", file.display())
        .env("FOOTFALL_LOG", "trace")
        .start();
    up(&footfall).await;
    everything(&footfall).await;
    let without = service(&redis, &url).start();
    away(&without, "user footfall needs a password").await;
}
