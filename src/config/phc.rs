//! Argon2id hashes of passwords as PHC strings
//! (<https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>).
//!
//! The settings refuse what [`Hash::parse`] refuses, and a login compares with what it has
//! taken: a hash that could never match is found at the start, not by whoever logs in.

use std::{fmt, fs, path::Path, sync::LazyLock};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, PasswordHash, Salt},
};

/// Most blocks of 1 KiB that are filled for one password, passes times memory. That is some
/// seconds of a core, less than a request may take, and as much as the strongest parameters in
/// libsodium; those in RFC 9106 take half.
const MAX_WORK: u64 = 1 << 22;

/// Bytes of memory that this process may take: what the machine has, or less where its control
/// group says so. It does not change: a hash that was taken at the start is taken at each login.
static MEMORY: LazyLock<u64> = LazyLock::new(|| {
    let machine = rustix::system::sysinfo();
    // The fields are as wide as the machine's words.
    let installed = u128::from(machine.totalram) * u128::from(machine.mem_unit);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    memory_limit(&groups, Path::new("/sys/fs/cgroup"))
        .unwrap_or(u64::MAX)
        .min(u64::try_from(installed).unwrap_or(u64::MAX))
});

/// The smallest limit of the control groups that a process is in, by its `/proc/PID/cgroup` and
/// the folder where these groups are mounted (cgroups(7), version 1 and 2).
fn memory_limit(groups: &str, mounted: &Path) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        let (folder, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // A container may see its own group as the root, under its name outside.
        let group = Path::new(group.trim_start_matches('/')).to_owned();
        let limits: Vec<u64> = group
            .ancestors()
            .filter_map(|group| fs::read_to_string(folder.join(group).join(file)).ok())
            .filter_map(|limit| limit.trim().parse().ok())
            .collect();
        Some(limits)
    });
    limits.flatten().min()
}

/// How many hashes that fill so many blocks may be computed at once: half of the cores stay with
/// counting, and half of the memory with everything else.
pub fn at_once(blocks: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    fitting(blocks, *MEMORY).min((cores / 2).max(1))
}

fn fitting(blocks: usize, memory: u64) -> usize {
    let half = usize::try_from(memory / 2).unwrap_or(usize::MAX);
    half / blocks.saturating_mul(Block::SIZE).max(1)
}

/// A hash that passwords can be compared with.
#[derive(Debug)]
pub struct Hash {
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

/// Why no password could ever match a hash. Nothing of the hash is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It is no PHC string of Argon2id.
    NotArgon2id,
    /// Its parts are not what they have to be.
    Malformed(phc::Error),
    /// There is no salt, or nothing to compare with.
    Incomplete,
    /// Only versions 16 and 19 exist.
    Version,
    /// Argon2 cannot be run with these parameters.
    Parameters,
    /// It needs more memory than this process may take.
    Memory,
    /// It was made with a key, which nothing here knows, or with other data than a password.
    Keyed,
    /// It takes longer than anyone waits for a login.
    Work,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotArgon2id => "expected an Argon2id PHC string ($argon2id$v=19$...)",
            Self::Malformed(error) => return write!(f, "it is cut or misspelt: {error}"),
            Self::Incomplete => "its salt or its last part, the hash itself, is missing",
            Self::Version => "it has an unknown version of Argon2; there are v=16 and v=19",
            Self::Parameters => {
                "its parameters are impossible; p and t are at least 1, m is at least 8 times p"
            }
            Self::Memory => {
                "its memory (m, in KiB) is more than half of what this machine or container has"
            }
            Self::Keyed => "it has a keyid or data, and was made of more than a password",
            Self::Work => {
                "its m times t is so large that a login would take longer than a request may; at most 4194304"
            }
        })
    }
}

