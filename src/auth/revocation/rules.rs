//! What is revoked, as it is looked up for each pass.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    entry::{Entry, Revocation},
    pass::Pass,
};

/// What a process holds of revocations, until they end: up to 80 bytes for each. None can be forgotten
/// earlier, or what it ends would be good again; so what bounds them is what each has cost.
///
/// - A session begins with the hash of a password: some 20 ms of a core, of which half may do that
///   ([`phc::at_once`](crate::config::phc::at_once)). Who logs in and out without a pause for as long as a
///   revocation is kept, 65 minutes with the usual `FOOTFALL_TOKEN_TTL`, leaves 195,000 for each such core of all
///   replicas together: 16 MB.
/// - A secret of an API token has cost no hash, but no user makes more than 100 in an hour
///   ([`MakeApiToken`](crate::auth::throttle::Action::MakeApiToken)).
/// - Of a user or a company the newest is held alone, and beside it one for each password that they
///   have changed, which has cost a hash as well.
#[derive(Debug, Default)]
pub struct Rules {
    sessions: HashMap<Uuid, Times>,
    users: HashMap<Uuid, Vec<Below>>,
    companies: HashMap<Uuid, Vec<Below>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    noted_at: i64,
    until: i64,
}

/// All generations below one.
#[derive(Debug, Clone, Copy)]
struct Below {
    generation: i64,
    except: Option<Uuid>,
    times: Times,
}

impl Below {
    fn ends(&self, generation: i64, session: Uuid) -> bool {
        generation < self.generation && self.except != Some(session)
    }

    /// Whether it ends all that another does, for as long.
    fn covers(&self, other: &Self) -> bool {
        let sessions = self.except.is_none() || self.except == other.except;
        self.generation >= other.generation && self.times.until >= other.times.until && sessions
    }
}

impl Rules {
    /// Adds one; whether it was news.
    pub fn add(&mut self, entry: &Entry) -> bool {
        let times = Times {
            noted_at: entry.noted_at,
            until: entry.until,
        };
        let below = |generation, except| Below {
            generation,
            except,
            times,
        };
        match entry.revocation {
            Revocation::Session(id) => {
                let held = self.sessions.insert(id, times);
                if let Some(held) = held.filter(|held| held.until >= times.until) {
                    self.sessions.insert(id, held);
                }
                held.is_none()
            }
            Revocation::User {
                id,
                below: of,
                except,
            } => add_below(self.users.entry(id).or_default(), below(of, except)),
            Revocation::Company { id, below: of } => {
                add_below(self.companies.entry(id).or_default(), below(of, None))
            }
        }
    }

    /// Whether a pass is good no longer.
    pub fn revokes(&self, pass: &Pass) -> bool {
        let of = |map: &HashMap<Uuid, Vec<Below>>, id, generation| {
            let all = map.get(id).into_iter().flatten();
            all.into_iter()
                .any(|below| below.ends(generation, pass.session))
        };
        self.sessions.contains_key(&pass.session)
            || of(&self.users, &pass.user, pass.user_generation)
            || of(&self.companies, &pass.company, pass.company_generation)
    }

    /// Forgets what has ended by this time.
    pub fn forget(&mut self, now: i64) {
        self.sessions.retain(|_, times| times.until > now);
        for map in [&mut self.users, &mut self.companies] {
            map.retain(|_, all| {
                all.retain(|below| below.times.until > now);
                !all.is_empty()
            });
        }
        // A wave of logouts must not leave its room behind for good.
        self.sessions.shrink_to(2 * self.sessions.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let lists = self.users.values().chain(self.companies.values());
        self.sessions.len() + lists.map(Vec::len).sum::<usize>()
    }

    /// All of them.
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |revocation, times: &Times| Entry {
            revocation,
            noted_at: times.noted_at,
            until: times.until,
        };
        let sessions = self.sessions.iter();
        let mut all: Vec<_> = sessions
            .map(|(id, times)| entry(Revocation::Session(*id), times))
            .collect();
        for (&id, list) in &self.users {
            all.extend(list.iter().map(|held| {
                let (below, except) = (held.generation, held.except);
                entry(Revocation::User { id, below, except }, &held.times)
            }));
        }
        for (&id, list) in &self.companies {
            all.extend(list.iter().map(|held| {
                let below = held.generation;
                entry(Revocation::Company { id, below }, &held.times)
            }));
        }
        all
    }
}

