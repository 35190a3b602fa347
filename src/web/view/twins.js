// The number behind a name that looks like another one in the room.

import { Twins } from '../text/twins.js';
import { t } from './words.js';

let cached = { key: '', twins: new Twins([]) };

/**
 * The twins of the room on screen: its members, and those who have spoken, as far as the page knows. What the user said
 * under an earlier number is still theirs.
 */
export function twinsOf({ people, me, timeline }) {
  const key = `${timeline.epoch} ${timeline.revision} ${me?.id} ${me?.name} ${people.size}`;
  if (cached.key === key && cached.people === people && cached.timeline === timeline) return cached.twins;
  const spoken = timeline.entries.filter(({ from, own }) => from && !own).map(({ from }) => [from.id, from.name]);
  cached = { key, people, timeline, twins: new Twins([...people, ...spoken], me) };
  return cached.twins;
}

/**
 * What is shown behind a name: nothing, ` #7`, or that it is not the user, whose name it looks like. Of those who are
 * gone nobody knows: on an earlier day the user may have had another number.
 */
export function twinMark(twins, { id, name }, { isOwn, isHere }) {
  if (!twins.has(name)) return '';
  return ` #${id}${!isOwn && isHere && twins.isMine(name) ? ` · ${t('not_you')}` : ''}`;
}
