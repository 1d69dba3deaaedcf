//! One connection to the receiver of errors per report: there are few, and none is in a hurry.

use std::{error::Error, io, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{config::SentryDsn, supervision::Piece};

/// From looking up the receiver's name to the head of its answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Why the receiver could not be asked.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The receiver.
pub struct Connector {
    dsn: SentryDsn,
    tls: Option<TlsConnector>,
}

impl Connector {
    /// Knows the way. Over TLS it trusts whom the system trusts, or `SSL_CERT_FILE`.
    pub fn new(dsn: SentryDsn) -> Self {
        let tls = dsn.tls.then(trusting_the_system);
        Self { dsn, tls }
    }

    /// Connects, and sends nothing.
    ///
    /// # Errors
    ///
    /// If that takes over five seconds, or the receiver is not there, or not who it should be.
    pub async fn reach(&self) -> Result<(), Failure> {
        timeout(LIMIT, self.connect()).await??;
        Ok(())
    }

    /// Sends one envelope; what matters of the answer.
    ///
    /// # Errors
    ///
    /// As [`Connector::reach`], or if what answers does not speak HTTP.
    pub async fn post(&self, envelope: Vec<u8>) -> Result<(StatusCode, HeaderMap), Failure> {
        let exchange = async {
            let stream = self.connect().await?;
            let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // Ends with the client: with the head of the answer all is known.
            Piece::Report.spawn(connection);
            Ok(client.send_request(self.request(envelope)?).await?)
        };
        let answer: Result<_, Failure> = timeout(LIMIT, exchange).await?;
        let (head, _) = answer?.into_parts();
        Ok((head.status, head.headers))
    }

    fn request(&self, envelope: Vec<u8>) -> Result<Request<Body>, Failure> {
        let mut authorization = HeaderValue::from_str(self.dsn.authorization.expose_secret())?;
        authorization.set_sensitive(true);
        let host = self.dsn.to_string();
        let host = host
            .split_once("://")
            .map_or(host.as_str(), |(_, host)| host);
        Ok(Request::post(&self.dsn.endpoint)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/x-sentry-envelope")
            .header(
                header::USER_AGENT,
                concat!("footfall/", env!("CARGO_PKG_VERSION")),
            )
            .header("x-sentry-auth", authorization)
            .body(Body::from(envelope))?)
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.dsn.host.as_str(), self.dsn.port)).await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(self.dsn.host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

fn trusting_the_system() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "a certificate authority of the system cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
