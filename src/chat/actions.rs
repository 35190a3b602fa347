//! Actions as bytes, as the log has them, and back.
//!
//! Only what a node may propose can be read. A link is written without its node: a node speaks for its own
//! connections alone, so whoever reads knows it. Texts keep their exact bytes. Bytes that are malformed are
//! refused and never cause a panic.

use super::coding::{ByteReader, ByteWriter, Malformed, Read};
use super::{
    Action, ConnectionId, Content, Link, NodeId, Request, ResumeOffer, RoomId, UserId, Version,
};

/// The first byte of each action. Part of the log's form: a number is never given to another action.
mod tag {
    pub(super) const NOT_PROPOSED: u64 = 0;
    pub(super) const CONNECT: u64 = 1;
    pub(super) const ASK: u64 = 2;
    pub(super) const DISCONNECT: u64 = 3;
    pub(super) const WAIT: u64 = 4;
    pub(super) const SET_RULES: u64 = 5;
    pub(super) const KICK: u64 = 6;
    pub(super) const ANNOUNCE: u64 = 7;
    pub(super) const ERASED: u64 = 8;
}

impl Action {
    /// The link that this is about, if it is about one.
    pub(crate) fn link(&self) -> Option<Link> {
        match self {
            Self::Connect { link, .. } | Self::Ask { link, .. } | Self::Disconnect { link, .. } => {
                Some(*link)
            }
            _ => None,
        }
    }

    /// Writes it. An action that no node proposes is written as one that nobody can read.
    pub(crate) fn write(&self, out: &mut ByteWriter) {
        match self {
            Self::Connect { link, source, version, resume } => {
                out.number(tag::CONNECT);
                out.number(link.connection.0);
                out.source(*source);
                out.flag(*version == Version::V2);
                out.option(resume.as_deref(), |out, offer| {
                    out.option(offer.resumed, ByteWriter::key);
                    out.key(offer.fresh);
                });
            }
            Self::Ask { link, request, reference } => {
                out.number(tag::ASK);
                out.number(link.connection.0);
                out.request(request);
                out.option(reference.as_deref(), ByteWriter::text);
            }
            Self::Disconnect { link, is_going_away } => {
                out.number(tag::DISCONNECT);
                out.number(link.connection.0);
                out.flag(*is_going_away);
            }
            Self::Wait => out.number(tag::WAIT),
            Self::SetRules(rules) => {
                out.number(tag::SET_RULES);
                out.rules(rules);
            }
            Self::Kick { user } => {
                out.number(tag::KICK);
                out.number(user.0);
            }
            Self::Announce { text } => {
                out.number(tag::ANNOUNCE);
                out.text(text);
            }
            Self::Erased { what, reach } => {
                out.number(tag::ERASED);
                out.erasure(*what);
                out.all(reach.iter(), |out, (room, up_to)| {
                    out.number(room.0);
                    out.number(*up_to);
                });
            }
            Self::Saved | Self::NotSaved | Self::Reserved(_) | Self::NodeGone { .. } => {
                out.number(tag::NOT_PROPOSED);
            }
        }
    }

    /// Reads what `node` has proposed.
    pub(crate) fn read(from: &mut ByteReader<'_>, node: NodeId) -> Read<Self> {
        Ok(match from.number()? {
            tag::CONNECT => Self::Connect {
                link: from.link_of(node)?,
                source: from.source()?,
                version: if from.flag()? { Version::V2 } else { Version::Base },
                resume: from.option(|from| {
                    let (resumed, fresh) = (from.option(ByteReader::key)?, from.key()?);
                    Ok(Box::new(ResumeOffer { resumed, fresh }))
                })?,
            },
            tag::ASK => Self::Ask {
                link: from.link_of(node)?,
                request: from.request()?,
                reference: from.option(ByteReader::shared_text)?,
            },
            tag::DISCONNECT => {
                Self::Disconnect { link: from.link_of(node)?, is_going_away: from.flag()? }
            }
            tag::WAIT => Self::Wait,
            tag::SET_RULES => Self::SetRules(Box::new(from.rules()?)),
            tag::KICK => Self::Kick { user: UserId(from.number()?) },
            tag::ANNOUNCE => Self::Announce { text: from.text()?.to_owned() },
            tag::ERASED => Self::Erased {
                what: from.erasure()?,
                reach: from.all(|from| Ok((RoomId(from.number()?), from.number()?)))?,
            },
            _ => return Err(Malformed),
        })
    }
}

/// The first byte of each request.
mod request_tag {
    pub(super) const ENTER_ROOM: u64 = 0;
    pub(super) const LEAVE_ROOM: u64 = 1;
    pub(super) const SAY_TEXT: u64 = 2;
    pub(super) const SAY_GIF: u64 = 3;
    pub(super) const CREATE_ROOM: u64 = 4;
    pub(super) const CHANGE_NAME: u64 = 5;
    pub(super) const SAY_ERASED: u64 = 6;
}

impl ByteWriter {
    fn room_id(&mut self, room: RoomId) {
        self.number(room.0);
    }

    fn request(&mut self, request: &Request) {
        match request {
            Request::EnterRoom(room) => {
                self.number(request_tag::ENTER_ROOM);
                self.room_id(*room);
            }
            Request::LeaveRoom(room) => {
                self.number(request_tag::LEAVE_ROOM);
                self.option(*room, Self::room_id);
            }
            Request::Say(content, room) => {
                match content {
                    Content::Text(text) => {
                        self.number(request_tag::SAY_TEXT);
                        self.text(text);
                    }
                    Content::Gif(gif) => {
                        self.number(request_tag::SAY_GIF);
                        self.number(*gif);
                    }
                    Content::Erased => self.number(request_tag::SAY_ERASED),
                }
                self.option(*room, Self::room_id);
            }
            Request::CreateRoom(title) => {
                self.number(request_tag::CREATE_ROOM);
                self.text(title);
            }
            Request::ChangeName(name) => {
                self.number(request_tag::CHANGE_NAME);
                self.text(name);
            }
        }
    }
}

impl ByteReader<'_> {
    /// A link, of which the connection is written.
    pub(crate) fn link_of(&mut self, node: NodeId) -> Read<Link> {
        Ok(Link { node, connection: ConnectionId(self.number()?) })
    }

    fn room_id(&mut self) -> Read<RoomId> {
        self.number().map(RoomId)
    }

    fn request(&mut self) -> Read<Request> {
        let content = match self.number()? {
            request_tag::ENTER_ROOM => return self.room_id().map(Request::EnterRoom),
            request_tag::LEAVE_ROOM => {
                return self.option(Self::room_id).map(Request::LeaveRoom);
            }
            request_tag::CREATE_ROOM => {
                return self.text().map(|title| Request::CreateRoom(title.to_owned()));
            }
            request_tag::CHANGE_NAME => {
                return self.text().map(|name| Request::ChangeName(name.to_owned()));
            }
            request_tag::SAY_TEXT => Content::Text(self.text()?.to_owned()),
            request_tag::SAY_GIF => Content::Gif(self.number()?),
            request_tag::SAY_ERASED => Content::Erased,
            _ => return Err(Malformed),
        };
        Ok(Request::Say(content, self.option(Self::room_id)?))
    }
}
