//! A small file system in a file, for the data of one Redis server: `fsfreeze` makes every write and fsync
//! wait, as on a disk that hangs. It needs root and loop devices.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How large it is, in bytes; the file is sparse.
const SIZE: u64 = 4 << 30;

#[derive(Debug)]
pub struct Disk(Option<PathBuf>);

impl Disk {
    pub fn none() -> Self {
        Self(None)
    }

    /// Makes a file system and mounts it at this folder.
    pub fn mount(folder: &Path) -> io::Result<Self> {
        let image = folder.with_extension("disk");
        std::fs::File::create(&image)?.set_len(SIZE)?;
        let (image, folder) = (image.as_os_str(), folder.to_owned());
        run(Command::new("mkfs.ext4").args(["-q", "-E", "lazy_itable_init=1"]).arg(image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&folder))?;
        Ok(Self(Some(folder)))
    }

    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub fn freeze(&self) -> Result<(), String> {
        self.run("--freeze")
    }

    pub fn thaw(&self) -> Result<(), String> {
        self.run("--unfreeze")
    }

    fn run(&self, option: &str) -> Result<(), String> {
        let Some(folder) = &self.0 else { return Ok(()) };
        run(Command::new("fsfreeze").arg(option).arg(folder)).map_err(|error| error.to_string())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            let _ = Command::new("fsfreeze")
                .arg("--unfreeze")
                .arg(&folder)
                .stderr(Stdio::null())
                .status();
            let _ = Command::new("umount").arg("--lazy").arg(&folder).status();
        }
    }
}

/// Whether such file systems can be made here.
pub fn is_possible() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists()
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {}", said.trim())))
}
