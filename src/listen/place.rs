//! One Unix socket of ours: when it takes a path, and when it leaves it.

use std::{fmt, mem, path::PathBuf};

use futures_util::FutureExt;
use tokio::time::sleep;

use super::{
    Fitness,
    directory::FileIdentity,
    held_lock::{HeldLock, directory_of},
    listener::BindError,
    offer::{Acceptors, Listening},
    siblings::{Answer, HUNG_ROUNDS, Look, ROUND, Siblings, look},
    socket::{self, HiddenSocket, Paths, PublishedSocket, SocketError},
};
use crate::config::values::SocketTemplate;

/// Rounds after which a replica that cannot count leaves its slot: 1.8 s. Idle replicas
/// ask their store once a second, so one whose store hangs knows up to a second later than a busy
/// one, and what it said last is a round old: when the store is away for all, all know by then,
/// and stay.
const LEAVE_ROUNDS: u32 = 9;

/// Rounds after which one that is stuck or draining leaves it, whatever its store: until siblings have been
/// asked since, which may be draining, too. With [`STUCK`](crate::supervision::STUCK) less than 3 s.
const LEAVE_ROUNDS_UNWELL: u32 = 3;

/// Rounds until what failed is tried again.
const RETRY_ROUNDS: u32 = 5;

/// How often a start tries to publish a socket while others are in the way: one that hangs with the
/// lock takes about a second of it. Whoever runs already tries for ever.
const START_TRIES: u32 = 10;

/// What we are in a round.
pub struct Ourselves {
    /// Our threads turn, so that we may judge others.
    pub well: bool,
    /// We are neither stuck nor draining: what we know at once of nobody but us.
    pub live: bool,
    /// We are live and can count.
    pub fit: bool,
}

/// A Unix socket of the settings, and where it is in its life.
pub struct Place {
    /// As in the settings.
    shown: String,
    paths: Paths,
    mode: u32,
    /// Whether it is a public one.
    pub public: bool,
    acceptors: Acceptors,
    state: State,
    siblings: Siblings,
    /// Rounds in which we could not count.
    unfit: u32,
    /// Rounds until the next try.
    pause: u32,
    /// A lock that somebody else has, and for how many rounds.
    locked_out: Option<(HeldLock, u32)>,
    /// What was said of the trouble there is.
    said: Option<String>,
}

enum State {
    /// There is no socket.
    Out,
    /// There is one, and it is being tried whether we answer on it.
    Arriving {
        hidden: HiddenSocket,
        listening: Listening,
        look: Look,
        rounds: u32,
    },
    /// A path leads to it.
    In {
        // Before the listener, since fields are dropped in this order: it is withdrawn while it
        // is open.
        published: PublishedSocket,
        listening: Listening,
    },
}

impl Place {
    /// A place that is not taken yet.
    pub fn new(template: &SocketTemplate, mode: u32, public: bool, acceptors: Acceptors) -> Self {
        Self {
            paths: Paths::of(template),
            shown: template.to_string(),
            mode,
            public,
            acceptors,
            state: State::Out,
            siblings: Siblings::default(),
            unfit: 0,
            pause: 0,
            locked_out: None,
            said: None,
        }
    }

    /// Publishes the socket, unless we cannot count and a sibling can; gives its address.
    pub async fn start(&mut self, fitness: &Fitness) -> Result<Option<String>, BindError> {
        let unfit = self.public && !fitness.is_fit() && self.finds_a_fit_sibling().await;
        // It may have become fit meanwhile.
        if unfit && !fitness.is_fit() {
            tracing::warn!(
                listen = %self.shown,
                "visits cannot be counted here, and other replicas can count them: no slot is taken until they can"
            );
            return Ok(None);
        }
        let (published, listening) = self.begin_in_time().await?;
        let address = format!("unix:{}", published.path().display());
        self.state = State::In {
            published,
            listening,
        };
        Ok(Some(address))
    }

    /// Binds a socket and publishes it. That others are in the way is no reason to end: they may
    /// have been stopped, or starved, as we may have been.
    async fn begin_in_time(&mut self) -> Result<(PublishedSocket, Listening), BindError> {
        let mut tries = 1;
        loop {
            match self.begin() {
                Ok(begun) => return Ok(begun),
                Err((_, error)) if error.may_pass() && tries < START_TRIES => {
                    tries += 1;
                    self.report(error);
                    sleep(ROUND).await;
                }
                Err((path, source)) => return Err(BindError::Unix { path, source }),
            }
        }
    }

    /// Binds a socket and publishes it at once.
    fn begin(&self) -> Result<(PublishedSocket, Listening), (PathBuf, SocketError)> {
        let (hidden, listening) = self
            .bind()
            .map_err(|error| (self.paths.first().to_owned(), error))?;
        Ok((hidden.publish()?, listening))
    }

    async fn finds_a_fit_sibling(&mut self) -> bool {
        self.meet();
        self.siblings.ask(true);
        while self.siblings.may_yet_answer() && !self.siblings.one_is_fit() {
            sleep(ROUND).await;
            self.siblings.collect(true);
        }
        self.siblings.one_is_fit()
    }

    /// Binds a socket, which all accept from then.
    fn bind(&self) -> Result<(HiddenSocket, Listening), SocketError> {
        let (socket, hidden) = socket::bind(&self.paths, self.mode)?;
        let listening = Listening::new(socket);
        self.acceptors.offer(&listening)?;
        Ok((hidden, listening))
    }