impl Hash {
    /// Reads a PHC string.
    ///
    /// # Errors
    ///
    /// If no password could be compared with it on this machine.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if !text.starts_with("$argon2id$") {
            return Err(Unusable::NotArgon2id);
        }
        let hash = PasswordHash::new(text).map_err(Unusable::Malformed)?;
        let params = Params::try_from(&hash).map_err(|_| Unusable::Parameters)?;
        if ["keyid", "data"].map(|name| hash.params.get(name)) != [None, None] {
            return Err(Unusable::Keyed);
        }
        let version = hash.version.map(Version::try_from).transpose();
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(Unusable::Incomplete);
        };
        let blocks = u64::try_from(params.block_count()).unwrap_or(u64::MAX);
        if at_once(params.block_count()) == 0 {
            return Err(Unusable::Memory);
        }
        if blocks.saturating_mul(params.t_cost().into()) > MAX_WORK {
            return Err(Unusable::Work);
        }
        Ok(Self {
            version: version.map_err(|_| Unusable::Version)?.unwrap_or_default(),
            params,
            salt,
            output,
        })
    }

    /// Whether it is as `hash-password` makes them today.
    pub fn is_of_today(&self) -> bool {
        let today = Params::DEFAULT;
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        self.version == Version::default()
            && costs(&self.params) == costs(&today)
            && self.output.len() == Params::DEFAULT_OUTPUT_LEN
    }

    /// Blocks of memory that one comparison fills.
    pub fn blocks(&self) -> usize {
        self.params.block_count()
    }

    /// Whether it is the hash of this password: what the crate's `PasswordVerifier` does, in
    /// memory of the caller's. Not if there is too little memory just now.
    pub fn matches(&self, password: &[u8], memory: &mut Vec<Block>) -> bool {
        let blocks = self.params.block_count();
        if memory
            .try_reserve(blocks.saturating_sub(memory.len()))
            .is_err()
        {
            return false;
        }
        memory.resize(blocks, Block::default());
        let mut computed = vec![0; self.output.len()];
        let done = Argon2::new(Algorithm::Argon2id, self.version, self.params.clone())
            .hash_password_into_with_memory(password, &self.salt, &mut computed, memory);
        // In constant time.
        done.is_ok() && Output::new(&computed).is_ok_and(|computed| computed == self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";

    /// A PHC string with these parameters and so many bytes of output.
    fn phc(parameters: &str, password: &str) -> String {
        let params: argon2::Params = parameters.parse().unwrap();
        let mut output = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), b"somesaltsomesalt", &mut output)
            .unwrap();
        let output = Output::new(&output).unwrap();
        format!("$argon2id$v=19${parameters}${SALT}${output}")
    }

    #[test]
    fn what_is_taken_can_match() {
        for parameters in [
            "m=8,t=1,p=1",
            "m=19456,t=2,p=1",
            "m=64,t=3,p=8",
            "m=65,t=1,p=2",
        ] {
            let hash = Hash::parse(&phc(parameters, "right")).unwrap();
            let mut memory = Vec::new();
            assert!(hash.matches(b"right", &mut memory), "{parameters}");
            assert!(!hash.matches(b"wrong", &mut memory), "{parameters}");
        }
    }

    #[test]
    fn the_memory_is_that_of_the_control_group() {
        let mounted = tempfile::tempdir().unwrap();
        let limit = |path: &str, limit: &str| {
            let path = mounted.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, limit).unwrap();
        };
        limit("memory.max", "max\n");
        limit("a/memory.max", "268435456\n");
        limit("a/b/memory.max", "536870912\n");
        limit("memory/memory.limit_in_bytes", "9223372036854771712\n");
        limit("memory/c/memory.limit_in_bytes", "134217728\n");
        for (groups, expected) in [
            ("0::/a/b\n", Some(1 << 28)),
            ("0::/a/b:c\n", Some(1 << 28)),
            ("0::/\n", None),
            ("0::/../elsewhere\n", None),
            ("5:cpu,memory:/c/outside\n1:cpu:/a\n", Some(1 << 27)),
            ("5:memory:/c\n0::/a\n", Some(1 << 27)),
            ("4:memory:/\n", Some(9_223_372_036_854_771_712)),
            ("1:cpu:/a\n", None),
            ("", None),
        ] {
            assert_eq!(memory_limit(groups, mounted.path()), expected, "{groups}");
        }
        // 2 GiB in a container of 256 MiB, and what OWASP recommends.
        assert_eq!(fitting(2_097_152, 1 << 28), 0);
        assert_eq!(fitting(19_456, 1 << 28), 6);
    }

    #[test]
    fn what_could_never_match_is_refused() {
        let good = phc("m=8,t=1,p=1", "right");
        let output = good.rsplit('$').next().unwrap();
        let with = |start: &str| format!("{start}${SALT}${output}");
        for (text, error) in [
            (String::new(), Unusable::NotArgon2id),
            ("password".to_owned(), Unusable::NotArgon2id),
            ("$2b$10$abc".to_owned(), Unusable::NotArgon2id),
            (with("$argon2i$v=19$m=8,t=1,p=1"), Unusable::NotArgon2id),
            (with("$argon2d$v=19$m=8,t=1,p=1"), Unusable::NotArgon2id),
            (with("$argon2id$v=18$m=8,t=1,p=1"), Unusable::Version),
            (with("$argon2id$v=0$m=8,t=1,p=1"), Unusable::Version),
            (with("$argon2id$v=19$m=7,t=1,p=1"), Unusable::Parameters),
            (with("$argon2id$v=19$m=15,t=1,p=2"), Unusable::Parameters),
            (with("$argon2id$v=19$m=8,t=0,p=1"), Unusable::Parameters),
            (with("$argon2id$v=19$m=8,t=1,p=0"), Unusable::Parameters),
            (with("$argon2id$v=19$m=8,t=x,p=1"), Unusable::Parameters),
            (with("$argon2id$v=19$m=8,t=1,q=1"), Unusable::Parameters),
            (
                with("$argon2id$v=19$m=4294967295,t=1,p=1"),
                Unusable::Memory,
            ),
            (with("$argon2id$v=19$m=8,t=4294967295,p=1"), Unusable::Work),
            (with("$argon2id$v=19$m=8,t=524289,p=1"), Unusable::Work),
            (
                with("$argon2id$v=19$m=8,t=1,p=1,keyid=YWJj"),
                Unusable::Keyed,
            ),
            (
                with("$argon2id$v=19$m=8,t=1,p=1,data=YWJj"),
                Unusable::Keyed,
            ),
            (
                "$argon2id$v=19$m=8,t=1,p=1".to_owned(),
                Unusable::Incomplete,
            ),
            (
                format!("$argon2id$v=19$m=8,t=1,p=1${SALT}"),
                Unusable::Incomplete,
            ),
            (
                format!("$argon2id$v=19$m=8,t=1,p=1$c2FsdA${output}"),
                Unusable::Malformed(phc::Error::SaltTooShort),
            ),
            (
                format!("{good}$more"),
                Unusable::Malformed(phc::Error::TrailingData),
            ),
        ] {
            assert_eq!(Hash::parse(&text).unwrap_err(), error, "{text}");
        }
        // The output may be cut anywhere.
        for length in good.len() - output.len()..good.len() - 1 {
            let cut = &good[..length];
            let matches = |hash: Hash| hash.matches(b"right", &mut Vec::new());
            assert!(!Hash::parse(cut).is_ok_and(matches), "{cut}");
        }
    }
}
