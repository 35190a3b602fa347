//! The command line.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use crate::marker;
use crate::target::Target;

pub const HELP: &str = "\
wschat-bench - measures a chat server that speaks wschat's base protocol

Usage: wschat-bench SCENARIO [options] [URL…]

URL is ws://host[:port][/path] or wss://…, by default ws://127.0.0.1:8776/.
Several are the nodes of one cluster: the members of each room are spread over them.
The server must have the rooms 1 to --rooms and no rate limit: start wschat with
--settings bench/settings.json.

Scenarios:
  fanout    clients in rooms; some send, and every member must receive each message
            once and in the same order as the others
  pingpong  each client alone in its room: sends, waits for its own message, sends again
  storm     as many connections as possible: first connections that stay open, then
            connecting, reading the welcome and closing, over and over
  idle      many clients that do nothing: what each costs in memory

Options of all scenarios:
  --pid PID          the server's process: shows its CPU and memory
  --json             print the result as JSON
  --insecure         do not verify the server's certificate (wss)
  --allow-remote     allow a server that is not on this machine
  --concurrency N    connections being made at a time (64)
  --setup-seconds S  give up when connecting takes longer (120)
  --help, --version

fanout and pingpong:
  --clients N        clients (fanout 100, pingpong 1)
  --rooms N          rooms, clients evenly spread (fanout only, 1)
  --senders N        senders in each room, or all (fanout only, 1)
  --rate R           open loop: R messages a second in each room, evenly spread over its
                     senders and sent by the clock, however slow the server (fanout only)
  --window W         closed loop: each sender has W messages in flight (fanout only, 1)
  --payload BYTES    length of a text (64, at least 34)
  --seconds S        measure for S seconds (10)
  --warmup S         send for S seconds before measuring (1)
  --messages N       stop when each sender has sent N, warm-up included

storm:
  --clients N        connections to open and keep (2000)
  --churn-seconds S  then connect and close for S seconds (5, 0 to skip)

idle:
  --clients N        connections (5000)
  --rooms N          rooms to enter, clients evenly spread (100, 0 to enter none)
  --seconds S        rest for S seconds before measuring (3)

A delivery is one message that reached one client. Latency runs from sending to receiving;
with --rate, from when the message was due, so that a stall of the server counts in full.
Missing, duplicated, misrouted, unknown and out-of-order deliveries are counted exactly, in
the warm-up too.

The tool must be faster than what it measures. It shows its own CPU share, and warns if it was
never idle: then give it a core of its own (taskset), or take the result as a lower bound.

Exit status:
  0  clean
  1  the server lost, duplicated, misrouted or reordered a message, refused a request, or
     closed a connection
  2  the run could not be completed: wrong usage, no server, too few files
";

const DEFAULT_URL: &str = "ws://127.0.0.1:8776/";
const MAX_CLIENTS: u64 = 1 << 20;
const MAX_ROOMS: u64 = 1 << 20;
const MAX_PAYLOAD_BYTES: u64 = 1 << 20;
const MAX_SECONDS: f64 = 3_600.0;

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    Run(Box<Options>),
    Help,
    Version,
}

/// One run.
#[derive(Debug)]
pub struct Options {
    /// The nodes of a cluster, or one server.
    pub targets: Vec<Target>,
    pub scenario: Scenario,
    pub pid: Option<u32>,
    pub json: bool,
    pub insecure: bool,
    pub concurrency: usize,
    pub setup: Duration,
}

#[derive(Debug, Clone)]
pub enum Scenario {
    Fanout(Fanout),
    Storm { clients: usize, churn: Duration },
    Idle { clients: usize, rooms: u32, rest: Duration },
}

/// Also `pingpong`, which is a fan-out with one client in each room.
#[derive(Debug, Clone)]
pub struct Fanout {
    pub name: &'static str,
    pub clients: usize,
    pub rooms: u32,
    /// In each room.
    pub senders: usize,
    pub pace: Pace,
    pub payload: usize,
    pub warmup: Duration,
    pub measure: Duration,
    pub messages: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Messages a second in each room.
    Rate(f64),
    /// Messages in flight for each sender.
    Window(u32),
}

