// The avatar beside a user's messages.

import { colour, initial } from '../text/names.js';
import { element } from './dom.js';

/** The first letter of the name on the user's colour. Hidden from screen readers. */
export function avatar(id, name) {
  const circle = element('span', `avatar hue-${colour(id)}`, initial(name));
  circle.setAttribute('aria-hidden', 'true');
  return circle;
}
