//! A worker: one thread, one single-threaded runtime, its own service.

use std::{io, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    app::Application,
    listen::{accept, connection::Service, offer::Offer},
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
    let store = store.for_another_thread();
    let (application, of_worker) = (application.clone(), supervisor.clone());
    let fitness = application.fitness(&store);
    let work = move || async move {
        let edge = application.public_edge(store, &of_worker);
        let service = Service {
            settings: application.server_settings().clone(),
            fitness,
            edge: edge.clone(),
        };
        accept::run_all(offers, service).await;
        edge.finished().await;
    };
    supervisor.thread(&format!("worker-{index}"), vitals, work)
}
