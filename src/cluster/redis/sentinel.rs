//! Asking the sentinels for the master and its replicas.
//!
//! All of them are asked, and the one that knows of the newest failover is believed first: one that is cut off from the
//! others still names the old master.

use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::connection::{Access, Connection};
use super::error::{RedisError, RedisErrorKind};
use super::reply::{field, items};
use super::role::address;
use super::socket::Address;

/// How long each step with a sentinel, or with a server that it names, may take.
pub(super) const STEP: Duration = Duration::from_millis(300);

/// The sentinels, and what the master is called there.
#[derive(Clone, Debug)]
pub(super) struct Sentinels {
    pub(super) sentinels: Vec<Address>,
    pub(super) name: String,
}

/// What one sentinel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// It counts the failovers.
    epoch: u64,
    pub(super) master: Address,
    /// Those that are well and that Sentinel would promote first.
    pub(super) replicas: Vec<Address>,
    /// All that it knows, also those that are down.
    pub(super) all_replicas: Vec<Address>,
    /// Two replicas have the same priority, so nobody knows which one Sentinel would promote.
    pub(super) is_undecided: bool,
}

impl Sentinels {
    /// What the sentinels say, each answer once, the one to believe first; and why some have said nothing.
    pub(super) fn ask(&self, access: &Access) -> (Vec<Answer>, Vec<RedisError>) {
        let (mut answers, mut errors) = (Vec::new(), Vec::new());
        for sentinel in &self.sentinels {
            match self.ask_one(sentinel, access) {
                Ok(answer) if answers.contains(&answer) => {}
                Ok(answer) => answers.push(answer),
                Err(error) => errors.push(error),
            }
        }
        answers.sort_by_key(|answer| std::cmp::Reverse(answer.epoch));
        (answers, errors)
    }

    fn ask_one(&self, sentinel: &Address, access: &Access) -> Result<Answer, RedisError> {
        let mut connection = Connection::dial(sentinel, access, STEP)?;
        let question = |what: &str| -> Cmd { cmd("SENTINEL").arg(what).arg(&self.name).take() };
        let questions =
            [question("GET-MASTER-ADDR-BY-NAME"), question("MASTER"), question("REPLICAS")];
        let mut replies = connection.pipeline(&questions)?;
        if let Some(Err(error)) = replies.first()
            && error.code() == Some("NOAUTH")
            && let Some(credentials) = &access.credentials
        {
            connection.log_in(credentials)?;
            replies = connection.pipeline(&questions)?;
        }
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
        let found = next()?;
        let master = match items(&found) {
            [host, port] => address(host, port),
            _ => None,
        };
        let Some(master) = master else {
            let what = format!(
                "it knows no master {:?}; correct cluster.redis.name, which is the name in \"sentinel monitor\"",
                self.name
            );
            let kind = RedisErrorKind::Unfit(what);
            return Err(RedisError::new(&sentinel.to_string(), "SENTINEL", kind));
        };
        let about = next()?;
        let epoch = field(&about, "config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        let about = next()?;
        let replicas = items(&about);
        Ok(Answer {
            epoch,
            master,
            replicas: preferred(replicas),
            all_replicas: replicas.iter().filter_map(address_of).collect(),
            is_undecided: is_undecided(replicas),
        })
    }
}

/// Those replicas that are well, among those that Sentinel would promote first. As long as one of these is up, no other
/// is read: in a failover the others may still follow the old master, and show what the new one does not have.
fn preferred(replicas: &[Value]) -> Vec<Address> {
    let is_up = |about: &&Value| {
        let flags = field(about, "flags").unwrap_or_default();
        // One whose connection Sentinel has just lost may be the one that is promoted.
        !flags.contains("s_down") && !flags.contains("o_down")
    };
    let up: Vec<&Value> = replicas.iter().filter(is_up).collect();
    let first = up.iter().map(|about| priority(about)).min();
    let preferred = up.into_iter().filter(|about| Some(priority(about)) == first);
    preferred.filter_map(replica).collect()
}

/// Whether two replicas that can be promoted have the same priority.
fn is_undecided(replicas: &[Value]) -> bool {
    let mut priorities: Vec<u64> =
        replicas.iter().map(priority).filter(|priority| *priority < u64::MAX).collect();
    let count = priorities.len();
    priorities.sort_unstable();
    priorities.dedup();
    priorities.len() < count
}

/// The `replica-priority` of a replica: Sentinel promotes the lowest. It never promotes one that has 0.
fn priority(about: &Value) -> u64 {
    let priority = field(about, "slave-priority").and_then(|priority| priority.parse().ok());
    priority.filter(|priority| *priority > 0).unwrap_or(u64::MAX)
}

/// The address of a replica that is well.
fn replica(about: &Value) -> Option<Address> {
    let is_well = field(about, "flags") == Some("slave") // No "s_down", "disconnected" or else.
        && field(about, "master-link-status") == Some("ok");
    is_well.then(|| address_of(about))?
}

fn address_of(about: &Value) -> Option<Address> {
    let value = |name: &str| Some(Value::SimpleString(field(about, name)?.to_owned()));
    address(&value("ip")?, &value("port")?)
}