/// The options as given. Each scenario takes those that it knows.
#[derive(Debug, Default)]
struct Given {
    urls: Vec<String>,
    pid: Option<u32>,
    json: bool,
    insecure: bool,
    allow_remote: bool,
    values: Vec<(&'static str, OsString)>,
}

/// The options with a value that a scenario interprets.
const VALUES: [&str; 12] = [
    "clients",
    "rooms",
    "senders",
    "rate",
    "window",
    "payload",
    "seconds",
    "warmup",
    "messages",
    "churn-seconds",
    "concurrency",
    "setup-seconds",
];

pub fn parse(mut parser: Parser) -> Result<Task, Error> {
    let mut given = Given::default();
    let mut name = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Task::Help),
            Long("version") | Short('V') => return Ok(Task::Version),
            Long("pid") => given.pid = Some(parser.value()?.parse()?),
            Long("json") => given.json = true,
            Long("insecure") => given.insecure = true,
            Long("allow-remote") => given.allow_remote = true,
            Long(option) => match VALUES.into_iter().find(|value| *value == option) {
                Some(option) => given.values.push((option, parser.value()?)),
                None => return Err(argument.unexpected()),
            },
            Value(value) if name.is_none() => name = Some(value.string()?),
            Value(value) => given.urls.push(value.string()?),
            Short(_) => return Err(argument.unexpected()),
        }
    }
    let name = name.ok_or("a scenario is missing: fanout, pingpong, storm or idle")?;
    given.into_options(&name).map(|options| Task::Run(Box::new(options)))
}

impl Options {
    /// The URL, or all of them.
    pub fn url(&self) -> String {
        let urls: Vec<_> = self.targets.iter().map(|target| target.url.as_str()).collect();
        urls.join(" ")
    }
}

impl Given {
    fn into_options(mut self, name: &str) -> Result<Options, Error> {
        let concurrency = self.count("concurrency", 64, 1..=65_536)?;
        let setup = self.seconds("setup-seconds", 120.0)?;
        let scenario = match name {
            "fanout" => Scenario::Fanout(self.fanout()?),
            "pingpong" => Scenario::Fanout(self.pingpong()?),
            "storm" => Scenario::Storm {
                clients: self.count("clients", 2_000, 1..=MAX_CLIENTS)?,
                churn: self.seconds("churn-seconds", 5.0)?,
            },
            "idle" => Scenario::Idle {
                clients: self.count("clients", 5_000, 1..=MAX_CLIENTS)?,
                rooms: self.count("rooms", 100, 0..=MAX_ROOMS)?,
                rest: self.seconds("seconds", 3.0)?,
            },
            _ => return Err(format!("there is no scenario {name:?}").into()),
        };
        if let Some((option, _)) = self.values.first() {
            return Err(format!("{name} has no option --{option}, or it was given twice").into());
        }
        if self.urls.is_empty() {
            self.urls.push(DEFAULT_URL.to_owned());
        }
        let resolve = |url: &String| Target::resolve(url, self.allow_remote);
        let targets = self.urls.iter().map(resolve).collect::<Result<Vec<_>, _>>();
        let targets = targets.map_err(|e| Error::Custom(e.into()))?;
        let Self { pid, json, insecure, .. } = self;
        Ok(Options { targets, scenario, pid, json, insecure, concurrency, setup })
    }

    fn fanout(&mut self) -> Result<Fanout, Error> {
        let clients: usize = self.count("clients", 100, 1..=MAX_CLIENTS)?;
        let rooms: u32 = self.count("rooms", 1, 1..=MAX_ROOMS)?;
        // The sizes of rooms differ by at most one; this is the smaller.
        let smallest = clients / rooms as usize;
        let senders = match self.take("senders") {
            Some(senders) if senders == "all" => smallest,
            Some(senders) => senders.parse()?,
            None => 1,
        };
        if senders == 0 || senders > smallest {
            return Err(format!("{senders} senders in a room of {smallest}").into());
        }
        let rate = self.take("rate").map(|rate| rate.parse::<f64>()).transpose()?;
        let pace = match rate {
            Some(_) if self.has("window") => {
                return Err("--rate and --window exclude each other".into());
            }
            Some(rate) if rate > 0.0 && rate <= 1e7 => Pace::Rate(rate),
            Some(rate) => return Err(format!("--rate {rate} is out of range").into()),
            None => Pace::Window(self.count("window", 1, 1..=100_000)?),
        };
        let fanout = Fanout::new("fanout", clients, rooms);
        self.traffic(Fanout { senders, pace, ..fanout })
    }

    fn pingpong(&mut self) -> Result<Fanout, Error> {
        let clients = self.count("clients", 1, 1..=MAX_ROOMS)?;
        let rooms = u32::try_from(clients).unwrap_or(u32::MAX);
        self.traffic(Fanout::new("pingpong", clients, rooms))
    }

