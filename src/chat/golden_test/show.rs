//! How a story shows what clients are told, and what is stored.

use crate::chat::*;

pub(super) fn show_welcome(welcome: &Welcome) -> String {
    let person = show_person(&welcome.person);
    match (welcome.resumed, welcome.room) {
        (false, _) => format!("welcome, {person}"),
        (true, None) => format!("welcome back, {person}"),
        (true, Some(room)) => format!("welcome back to room {}, {person}", room.0),
    }
}

pub(super) fn show_event(event: &Event) -> String {
    match event {
        Event::Entered(person) => format!("entered: {}", show_person(person)),
        Event::Left(person, reference) => {
            format!("left: {}{}", show_person(person), show_reference(reference))
        }
        Event::Renamed(renaming) => show_renaming(renaming),
        Event::Said(said) => show_said(said),
        Event::Erased(erased) => format!("erased up to {}: {:?}", erased.up_to, erased.what),
    }
}

pub(super) fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Entered(person) => format!("entered: {}", show_person(person)),
        Reply::Renamed(renaming) => show_renaming(renaming),
        Reply::Said(room, said) => format!("room {}, {}", room.0, show_said(said)),
        Reply::RoomAdded(room) => format!("created: {}", show_summary(room)),
        Reply::Erased(..) => unreachable!("only the dispatcher answers this"),
        Reply::Refused(refusal) => format!("refused: {refusal:?}"),
    }
}

pub(super) fn show_renaming(renaming: &Renaming) -> String {
    let Renaming { old_name, new_name, reference, .. } = renaming;
    format!("renamed: {old_name:?} to {new_name:?}{}", show_reference(reference))
}

pub(super) fn show_said(said: &Said) -> String {
    let reference = show_reference(&said.reference);
    let from = show_person(&said.from);
    match &said.content {
        Content::Text(text) => format!("{}: text {text:?}{reference} from {from}", said.seq),
        Content::Gif(gif) => format!("{}: gif {gif}{reference} from {from}", said.seq),
        Content::Erased => format!("{}: erased", said.seq),
    }
}

pub(super) fn show_reference(reference: &Reference) -> String {
    reference.as_ref().map_or(String::new(), |name| format!(" as {name:?}"))
}

pub(super) fn show_summary(room: &RoomSummary) -> String {
    let said = if room.seq == 0 { String::new() } else { format!(" up to {}", room.seq) };
    format!("{} {:?} with {}{said}", room.id.0, room.title, room.users)
}

pub(super) fn show_memo(memo: &Memo) -> String {
    match memo {
        Memo::Ids(limits) => format!("users up to {}, rooms up to {}", limits.user, limits.room),
        Memo::User(user) => {
            let room = user.room.map_or("no room".to_owned(), |room| format!("room {}", room.0));
            format!("{} {:?} in {room}", user.user.0, user.name)
        }
        Memo::UserGone(user) => format!("{} is gone", user.0),
        Memo::Room(room) => {
            let kind = if room.place.is_some() { "permanent" } else { "temporary" };
            format!("{kind} room {} {:?}", room.id.0, room.title)
        }
        Memo::RoomGone(room) => format!("room {} is gone", room.0),
        Memo::Created { user, room, reference } => {
            format!("room {} created by {} as {reference:?}", room.0, user.0)
        }
        Memo::Padding(bytes) => format!("{bytes} bytes of padding"),
    }
}

pub(super) fn show_person(person: &Person) -> String {
    format!("{} {:?}", person.id.0, person.name)
}
