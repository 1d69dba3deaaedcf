//! A worker: one thread, one single-threaded runtime, its own service.

use std::{io, sync::Arc, thread};

use tokio::{
    runtime,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    accept::{self, Phase},
    listener::Bound,
};
use crate::{app::Shared, store::Store};

/// Sent when a worker ends, for whatever reason; its index.
#[derive(Debug, Clone, Copy)]
pub struct WorkerEnded(pub usize);

/// Sends [`WorkerEnded`], also when the thread panics.
struct Farewell(usize, mpsc::UnboundedSender<WorkerEnded>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.1.send(WorkerEnded(self.0));
    }
}

/// Starts a worker that serves all public listeners until it is told to close.
pub fn spawn(
    index: usize,
    shared: &Arc<Shared>,
    store: &Store,
    listeners: &[Bound],
    phase: watch::Receiver<Phase>,
    ended: mpsc::UnboundedSender<WorkerEnded>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let acceptors = {
        let _runtime = runtime.enter();
        listeners
            .iter()
            .map(Bound::acceptor)
            .collect::<io::Result<Vec<_>>>()?
    };
    let store = store.for_another_thread();
    let shared = shared.clone();
    let farewell = Farewell(index, ended);
    let body = move || {
        let _farewell = farewell;
        runtime.block_on(async {
            let server = shared.server_settings().clone();
            let edge = shared.public_edge(store);
            let accepting: JoinSet<()> = acceptors
                .into_iter()
                .map(|acceptor| accept::run(acceptor, edge.clone(), server.clone(), phase.clone()))
                .collect();
            accepting.join_all().await;
            edge.finished().await;
        });
    };
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(body)?;
    Ok(())
}
