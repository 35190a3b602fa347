//! Changing a name.

use std::sync::Arc;

use super::{Asker, Chat, Effect, Event, Refusal, Renaming, Reply, Version, check_label};

impl Chat {
    pub(super) fn change_name(
        &mut self,
        asker: &Asker,
        name: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let name = check_label(name, self.rules.max_name_chars).map_err(Refusal::BadName)?;
        let Some(user) = self.users.get_mut(&asker.user) else { return Ok(()) };
        let new_name: Arc<str> = name.into();
        let old_name = std::mem::replace(&mut user.name, new_name.clone());
        let reference = asker.reference.clone();
        let renaming = Renaming { user: asker.user, old_name, new_name, reference };
        let is_told_here = user.version == Version::V2 && !user.is_subscribed;
        if let Some(room) = asker.room {
            let event = Event::Renamed(renaming.clone());
            effects.push(Effect::Tell { room, time: asker.time, event });
        }
        if is_told_here {
            effects.push(asker.reply(Reply::Renamed(renaming)));
        }
        self.store_user(asker.user, effects);
        Ok(())
    }
}
