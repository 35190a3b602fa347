// The tree of text/markdown.js as elements. Every word becomes a text node.

import { parseLink } from '../core/link.js';
import { visible } from '../text/names.js';
import { element } from './dom.js';
import { locale, t } from './words.js';

/** So many emoji alone are shown large. */
const LARGE_EMOJI = 3;
/** Told at a glance, while the list of all emoji takes the browser a while to make. */
const LETTER = /[a-z]/i;
const EMOJI_ALONE = /^(?:[\p{RGI_Emoji}\p{Emoji_Presentation}]\s*)+$/v;
const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

export const markup = (blocks) => blocks.map(block);

function block({ kind, children, blocks, text }) {
  const made = kind === 'code' ? element('pre', '', element('code', '', text))
    : kind === 'quote' ? element('blockquote', '', ...markup(blocks))
      : element('p', '', ...children.map(inline));
  made.dir = 'auto';
  return made;
}

function inline(node) {
  if (typeof node === 'string') return node;
  switch (node.kind) {
    case 'bold': return element('strong', '', ...node.children.map(inline));
    case 'italic': return element('em', '', ...node.children.map(inline));
    case 'code': return element('code', '', node.text);
    case 'link': return link(node);
    case 'mention': return element('bdi', node.me ? 'mention me' : 'mention', visible(node.text));
    case 'emoji': return emoji(node);
    default: return node.text;
  }
}

function link({ href, text }) {
  const made = element('a', '', text);
  made.href = href;
  // Into this chat it leads here: in another tab one would be somebody else.
  const [page, hash] = made.href.split('#');
  if (page === location.href.split('#')[0] && parseLink(hash ?? '')) return made;
  made.target = '_blank';
  // Nobody learns from where they were reached, and no search engine counts it.
  made.rel = 'noopener noreferrer nofollow ugc';
  made.setAttribute('aria-label', t('link_opens', { link: text }));
  return made;
}

function emoji({ text, name, character }) {
  const made = element('span', 'emoji', character);
  // The short names are English. In other languages screen readers have names of their own.
  if (/^en\b/.test(locale())) {
    made.setAttribute('role', 'img');
    made.setAttribute('aria-label', name.replaceAll('_', ' '));
  }
  made.title = text;
  return made;
}

/** Whether a message is nothing but a few emoji. */
export function isOnlyEmoji(blocks) {
  if (blocks.length !== 1 || blocks[0].kind !== 'paragraph') return false;
  const { children } = blocks[0];
  if (!children.every((node) => typeof node === 'string' || node.kind === 'emoji')) return false;
  const text = children.map((node) => node.character ?? node).join('').trim();
  if (text.length > LARGE_EMOJI * 16 || LETTER.test(text) || !EMOJI_ALONE.test(text)) return false;
  return [...letters.segment(text.replace(/\s/g, ''))].length <= LARGE_EMOJI;
}
