//! The servers that are compared: their names and commands. `process` starts them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cell::Cell;
use crate::paths;

/// The role of a server in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Wschat,
    /// Another build of wschat, from `--also`.
    Variant,
    Peer,
    /// A bare loop that parses and checks nothing; not a chat server.
    Limit,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    pub role: Role,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// The settings file, if it is wschat.
    settings: Option<PathBuf>,
    /// Files that must exist besides the program.
    needs: Vec<PathBuf>,
}

/// All built-in servers, in the order of the tables.
pub fn all() -> Vec<Server> {
    let peers = paths::bench().join("peers");
    let tokio = |name, options: &[&str]| {
        let program = peers.join("bin/tokio-tungstenite");
        Server::peer(name, program).with(options)
    };
    let (bun, node) = (peers.join("bun"), peers.join("node-ws"));
    vec![
        Server::wschat("wschat", Role::Wschat, paths::built("wschat"), None),
        Server::peer("bun", paths::bun()).with(&[bun.join("server.js")]),
        tokio("tokio-tungstenite", &["--flavour", "current_thread"]),
        tokio("tokio-tungstenite-4k", &["--flavour", "current_thread", "--read-buffer", "4096"]),
        tokio("tokio-tungstenite-mt", &["--flavour", "multi_thread", "--read-buffer", "4096"]),
        Server::peer("gorilla", peers.join("bin/gorilla")),
        Server::peer("node-ws", PathBuf::from("node"))
            .with(&[node.join("server.js")])
            .needing(node.join("node_modules/ws")),
        Server { role: Role::Limit, ..Server::peer("limit", peers.join("bin/limit")) },
    ]
}

impl Server {
    /// Another build of wschat.
    pub fn variant(name: &str, program: PathBuf, settings: Option<PathBuf>) -> Self {
        Self::wschat(name, Role::Variant, program, settings)
    }

    fn wschat(name: &str, role: Role, program: PathBuf, settings: Option<PathBuf>) -> Self {
        let settings = settings.unwrap_or_else(|| paths::bench().join("settings.json"));
        let server = Self { role, ..Self::peer(name, program) }.needing(settings.clone());
        Self { settings: Some(settings), ..server }
    }

    fn peer(name: &str, program: PathBuf) -> Self {
        let name = name.to_owned();
        let (arguments, needs) = (Vec::new(), Vec::new());
        Self { name, role: Role::Peer, program, arguments, settings: None, needs }
    }

    fn with<A: Into<OsString> + Clone>(mut self, arguments: &[A]) -> Self {
        self.arguments.extend(arguments.iter().cloned().map(Into::into));
        self
    }

    fn needing(mut self, path: PathBuf) -> Self {
        self.needs.push(path);
        self
    }

    pub fn is_wschat(&self) -> bool {
        matches!(self.role, Role::Wschat | Role::Variant)
    }

    /// Whether it can be put under this cell's load: only wschat speaks TLS.
    pub fn can_run(&self, cell: &Cell) -> bool {
        self.is_wschat() || !cell.is_tls
    }

    pub fn is_variant(&self) -> bool {
        self.role == Role::Variant
    }

    /// The settings file, if it is wschat.
    pub fn settings(&self) -> Option<&Path> {
        self.settings.as_deref()
    }

    /// Why it cannot be started, and what to do; `None` if it can.
    pub fn lack(&self) -> Option<String> {
        let program = Some(&self.program).filter(|program| !paths::is_program(program));
        let missing = program.or_else(|| self.needs.iter().find(|path| !path.exists()))?;
        let (name, path) = (&self.name, missing.display());
        Some(match self.role {
            Role::Variant => format!("{name}: there is no {path}"),
            Role::Wschat => format!("{name}: there is no {path}; leave out --no-build"),
            _ => format!("{name} is not installed (no {path}): run bench/peers/install"),
        })
    }

    /// The program and the arguments to listen on a port. `settings` replace the settings file of
    /// wschat.
    pub fn command(&self, port: u16, settings: Option<&Path>) -> Vec<OsString> {
        let mut command = vec![self.program.clone().into_os_string()];
        command.extend(self.arguments.iter().cloned());
        if let Some(settings) = settings.or(self.settings()) {
            command.extend(["--settings".into(), settings.into()]);
        }
        command.extend(["--port".into(), port.to_string().into()]);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_server() {
        let names: Vec<_> = all().into_iter().map(|server| server.name).collect();
        let line = format!("\nServers: {}\n", names.join(" "));
        assert!(crate::options::HELP.contains(&line), "{line}");
    }

    #[test]
    fn other_settings_replace_its_own() {
        let server = Server::variant("a", "x/wschat".into(), Some("own.json".into()));
        let command = |settings: Option<&str>| -> Vec<_> {
            let command = server.command(7, settings.map(Path::new));
            command.into_iter().map(|word| word.into_string().unwrap()).collect()
        };
        assert_eq!(command(None), ["x/wschat", "--settings", "own.json", "--port", "7"]);
        assert_eq!(command(Some("b"))[1..3], ["--settings", "b"]);
    }

    #[test]
    fn missing_files_are_named_with_what_to_do() {
        let peer = Server::peer("other", "/nowhere/other".into());
        assert!(peer.lack().unwrap().contains("bench/peers/install"));
        assert_eq!(Server::peer("shell", "sh".into()).lack(), None);
    }
}
