// Runs before the first paint: applies the chosen appearance, so that nothing flashes; and until the chat has begun, says
// why it does not. Nothing looks ready before it is: index.html hides everything else, and app.js shows it.
//
// Old browsers run this too, so it is written in the JavaScript of 2009.

(function () {
  var WORDS = {
    en: {
      loading: 'Loading…',
      slow: 'This is taking longer than usual. Check your connection.',
      missing: 'Part of this page couldn’t be loaded. Check your connection.',
      old: 'This chat needs a newer browser.',
      broken: 'Something went wrong.',
      reload: 'Reload'
    },
    de: {
      loading: 'Wird geladen …',
      slow: 'Das dauert länger als sonst. Prüfe deine Verbindung.',
      missing: 'Ein Teil dieser Seite konnte nicht geladen werden. Prüfe deine Verbindung.',
      old: 'Dieser Chat braucht einen neueren Browser.',
      broken: 'Etwas ist schiefgegangen.',
      reload: 'Neu laden'
    },
    es: {
      loading: 'Cargando…',
      slow: 'Está tardando más de lo normal. Comprueba tu conexión.',
      missing: 'No se ha podido cargar una parte de esta página. Comprueba tu conexión.',
      old: 'Este chat necesita un navegador más reciente.',
      broken: 'Algo ha fallado.',
      reload: 'Recargar'
    },
    fr: {
      loading: 'Chargement…',
      slow: 'C’est plus long que d’habitude. Vérifiez votre connexion.',
      missing: 'Une partie de cette page n’a pas pu être chargée. Vérifiez votre connexion.',
      old: 'Ce chat a besoin d’un navigateur plus récent.',
      broken: 'Un problème est survenu.',
      reload: 'Recharger'
    }
  };
  /** A page that loads faster than this says nothing; one that takes longer than that is slow. */
  var LOADING_MS = 1500;
  var SLOW_MS = 15000;

  var root = document.documentElement;

  function stored(key) {
    try {
      // The name as in core/storage.js.
      var path = new URL('./', document.baseURI).pathname;
      return JSON.parse(localStorage.getItem((path === '/' ? 'wschat.' : 'wschat' + path + '.') + key));
    } catch (error) {
      return null; // no storage: follow the system
    }
  }

  // ---- the appearance

  var theme = stored('theme');
  if (theme === 'light' || theme === 'dark') root.setAttribute('data-theme', theme);

  /** The browser's bar has the colour of the chosen appearance, even if the system has the other one. */
  function colourBar() {
    var shown = root.getAttribute('data-theme');
    var all = document.querySelectorAll('meta[name="theme-color"]');
    var own = document.getElementById('chosen-colour');
    if (own) own.parentNode.removeChild(own);
    for (var i = 0; shown && i < all.length; i += 1) {
      if (all[i] === own || String(all[i].getAttribute('media')).indexOf(shown) < 0) continue;
      own = document.createElement('meta');
      own.id = 'chosen-colour';
      own.name = 'theme-color';
      own.content = all[i].content;
      // The first one that fits counts.
      document.head.insertBefore(own, document.head.firstChild);
      return;
    }
  }

  colourBar();
  document.addEventListener('DOMContentLoaded', colourBar);
  document.addEventListener('appearance', colourBar);

  // ---- what keeps the chat from beginning

  /** A word is given once, unless a worse one follows. */
  var said = '';

  function words() {
    var own = document.getElementById('owner');
    var wanted = [stored('language')];
    try {
      if (own) wanted.push(JSON.parse(own.textContent).language);
    } catch (error) {
      // Not the owner's data.
    }
    wanted = wanted.concat(navigator.languages || [navigator.language]);
    for (var i = 0; i < wanted.length; i += 1) {
      var language = String(wanted[i]).toLowerCase().split('-')[0];
      if (WORDS.hasOwnProperty(language)) return [language, WORDS[language]];
    }
    return ['en', WORDS.en];
  }

  function say(what) {
    var place = document.getElementById('starting-words');
    if (!place || said === 'old' || (said !== '' && (what === 'loading' || what === 'slow') && said !== 'loading')) return;
    said = what;
    var chosen = words();
    var line = document.createElement('p');
    line.textContent = chosen[1][what];
    place.lang = chosen[0];
    while (place.firstChild) place.removeChild(place.firstChild);
    place.appendChild(line);
    place.parentNode.className = what === 'loading' ? 'late' : 'told';
    if (what === 'loading' || what === 'old') return;
    var again = document.createElement('button');
    again.type = 'button';
    again.textContent = chosen[1].reload;
    again.onclick = function () { location.reload(); };
    place.appendChild(again);
  }

  /** Whether the browser lacks what the chat is written with. */
  function isOld() {
    try {
      new RegExp('[a--b]', 'v');
      return !('noModule' in document.createElement('script') && 'WebSocket' in window && Intl.Segmenter && Array.prototype.findLast);
    } catch (error) {
      return true;
    }
  }

  function preload(script) {
    var link = document.createElement('link');
    link.rel = 'modulepreload';
    link.href = script;
    document.head.appendChild(link);
  }

  /** These are known to be wanted before app.js is there to ask for them. */
  function preloadAll() {
    if (document.readyState !== 'interactive') return;
    preload('texts/' + words()[0] + '.js');
    if (/\broom=/.test(location.hash)) preload('view/inside.js');
  }

  /** As browsers say it of a module that could not be loaded. */
  var NOT_LOADED = /import/i;

  function failed(event) {
    var from = event.target;
    var isLoaded = from && (from.tagName === 'SCRIPT' || (from.tagName === 'LINK' && from.getAttribute('href') === 'style.css'));
    if (from !== window && !isLoaded) return; // a picture
    if (isLoaded) root.setAttribute('data-broken', '');
    // The script may fail before there is a place for words.
    whenParsed(function () { say(isOld() ? 'old' : isLoaded || NOT_LOADED.test(event.message) ? 'missing' : 'broken'); });
  }

  function whenParsed(act) {
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', act);
    else act();
  }

  document.addEventListener('readystatechange', preloadAll);
  window.addEventListener('error', failed, true);
  window.addEventListener('unhandledrejection', function () { whenParsed(function () { say(isOld() ? 'old' : 'broken'); }); });
  whenParsed(function () { if (isOld()) say('old'); });
  setTimeout(function () { say('loading'); }, LOADING_MS);
  setTimeout(function () { say('slow'); }, SLOW_MS);
})();
