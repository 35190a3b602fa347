//! `wschat restore`: puts a backup in the place of the history while no server uses it.
//!
//! Runs on the main thread. What a restore does to the files is left to the library.

use std::path::Path;

use wschat::{Settings, StartError};

use super::error::ProgramError;
use super::say;

/// Restores the history of these settings.
pub(super) fn run(settings: &Settings, backup: &Path) -> Result<(), ProgramError> {
    let Some(file) = &settings.history.file else {
        return Err(ProgramError::Settings(
            "history.file is not set, so there is no history to restore; name the server's \
             settings with --settings FILE"
                .to_owned(),
        ));
    };
    let restored = wschat::restore_history(file, backup, None)
        .map_err(|error| ProgramError::Start(StartError::History(error)))?;
    say(&format!("{}: {} messages\n", restored.file.display(), restored.messages));
    if let Some(kept) = restored.kept {
        say(&format!("What was there before is kept as {}\n", kept.display()));
    }
    Ok(())
}
