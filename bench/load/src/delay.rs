//! A slow wire: what it is sent arrives unchanged, but later, in both directions.
//!
//! `bench-delay LISTEN TARGET MICROSECONDS`, the last for the way there and back together.

use std::{env, error::Error, io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime,
    sync::mpsc,
};

mod clock;
use clock::{Alarm, Moment, now};

/// What is under way, and when it arrives.
struct Parcel(Moment, Vec<u8>);

async fn send(mut from: OwnedReadHalf, wire: mpsc::UnboundedSender<Parcel>, delay: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let parcel = Parcel(now() + delay, buffer[..length].to_vec());
        if wire.send(parcel).is_err() {
            break;
        }
    }
}

async fn deliver(
    mut wire: mpsc::UnboundedReceiver<Parcel>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let alarm = Alarm::new()?;
    while let Some(Parcel(arrival, bytes)) = wire.recv().await {
        if arrival > now() {
            alarm.set(arrival, Duration::ZERO)?;
            alarm.rung().await?;
        }
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}

fn connect(from: OwnedReadHalf, to: OwnedWriteHalf, delay: Duration) {
    let (wire, parcels) = mpsc::unbounded_channel();
    tokio::spawn(send(from, wire, delay));
    // A connection that breaks ends this direction, and is seen at both ends.
    tokio::spawn(async move { drop(deliver(parcels, to).await) });
}

async fn serve(listen: &str, target: &str, round_trip: Duration) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let server = TcpStream::connect(target).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        connect(from_client, to_server, round_trip / 2);
        connect(from_server, to_client, round_trip / 2);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [listen, target, microseconds] = arguments.as_slice() else {
        return Err("usage: bench-delay LISTEN TARGET MICROSECONDS".into());
    };
    let round_trip = Duration::from_micros(microseconds.parse()?);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(serve(listen, target, round_trip))?)
}