    /// The options that `fanout` and `pingpong` share.
    fn traffic(&mut self, mut fanout: Fanout) -> Result<Fanout, Error> {
        fanout.payload = self.count("payload", 64, marker::LENGTH as u64..=MAX_PAYLOAD_BYTES)?;
        fanout.measure = self.seconds("seconds", 10.0)?;
        fanout.warmup = self.seconds("warmup", 1.0)?;
        if self.has("messages") {
            fanout.messages = Some(self.count("messages", 0, 1..=u64::from(u32::MAX))?);
        }
        Ok(fanout)
    }

    fn has(&self, option: &str) -> bool {
        self.values.iter().any(|(given, _)| *given == option)
    }

    fn take(&mut self, option: &str) -> Option<OsString> {
        let index = self.values.iter().position(|(given, _)| *given == option)?;
        Some(self.values.remove(index).1)
    }

    fn count<T: TryFrom<u64>>(
        &mut self,
        option: &str,
        default: u64,
        allowed: std::ops::RangeInclusive<u64>,
    ) -> Result<T, Error> {
        let count = self.take(option).map_or(Ok(default), |value| value.parse::<u64>())?;
        let count = Some(count).filter(|count| allowed.contains(count));
        count.and_then(|count| T::try_from(count).ok()).ok_or_else(|| {
            let (min, max) = (allowed.start(), allowed.end());
            format!("--{option} is from {min} to {max}").into()
        })
    }

    fn seconds(&mut self, option: &str, default: f64) -> Result<Duration, Error> {
        let seconds = self.take(option).map_or(Ok(default), |value| value.parse::<f64>())?;
        if (0.0..=MAX_SECONDS).contains(&seconds) {
            Ok(Duration::from_secs_f64(seconds))
        } else {
            Err(format!("--{option} is from 0 to {MAX_SECONDS}").into())
        }
    }
}

impl Fanout {
    fn new(name: &'static str, clients: usize, rooms: u32) -> Self {
        Self {
            name,
            clients,
            rooms,
            senders: 1,
            pace: Pace::Window(1),
            payload: 64,
            warmup: Duration::ZERO,
            measure: Duration::ZERO,
            messages: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Options, String> {
        match parse(Parser::from_args(line.split_whitespace())) {
            Ok(Task::Run(options)) => Ok(*options),
            Ok(_) => Err("no run".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn fanout(line: &str) -> Fanout {
        match run(line).unwrap().scenario {
            Scenario::Fanout(fanout) => fanout,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn senders_are_counted_per_room() {
        let options = fanout("fanout --clients 1000 --rooms 100 --senders all --window 4");
        assert_eq!((options.senders, options.pace), (10, Pace::Window(4)));
        let options = fanout("fanout --clients 10 --senders 3 --rate 2.5");
        assert_eq!((options.senders, options.pace), (3, Pace::Rate(2.5)));
    }

    #[test]
    fn each_client_of_a_pingpong_has_its_room() {
        let options = fanout("pingpong --clients 7");
        assert_eq!((options.clients, options.rooms, options.senders), (7, 7, 1));
        assert_eq!(options.pace, Pace::Window(1));
    }

    #[test]
    fn each_url_is_a_node() {
        let options = run("idle ws://127.0.0.1:1 ws://127.0.0.1:2").unwrap();
        let ports: Vec<_> = options.targets.iter().map(|node| node.address.port()).collect();
        assert_eq!(ports, [1, 2]);
        assert_eq!(run("idle").unwrap().targets[0].url, DEFAULT_URL);
    }

    #[test]
    fn wrong_usage_is_explained() {
        for (line, words) in [
            ("", "a scenario is missing"),
            ("gallop", "no scenario \"gallop\""),
            ("idle --rate 5", "idle has no option --rate"),
            ("pingpong --senders 2", "pingpong has no option --senders"),
            ("fanout --rate 5 --window 1", "exclude each other"),
            ("fanout --clients 10 --rooms 5 --senders 3", "3 senders in a room of 2"),
            ("fanout --clients 0", "--clients is from 1"),
            ("fanout --payload 8", "--payload is from 34"),
            ("fanout --seconds 1e9", "--seconds is from 0 to 3600"),
            ("fanout --clients 1 --clients 2", "given twice"),
            ("fanout http://127.0.0.1", "not of the form"),
            ("fanout --bogus", "--bogus"),
        ] {
            let refusal = run(line).expect_err(line);
            assert!(refusal.contains(words), "{line}: {refusal}");
        }
    }
}
