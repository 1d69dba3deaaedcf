//! What is sent: one request, ready to go but for the few bytes that differ from one to the next.

use std::{
    ops::Range,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;

/// What a path has in place of a counter's number.
const COUNTER: &str = "{counter}";

/// Digits of a counter's number, and of those in a body.
const DIGITS: usize = 8;

/// What a body has in place of a number; what it is below and a brace follow.
const NUMBER: &str = "{below:";

/// 2⁶⁴ divided by the golden ratio: spreads small numbers over all bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hexadecimal digits of a request's id: of the run, the connection and the request.
const ID_DIGITS: usize = 32;

/// The request.
#[derive(Debug, Clone, Args)]
// The program's own have the same name.
#[group(skip)]
pub struct Arguments {
    /// Its method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// Its target; `{counter}` is replaced by the number of a counter.
    #[arg(long)]
    path: String,
    /// A field of its head, as `Name: value`.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// What follows the head; `{below:N}` is replaced by a number below N, as 8 digits, which is chosen
    /// anew for each request.
    #[arg(long, default_value = "")]
    body: String,
    /// How often the body is sent in one request, each on a line of its own.
    #[arg(long, default_value_t = 1)]
    lines: usize,
    /// Sends an `X-Request-ID` of its own with each.
    #[arg(long)]
    ids: bool,
    /// Counters to choose from.
    #[arg(long, default_value_t = 1)]
    counters: u64,
    /// The share of requests that choose counter 0 before all others are asked.
    #[arg(long, default_value_t = 0.0)]
    hot: f64,
    /// Chooses the counters in turn, not at random …
    #[arg(long)]
    in_turn: bool,
    /// … and begins with this one.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// A place in a body for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number {
    /// Where it is.
    place: Range<usize>,
    /// What it is below.
    below: u64,
}

/// The request that all connections send.
#[derive(Debug)]
pub struct Requests {
    bytes: Vec<u8>,
    id: Option<Range<usize>>,
    counter: Option<Range<usize>>,
    numbers: Vec<Number>,
    arguments: Arguments,
    run: u64,
}

impl Requests {
    /// Prepares it.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        let zeros = "0".repeat(DIGITS);
        let target = arguments.path.replacen(COUNTER, &zeros, 1);
        let counter = arguments.path.find(COUNTER).map(|place| {
            let start = arguments.method.len() + 1 + place;
            start..start + DIGITS
        });
        let mut head = format!(
            "{} {target} HTTP/1.1\r\nHost: localhost\r\n",
            arguments.method
        );
        for header in &arguments.headers {
            if !header.contains(": ") {
                return Err(format!("not a header field: {header}"));
            }
            head += &format!("{header}\r\n");
        }
        let id = arguments.ids.then(|| {
            head += "X-Request-ID: ";
            let start = head.len();
            head += &format!("{:0ID_DIGITS$}\r\n", 0);
            start..start + ID_DIGITS
        });
        let lines = vec![arguments.body.as_str(); arguments.lines];
        let (body, mut numbers) = with_numbers(&lines.join("\n"))?;
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        for Number { place, .. } in &mut numbers {
            *place = place.start + head.len()..place.end + head.len();
        }
        head += &body;
        let run = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos() as u64;
        Ok(Self {
            bytes: head.into_bytes(),
            id,
            counter,
            numbers,
            arguments: arguments.clone(),
            run,
        })
    }

    /// The requests of one connection.
    pub fn stream(self: &Arc<Self>, connection: u32, connections: u32) -> Stream {
        Stream {
            bytes: self.bytes.clone(),
            requests: self.clone(),
            connection,
            connections,
            sent: 0,
            // Another one for each connection of each run, and not zero.
            random: (self.run ^ u64::from(connection).wrapping_mul(GOLDEN)) | 1,
        }
    }
}

/// A body with places for numbers, and where these are.
fn with_numbers(body: &str) -> Result<(String, Vec<Number>), String> {
    let mut parts = body.split(NUMBER);
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut numbers = Vec::new();
    for part in parts {
        let divided = part.split_once('}');
        let divided = divided.and_then(|(below, rest)| Some((below.parse().ok()?, rest)));
        let (below, rest) = divided
            .filter(|(below, _)| *below > 0)
            .ok_or_else(|| format!("no number to be below: {NUMBER}{part}"))?;
        let place = text.len()..text.len() + DIGITS;
        text += &"0".repeat(DIGITS);
        numbers.push(Number { place, below });
        text += rest;
    }
    Ok((text, numbers))
}

/// Writes a number with leading zeros.
fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The requests of one connection, one after the other.
pub struct Stream {
    bytes: Vec<u8>,
    requests: Arc<Requests>,
    connection: u32,
    connections: u32,
    sent: u32,
    random: u64,
}

impl Stream {
    /// The next one.
    pub fn next(&mut self) -> &[u8] {
        if let Some(place) = &self.requests.id {
            let (run, connection, sent) = (self.requests.run, self.connection, self.sent);
            let id = format!("{run:016x}{connection:08x}{sent:08x}");
            self.bytes[place.clone()].copy_from_slice(id.as_bytes());
        }
        if let Some(place) = self.requests.counter.clone() {
            let number = format!("{:0DIGITS$}", self.counter());
            self.bytes[place].copy_from_slice(number.as_bytes());
        }
        let requests = self.requests.clone();
        for Number { place, below } in &requests.numbers {
            let number = self.random() % below;
            write_digits(&mut self.bytes[place.clone()], number);
        }
        self.sent += 1;
        &self.bytes
    }

    fn counter(&mut self) -> u64 {
        let Arguments {
            counters,
            hot,
            in_turn,
            first,
            ..
        } = self.requests.arguments;
        if in_turn {
            let before = u64::from(self.sent) * u64::from(self.connections);
            return (first + before + u64::from(self.connection)) % counters;
        }
        let chance = self.random() as f64 / u64::MAX as f64;
        if chance < hot {
            0
        } else {
            self.random() % counters
        }
    }

    /// Marsaglia's xorshift.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_places_for_numbers() {
        let (body, numbers) = with_numbers(r#"{"path":"/{below:30}","n":{below:7}}"#).unwrap();
        assert_eq!(body, r#"{"path":"/00000000","n":00000000}"#);
        let places = numbers
            .iter()
            .map(|number| (number.place.clone(), number.below));
        assert_eq!(places.collect::<Vec<_>>(), [(10..18, 30), (24..32, 7)]);
        assert_eq!(with_numbers("{}").unwrap(), ("{}".to_owned(), Vec::new()));
        for wrong in ["{below:}", "{below:0}", "{below:many}", "{below:7"] {
            assert!(with_numbers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digits_are_written_with_leading_zeros() {
        let mut digits = *b"xxxxxxxx";
        write_digits(&mut digits, 120_345);
        assert_eq!(&digits, b"00120345");
    }
}
