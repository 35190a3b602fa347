//! A master, its replicas and three sentinels.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::chat::EntryId;
use crate::cluster::figures::Figures;
use crate::cluster::redis::engine::Outdated;
use crate::cluster::redis::test_server::{TestServer, eventually, start};
use crate::cluster::redis::{Engine, RedisErrorKind};
use crate::cluster::watch::{Reconnect, Watch};
use crate::settings::{ClusterSettings, ReadFrom, RedisServers};

const BEGIN: EntryId = EntryId { term: 0, n: 0 };

/// A master, two replicas that follow it, and three sentinels that know all of them.
struct Set {
    master: TestServer,
    replicas: [TestServer; 2],
    sentinels: [TestServer; 3],
}

impl Set {
    fn start() -> Option<Self> {
        let master = start()?;
        let replicas = [master.replica()?, master.replica()?];
        eventually("the replicas follow", || {
            let is_up = |replica: &TestServer| {
                replica.cli(&["INFO", "replication"]).contains("master_link_status:up")
            };
            replicas.iter().all(is_up)
        });
        let sentinels = [
            TestServer::sentinel(&master)?,
            TestServer::sentinel(&master)?,
            TestServer::sentinel(&master)?,
        ];
        eventually("the sentinels know each other", || {
            let is_ready = |sentinel: &TestServer| {
                let about = sentinel.cli(&["SENTINEL", "MASTER", "wschat"]);
                about.contains("num-other-sentinels\n2\n") && about.contains("num-slaves\n2\n")
            };
            sentinels.iter().all(is_ready)
        });
        Some(Self { master, replicas, sentinels })
    }

    fn settings(&self) -> ClusterSettings {
        let sentinels = self.sentinels.iter().map(TestServer::address).collect();
        let redis = RedisServers::Sentinel { sentinels, name: "wschat".to_owned() };
        ClusterSettings { redis: Some(redis), ..ClusterSettings::default() }
    }
}

/// Polls for the master: a step that takes more than 300 ms on this machine fails.
fn master(engine: &Engine) -> crate::cluster::redis::Connection {
    let mut found = None;
    eventually("the master is found", || {
        found = engine.master().ok();
        found.is_some()
    });
    found.unwrap()
}

