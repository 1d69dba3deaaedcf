//! The dialogue with a mail server (RFC 5321), one connection for each mail: there are few.

use std::{net::IpAddr, sync::OnceLock, time::Duration};

use lettre::{
    Address,
    address::Envelope,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{
    super::metrics::Reason,
    failure::{Failure, Stage},
};
use crate::config::{PublicUrl, SmtpTls, SmtpUrl};

/// How long a server may take to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A mail server.
pub struct Smtp {
    url: SmtpUrl,
    /// What it is told that we are called.
    name: ClientId,
    /// Reading the system's authorities takes milliseconds, so it is done once, when there is a mail.
    tls: OnceLock<TlsParameters>,
}

/// A server that waits for the message.
pub struct Dialogue(AsyncSmtpConnection);

impl Smtp {
    /// Nothing is connected to yet.
    pub fn new(url: SmtpUrl, public_url: Option<&PublicUrl>) -> Self {
        Self {
            url,
            name: name(public_url),
            tls: OnceLock::new(),
        }
    }

    /// Connects and says who sends what to whom.
    ///
    /// # Errors
    ///
    /// Why the server takes no message.
    pub async fn open(&self, envelope: &Envelope) -> Result<Dialogue, Failure> {
        let mut connection = self.connect().await?;
        self.log_in(&mut connection).await?;
        let mail = Mail::new(envelope.from().cloned(), Vec::new());
        let at = |stage| move |error| Failure::at(stage, &error);
        connection.command(mail).await.map_err(at(Stage::Sender))?;
        for to in envelope.to() {
            let recipient = Rcpt::new(to.clone(), Vec::new());
            connection
                .command(recipient)
                .await
                .map_err(at(Stage::Recipient))?;
        }
        connection.command(Data).await.map_err(at(Stage::Message))?;
        Ok(Dialogue(connection))
    }

    /// Whether the server takes our user and password, and mail from this address; whether the
    /// connection is encrypted. No mail is begun.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub async fn probe(&self, from: &Address) -> Result<bool, Failure> {
        let mut connection = self.connect().await?;
        self.log_in(&mut connection).await?;
        let mail = Mail::new(Some(from.clone()), Vec::new());
        let answer = connection.command(mail).await;
        answer.map_err(|error| Failure::at(Stage::Sender, &error))?;
        let is_encrypted = connection.is_encrypted();
        Dialogue(connection).close().await;
        Ok(is_encrypted)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let implicit = match self.url.tls {
            SmtpTls::Implicit => Some(self.tls()?),
            _ => None,
        };
        let server = (self.url.host.as_str(), self.url.port);
        // Whoever asks has a limit for all of it.
        let connection =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.name, implicit, None).await;
        let mut connection = connection.map_err(|error| Failure::at(Stage::Connecting, &error))?;
        let upgrade = match self.url.tls {
            SmtpTls::Required => true,
            SmtpTls::Opportunistic => connection.can_starttls(),
            SmtpTls::Implicit | SmtpTls::Off => false,
        };
        if upgrade {
            let upgraded = connection.starttls(self.tls()?, &self.name).await;
            upgraded.map_err(|error| Failure::at(Stage::StartTls, &error))?;
        }
        Ok(connection)
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Failure> {
        let Some((user, password)) = &self.url.credentials else {
            return Ok(());
        };
        // Who listens on the way could take the offer of STARTTLS away, and would get the password.
        if !connection.is_encrypted() && !self.url.is_loopback {
            let what =
                "the server does not offer STARTTLS, and without it the password is not sent";
            return Err(Failure::later(Reason::Tls, what));
        }
        let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        let done = connection.auth(&mechanisms, &credentials).await;
        done.map(drop)
            .map_err(|error| Failure::at(Stage::Auth, &error))
    }

    /// Trusts whom the system trusts, or `SSL_CERT_FILE`.
    fn tls(&self) -> Result<TlsParameters, Failure> {
        if let Some(known) = self.tls.get() {
            return Ok(known.clone());
        }
        let made = TlsParameters::new(self.url.host.clone());
        let made = made.map_err(|error| Failure::at(Stage::StartTls, &error))?;
        Ok(self.tls.get_or_init(|| made).clone())
    }
}

impl Dialogue {
    /// Sends the message and waits for the answer.
    ///
    /// # Errors
    ///
    /// Why the server does not take it.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), Failure> {
        let answer = self.0.message(message).await;
        answer
            .map(drop)
            .map_err(|error| Failure::at(Stage::Message, &error))
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // It has the message, and what it answers changes nothing.
        let _ = timeout(GOODBYE, self.0.quit()).await;
    }
}

/// The host of the public URL: the name of a container would tell a server nothing, and some take
/// no mail from such.
fn name(public_url: Option<&PublicUrl>) -> ClientId {
    let host = public_url.map_or("localhost", PublicUrl::host);
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    }
}
