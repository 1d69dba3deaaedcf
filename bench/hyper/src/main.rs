//! The limit: hyper and nothing else. It answers every request with the same 15 bytes, from as many
//! single-threaded runtimes as it is told, which share the listening socket as Footfall's workers do.
//!
//! `bench-hyper WORKERS tcp:HOST:PORT|unix:PATH`

use std::{convert::Infallible, env, error::Error, io, net, os::unix, thread};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    runtime,
};

const BODY: Bytes = Bytes::from_static(br#"{"status":"ok"}"#);

enum Listener {
    Tcp(net::TcpListener),
    Unix(unix::net::UnixListener),
}

impl Listener {
    fn bind(address: &str) -> io::Result<Self> {
        let listener = match address.split_once(':') {
            Some(("tcp", address)) => Self::Tcp(net::TcpListener::bind(address)?),
            Some(("unix", path)) => Self::Unix(unix::net::UnixListener::bind(path)?),
            _ => return Err(io::Error::other("not tcp:HOST:PORT or unix:PATH")),
        };
        match &listener {
            Self::Tcp(listener) => listener.set_nonblocking(true)?,
            Self::Unix(listener) => listener.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener) => Self::Tcp(listener.try_clone()?),
            Self::Unix(listener) => Self::Unix(listener.try_clone()?),
        })
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(BODY));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    // That a client closes in the middle of something is none of our business.
    tokio::spawn(async move { drop(connection.await) });
}

async fn accept(listener: Listener) -> io::Result<()> {
    match listener {
        Listener::Tcp(listener) => {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                serve(stream);
            }
        }
        Listener::Unix(listener) => {
            let listener = UnixListener::from_std(listener)?;
            loop {
                serve(listener.accept().await?.0);
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [workers, address] = arguments.as_slice() else {
        return Err("usage: bench-hyper WORKERS tcp:HOST:PORT|unix:PATH".into());
    };
    let workers: usize = workers.parse()?;
    let listener = Listener::bind(address)?;
    let threads = (0..workers).map(|_| {
        let listener = listener.try_clone()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(thread::spawn(move || runtime.block_on(accept(listener))))
    });
    for thread in threads.collect::<io::Result<Vec<_>>>()? {
        thread.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}
