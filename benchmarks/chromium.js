// What the benchmarks need inside a page; Chromium runs it before the page's own scripts.
globalThis.bench = {
  /** Wall clock in ms, finer than Date.now(). */
  now: () => performance.timeOrigin + performance.now(),

  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),

  /** Resolves with the time of the first event after which `check()` is true. */
  when(check, subscribe, what, limit = 5000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(() => reject(new Error(`not seen: ${what}`))), limit);
      const end = (then) => {
        clearTimeout(timer);
        unsubscribe();
        then();
      };
      const unsubscribe = subscribe(() => {
        const at = bench.now();
        if (check()) {
          end(() => resolve(at));
        }
      });
    });
  },

  /** One custom message to Python and back, in ms. */
  roundTrip(key) {
    return new Promise((resolve) => {
      const start = performance.now();
      const seen = (message) => {
        if (message.key === key) {
          const end = performance.now();
          bridge.off('msg:custom', seen);
          resolve(end - start);
        }
      };
      bridge.on('msg:custom', seen);
      bridge.send({ ask: 'echo', key });
    });
  },

  /** The same over a WebSocket with nothing behind it. */
  async echo(key) {
    bench.socket ??= await new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/echo`);
      socket.onopen = () => resolve(socket);
    });
    return new Promise((resolve) => {
      const start = performance.now();
      bench.socket.onmessage = () => resolve(performance.now() - start);
      bench.socket.send(JSON.stringify({ key, padding: 'x'.repeat(300) }));
    });
  },

  /** A Bokeh model of a Panel page, by the end of its type's name. */
  bokeh(type) {
    const models = [...Bokeh.documents[0]._all_models.values()];
    return models.find((model) => model.type.endsWith(type));
  },

  /** Calls at every change of a Bokeh model's property. */
  onBokeh: (model, property) => (callback) => {
    const slot = () => callback();
    model.properties[property].change.connect(slot);
    return () => model.properties[property].change.disconnect(slot);
  },

  onUrl(callback) {
    navigation.addEventListener('currententrychange', callback);
    return () => navigation.removeEventListener('currententrychange', callback);
  },

  onAttribute: (element) => (callback) => {
    const observer = new MutationObserver(callback);
    observer.observe(element, { attributes: true });
    return () => observer.disconnect();
  },

  onMessage(callback) {
    const slot = (message) => {
      bench.message = message;
      callback();
    };
    bridge.on('msg:custom', slot);
    return () => bridge.off('msg:custom', slot);
  },

  /** Elements of the page, open shadow roots included. */
  *all(selector, root = document) {
    yield* root.querySelectorAll(selector);
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) {
        yield* bench.all(selector, element.shadowRoot);
      }
    }
  },
};

// Before any other listener: when the browser itself told of the last change of the URL.
globalThis.navigation?.addEventListener('currententrychange', () => {
  bench.changedAt = bench.now();
});