/// Adds one, unless another says as much, in place of those that say no more; whether it did.
fn add_below(all: &mut Vec<Below>, new: Below) -> bool {
    if all.iter().any(|held| held.covers(&new)) {
        return false;
    }
    all.retain(|held| !new.covers(held));
    all.push(new);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass() -> Pass {
        Pass {
            session: Uuid::now_v7(),
            user: Uuid::now_v7(),
            user_generation: 3,
            company: Uuid::now_v7(),
            company_generation: 5,
        }
    }

    fn entry(revocation: Revocation, until: i64) -> Entry {
        Entry {
            revocation,
            noted_at: 0,
            until,
        }
    }

    fn user(pass: &Pass, below: i64, except: Option<Uuid>) -> Revocation {
        let id = pass.user;
        Revocation::User { id, below, except }
    }

    #[test]
    fn a_pass_is_revoked_by_its_session_its_user_or_its_company() {
        let (pass, other) = (pass(), Uuid::now_v7());
        let company = |id, below| Revocation::Company { id, below };
        for (revocation, revoked) in [
            (Revocation::Session(pass.session), true),
            (Revocation::Session(other), false),
            // Its id is that of no session.
            (Revocation::Session(pass.user), false),
            (user(&pass, 4, None), true),
            (user(&pass, 3, None), false),
            (user(&pass, 4, Some(other)), true),
            (user(&pass, 4, Some(pass.session)), false),
            (company(pass.company, 6), true),
            (company(pass.company, 5), false),
            (company(other, 6), false),
            (company(pass.user, 6), false),
        ] {
            let mut rules = Rules::default();
            assert!(rules.add(&entry(revocation, 10)));
            assert_eq!(rules.revokes(&pass), revoked, "{revocation:?}");
            assert!(!rules.add(&entry(revocation, 10)), "it is no news");
            assert_eq!(rules.entries(), [entry(revocation, 10)]);
        }
    }

    /// Whatever is left out since another covers it: the answer is that of all of them.
    #[test]
    fn what_is_covered_is_not_kept_and_the_answer_is_the_same() {
        let one = pass();
        let other = Pass {
            session: Uuid::now_v7(),
            ..one
        };
        let excepts = [None, Some(one.session), Some(other.session)];
        let mut all = Vec::new();
        for below in 1..=5 {
            for except in excepts {
                for until in [10, 20] {
                    all.push(entry(user(&one, below, except), until));
                }
            }
        }
        for first in &all {
            for second in &all {
                for third in &all {
                    let added = [first, second, third];
                    let mut rules = Rules::default();
                    for entry in added {
                        rules.add(entry);
                    }
                    for now in [0, 10, 20] {
                        rules.forget(now);
                        for pass in [&one, &other] {
                            let revoked = added.iter().any(|entry| {
                                let mut alone = Rules::default();
                                alone.add(entry);
                                entry.until > now && alone.revokes(pass)
                            });
                            assert_eq!(rules.revokes(pass), revoked, "{added:?} at {now}");
                        }
                    }
                    assert_eq!(rules.len(), 0);
                }
            }
        }
        let mut rules = Rules::default();
        for below in 1..=1000 {
            rules.add(&entry(user(&one, below, None), 10));
        }
        assert_eq!(rules.len(), 1);
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let (one, other) = (pass(), pass());
        let mut rules = Rules::default();
        rules.add(&entry(Revocation::Session(one.session), 10));
        rules.add(&entry(Revocation::Session(other.session), 20));
        // What is noted once more ends later, and never earlier.
        rules.add(&entry(Revocation::Session(one.session), 5));
        rules.forget(9);
        assert!(rules.revokes(&one) && rules.revokes(&other));
        rules.forget(10);
        assert!(!rules.revokes(&one) && rules.revokes(&other));
        rules.forget(20);
        assert_eq!(rules.len(), 0);
        assert!(rules.sessions.capacity() < 8, "its room is given back");
    }

    /// Also just after a table has grown, when half of it is empty.
    #[test]
    fn each_takes_80_bytes_at_most() {
        // One byte of a table beside each place in it, of which seven in eight may be taken.
        let place = size_of::<(Uuid, Times)>() + 1;
        for count in [1_000, 14_337, 100_000, 114_689, 195_000] {
            let mut rules = Rules::default();
            for _ in 0..count {
                rules.add(&entry(Revocation::Session(Uuid::now_v7()), 10));
            }
            let taken = rules.sessions.capacity() * 8 / 7 * place;
            assert!(taken <= 80 * count, "{count}: {taken}");
        }
    }

    /// However often roles change, what is held of users does not grow by it.
    #[test]
    fn of_a_user_or_a_company_the_newest_is_held_alone() {
        let (pass, mut rules) = (pass(), Rules::default());
        let company = |below| Revocation::Company {
            id: pass.company,
            below,
        };
        for below in 1..1000 {
            rules.add(&entry(user(&pass, below, None), 10 + below));
            rules.add(&entry(company(below), 10 + below));
        }
        assert_eq!(rules.len(), 2);
    }
}
