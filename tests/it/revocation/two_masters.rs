//! Two masters at the same time, as in the middle of a switch that is planned: the sentinels have
//! made another the master, the old one does not know of it yet, and neither do all replicas.

use std::time::Duration;

use rustix::process::Signal;

use super::*;
use crate::support::sentinels::Lone;

/// Far longer than a test takes.
const NEVER: Duration = Duration::from_hours(1);

/// The middle of a switch, held still. Some sentinels are ahead, and name the new master.
struct Switch {
    old: Redis,
    new: Redis,
    behind: Lone,
    ahead: Lone,
}

impl Switch {
    /// The sentinels call a server down after so long.
    fn start(down_after: Duration) -> Self {
        // No sentinel can make it a replica.
        let master = || Redis::with(&["--rename-command", "SLAVEOF", "NOBODY-SAYS-SO"]);
        let (old, new) = (master(), master());
        Self {
            behind: Lone::start("behind", &old, &new, down_after),
            ahead: Lone::start("ahead", &new, &old, down_after),
            old,
            new,
        }
    }

    fn urls(&self) -> [String; 2] {
        [self.behind.url(), self.ahead.url()]
    }
}

/// Whoever revokes is ahead, or behind.
#[tokio::test]
async fn what_one_replica_revokes_another_does_not_count_on_the_other_master() {
    let (switch, database) = (Switch::start(NEVER), postgres::Database::migrated());
    let apps = replicas_at(&switch.urls(), &database).await;
    for round in 0..10 {
        let (revoking, counting) = (&apps[round % 2], &apps[(round + 1) % 2]);
        let (revoked, good) = (pass(), pass());
        for pass in [&revoked, &good] {
            assert!(count(&mut client(counting, pass)).await.is_some());
        }
        acknowledged(revoking, &revoked).await;
        assert_eq!(
            count(&mut client(counting, &revoked)).await,
            None,
            "{round}"
        );
        assert!(count(&mut client(counting, &good)).await.is_some());
    }
    for server in [&switch.old, &switch.new] {
        let counted = server.command("EXISTS footfall:{visits}:count");
        assert_eq!(counted.trim(), ":1", "each counts on another");
    }
}

/// Another process may count on it, as soon as it answers.
#[tokio::test]
async fn with_a_master_that_does_not_answer_nothing_is_acknowledged() {
    let (mut switch, database) = (Switch::start(NEVER), postgres::Database::migrated());
    let apps = replicas_at(&[switch.ahead.url()], &database).await;
    let pass = pass();
    switch.old.signal(Signal::STOP);
    let error = apps[0].revoke(&session(&pass)).await.unwrap_err();
    let said = error.to_string();
    let address = format!("127.0.0.1:{} does not say", switch.old.port);
    assert!(said.contains(&address), "{said}");
    switch.old.signal(Signal::CONT);
    acknowledged(&apps[0], &pass).await;
    // Nobody can count on one that has died.
    switch.old.kill();
    acknowledged(&apps[0], &pass).await;
}

#[tokio::test]
async fn what_the_sentinels_call_down_keeps_nothing_from_being_acknowledged() {
    let down_after = Duration::from_millis(500);
    let (switch, database) = (Switch::start(down_after), postgres::Database::migrated());
    let apps = replicas_at(&[switch.ahead.url()], &database).await;
    switch.old.signal(Signal::STOP);
    acknowledged(&apps[0], &pass()).await;
    switch.old.signal(Signal::CONT);
}
