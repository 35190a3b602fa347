//! The nodes as part of a snapshot. The same state always has the same bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::batch::MAX_SKIPPED;
use super::{Digest, MAX_ENDED, Node, Nodes};
use crate::chat::{ByteReader, ByteWriter, NodeId, Read, ensure};

impl Nodes {
    pub(in super::super) fn write(&self, out: &mut ByteWriter) {
        out.entry_id(self.place);
        out.duration(self.at);
        out.option(self.base.as_deref(), ByteWriter::text);
        out.number(self.loss);
        out.all(self.live.iter(), |out, (id, node)| {
            out.fixed(id.0);
            out.node(node);
        });
        out.all(self.ended.iter(), |out, id| out.fixed(id.0));
        out.all(self.skipped.iter(), |out, id| out.entry_id(*id));
        out.fixed(self.digest.0);
    }

    pub(in super::super) fn read(from: &mut ByteReader<'_>) -> Read<Self> {
        let (place, at) = (from.entry_id()?, from.duration()?);
        let base = from.option(ByteReader::label)?;
        let loss = from.number()?;
        let live = from.all(|from| Ok((NodeId(from.fixed()?), from.node()?)))?;
        ensure(live.is_sorted_by(|(one, _), (next, _)| one < next))?;
        let live: BTreeMap<_, _> = live.into_iter().collect();
        let ended: VecDeque<_> = from.all(|from| from.fixed().map(NodeId))?.into();
        ensure(ended.len() <= MAX_ENDED)?;
        let skipped = from.skipped()?;
        ensure(skipped.len() <= MAX_SKIPPED && skipped.is_sorted_by(|one, next| one < next))?;
        let skipped: BTreeSet<_> = skipped.into_iter().collect();
        let digest = Digest(from.fixed()?);
        let digests = VecDeque::new();
        Ok(Self { place, at, base, loss, live, ended, skipped, digest, digests })
    }
}

impl ByteWriter {
    fn node(&mut self, node: &Node) {
        self.text(&node.name);
        self.text(&node.version);
        self.number(node.level.into());
        self.duration(node.lease);
        self.duration(node.seen);
        self.number(node.counter);
        self.flag(node.is_leaving);
    }
}

impl ByteReader<'_> {
    fn node(&mut self) -> Read<Node> {
        Ok(Node {
            name: self.label()?,
            version: self.label()?,
            level: self.level()?,
            lease: self.lease()?,
            seen: self.duration()?,
            counter: self.number()?,
            is_leaving: self.flag()?,
        })
    }
}
