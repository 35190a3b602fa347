use std::fmt;
use std::fs::{self, File};
use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::UNIX_EPOCH;

use log::{Level, LevelFilter};

use super::line::Form;
use super::*;

/// A queue with lines in it.
fn queued(messages: &[&str]) -> Queue {
    let queue = Queue::default();
    for message in messages {
        queue.put(line(message));
    }
    queue
}

fn line(message: &str) -> Line {
    Line { time: UNIX_EPOCH, level: Level::Info, message: message.to_owned() }
}

/// A place to write to, and a pipe that has what was written.
fn destination() -> (Destination, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    (Destination::new(File::from(OwnedFd::from(writer)), Form::Journal), reader)
}

/// Takes everything out of the queue, on this thread.
fn write_all(writer: &mut Writer, queue: &Queue) {
    while let Ok(item) = queue.receiver.try_recv() {
        writer.take(item);
    }
}

fn settings(file: &Path) -> LogSettings {
    LogSettings { file: Some(file.to_owned()), ..LogSettings::default() }
}

/// All but the times.
fn messages(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

fn log(logger: &Logger, level: Level, target: &str, message: &str) {
    let mut record = Record::builder();
    record.level(level).target(target);
    logger.log(&record.args(format_args!("{message}")).build());
}

#[test]
fn the_level_and_the_target_decide_what_is_logged_and_no_panic_ends_it() {
    struct Explosive;
    impl fmt::Display for Explosive {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while a value is shown")
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("1.log"), directory.path().join("2.log"));
    let logger =
        Logger::to(Destination::open(&settings(&first)).unwrap(), &settings(&first)).unwrap();
    log::set_max_level(LevelFilter::Info);
    log(&logger, Level::Info, "wschat::server", "one");
    log(&logger, Level::Debug, "wschat::server", "below the level");
    log(&logger, Level::Error, "tungstenite::protocol", "a whole message");
    thread::scope(|scope| {
        let logging = scope.spawn(|| {
            logger.log(&Record::builder().args(format_args!("{Explosive}")).build());
        });
        assert!(logging.join().is_err());
    });
    log(&logger, Level::Warn, "wschat::server", "two");
    assert!(logger.drain(Duration::from_secs(60)));
    assert_eq!(messages(&first), ["[INFO] one", "[WARN] two"]);

    let moved = directory.path().join("moved");
    fs::rename(&first, &moved).unwrap();
    logger.reopen().unwrap();
    log(&logger, Level::Info, "wschat::server", "in the new file");
    assert!(logger.drain(Duration::from_secs(60)));
    assert_eq!(messages(&first), ["[INFO] in the new file"]);
    assert_eq!(messages(&moved).len(), 2);

    let debug = LogSettings { level: LevelFilter::Debug, ..settings(&second) };
    logger.change(&debug, Destination::open(&debug).unwrap()).unwrap();
    log(&logger, Level::Debug, "wschat::server", "details");
    assert!(logger.drain(Duration::from_secs(60)));
    assert_eq!(messages(&second), ["[DEBUG] details"]);
    assert!(Destination::open(&settings(Path::new("/nowhere/log"))).is_err());
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted() {
    let long = "x".repeat(1024 * 1024);
    let queue = queued(&["one", &long, &long, "two", &long]);
    let (destination, mut written) = destination();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        written.read_to_string(&mut text).unwrap();
        text
    });
    let mut writer = Writer::new(queue.clone(), destination);
    write_all(&mut writer, &queue);
    queue.put(line("three"));
    write_all(&mut writer, &queue);
    drop(writer);
    let about = "<4>2 lines were dropped: the log could not be written";
    assert_eq!(
        reading.join().unwrap().replace(&long, "long"),
        format!("<6>one\n<6>long\n<6>two\n{about}\n<6>three\n")
    );
}

/// `/dev/full` refuses each write as a full disk does.
#[test]
fn what_cannot_be_written_is_counted_and_told_when_it_works_again() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let queue = queued(&["one", "two"]);
    let mut writer = Writer::new(queue.clone(), Destination::new(full, Form::Journal));
    write_all(&mut writer, &queue);
    writer.retire();
    let (destination, mut written) = destination();
    let mut writer = Writer::new(queue.clone(), destination);
    queue.put(line("three"));
    write_all(&mut writer, &queue);
    drop(writer);
    let mut text = String::new();
    written.read_to_string(&mut text).unwrap();
    assert_eq!(text, "<6>three\n<4>2 lines were dropped: the log could not be written\n");
}

#[test]
fn a_stuck_place_holds_up_nobody_and_another_takes_the_queue_over() {
    let (stuck, _unread) = destination();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log");
    let queue = Queue::default();
    let retire = start_writer(&queue, stuck).unwrap();
    // More than a pipe takes.
    let long = "x".repeat(1024 * 1024);
    queue.put(line(&long));
    queue.put(line("two"));
    queue.retire(retire);
    let _retire = start_writer(&queue, Destination::open(&settings(&file)).unwrap()).unwrap();
    let (done, reached) = bounded(1);
    queue.put_mark(done);
    reached.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(messages(&file).contains(&"[INFO] two".to_owned()));
}
