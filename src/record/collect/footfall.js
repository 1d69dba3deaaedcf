// Footfall: one visit for each view of a page. No cookie, and nothing is kept in the browser.
(() => {
  const script = document.currentScript;
  const { key, counter, visitor } = script.dataset;
  const url = new URL('collect', script.src);
  const unanswered = new Set();
  let from = document.referrer, path;

  // Once more after a failure. With the same id it is the same visit, however often it arrives.
  const send = (body, again) =>
    fetch(url, { method: 'POST', body, keepalive: true, credentials: 'omit' })
      .then(answer => answer.status > 499 || answer.status == 429 ? Promise.reject() : 0)
      .then(() => unanswered.delete(body), () => again && setTimeout(send, 1000, body));

  const view = () => {
    if (document.prerendering || path == location.pathname) return;
    path = location.pathname;
    const random = crypto.getRandomValues(new Uint32Array(4));
    const campaign = new URLSearchParams(location.search).get('utm_campaign') || '';
    const body = JSON.stringify({
      key, counter, visitor, id: random.join('-'), path: path.slice(0, 512),
      referrer: from.startsWith(location.origin) ? '' : from.split(/[?#]/)[0].slice(0, 256),
      campaign: [...campaign].slice(0, 64).join(''),
    });
    from = '';
    unanswered.add(body);
    send(body, true);
  };

  // Pages that change their path by themselves.
  for (const name of ['pushState', 'replaceState']) {
    const own = history[name];
    history[name] = (...all) => (own.apply(history, all), view());
  }
  addEventListener('popstate', view);
  // Shown once more, from the browser's memory.
  addEventListener('pageshow', event => event.persisted && view(path = 0));
  document.addEventListener('prerenderingchange', view);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) unanswered.forEach(body => navigator.sendBeacon(url, body));
  });
  view();
})();
