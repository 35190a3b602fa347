// The rows of the log that are not messages: days, the divider, presence and gaps.

import { visible } from '../text/names.js';
import { clockTime, dayName, fullTime } from './dates.js';
import { element, setText } from './dom.js';
import { parts, t } from './words.js';

/** The time of day, with the full date as a tooltip. */
export function timeElement(time) {
  const shown = element('time', 'clock');
  shown.dateTime = new Date(time).toISOString();
  drawTime(shown);
  return shown;
}

function drawTime(node) {
  const time = Date.parse(node.dateTime);
  setText(node, clockTime(time));
  node.title = fullTime(time);
}

/** Shows the times of these rows in the present zone. The rows stay, and so does the reading position. */
export function redrawTimes(list) {
  for (const node of list.querySelectorAll('time.clock')) drawTime(node);
}

export function dayRow(time, now) {
  const day = element('time', '', dayName(time, now));
  const pad = (number) => String(number).padStart(2, '0');
  const date = new Date(time);
  day.dateTime = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return element('li', 'day', day);
}

export const dividerRow = () => element('li', 'divider', element('span', '', t('new_divider')));

/** The row above everything: `loading`, or `begin` or `empty` when there is nothing older; see empty.js. */
export function headRow(head, title) {
  return element('li', 'line head', head === 'empty' ? '' : t(`log_${head}`, { room: visible(title) }));
}

export const lostRow = () => element('li', 'missing', element('p', '', t('lost')));

export function gapRow({ status }) {
  if (status === 'gone') return element('li', 'missing', element('p', '', t('gap_gone')));
  const load = element('button', '', t(status === 'loading' ? 'gap_loading' : 'gap_load'));
  load.type = 'button';
  load.dataset.act = 'load';
  // Not `disabled`, which would lose the focus.
  load.setAttribute('aria-disabled', String(status === 'loading'));
  return element('li', 'missing', element('p', '', t('gap')), load);
}

/** What the operator tells everyone. */
export function announcementRow({ time, text }) {
  const words = element('span', 'announced', t('announcement', { text }));
  words.dir = 'auto';
  return element('li', 'line', words, ' ', timeElement(time));
}

/** Who has joined, left or changed names since the last message, in one line. */
export function presenceRow({ time, entered, left, passed, renamed, more }) {
  const told = [];
  const tell = (key, names, others = 0) => {
    const count = names.length + others;
    if (count === 0) return;
    const list = names.map(nameElement);
    if (others > 0) list.push(t('others', { count: others }));
    told.push(parts(key, { names: list, count }));
  };
  tell('entered', entered, more?.entered);
  tell('left', left, more?.left);
  tell('passed', passed, more?.passed);
  for (const { from, to } of renamed) told.push(parts('renamed', { from: nameElement(from), to: nameElement(to) }));
  const clauses = told.map((words) => element('span', 'clause', ...words));
  return element('li', 'line', ...clauses.flatMap((clause, i) => (i === 0 ? [clause] : [' · ', clause])), ' ',
    timeElement(time));
}

const nameElement = (name) => element('bdi', '', visible(name));
