//! What the sender of mails is told from outside: that there is one, that it is to stop.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, watch},
    time::sleep_until,
};

/// What the sender of this process is told, on any thread.
#[derive(Debug, Clone, Default)]
pub struct Mailer(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    wake: Notify,
    /// Until when what became of a mail may be tried to be noted, once no more are taken.
    stop: watch::Sender<Option<Instant>>,
    stopped: watch::Sender<bool>,
}

impl Mailer {
    /// There is a new mail, and its transaction is committed.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Has the sender take no more mails, and waits until the one under way, if there is one, is
    /// sent or given back: at most as long as a try. Noting that is tried for half of what there is of time
    /// while the database is away: the rest is for whatever else ends. Without a sender that is for ever.
    pub async fn stop(&self, within: Duration) {
        self.0.stop.send_replace(Some(Instant::now() + within / 2));
        until(&self.0.stopped, |stopped| *stopped).await;
    }

    /// Until there is a new mail.
    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Whether more mails are to be taken.
    pub(super) fn goes_on(&self) -> bool {
        self.0.stop.borrow().is_none()
    }

    /// The sender has nothing under way any more.
    pub(super) fn has_stopped(&self) {
        self.0.stopped.send_replace(true);
    }

    /// Until it is to stop.
    pub(super) async fn told_to_stop(&self) {
        until(&self.0.stop, Option::is_some).await;
    }

    /// Until it is too late to try once more.
    pub(super) async fn over(&self) {
        self.told_to_stop().await;
        let end = *self.0.stop.borrow();
        if let Some(end) = end {
            sleep_until(end.into()).await;
        }
    }

    /// Whether it is too late to try once more.
    pub(super) fn is_over(&self) -> bool {
        self.0
            .stop
            .borrow()
            .is_some_and(|end| Instant::now() >= end)
    }
}

async fn until<T>(flag: &watch::Sender<T>, is_set: impl Fn(&T) -> bool) {
    let mut flag = flag.subscribe();
    // It cannot end before its sender, which is borrowed.
    let _ = flag.wait_for(|value| is_set(value)).await;
}
