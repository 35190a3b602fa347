//! The user that the server runs as, and what that user may do with files.
//!
//! What the bits of a file's mode say is examined, not more: access lists and a service's sandbox are not seen.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getgroups};
use rustix::process::{getegid, geteuid};
use wschat::Settings;

use super::finding::Findings;

/// The user of the unit that is shipped.
const USER_OF_SERVICE: &str = "wschat";

/// What may be done with a file, as in its mode.
pub(super) const READ: u32 = 4;
pub(super) const WRITE: u32 = 2;
pub(super) const ENTER: u32 = 1;

/// A user.
#[derive(Debug)]
pub(super) struct Account {
    user: u32,
    group: u32,
    /// Others that the user is in.
    groups: Vec<u32>,
    name: String,
}

impl Account {
    /// The user that the server runs as: of the process that runs, or of the settings, or of the shipped unit if root
    /// asks, or else who asks. `None`, and a finding, if there is no such user.
    pub(super) fn of_server(
        settings: &Settings,
        server: Option<u32>,
        findings: &mut Findings,
    ) -> Option<Self> {
        let running = server.and_then(|process| fs::metadata(format!("/proc/{process}")).ok());
        if let Some(name) = &settings.username {
            let found = User::from_name(name).ok().flatten();
            if found.is_none() {
                findings.error(
                    "username",
                    format!("there is no user {name:?}"),
                    "create it (`useradd --system --no-create-home NAME`), or name one of `getent passwd` in \"username\"",
                );
            }
            return found.map(|user| Self::of(&user));
        }
        if let Some(running) = running {
            return Some(Self::with_ids(running.uid(), running.gid()));
        }
        let service = User::from_name(USER_OF_SERVICE).ok().flatten();
        match service {
            Some(user) if geteuid().is_root() => Some(Self::of(&user)),
            _ => Some(Self::own()),
        }
    }

    /// The user of this process.
    pub(super) fn own() -> Self {
        let groups = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
        Self { groups, ..Self::with_ids(geteuid().as_raw(), getegid().as_raw()) }
    }

    fn of(user: &User) -> Self {
        Self::with_ids(user.uid.as_raw(), user.gid.as_raw())
    }

    fn with_ids(user: u32, group: u32) -> Self {
        let known = User::from_uid(Uid::from_raw(user)).ok().flatten();
        let name = known.map_or_else(|| user.to_string(), |user| user.name);
        let groups = groups_of(&name);
        Self { user, group, groups, name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_root(&self) -> bool {
        self.user == 0
    }

    /// What keeps the user from a file: the file itself, or a folder on the way to it. A file that is not there keeps
    /// nobody from it.
    pub(super) fn obstacle(&self, path: &Path, bits: u32) -> Option<PathBuf> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        let folder = folders.into_iter().find(|folder| !self.may(folder, ENTER));
        folder.or((!self.may(&path, bits)).then_some(&path)).map(Path::to_owned)
    }

    fn may(&self, path: &Path, bits: u32) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return true };
        if self.is_root() {
            return true;
        }
        let is_in_group = metadata.gid() == self.group || self.groups.contains(&metadata.gid());
        let shift = match metadata.uid() == self.user {
            true => 6,
            false if is_in_group => 3,
            false => 0,
        };
        metadata.mode() >> shift & bits == bits
    }
}

/// The groups that name a user as a member.
fn groups_of(name: &str) -> Vec<u32> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let groups = text.lines().filter(|line| {
        let members = line.rsplit(':').next().unwrap_or_default();
        members.split(',').any(|member| member == name)
    });
    let names = groups.filter_map(|line| line.split(':').next());
    names
        .filter_map(|name| Group::from_name(name).ok().flatten())
        .map(|group| group.gid.as_raw())
        .collect()
}
