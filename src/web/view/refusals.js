// Turns refusals into text: in the language of the page if it knows the code, else in the server's words.

import { visible } from '../text/names.js';
import { has, t } from './words.js';

/** The button that brings back a connection that has ended for good, by the state's phase. */
export const RETURNS = { replaced: 'take_over', kicked: 'join_again', stopped: 'try_now' };

/** What was refused, for codes whose texts do not say it. */
const ABOUT = { bad_name: 'name_refused', bad_title: 'title_refused' };

const problemOf = (code, message) => (has(`error_${code}`) ? t(`error_${code}`) : message);

/** For a refused request: `{code, message}` from the server, and the `title` of the room that was to be made. */
export function refused({ code, message, title }) {
  if (code === 'rate_limited' && title !== undefined) return t('create_limited', { room: visible(title) });
  const problem = problemOf(code, message);
  if (code in ABOUT) return t(ABOUT[code], { problem });
  return problem === message ? t('refused', { problem }) : problem;
}

/** For a message that was not sent: `problem` and `reason` as in core/outbox.js. */
export function notSent({ problem, reason }) {
  if (reason === 'unknown') return t('failed_unknown');
  if (reason === 'room_gone') return t('failed_room_gone');
  return problem ? t('failed_because', { problem: problemOf(reason, problem) }) : t('failed');
}
