//! `wschat restore`: puts a backup in the place of the history, while no server runs.
//!
//! Runs on the main thread. How it is done, and what is kept, is the library's.

use std::fmt::Write as _;
use std::path::Path;

use nix::unistd::User;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wschat::{Restored, Settings, StartError, restore_history};

use super::error::ProgramError;
use super::say;

pub(super) fn run(settings: &Settings, backup: &Path, is_json: bool) -> Result<(), ProgramError> {
    let Some(path) = &settings.history.file else {
        return Err(ProgramError::Settings(
            "history.file is not set, so there is no history to restore; name the server's \
             settings with --settings FILE"
                .to_owned(),
        ));
    };
    let owner = settings.username.as_deref().map(ids_of).transpose()?;
    let restored = restore_history(path, backup, owner)
        .map_err(|error| ProgramError::Start(StartError::History(error)))?;
    say(&if is_json { to_json(&restored) } else { to_text(&restored) });
    Ok(())
}

/// The ids of a user and of its group.
fn ids_of(name: &str) -> Result<(u32, u32), ProgramError> {
    let user = User::from_name(name).ok().flatten().ok_or_else(|| {
        ProgramError::Settings(format!(
            "there is no user {name:?}; name one of `getent passwd` in \"username\", or remove it"
        ))
    })?;
    Ok((user.uid.as_raw(), user.gid.as_raw()))
}

fn to_text(restored: &Restored) -> String {
    let mut text = format!("{}: {} messages\n", restored.file.display(), restored.messages);
    let newest = restored.newest.and_then(|time| {
        let time = i64::try_from(time / 1_000).ok()?;
        OffsetDateTime::from_unix_timestamp(time).ok()?.format(&Rfc3339).ok()
    });
    if let Some(time) = newest {
        let _ = writeln!(text, "The newest is of {time}.");
    }
    if let Some(kept) = &restored.kept {
        let kept = kept.display();
        let _ = writeln!(
            text,
            "What was there before is kept as {kept}; delete it when you no longer need it."
        );
    }
    text
}

fn to_json(restored: &Restored) -> String {
    let Restored { file, kept, messages, newest, .. } = restored;
    let (file, kept) =
        (file.display().to_string(), kept.as_ref().map(|path| path.display().to_string()));
    format!("{}\n", json!({ "file": file, "kept": kept, "messages": messages, "newest": newest }))
}
