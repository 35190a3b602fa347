// Turns the tree of text/markdown.js into elements. All text becomes text nodes.

import { parseLink } from '../core/link.js';
import { visible } from '../text/names.js';
import { element } from './dom.js';
import { locale, t } from './words.js';

/** Up to this many emoji, and nothing else, are shown large. */
const LARGE_EMOJI = 3;
/** A quick check before the slow one: browsers take a while to build the emoji pattern. */
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
  // A link into this chat opens here: another tab would take over from this one.
  const [page, hash] = made.href.split('#');
  if (page === location.href.split('#')[0] && parseLink(hash ?? '')) return made;
  made.target = '_blank';
  // No referrer, and no credit from search engines.
  made.rel = 'noopener noreferrer nofollow ugc';
  made.setAttribute('aria-label', t('link_opens', { link: text }));
  return made;
}

function emoji({ text, name, character }) {
  const made = element('span', 'emoji', character);
  // The short names are English. In other languages screen readers use names of their own.
  if (/^en\b/.test(locale())) {
    made.setAttribute('role', 'img');
    made.setAttribute('aria-label', name.replaceAll('_', ' '));
  }
  made.title = text;
  return made;
}

/** Whether a message consists of a few emoji only. */
export function isOnlyEmoji(blocks) {
  if (blocks.length !== 1 || blocks[0].kind !== 'paragraph') return false;
  const { children } = blocks[0];
  if (!children.every((node) => typeof node === 'string' || node.kind === 'emoji')) return false;
  const text = children.map((node) => node.character ?? node).join('').trim();
  if (text.length > LARGE_EMOJI * 16 || LETTER.test(text) || !EMOJI_ALONE.test(text)) return false;
  return [...letters.segment(text.replace(/\s/g, ''))].length <= LARGE_EMOJI;
}
