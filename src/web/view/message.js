// The row of a message: who, what, when, and how far it has got.

import { parse } from '../text/markdown.js';
import { colour, visible } from '../text/names.js';
import { avatar } from './avatar.js';
import { element } from './dom.js';
import { timeElement } from './line.js';
import { isOnlyEmoji, markup } from './markup.js';
import { picture } from './picture.js';
import { notSent } from './refusals.js';
import { t } from './words.js';

/** `names()` are those that a mention may have, `me` is one's own. */
export function messageRow({ entry, isTogether }, { gifs, names, me }) {
  const { from, kind, own, seq, mentionsMe, status } = entry;
  const content = kind === 'gif' ? gifContent(entry, gifs) : textContent(entry, names, me);
  const bubble = element('div', 'bubble', content, timeElement(entry.time));
  bubble.classList.toggle('bare', content.classList.contains('emoji-only'));
  bubble.classList.toggle('pictured', !content.classList.contains('content'));
  const row = element('li', `said ${kind}`, who(from, own, mentionsMe), bubble);
  // A second avatar in a row would say nothing to the eye.
  if (!own && !isTogether) row.prepend(avatar(from.id, from.name));
  row.tabIndex = -1;
  row.classList.toggle('own', own);
  row.classList.toggle('together', isTogether);
  row.classList.toggle('mentions', Boolean(mentionsMe));
  if (seq !== undefined) row.dataset.seq = seq;
  if (status) {
    row.classList.add(status);
    row.append(statusElement(entry));
  }
  return row;
}

/** Whose message it is. Messages that stand together say it to the ear alone. */
function who({ id, name }, own, mentionsMe) {
  const line = element('p', `who hue-${colour(id)}`, element('bdi', '', visible(name)));
  if (own) line.append(element('span', 'mark', ` (${t('you')})`));
  if (mentionsMe) line.append(element('span', 'unseen', ` ${t('mentions_you')}`));
  return line;
}

function textContent({ text }, names, me) {
  // A name counts only behind an @, and a room may have thousands.
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
