//! What systemd is told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::json;

use crate::host::Program;

/// A socket in the place of systemd's, and what to run before the program.
struct Manager {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, directory }
    }

    fn preparation(&self) -> String {
        format!("export NOTIFY_SOCKET={}/notify", self.directory.path().display())
    }

    /// Skips to a message with this line.
    #[track_caller]
    fn expect(&self, line: &str) -> String {
        loop {
            let mut bytes = [0; 4096];
            let length = self.socket.recv(&mut bytes).expect(line);
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if message.lines().any(|other| other == line) {
                return message;
            }
        }
    }
}

#[test]
fn systemd_is_told_ready_reloading_and_stopping() {
    let manager = Manager::new();
    let mut program = Program::start_after(&manager.preparation(), json!({}));
    manager.expect("READY=1");
    manager.expect("STATUS=0 people are connected, in 3 rooms");
    program.signal("HUP");
    assert!(manager.expect("RELOADING=1").contains("MONOTONIC_USEC="));
    manager.expect("READY=1");
    program.signal("TERM");
    manager.expect("STOPPING=1");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn the_watchdog_is_fed_with_the_answers_of_the_dispatcher() {
    let manager = Manager::new();
    let preparation = format!("{} WATCHDOG_USEC=20000 WATCHDOG_PID=$$", manager.preparation());
    let program = Program::start_after(&preparation, json!({}));
    let _user = program.endpoint.user();
    let message = manager.expect("STATUS=1 person is connected, in 3 rooms");
    assert!(message.contains("WATCHDOG=1"), "{message}");
    manager.expect("WATCHDOG=1");
}
