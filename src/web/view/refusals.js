// Why something was not done, in the language of the page where it has words for it, else in the server's.

import { has, t } from './words.js';

/** What it was about, for codes whose words do not say it. */
const ABOUT = { bad_name: 'name_refused', bad_title: 'title_refused' };

const problemOf = (code, message) => (has(`error_${code}`) ? t(`error_${code}`) : message);

/** Of a request: `{code, message}` as the server has it. */
export function refused({ code, message }) {
  const problem = problemOf(code, message);
  if (code in ABOUT) return t(ABOUT[code], { problem });
  return problem === message ? t('refused', { problem }) : problem;
}

/** Of a message that was not sent: the server's `problem` and its code as `reason`, or a reason of the page's own. */
export function notSent({ problem, reason }) {
  if (reason === 'unknown') return t('failed_unknown');
  if (reason === 'room_gone') return t('failed_room_gone');
  return problem ? t('failed_because', { problem: problemOf(reason, problem) }) : t('failed');
}
