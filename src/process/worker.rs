//! A worker: one thread, one single-threaded runtime, its own service.

use std::{io, sync::Arc, thread};

use tokio::{runtime, sync::mpsc};

use crate::{
    app::Application,
    listen::{Fitness, accept, connection::Service, offer::Offer},
    storage::Store,
    supervision::{Supervisor, Vitals},
};

/// Starts a worker that serves all listeners it is offered, until no more can
/// be and the last connection has closed.
pub fn spawn(
    index: usize,
    application: &Arc<Application>,
    store: &Store,
    vitals: &Vitals,
    offers: mpsc::UnboundedReceiver<Offer>,
    supervisor: &Supervisor,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = store.for_another_thread();
    let (application, supervisor) = (application.clone(), supervisor.clone());
    let name = format!("worker-{index}");
    let heartbeat = vitals.heartbeat(&name);
    let vitals = vitals.clone();
    let body = move || {
        let _watch = supervisor.watch(format!("worker {index}"));
        runtime.block_on(async {
            supervisor.spawn(format!("the heartbeat of worker {index}"), heartbeat);
            let edge = application.public_edge(store.clone(), &supervisor);
            let service = Service {
                settings: application.server_settings().clone(),
                fitness: Fitness {
                    vitals,
                    store: store.health.clone(),
                },
                edge: edge.clone(),
            };
            accept::run_all(offers, service).await;
            edge.finished().await;
        });
    };
    thread::Builder::new().name(name).spawn(body)?;
    Ok(())
}
