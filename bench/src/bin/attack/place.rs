//! Where everybody is: network namespaces for the server, the attacker and the people, joined by veth pairs.
//! They end with the processes that hold them, so nothing is left behind.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::probe::PEOPLE;

pub const SERVER_FOR_ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
pub const SERVER_FOR_ATTACKER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1));
pub const SERVER_FOR_PEOPLE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 5));

/// Runs in the namespaces $S, $A and $P of the server, the attacker and the people.
const SETUP: &str = "set -e
in_server() { nsenter --target $S --net ip \"$@\"; }
in_attacker() { nsenter --target $A --net ip \"$@\"; }
in_people() { nsenter --target $P --net ip \"$@\"; }
in_server link add attacker type veth peer name server netns $A
in_server link add people type veth peer name server netns $P
for each in in_server in_attacker in_people; do $each link set lo up; done
in_server addr add 10.77.0.1/30 dev attacker
in_server addr add 10.77.0.5/30 dev people
in_server link set attacker up
in_server link set people up
in_attacker addr add 10.77.0.2/30 dev server
in_attacker link set server up
in_people addr add 10.77.0.6/30 dev server
in_people link set server up
in_people route add local 10.78.0.0/24 dev lo
in_server route add 10.78.0.0/24 via 10.77.0.6
in_server addr add fd77::1/64 dev attacker nodad
in_attacker addr add fd77::2/64 dev server nodad
in_attacker -6 route add local fd77:0:0:100::/56 dev lo
in_server -6 route add fd77:0:0:100::/56 via fd77::2
";

/// The three namespaces. They are gone when this is dropped.
#[derive(Debug)]
pub struct Place {
    holders: [Child; 3],
}

/// One of the three.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    Server,
    Attacker,
    People,
}

impl Place {
    /// Needs root, `unshare` and `nsenter` (util-linux), and `ip` (iproute2).
    pub fn new() -> io::Result<Self> {
        let hold = || {
            Command::new("setpriv")
                .args(["--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
                .stdin(Stdio::null())
                .spawn()
        };
        let place = Self { holders: [hold()?, hold()?, hold()?] };
        // Until each has its own namespace.
        let own = std::fs::read_link("/proc/self/ns/net")?;
        for holder in &place.holders {
            let path = format!("/proc/{}/ns/net", holder.id());
            let mut rounds = 0;
            while std::fs::read_link(&path)? == own {
                rounds += 1;
                if rounds > 200 {
                    return Err(io::Error::other("no network namespace could be made"));
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        let [s, a, p] = place.holders.each_ref().map(|holder| holder.id().to_string());
        let setup = Command::new("sh")
            .args(["-c", SETUP])
            .envs([("S", s), ("A", a), ("P", p)])
            .stdin(Stdio::null())
            .output()?;
        if setup.status.success() {
            return Ok(place);
        }
        Err(io::Error::other(String::from_utf8_lossy(&setup.stderr).trim().to_owned()))
    }

    /// What a command begins with to run there.
    pub fn prefix(&self, side: Side) -> Vec<String> {
        let id = self.holders[side as usize].id().to_string();
        ["nsenter", "--target", &id, "--net"].map(str::to_owned).to_vec()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for holder in &mut self.holders {
            // It may have ended already.
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// An address for each of the people, and one for the visitors.
pub fn people() -> Vec<IpAddr> {
    (1..).take(PEOPLE + 1).map(|host| IpAddr::V4(Ipv4Addr::new(10, 78, 0, host))).collect()
}

/// An address in each /64 of the attacker's /56.
pub fn prefix_56() -> Vec<IpAddr> {
    (0x100..0x200).map(|net| IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, net, 0, 0, 0, 1))).collect()
}
