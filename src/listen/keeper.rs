//! Keeps the paths of our Unix sockets, for as long as the process lives.
//!
//! A thread of its own does so: it may wait for files and siblings, and it must
//! go on when a worker does not. In each round it looks whether
//!
//! - our path still leads to our socket, or somebody has taken it away: a
//!   sibling, if we were stopped and did not answer, or a careless hand;
//! - we cannot count and a sibling can: then our slot is left to the siblings,
//!   and taken again when we can, or when no sibling can any more;
//! - a sibling has died or hangs: then its slots lead to those who serve.

use std::{
    io,
    sync::mpsc as std_mpsc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{
    Fitness,
    listener::BindError,
    place::{Ourselves, Place},
    siblings::ROUND,
};
use crate::supervision::Supervisor;

/// Who has not turned for this long itself must not find others slow.
const WELL: Duration = Duration::from_millis(500);

/// The longest the end of the process waits for its paths to be withdrawn.
const END_LIMIT: Duration = Duration::from_secs(5);

/// The keeper's thread. Dropped, it withdraws all paths first.
pub struct Keeper {
    commands: Option<mpsc::UnboundedSender<oneshot::Sender<()>>>,
    ended: std_mpsc::Receiver<()>,
}

/// The addresses at which sockets were published, each with whether it is a
/// public one; or why not all of them can be.
pub type Published = Result<Vec<(String, bool)>, BindError>;

impl Keeper {
    /// Publishes these sockets in their order and keeps them. The receiver gets
    /// their addresses, or why not all of them can be published.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub fn start(
        places: Vec<Place>,
        fitness: Fitness,
        supervisor: &Supervisor,
    ) -> io::Result<(Self, oneshot::Receiver<Published>)> {
        let (commands, orders) = mpsc::unbounded_channel();
        let (started, published) = oneshot::channel();
        let (ending, ended) = std_mpsc::channel::<()>();
        let vitals = fitness.vitals.clone();
        let work = move || async move {
            // Dropped when the paths are withdrawn, also by a panic.
            let _ending = ending;
            keep(places, &fitness, orders, started).await;
        };
        supervisor.thread("keeper", &vitals, work)?;
        let keeper = Self {
            commands: Some(commands),
            ended,
        };
        Ok((keeper, published))
    }

    /// Withdraws the public paths and closes their sockets, once what has reached
    /// them is served.
    pub async fn withdraw_public(&self) {
        let (done, withdrawn) = oneshot::channel();
        if let Some(commands) = &self.commands
            && commands.send(done).is_ok()
        {
            let _ = tokio::time::timeout(END_LIMIT, withdrawn).await;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.commands = None;
        // Nothing is ever sent: this ends when the thread does.
        let _ = self.ended.recv_timeout(END_LIMIT);
    }
}

async fn keep(
    mut places: Vec<Place>,
    fitness: &Fitness,
    mut orders: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    started: oneshot::Sender<Published>,
) {
    let published = tokio::select! {
        published = start(&mut places, fitness) => published,
        // It is to end before it has started: nobody was sent here yet.
        mut order = orders.recv() => {
            drop(places);
            // The thread ends when it is told to, like any other: before, it would be missed.
            while let Some(done) = order {
                let _ = done.send(());
                order = orders.recv().await;
            }
            return;
        }
    };
    if published.is_err() {
        // Those that were published are withdrawn first.
        drop(places);
        let _ = started.send(published);
        return;
    }
    fitness.vitals.have_started();
    let _ = started.send(published);
    let mut round = Instant::now();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(done) = order else { return };
                places.retain(|place| !place.public);
                let _ = done.send(());
                continue;
            }
            () = sleep(ROUND), if !places.is_empty() => {}
        }
        let late = round.elapsed() > 2 * ROUND;
        round = Instant::now();
        let ourselves = Ourselves {
            well: !late && fitness.vitals.stuck_for(WELL).is_none(),
            live: fitness.vitals.check().is_ok(),
            fit: fitness.is_fit(),
        };
        for place in &mut places {
            place.round(&ourselves);
        }
    }
}

/// Publishes all in their order.
async fn start(places: &mut [Place], fitness: &Fitness) -> Published {
    let mut published = Vec::new();
    for place in places {
        let address = place.start(fitness).await?;
        published.extend(address.map(|address| (address, place.public)));
    }
    Ok(published)
}
