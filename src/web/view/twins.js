// The number behind a name that looks like another one in the room.

import { Twins } from '../text/twins.js';
import { t } from './words.js';

let cached = { key: '', twins: new Twins([]) };
let spoken = { authors: new Map() };

/**
 * The twins of the room on screen: its members, and those who have spoken, as far as the page knows. What the user said
 * under an earlier number is still theirs.
 */
export function twinsOf({ people, me, timeline }) {
  const key = `${timeline.epoch} ${timeline.revision} ${me?.id} ${me?.name} ${people.size}`;
  if (cached.key === key && cached.people === people && cached.timeline === timeline) return cached.twins;
  cached = { key, people, timeline, twins: new Twins([...people, ...authorsOf(timeline)], me) };
  return cached.twins;
}

/** With ten thousand messages, only those are looked at that have come since. */
function authorsOf(timeline) {
  const { entries } = timeline;
  const { count, first, last } = spoken;
  const isLonger = spoken.timeline === timeline && count > 0 && entries.length >= count
    && entries[0].key === first && entries[count - 1].key === last;
  const authors = isLonger ? spoken.authors : new Map();
  for (let i = isLonger ? count : 0; i < entries.length; i += 1) {
    const { from, own } = entries[i];
    if (from && !own) authors.set(`${from.id} ${from.name}`, [from.id, from.name]);
  }
  spoken = { timeline, authors, count: entries.length, first: entries[0]?.key, last: entries.at(-1)?.key };
  return authors.values();
}

/**
 * What is shown behind a name: nothing, ` #7`, or that it is not the user, whose name it looks like. Of those who are
 * gone nobody knows: on an earlier day the user may have had another number.
 */
export function twinMark(twins, { id, name }, { isOwn, isHere }) {
  if (!twins.has(name)) return '';
  return ` #${id}${!isOwn && isHere && twins.isMine(name) ? ` · ${t('not_you')}` : ''}`;
}
