// The invitation to a room: its link, as a code for a camera, to copy, and for the device's own way of sharing. Loaded when
// it is wanted.

import { formatLink } from '../core/link.js';
import { owner } from '../core/owner.js';
import { visible } from '../text/names.js';
import { qrCode } from '../text/qr.js';
import { copyText } from './copy.js';
import { button, byId, element, icon, setText } from './dom.js';
import { showSheet, top } from './sheet.js';
import { t } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
/** The light border that cameras need, in modules. */
const QUIET = 4;
/** How long the button says that the link is copied. */
const COPIED_MS = 2_500;

export function openInvitation(room) {
  const dialog = byId('invitation');
  const url = new URL(formatLink({ room: room.id }), location.href).href;
  const address = element('input');
  Object.assign(address, { id: 'invitation-link', readOnly: true, value: url, dir: 'ltr' });
  address.setAttribute('aria-label', t('invite_link'));
  address.addEventListener('focus', () => address.select());
  const code = drawing(url);
  dialog.replaceChildren(
    top(dialog, t('invite_to', { room: visible(room.title) })),
    element('p', '', t('invite_about')),
    ...(code ? [element('div', 'qr-place', code)] : []),
    address,
    element('div', 'buttons', ...buttons(url, room)),
  );
  showSheet(dialog);
}

function buttons(url, room) {
  const canShare = 'share' in navigator;
  const words = element('span', '', t('copy_link'));
  // A toast would be behind the dialog: the button says it to the eye, and this to the ear.
  const told = element('span', 'unseen');
  told.setAttribute('role', 'status');
  let timer;
  const copy = button(canShare ? '' : 'main', '', async () => {
    const result = t(await copyText(url) ? 'link_copied' : 'link_not_copied');
    setText(words, result);
    setText(told, result);
    clearTimeout(timer);
    timer = setTimeout(() => {
      setText(words, t('copy_link'));
      setText(told, '');
    }, COPIED_MS);
  });
  copy.replaceChildren(icon('copy'), words);
  if (!canShare) return [told, copy];
  const share = button('main', '', async () => {
    try {
      await navigator.share({ title: owner().title, text: t('invite_to', { room: visible(room.title) }), url });
    } catch {
      // The user has thought better of it, or the device cannot share: the link is still there.
    }
  });
  share.replaceChildren(icon('share'), t('share_more'));
  return [told, copy, share];
}

/** The code is dark on light in the dark too, or cameras would not find it. */
function drawing(url) {
  const rows = qrCode(url);
  if (rows === null) return null;
  const size = rows.length + 2 * QUIET;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'qr');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', t('invite_code'));
  const path = document.createElementNS(SVG, 'path');
  const runs = rows.flatMap((row, y) => [...row.map(Number).join('').matchAll(/1+/g)]
    .map(({ index, 0: { length } }) => `M${index + QUIET} ${y + QUIET}h${length}v1h-${length}z`));
  path.setAttribute('d', runs.join(''));
  svg.append(path);
  return svg;
}