/// Polls for a replica: sentinels hear of them every few seconds only.
fn source(engine: &Engine) -> crate::cluster::redis::Connection {
    let mut found = None;
    eventually("a replica is found", || {
        found = engine.source().ok();
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn writes_go_to_the_master_and_reads_to_a_replica_across_a_failover() {
    let Some(mut set) = Set::start() else { return };
    let engine = Engine::new(&set.settings()).unwrap();
    let mut writer = master(&engine);
    assert_eq!(writer.address(), set.master.address());
    let mut reader = source(&engine);
    assert!(set.replicas.iter().any(|replica| replica.address() == reader.address()));
    let used = engine.outdated(Some(writer.address()), Some(reader.address()));
    assert_eq!(used, Outdated::default());
    let first = writer.append(engine.keys(), BEGIN, b"one").unwrap();
    let mut seen = Vec::new();
    eventually("the replica has it", || {
        seen = reader.read(engine.keys(), BEGIN, 10, Duration::from_millis(50)).unwrap();
        !seen.is_empty()
    });
    assert_eq!(seen[0].id, first);

    // A frozen master: it accepts connections, and says nothing.
    set.master.freeze();
    let error = writer.append(engine.keys(), first, b"lost").unwrap_err();
    assert!(matches!(error.kind(), RedisErrorKind::TimedOut(_)), "{error}");
    let mut writer = master(&engine);
    assert_ne!(writer.address(), set.master.address());
    let second = writer.append(engine.keys(), first, b"two").unwrap();
    assert!(second.term > first.term);
    assert_eq!(second.n, 2);

    // What was a replica may be the master now. Then it is not read any more, whoever has the connection.
    let promoted = reader.address() == writer.address();
    let read = reader.read(engine.keys(), first, 10, Duration::ZERO);
    assert!(!promoted || read.is_err(), "{read:?}");
    let mut reader = source(&engine);
    assert_ne!(reader.address(), writer.address());
    eventually("the other replica has it", || {
        let found = reader.read(engine.keys(), first, 10, Duration::from_millis(50));
        if found.is_err() {
            // Sentinel ends the connections of a server when it gives it another part.
            reader = source(&engine);
        }
        found.is_ok_and(|found| !found.is_empty())
    });

    // The old master comes back. It is a replica before long, and never taken for the master.
    set.master.thaw();
    eventually("the old master follows", || {
        if let Ok(master) = engine.master() {
            assert_eq!(master.address(), writer.address());
        }
        set.master.cli(&["ROLE"]).starts_with("slave")
    });
    set.master.kill();
}

#[test]
fn who_still_uses_the_old_master_is_told_of_the_new_one() {
    let Some(set) = Set::start() else { return };
    let engine = Engine::new(&set.settings()).unwrap();
    let replica = source(&engine).address().to_owned();
    let figures = Arc::<Figures>::default();
    figures.set_writes_to(Some(&set.master.address()));
    figures.set_reads_from(Some(&replica));
    let reconnect = Reconnect::default();
    let _watch = Watch::start(engine.clone(), figures, reconnect.clone()).unwrap();
    eventually("Sentinel takes the order", || {
        set.sentinels[0].cli(&["SENTINEL", "FAILOVER", "wschat"]).trim() == "OK"
    });
    // The old master itself does not know for some seconds that it is none any more.
    eventually("the writer is told", || reconnect.writer.load(Ordering::Relaxed));
    eventually("the reader is told if its replica is the master now", || {
        replica != master(&engine).address() || reconnect.reader.load(Ordering::Relaxed)
    });
}

#[test]
fn without_a_replica_nothing_is_read() {
    let Some(mut set) = Set::start() else { return };
    let engine = Engine::new(&set.settings()).unwrap();
    let mut reader = source(&engine);
    // A replica that is promoted by hand is not read, although the connection lives.
    let own = set.replicas.iter().find(|replica| replica.address() == reader.address()).unwrap();
    for sentinel in &mut set.sentinels {
        sentinel.freeze();
    }
    own.cli(&["REPLICAOF", "NO", "ONE"]);
    let error = reader.read(engine.keys(), BEGIN, 1, Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("it was a replica and is none any more"), "{error}");
    assert!(reader.is_dead());
    for sentinel in &mut set.sentinels {
        sentinel.thaw();
    }
    for replica in &mut set.replicas {
        replica.kill();
    }
    let mut error = String::new();
    eventually("no replica is found", || {
        engine.source().map_err(|cause| error = cause.to_string()).is_err()
    });
    assert!(error.contains("no replica follows the master; start one"), "{error}");
    // Only who says so reads the master.
    let settings = ClusterSettings { read_from: Some(ReadFrom::Master), ..set.settings() };
    let source = Engine::new(&settings).unwrap().source().unwrap();
    assert_eq!(source.address(), set.master.address());
}

#[test]
fn sentinels_that_are_gone_or_know_nothing_are_named() {
    let Some(mut set) = Set::start() else { return };
    let settings = set.settings();
    let other = match settings.redis.clone().unwrap() {
        RedisServers::Sentinel { sentinels, .. } => {
            RedisServers::Sentinel { sentinels, name: "other".to_owned() }
        }
        RedisServers::Url(_) => unreachable!(),
    };
    let other = ClusterSettings { redis: Some(other), ..settings.clone() };
    let error = Engine::new(&other).unwrap().master().unwrap_err().to_string();
    assert!(error.contains("it knows no master \"other\"; correct cluster.redis.name"), "{error}");

    // One that answers is enough.
    let engine = Engine::new(&settings).unwrap();
    set.sentinels[0].kill();
    set.sentinels[1].freeze();
    assert_eq!(master(&engine).address(), set.master.address());
    set.sentinels[2].kill();
    let error = engine.master().unwrap_err().to_string();
    for sentinel in &set.sentinels {
        assert!(error.contains(&sentinel.address()), "{error}");
    }
    assert!(
        error.contains("Connection refused") && error.contains("no answer within 300ms"),
        "{error}"
    );
}

#[test]
fn the_replicas_of_one_server_are_found_without_sentinels() {
    let Some(master) = start() else { return };
    let replica = master.replica().unwrap();
    let settings = ClusterSettings { read_from: Some(ReadFrom::Replica), ..master.settings() };
    let engine = Engine::new(&settings).unwrap();
    assert_eq!(source(&engine).address(), replica.address());
    assert_eq!(engine.check().unwrap(), [""; 0]);
}

#[test]
fn the_servers_that_a_failover_would_need_are_looked_at() {
    let Some(mut set) = Set::start() else { return };
    let engine = Engine::new(&set.settings()).unwrap();
    // Which one is read changes nothing but whether it is refused.
    let found = || match engine.check() {
        Ok(warnings) => warnings,
        Err(error) => error.lines().to_vec(),
    };
    let says = |address: &str, what: &str| {
        let start = format!("Redis at {address}: {what}");
        found().iter().any(|line| line.contains(&start))
    };
    source(&engine);
    let [first, second] = [0, 1].map(|number| set.replicas[number].address());
    set.replicas[0].cli(&["CONFIG", "SET", "appendonly", "no"]);
    eventually("the setting is found", || says(&first, "it keeps no append-only file"));
    set.replicas[0].cli(&["CONFIG", "SET", "appendonly", "yes"]);
    set.replicas[1].kill();
    set.sentinels[2].kill();
    eventually("the server that is down is found", || says(&second, "connect: "));
    assert!(says(&set.sentinels[2].address(), "connect: "), "{:?}", found());
}
