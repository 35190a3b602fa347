// Turns the tree of text/markdown.js into elements. All text becomes text nodes.

import { parseLink } from '../core/link.js';
import { visible } from '../text/names.js';
import { copyText } from './copy.js';
import { button, element } from './dom.js';
import { toast } from './toast.js';
import { locale, t } from './words.js';

/** Up to this many emoji, and nothing else, are shown large. */
const LARGE_EMOJI = 3;
/** A quick check before the slow one: browsers take a while to build the emoji pattern. */
const LETTER = /[a-z]/i;
const EMOJI_ALONE = /^(?:[\p{RGI_Emoji}\p{Emoji_Presentation}]\s*)+$/v;
const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

export const markup = (blocks) => blocks.map(block);

function block(node) {
  const made = { code, quote, list }[node.kind]?.(node) ?? element('p', '', ...node.children.map(inline));
  made.dir = 'auto';
  return made;
}

const quote = ({ blocks }) => element('blockquote', '', ...markup(blocks));

function list({ isNumbered, items }) {
  return element(isNumbered ? 'ol' : 'ul', '', ...items.map(({ number, children, list: inner }) => {
    const item = element('li', '', element('div', '', ...children.map(inline)), ...(inner ? [list(inner)] : []));
    item.firstElementChild.dir = 'auto';
    if (isNumbered) item.value = number;
    return item;
  }));
}

/** Scrolls sideways, which needs the focus for those without a pointer. */
function code({ text, language }) {
  const lines = element('pre', '', element('code', '', text));
  lines.tabIndex = 0;
  lines.setAttribute('role', 'group');
  lines.setAttribute('aria-label', t('code'));
  lines.dir = 'auto';
  const copy = button('plain copy-code', t('code_copy'), async () => {
    toast(t(await copyText(text) ? 'code_copied' : 'code_not_copied'));
  }, 'copy');
  const label = language === '' ? [] : [element('span', 'language', language)];
  return element('div', 'code-block', element('div', '', ...label, lines), copy);
}

function inline(node) {
  if (typeof node === 'string') return node;
  switch (node.kind) {
    case 'bold': return element('strong', '', ...node.children.map(inline));
    case 'italic': return element('em', '', ...node.children.map(inline));
    case 'strike': return element('s', '', ...node.children.map(inline));
    case 'spoiler': return spoiler(node);
    case 'code': return element('code', '', node.text);
    case 'link': return link(node);
    case 'mention': return element('bdi', node.me ? 'mention me' : 'mention', visible(node.text));
    case 'emoji': return emoji(node);
    default: return node.text;
  }
}

/** Until it is wanted, the text is not in the page at all: nothing can read it out, find it, or copy it. */
function spoiler({ children }) {
  const show = element('button', 'spoiler', t('spoiler'));
  show.type = 'button';
  show.title = t('spoiler_show');
  show.setAttribute('aria-label', t('spoiler_show'));
  show.addEventListener('click', () => {
    const shown = element('span', 'spoiler', ...children.map(inline));
    shown.tabIndex = -1;
    show.replaceWith(shown);
    shown.focus({ preventScroll: true });
  });
  return show;
}

function link({ href, text, host }) {
  // Words of somebody's choice may lie about where they lead.
  const words = host === '' ? [text] : [element('bdi', '', visible(text)), element('bdi', 'host', ` (${host})`)];
  const made = element('a', '', ...words);
  made.href = href;
  if (host !== '') made.title = href;
  // A link into this chat opens here: another tab would take over from this one.
  const [page, hash] = made.href.split('#');
  if (page === location.href.split('#')[0] && parseLink(hash ?? '')) return made;
  // No referrer, and no credit from search engines.
  made.rel = 'noopener noreferrer nofollow ugc';
  // A mail program opens beside the page by itself.
  if (made.protocol === 'mailto:') return made;
  made.target = '_blank';
  made.setAttribute('aria-label', t('link_opens', { link: made.textContent }));
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