    /// One round: what has changed since the last one is seen, and acted on.
    pub fn round(&mut self, ourselves: &Ourselves) {
        self.notice_loss();
        self.meet();
        self.siblings.collect(ourselves.well);
        self.unfit = match ourselves.fit || !self.public {
            true => 0,
            false => self.unfit.saturating_add(1),
        };
        self.pause = self.pause.saturating_sub(1);
        self.state = match mem::replace(&mut self.state, State::Out) {
            State::Out => self.arrive(),
            State::Arriving {
                hidden,
                listening,
                look,
                rounds,
            } => self.enter(hidden, listening, look, rounds),
            State::In {
                published,
                listening,
            } => self.stay(published, listening, ourselves.live),
        };
        let is_in = matches!(self.state, State::In { .. });
        self.siblings.ask(self.unfit > 0 || !is_in);
    }

    /// Our path may have been taken away: by a sibling, when we did not answer, or by hand.
    fn notice_loss(&mut self) {
        if let State::In { published, .. } = &self.state
            && !published.is_ours()
        {
            tracing::warn!(
                path = %published.path().display(),
                "the path no longer led to our socket, as if we had not answered; it is published anew"
            );
            self.state = State::Out;
        }
    }

    /// Takes in who else is there.
    fn meet(&mut self) {
        let Paths::Slots(slots) = &self.paths else {
            return;
        };
        let mut there = slots.sockets().unwrap_or_default();
        let own = match &self.state {
            State::In { published, .. } => {
                let own = |(path, _): &(_, FileIdentity)| path == published.path();
                there.iter().position(own)
            }
            _ => None,
        };
        there.rotate_left(own.unwrap_or_default());
        let others = there.into_iter().skip(usize::from(own.is_some()));
        self.siblings.update(others);
    }

    /// We are out. If we can count, or nobody else can, a new socket is bound.
    fn arrive(&mut self) -> State {
        let unwanted = self.unfit > 0 && self.siblings.one_may_be_fit();
        if unwanted || self.pause > 0 {
            return State::Out;
        }
        let bound = self.paths.free().and_then(|_| self.bind());
        match bound {
            Ok((hidden, listening)) => State::Arriving {
                look: look(hidden.path()),
                hidden,
                listening,
                rounds: 0,
            },
            Err(error) => self.give_up(error),
        }
    }

    /// The new socket is published if we answer on it: who does not would only be
    /// put out again.
    fn enter(
        &mut self,
        hidden: HiddenSocket,
        listening: Listening,
        mut look: Look,
        rounds: u32,
    ) -> State {
        match (&mut look).now_or_never() {
            Some(Ok(Some(Answer::Fit | Answer::Unfit))) => match hidden.publish() {
                Ok(published) => {
                    tracing::info!(path = %published.path().display(), "the socket is published again");
                    self.said = None;
                    State::In {
                        published,
                        listening,
                    }
                }
                Err((_, error)) => self.give_up(error),
            },
            None if rounds < HUNG_ROUNDS => State::Arriving {
                hidden,
                listening,
                look,
                rounds: rounds + 1,
            },
            _ => self.give_up(SocketError::NoAnswer),
        }
    }

    /// We are in: the slots are put in order, and ours is left if we cannot count
    /// and another one can. It may be the store that is away, for others, too; a thread
    /// that is stuck is ours.
    fn stay(&mut self, published: PublishedSocket, listening: Listening, live: bool) -> State {
        let serves = |_: &_, identity| self.siblings.serves(identity);
        let patience = if live {
            LEAVE_ROUNDS
        } else {
            LEAVE_ROUNDS_UNWELL
        };
        let leaving = self.unfit >= patience && self.siblings.one_is_fit();
        let done = match leaving {
            true => published.give_up_slot(&serves),
            false => published.repair(&serves),
        };
        match done {
            Ok(()) if leaving => {
                tracing::warn!(
                    path = %published.path().display(),
                    "visits cannot be counted here, and other replicas can count them: the slot is left to those"
                );
                self.locked_out = None;
                return State::Out;
            }
            Ok(()) => (self.locked_out, self.said) = (None, None),
            Err(SocketError::Locked(held)) => self.wait_for_lock(held),
            Err(error) => self.complain(&error),
        }
        State::In {
            published,
            listening,
        }
    }

    fn wait_for_lock(&mut self, held: HeldLock) {
        let rounds = match self.locked_out.take() {
            Some((before, rounds)) if before.is(&held) => rounds + 1,
            _ => 1,
        };
        match rounds > HUNG_ROUNDS {
            true => self.break_lock(&held),
            false => self.locked_out = Some((held, rounds)),
        }
    }

    /// Whoever holds the lock for so long is stopped.
    fn break_lock(&mut self, held: &HeldLock) {
        let path = self.paths.first();
        match held.break_it(path) {
            Ok(()) => tracing::warn!(
                directory = %directory_of(path).display(),
                "the lock was held for about a second, by a process that hangs; it is replaced by a new one"
            ),
            Err(error) => self.complain(&error),
        }
    }

    fn give_up(&mut self, error: SocketError) -> State {
        self.report(error);
        self.pause = RETRY_ROUNDS;
        State::Out
    }

    /// Says what failed, and breaks the lock if that was in the way.
    fn report(&mut self, error: SocketError) {
        if let SocketError::Locked(held) = &error {
            self.break_lock(held);
        }
        self.complain(&error);
    }

    fn complain(&mut self, error: &dyn fmt::Display) {
        let error = error.to_string();
        if self.said.as_ref() != Some(&error) {
            tracing::warn!(listen = %self.shown, %error, "the path of the socket cannot be kept; it is tried again");
            self.said = Some(error);
        }
    }
}
