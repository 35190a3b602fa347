// The row of a message: author, content, time and status.

import { parse } from '../text/markdown.js';
import { colour, visible } from '../text/names.js';
import { avatar } from './avatar.js';
import { element } from './dom.js';
import { fold, isLong } from './fold.js';
import { timeElement } from './line.js';
import { isOnlyEmoji, markup } from './markup.js';
import { picture } from './picture.js';
import { notSent } from './refusals.js';
import { t } from './words.js';

/** `names()` returns the names that can be mentioned, `me` is the user's own. */
export function messageRow({ entry, isGrouped, mark = '' }, { gifs, names, me }) {
  const { from, kind, own, seq, mentionsMe, status } = entry;
  const content = kind === 'gif' ? gifContent(entry, gifs) : textContent(entry, names, me);
  const more = kind === 'text' && isLong(entry.text) ? [fold(content, `${entry.time} ${from.id} ${entry.text.length}`)] : [];
  const bubble = element('div', 'bubble', content, ...more, timeElement(entry.time));
  bubble.classList.toggle('bare', content.classList.contains('emoji-only'));
  bubble.classList.toggle('pictured', !content.classList.contains('content'));
  const row = element('li', `said ${kind}`, who(from, own, mentionsMe, mark), bubble);
  // A message in a group needs no second avatar.
  if (!own && !isGrouped) row.prepend(avatar(from.id, from.name));
  row.tabIndex = -1;
  row.classList.toggle('own', own);
  row.classList.toggle('together', isGrouped);
  row.classList.toggle('mentions', Boolean(mentionsMe));
  if (seq !== undefined) row.dataset.seq = seq;
  if (status) {
    row.classList.add(status);
    row.append(statusElement(entry));
  }
  return row;
}

/** The author. Within a group of messages it is for screen readers only. */
function who({ id, name }, own, mentionsMe, mark) {
  const line = element('p', `who hue-${colour(id)}`, element('bdi', '', visible(name)));
  if (mark !== '') line.append(element('span', 'mark', mark));
  if (own) line.append(element('span', 'mark', ` (${t('you')})`));
  if (mentionsMe) line.append(element('span', 'unseen', ` ${t('mentions_you')}`));
  return line;
}

function textContent({ text }, names, me) {
  // Names matter only after an @, and a room may have thousands.
  const blocks = parse(text, { names: text.includes('@') ? names() : [], me });
  const content = element('div', 'content', ...markup(blocks));
  content.classList.toggle('emoji-only', isOnlyEmoji(blocks));
  return content;
}

function gifContent({ gifId }, gifs) {
  const gif = gifs.find(({ id }) => id === gifId);
  if (gif) return picture(`gifs/${gifId}.gif`, t(`gif: ${gif.alt}`));
  return element('div', 'content', element('p', '', t('gif_unknown', { id: gifId })));
}

function statusElement(entry) {
  const { status } = entry;
  if (status !== 'failed') return element('p', 'status', t(status === 'sending' ? 'sending' : 'waiting'));
  return element('p', 'status', element('span', '', notSent(entry)), actButton('retry'), actButton('discard'));
}

function actButton(act) {
  const button = element('button', '', t(act));
  button.type = 'button';
  button.dataset.act = act;
  return button;
}
